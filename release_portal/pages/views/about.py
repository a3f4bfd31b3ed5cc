"""About the portal: its ladder and its policy, printed from the tables that decide; and the style guide."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render

from release_portal.access.policy import POLICY_VERSION, TABLE, Action
from release_portal.core.clock import now
from release_portal.core.declare import public
from release_portal.core.errors import NotFound
from release_portal.core.http import PortalRequest
from release_portal.pages.style_guide import sample_context
from release_portal.pages.words import ACTIONS, AUDIENCES
from release_portal.releases.ladder import LADDER


@public
def stages(request: PortalRequest) -> HttpResponse:
    """What each stage means, and the whole policy."""
    rows = [
        {
            "label": ACTIONS[action],
            "cells": [{"stage": stage, "audience": AUDIENCES[TABLE[stage.slug][action]]} for stage in LADDER],
        }
        for action in Action
    ]
    context = {"stages": LADDER, "rows": rows, "policy_version": POLICY_VERSION}
    return render(request, "about/stages.html", context)


@public
def style_guide(request: PortalRequest) -> HttpResponse:
    """Every component once; for whoever works on the portal."""
    if not settings.DEBUG:
        raise NotFound("There is nothing here.", change="Check the address, or look in the catalogue.")
    return render(request, "pages/style_guide.html", sample_context(now()))
