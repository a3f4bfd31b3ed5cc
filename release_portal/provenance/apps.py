from django.apps import AppConfig


class ProvenanceConfig(AppConfig):
    name = "release_portal.provenance"

    def ready(self) -> None:
        from inference.contract import Function
        from release_portal.jobs.handlers import on_settled
        from release_portal.provenance.services import write_fingerprints

        on_settled(Function.GENERATE.value, write_fingerprints)
