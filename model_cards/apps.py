from django.apps import AppConfig


class ModelCardsConfig(AppConfig):
    name = "model_cards"
