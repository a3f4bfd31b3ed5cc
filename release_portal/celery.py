"""Celery as the portal knows it: producer of the worker's tasks, and the portal's own queue and beat."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "release_portal.settings")

app = Celery("release_portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.imports = ["release_portal.tasks", "release_portal.api.tasks"]
