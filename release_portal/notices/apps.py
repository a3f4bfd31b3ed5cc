from django.apps import AppConfig


class NoticesConfig(AppConfig):
    name = "release_portal.notices"

    def ready(self) -> None:
        from release_portal.accounts.telling import register_teller
        from release_portal.notices.own_data import declare
        from release_portal.notices.services import tell

        declare()
        register_teller(tell)
