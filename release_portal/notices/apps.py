from django.apps import AppConfig


class NoticesConfig(AppConfig):
    name = "release_portal.notices"

    def ready(self) -> None:
        from release_portal.notices.own_data import declare

        declare()
