from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "release_portal.api"

    def ready(self) -> None:
        from release_portal.api import schema  # noqa: F401 - drf-spectacular finds its extensions by their import
