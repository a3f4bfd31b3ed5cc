"""Own data: what the portal holds about the reader, and the file with all of it."""

from __future__ import annotations

from typing import cast

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse

from release_portal.accounts.models import User
from release_portal.accounts.own_data import counts_for, export_own_data
from release_portal.core.clock import now
from release_portal.core.declare import signed_in
from release_portal.core.http import PortalRequest
from release_portal.pages import showing


@signed_in
def own_data(request: PortalRequest) -> HttpResponse:
    """What is held, why, and how much of it."""
    return render(request, "account/own_data.html", {"held": counts_for(cast(User, request.user))})


@signed_in
def own_data_export(request: PortalRequest) -> HttpResponse:
    """Everything that is held, as one JSON file."""
    if request.method != "POST":
        return showing.see_other(reverse("own-data"))
    content = export_own_data(request.actor, cast(User, request.user), at=now())
    response = JsonResponse(content, json_dumps_params={"indent": 1, "ensure_ascii": False})
    response["Content-Disposition"] = f'attachment; filename="own-data-{request.actor.name}.json"'
    response["Cache-Control"] = "no-store"
    return response
