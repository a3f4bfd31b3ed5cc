"""About the portal: its ladder and its policy, printed from the tables that decide; and the style guide."""

from __future__ import annotations

from typing import Any

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
from release_portal.releases.openness import matrix


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
    context = {"stages": LADDER, "rows": rows, "matrix": _matrix(), "policy_version": POLICY_VERSION}
    return render(request, "about/stages.html", context)


def _matrix() -> list[dict[str, Any]]:
    """Return the artefacts with the first sentence of each cell; the stage where each opens is seen in its row."""
    return [
        {
            "artefact": row.artefact,
            "cells": [
                {
                    "label": f"{stage.code} {stage.label}",
                    "words": cell.audience.partition(".")[0].lower(),
                    "is_open": cell.is_open,
                }
                for cell, stage in zip(row.cells, LADDER, strict=True)
            ],
        }
        for row in matrix()
    ]


@public
def style_guide(request: PortalRequest) -> HttpResponse:
    """Every component once; for whoever works on the portal."""
    if not settings.DEBUG:
        raise NotFound("There is nothing here.", change="Check the address, or look in the catalogue.")
    return render(request, "pages/style_guide.html", sample_context(now()))
