from django.apps import AppConfig


class BatchesConfig(AppConfig):
    name = "release_portal.batches"

    def ready(self) -> None:
        from inference.contract import Function
        from release_portal.batches.own_data import declare
        from release_portal.batches.settling import end_line
        from release_portal.jobs.handlers import on_settled

        for function in (Function.GENERATE, Function.EMBED):
            on_settled(function.value, end_line)
        declare()
