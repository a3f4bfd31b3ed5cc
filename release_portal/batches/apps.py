from django.apps import AppConfig


class BatchesConfig(AppConfig):
    name = "release_portal.batches"

    def ready(self) -> None:
        from inference.contract import Function
        from release_portal.batches.own_data import declare
        from release_portal.batches.settling import end_line
        from release_portal.jobs.handlers import on_settled

        on_settled(Function.GENERATE.value, end_line)
        declare()
