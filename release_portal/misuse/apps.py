from django.apps import AppConfig


class MisuseConfig(AppConfig):
    name = "release_portal.misuse"
