from django.apps import AppConfig


class PagesConfig(AppConfig):
    name = "release_portal.pages"
