from django.apps import AppConfig


class EpochsConfig(AppConfig):
    name = "release_portal.epochs"
