"""Programmes: what each asks and whom it admits, where it applies, what changed; and keeping them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from release_portal.access.application_rules import DECIDERS
from release_portal.access.programmes.lookups import (
    families_seen,
    family_to_publish_for,
    kept_programmes,
    programme_named,
    publications_in_force,
    stages_of_kind,
)
from release_portal.access.programmes.programme_changes import programme_diff
from release_portal.access.programmes.programme_rules import Programme
from release_portal.access.programmes.services import (
    keeping_decision,
    programme_for,
    publish_programme,
    store_programme,
)
from release_portal.core.actors import Actor
from release_portal.core.clock import now
from release_portal.core.declare import public, roles
from release_portal.core.errors import PortalError, error_of
from release_portal.core.http import PortalRequest
from release_portal.pages import showing
from release_portal.pages.forms.programmes import PublishForm, StoreForm
from release_portal.pages.programme_words import figures, is_preset, purposes_shown, questions_shown, rules_shown, waits
from release_portal.releases.ladder import stage_of

YAML = "yaml"
KEEPERS = tuple(DECIDERS.values())


@public
def programmes(request: PortalRequest) -> HttpResponse:
    """Every programme, and where it applies."""
    places = publications_in_force(request.actor, now())
    rows = [
        {
            "programme": one,
            "kind": one.kind,
            "is_preset": is_preset(one),
            "places": places.get(one.digest, []),
        }
        for one in kept_programmes()
    ]
    may_keep = any(keeping_decision(request.actor, kind, "store") for kind in DECIDERS)
    return render(request, "programmes/programmes.html", {"rows": rows, "may_keep": may_keep})


@public
def programme(request: PortalRequest, digest: str) -> HttpResponse:
    """One programme: purposes, rules, questions, review, and the file itself."""
    shown = programme_named(digest)
    if request.GET.get("format") == YAML:
        return _file(shown)
    others = [one for one in kept_programmes() if one.kind == shown.kind and one.digest != shown.digest]
    context = {
        "programme": shown,
        "is_preset": is_preset(shown),
        "places": publications_in_force(request.actor, now()).get(shown.digest, []),
        "figures": figures(shown),
        "purposes": purposes_shown(shown),
        "rules": rules_shown(shown),
        "waits": waits(shown),
        "questions": questions_shown(shown),
        "others": [
            {"programme": one, "url": reverse("programme-diff", args=[one.digest, shown.digest])} for one in others
        ],
        "may_keep": bool(keeping_decision(request.actor, shown.kind, "publish")),
        "breadcrumbs": _crumbs(str(shown)),
    }
    return render(request, "programmes/programme.html", context)


@public
def diff(request: PortalRequest, old: str, new: str) -> HttpResponse:
    """What changes from one programme to another, in words."""
    before, after = programme_named(old), programme_named(new)
    context = {
        "before": before,
        "after": after,
        "changes": programme_diff(before, after),
        "breadcrumbs": _crumbs(_("What changes")),
    }
    return render(request, "programmes/diff.html", context)


@roles(*KEEPERS)
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: PortalRequest) -> HttpResponse:
    """Store a file."""
    if request.method != "POST":
        return _new_page(request, StoreForm())
    form = StoreForm(request.POST)
    try:
        version = store_programme(request.actor, form.text("file"), at=now())
    except PortalError as error:
        form.refuse(error)
        return _new_page(request, form, error.status)
    messages.success(request, _("The file is stored. It applies to nobody until it is published."))
    return showing.see_other(reverse("programme", args=[version.digest]))


def _new_page(request: PortalRequest, form: StoreForm, status: int = 200) -> HttpResponse:
    context = {"form": form, "breadcrumbs": _crumbs(_("Store a programme"))}
    return render(request, "programmes/new.html", context, status=status)


@roles(*KEEPERS)
@require_http_methods(["GET", "HEAD", "POST"])
def publish(request: PortalRequest, digest: str) -> HttpResponse:
    """Let a stored programme apply to a family at a stage."""
    shown, at = programme_named(digest), now()
    decision = keeping_decision(request.actor, shown.kind, "publish")
    if not decision:
        raise error_of(decision)
    if request.method != "POST":
        return _publish_page(request, shown, _publish_form(request.actor, shown, at), at)
    form = _publish_form(request.actor, shown, at, request.POST)
    try:
        family = family_to_publish_for(request.actor, form.text("family"), at)
        given: dict[str, Any] = {"stage": form.text("stage"), "reason": form.text("reason"), "at": at}
        publish_programme(request.actor, shown.digest, family=family, **given)
    except PortalError as error:
        form.refuse(error)
        return _publish_page(request, shown, form, at, error.status)
    messages.success(request, _("It applies from now on. What was handed in keeps its own programme."))
    return showing.see_other(reverse("programme", args=[shown.digest]))


def _publish_form(actor: Actor, shown: Programme, at: datetime, data: Any = None) -> PublishForm:
    families = [(one.slug, one.name) for one in families_seen(actor, at)]
    stages = [(slug, stage_of(slug).label) for slug in stages_of_kind(shown.kind)]
    return PublishForm(data, families=families, stages=stages)


def _publish_page(
    request: PortalRequest, shown: Programme, form: PublishForm, at: datetime, status: int = 200
) -> HttpResponse:
    context = {
        "programme": shown,
        "form": form,
        "differences": [
            {"family": family.name, "stage": stage_of(stage).label, "changes": programme_diff(before, shown)}
            for family in families_seen(request.actor, at)
            for stage in stages_of_kind(shown.kind)
            for before in [programme_for(family.pk, stage, at)]
            if before.digest != shown.digest
        ],
        "breadcrumbs": _crumbs(str(shown)),
    }
    return render(request, "programmes/publish.html", context, status=status)


def _crumbs(label: str) -> list[dict[str, str]]:
    return [{"label": _("Programmes"), "url": reverse("programmes")}, {"label": label, "url": ""}]


def _file(shown: Programme) -> HttpResponse:
    response = HttpResponse(shown.text, content_type="text/yaml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{shown.name}-{shown.version}.yaml"'
    return response
