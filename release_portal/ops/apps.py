from django.apps import AppConfig


class OpsConfig(AppConfig):
    name = "release_portal.ops"
