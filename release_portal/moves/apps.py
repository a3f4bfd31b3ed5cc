from django.apps import AppConfig


class MovesConfig(AppConfig):
    name = "release_portal.moves"
