from django.apps import AppConfig


class RegistryConfig(AppConfig):
    name = "release_portal.registry"
