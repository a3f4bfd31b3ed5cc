"""What views that give one command share: call the service, show its refusal with nothing lost, else lead on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.views.decorators.http import require_http_methods

from release_portal.access.lookups import size_for
from release_portal.access.policy import Action
from release_portal.core.clock import now
from release_portal.core.errors import PortalError
from release_portal.core.http import PortalRequest
from release_portal.pages import showing
from release_portal.pages.forms.base import ServiceForm
from release_portal.registry.models import ModelSize

# A form that was refused, by the name under which its page knows it.
Bound = dict[str, ServiceForm]
methods = require_http_methods(["GET", "HEAD", "POST"])


def visible_size(request: PortalRequest, lab: str, name: str) -> ModelSize:
    """Return the size that an address names, if the asker may see it."""
    return size_for(request.actor, f"{lab}/{name}", Action.VIEW, at=now()).size


def carry_out(
    request: PortalRequest,
    form: ServiceForm,
    act: Callable[[], Any],
    page: Callable[[ServiceForm, int], HttpResponse],
    said: str,
    url: str,
) -> HttpResponse:
    """Call the service; show its refusal on the page with nothing lost, else lead on."""
    try:
        act()
    except PortalError as error:
        form.refuse(error)
        return page(form, error.status)
    messages.success(request, said)
    return showing.see_other(url)
