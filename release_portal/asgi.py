"""The ASGI application that uvicorn serves."""

import os

from django.conf import settings
from django.core.asgi import get_asgi_application

from release_portal.core.body_limit import limit_body

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "release_portal.settings")

application = limit_body(get_asgi_application(), settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
