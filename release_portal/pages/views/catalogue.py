"""The catalogue: families, and where each of their sizes stands."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from release_portal.access.lookups import sizes_for
from release_portal.access.policy import Action
from release_portal.core.actors import Actor
from release_portal.core.clock import now
from release_portal.core.declare import public
from release_portal.core.errors import NotFound
from release_portal.core.http import PortalRequest
from release_portal.pages import showing
from release_portal.pages.paging import filter_text
from release_portal.registry.models import Artefact, ModelFamily, ModelSize
from release_portal.releases.ladder import LADDER, artefacts_open_at
from release_portal.releases.lookups import with_holds


@public
def catalogue(request: PortalRequest) -> HttpResponse:
    """Families as rows, their sizes as a ladder."""
    q, stage = filter_text(request, "q"), filter_text(request, "stage")
    found = _matching(_visible(request.actor, now()), q, stage)
    context = {"families": _by_family(found), "stages": LADDER, "q": q, "stage_slug": stage, "count": len(found)}
    return render(request, "catalogue/catalogue.html", context)


@public
def family(request: PortalRequest, slug: str) -> HttpResponse:
    """One family with its ladder and its dated history."""
    at = now()
    sizes = list(_visible(request.actor, at).filter(family__slug=slug))
    if not sizes:
        raise NotFound("There is nothing here.", change="Check the address, or look in the catalogue.")
    (entry,) = _by_family(sizes)
    context = {
        **entry,
        "stages": LADDER,
        "history": showing.family_history(request.actor, entry["family"], at=at),
        "breadcrumbs": [{"label": _("Catalogue"), "url": reverse("catalogue")}, {"label": entry["family"].name}],
    }
    return render(request, "catalogue/family.html", context)


def _visible(actor: Actor, at: datetime) -> QuerySet[ModelSize]:
    return with_holds(sizes_for(actor, Action.VIEW, at=at)).order_by("family__ordinal", "ordinal")


def _matching(sizes: QuerySet[ModelSize], q: str, stage: str) -> list[ModelSize]:
    if q:
        wanted = Q(name__icontains=q) | Q(slug__icontains=q) | Q(family__name__icontains=q)
        sizes = sizes.filter(wanted | Q(aliases__name__icontains=q)).distinct()
    return list(sizes.filter(standing__stage=stage) if stage else sizes)


def _by_family(sizes: Iterable[ModelSize]) -> list[dict[str, Any]]:
    families: dict[ModelFamily, list[ModelSize]] = {}
    for size in sizes:
        families.setdefault(size.family, []).append(size)
    return [
        {
            "family": family,
            "ladder_rows": [showing.ladder_row(size, size.open_holds) for size in members],  # type: ignore[attr-defined]
            "rows": [_row(size) for size in members],
        }
        for family, members in families.items()
    ]


def _row(size: ModelSize) -> dict[str, Any]:
    return {"size": size, "url": showing.address("size", size), "artefacts": _open_artefacts(size)}


def _open_artefacts(size: ModelSize) -> list[Artefact]:
    kinds = artefacts_open_at(size.standing.stage)
    return [artefact for artefact in size.artefacts.all() if artefact.kind in kinds]
