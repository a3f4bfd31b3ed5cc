from django.apps import AppConfig


class MisuseConfig(AppConfig):
    name = "release_portal.misuse"

    def ready(self) -> None:
        from release_portal.misuse import measurers  # noqa: F401 - declares what it measures
        from release_portal.misuse.own_data import declare

        declare()
