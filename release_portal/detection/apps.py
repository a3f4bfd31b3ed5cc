from django.apps import AppConfig


class DetectionConfig(AppConfig):
    name = "release_portal.detection"

    def ready(self) -> None:
        from inference.contract import Function
        from release_portal.detection.own_data import declare
        from release_portal.detection.services import store_evidence
        from release_portal.jobs.handlers import on_settled

        on_settled(Function.SCORE.value, store_evidence)
        declare()
