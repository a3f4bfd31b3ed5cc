"""The ASGI application that uvicorn serves."""

import os

from django.core.asgi import get_asgi_application

from release_portal.core.body_limit import limit_body
from release_portal.core.body_sizes import limit_of

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "release_portal.settings")

application = limit_body(get_asgi_application(), limit_of)
