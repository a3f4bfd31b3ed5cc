from django.apps import AppConfig


class ReleasesConfig(AppConfig):
    name = "release_portal.releases"
