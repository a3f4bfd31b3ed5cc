from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "release_portal.jobs"

    def ready(self) -> None:
        from inference.contract import Function
        from release_portal.access.receipts import on_withdrawn
        from release_portal.jobs import (
            measurers,  # noqa: F401 - declares what it measures
            receipts,
        )
        from release_portal.jobs.handlers import on_settled
        from release_portal.jobs.own_data import declare

        declare()
        on_withdrawn(receipts.open_receipt)
        receipts.register_line("api_tokens", receipts.count_api_tokens)
        for function in Function:
            on_settled(function.value, receipts.continue_receipts)
