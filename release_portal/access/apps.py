from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "release_portal.access"

    def ready(self) -> None:
        from release_portal.access.own_data import declare

        declare()
