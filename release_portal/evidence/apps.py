from django.apps import AppConfig


class EvidenceConfig(AppConfig):
    name = "release_portal.evidence"

    def ready(self) -> None:
        from release_portal.evidence import integrity  # noqa: F401 - declares what it measures
        from release_portal.evidence.own_data import declare

        declare()
