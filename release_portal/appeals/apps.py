from django.apps import AppConfig


class AppealsConfig(AppConfig):
    name = "release_portal.appeals"

    def ready(self) -> None:
        from release_portal.appeals.own_data import declare

        declare()
