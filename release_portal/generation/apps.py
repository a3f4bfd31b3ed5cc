from django.apps import AppConfig


class GenerationConfig(AppConfig):
    name = "release_portal.generation"
