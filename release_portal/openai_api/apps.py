from django.apps import AppConfig


class OpenAIApiConfig(AppConfig):
    name = "release_portal.openai_api"

    def ready(self) -> None:
        from release_portal.batches.endpoints import register
        from release_portal.openai_api.batch_lines import completions

        register(completions())
