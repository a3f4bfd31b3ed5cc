from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "release_portal.jobs"

    def ready(self) -> None:
        from release_portal.jobs import measurers  # noqa: F401 - declares what it measures
        from release_portal.jobs.own_data import declare

        declare()
