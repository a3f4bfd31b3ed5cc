from django.apps import AppConfig


class GenerationConfig(AppConfig):
    name = "release_portal.generation"

    def ready(self) -> None:
        from release_portal.generation.services import count_permalinks
        from release_portal.jobs.receipts import register_line

        register_line("permalinks", count_permalinks)
