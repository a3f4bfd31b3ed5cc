from django.apps import AppConfig


class ReleasesConfig(AppConfig):
    name = "release_portal.releases"

    def ready(self) -> None:
        from release_portal.releases.own_data import declare

        declare()
