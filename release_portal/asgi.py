"""The ASGI application that uvicorn serves."""

import os

from django.conf import settings
from django.core.asgi import get_asgi_application

from release_portal.core.body_limit import limit_body
from release_portal.core.body_sizes import limit_of
from release_portal.core.lanes import in_lanes

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "release_portal.settings")

application = limit_body(in_lanes(get_asgi_application(), settings.WEB_LANES), limit_of)
