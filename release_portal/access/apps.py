from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "release_portal.access"

    def ready(self) -> None:
        from release_portal.access import appealing, own_data

        own_data.declare()
        appealing.declare()
