"""Holds on a size: block widening, restrict use, confirm a restriction, release."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from release_portal.access.governed import hold_for
from release_portal.access.lookups import size_for
from release_portal.access.policy import Action
from release_portal.core.actors import Actor
from release_portal.core.clock import now
from release_portal.core.declare import roles
from release_portal.core.errors import InvalidInput, NotFound, PortalError
from release_portal.core.http import PortalRequest
from release_portal.moves.services import restrict
from release_portal.pages import showing
from release_portal.pages.forms.base import ServiceForm
from release_portal.pages.forms.holds import RAISE_FORMS, ConfirmHoldForm, RaiseForm, ReleaseForm
from release_portal.registry.models import ModelSize
from release_portal.releases.hold_rules import (
    COHORT,
    FEATURES,
    HOLD_STAFF,
    PLAIN,
    QUOTAS,
    STOP,
    may_confirm,
    may_raise,
    may_release,
)
from release_portal.releases.hold_services import confirm_hold, release_hold
from release_portal.releases.models import Hold

COMMANDS: dict[str, tuple[type[ServiceForm], Any, Any]] = {
    "confirm": (ConfirmHoldForm, may_confirm, confirm_hold),
    "release": (ReleaseForm, may_release, release_hold),
}
Bound = dict[str, ServiceForm]
OFFERED = (PLAIN, STOP, QUOTAS, FEATURES, COHORT)


@roles(*HOLD_STAFF)
@require_http_methods(["GET", "HEAD", "POST"])
def hold(request: PortalRequest, lab: str, name: str) -> HttpResponse:
    """Hold a size or restrict its use, and see what holds it."""
    at = now()
    size = size_for(request.actor, f"{lab}/{name}", Action.VIEW, at=at).size
    if request.method != "POST":
        return _page(request, size)
    kind = request.POST.get("kind", "")
    form = _raise_form(kind, size, request.POST)
    try:
        raised = restrict(
            request.actor,
            size,
            kind,
            reason=form.text("reason"),
            **_terms(form),
            expected_version=form.version(),
            at=at,
        )
    except PortalError as error:
        size.standing.refresh_from_db()
        form.refuse(error, expected_version=size.standing.version)
        return _page(request, size, {kind if kind in RAISE_FORMS else "": form}, error.status)
    messages.success(request, _raised(raised))
    return showing.see_other(showing.address("size-hold", size))


@roles(*HOLD_STAFF)
@require_http_methods(["GET", "HEAD", "POST"])
def command(request: PortalRequest, pk: int, name: str) -> HttpResponse:
    """Confirm a restriction, or release a hold."""
    held = hold_for(request.actor, pk, at=now())
    if name not in COMMANDS:
        raise NotFound("There is nothing here.", change="The holds of a size are listed on its page.")
    size = held.size
    if request.method != "POST":
        return showing.see_other(showing.address("size-hold", size))
    form_class, _may, service = COMMANDS[name]
    form = form_class(request.POST, auto_id=_auto_id(name, held))
    try:
        service(request.actor, held.pk, reason=form.text("reason"), expected_version=form.version(), at=now())
    except PortalError as error:
        held.refresh_from_db()
        form.refuse(error, expected_version=held.version)
        return _page(request, size, {f"{name}-{held.pk}": form}, error.status)
    messages.success(request, _answered(name))
    return showing.see_other(showing.address("size-hold", size))


def _raise_form(kind: str, size: ModelSize, data: Any = None) -> ServiceForm:
    initial = {"kind": kind, "expected_version": size.standing.version}
    return RAISE_FORMS.get(kind, RaiseForm)(data, initial=initial, auto_id=f"id_{kind}_%s")


def _terms(form: ServiceForm) -> dict[str, Any]:
    """Read what the form of a level asks for; the rule says whether it is enough."""
    fields = form.fields
    terms: dict[str, Any] = {name: _number(form, name) for name in ("percent", "max_tokens") if name in fields}
    if "functions" in fields:
        terms["functions"] = form.texts("functions")
    if "cohort" in fields:
        terms["cohort"] = form.text("cohort")
    return terms


def _number(form: ServiceForm, name: str) -> int | None:
    written = form.text(name).strip()
    if not written:
        return None
    if not written.isdecimal() or len(written) > 6:
        raise InvalidInput("This is no whole number.", field=name, change="Write digits only.")
    return int(written)


def _auto_id(name: str, held: Hold) -> str:
    return f"id_{name}_{held.pk}_%s"


def _raised(raised: Hold) -> str:
    if raised.level == PLAIN:
        return _("The size is held: it cannot be widened until the hold is released.")
    if raised.level == STOP:
        return _("Use is stopped, running work as well. It lapses in 72 hours unless a second officer confirms it.")
    return _("Use is restricted (%(level)s). It lapses in 72 hours unless a second officer confirms it.") % {
        "level": raised.level
    }


def _answered(name: str) -> str:
    return {
        "confirm": _("The restriction is confirmed and no longer lapses."),
        "release": _("The hold is released. What the stage opens is open again, unless another hold is in force."),
    }[name]


def _page(request: PortalRequest, size: ModelSize, bound: Bound | None = None, status: int = 200) -> HttpResponse:
    at, actor, given = now(), request.actor, bound or {}
    frame = showing.size_frame(actor, size, "size-hold", at=at)
    context = {
        **frame,
        "offers": [_offer(actor, size, frame["holds"], kind, given) for kind in OFFERED],
        "rows": [_row(actor, held, given) for held in frame["holds"]],
        "past": size.holds.exclude(released_at=None)[:10],
        "stray": given.get(""),
    }
    return render(request, "holds/holds.html", context, status=status)


def _offer(actor: Actor, size: ModelSize, holds: list[Hold], kind: str, bound: Bound) -> dict[str, Any]:
    facts = [held.facts() for held in holds]
    return {
        "kind": kind,
        "decision": may_raise(actor, facts, level=kind),
        "form": bound.get(kind) or _raise_form(kind, size),
    }


def _row(actor: Actor, held: Hold, bound: Bound) -> dict[str, Any]:
    commands = [
        {
            "name": name,
            "decision": may(actor, held.facts()),
            "form": bound.get(f"{name}-{held.pk}")
            or form_class(initial={"expected_version": held.version}, auto_id=_auto_id(name, held)),
        }
        for name, (form_class, may, _service) in COMMANDS.items()
        if held.level != PLAIN or name != "confirm"
    ]
    return {"hold": held, "commands": commands}
