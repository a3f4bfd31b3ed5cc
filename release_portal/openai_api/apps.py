from django.apps import AppConfig


class OpenAIApiConfig(AppConfig):
    name = "release_portal.openai_api"

    def ready(self) -> None:
        from release_portal.batches.endpoints import register
        from release_portal.openai_api.batch_embeddings import embeddings
        from release_portal.openai_api.batch_generations import CHATS, COMPLETIONS

        for endpoint in (COMPLETIONS.endpoint(), CHATS.endpoint(), embeddings()):
            register(endpoint)
