"""Celery as the portal knows it: producer of the worker's tasks, and the portal's own queue and beat."""

import os
from typing import Any

from celery import Celery
from celery.signals import beat_embedded_init

from release_portal.core.processes import end_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "release_portal.settings")

_worker = os.getpid()  # the beat is forked from the process that reads this

app = Celery("release_portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.imports = ["release_portal.tasks", "release_portal.api.tasks"]


@beat_embedded_init.connect
def _end_with_worker(**_: Any) -> None:
    """End the beat with its worker: one that outlived it would order periodic work beside the next worker's."""
    end_with_parent(_worker)
