from django.apps import AppConfig


class OpenAIApiConfig(AppConfig):
    name = "release_portal.openai_api"
