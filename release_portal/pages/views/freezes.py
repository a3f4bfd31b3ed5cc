"""The calendar: freezes in force and to come, reviews that are due; raise a freeze, lift one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from release_portal.access.governed import freeze_for, freezes_for
from release_portal.access.lookups import families_for, proposals_for, sizes_for
from release_portal.access.policy import Action
from release_portal.accounts.roles import STAFF_ROLES
from release_portal.core.actors import Actor
from release_portal.core.clock import now
from release_portal.core.declare import roles
from release_portal.core.errors import PortalError
from release_portal.core.http import PortalRequest
from release_portal.pages import showing
from release_portal.pages.forms.base import ServiceForm
from release_portal.pages.forms.freezes import FreezeForm, LiftFreezeForm
from release_portal.pages.forms.times import written
from release_portal.registry.models import ModelSize
from release_portal.releases.freeze_rules import may_lift_freeze, may_raise_freeze
from release_portal.releases.freezes import facts_of, lift_freeze, raise_freeze
from release_portal.releases.models import Freeze
from release_portal.releases.policy_services import policies_in_force
from release_portal.releases.proposal_rules import OPEN

Bound = dict[str, ServiceForm]
REVIEWS_AHEAD = timedelta(days=120)
PAST = 10


@roles(*sorted(STAFF_ROLES))
@require_http_methods(["GET", "HEAD", "POST"])
def calendar(request: PortalRequest) -> HttpResponse:
    """What is frozen and what is due, month by month."""
    at = now()
    if request.method != "POST":
        return _page(request)
    form = _raise_form(request.actor, at, request.POST)
    try:
        starts_at, ends_at = form.span()
        raise_freeze(
            request.actor,
            family=form.chosen(),
            starts_at=starts_at,
            ends_at=ends_at,
            reason=form.text("reason"),
            at=at,
        )
    except PortalError as error:
        form.refuse(error)
        return _page(request, {"raise": form}, error.status)
    messages.success(request, _("The freeze is in the calendar. Narrowing and use go on."))
    return showing.see_other(reverse("freezes"))


@roles(*sorted(STAFF_ROLES))
@require_http_methods(["GET", "HEAD", "POST"])
def lift(request: PortalRequest, pk: int) -> HttpResponse:
    """End a freeze before its time."""
    if request.method != "POST":
        return showing.see_other(reverse("freezes"))
    frozen = freeze_for(request.actor, pk, at=now())
    form = LiftFreezeForm(request.POST, auto_id=_auto_id(pk))
    try:
        lift_freeze(request.actor, pk, reason=form.text("reason"), expected_version=form.version(), at=now())
    except PortalError as error:
        frozen.refresh_from_db()
        form.refuse(error, expected_version=frozen.version)
        return _page(request, {f"lift-{pk}": form}, error.status)
    messages.success(request, _("The freeze is lifted."))
    return showing.see_other(reverse("freezes"))


def _auto_id(pk: int) -> str:
    return f"id_lift_{pk}_%s"


def _raise_form(actor: Actor, at: datetime, data: QueryDict | None = None) -> FreezeForm:
    families = families_for(actor, at=at).order_by("name")
    return FreezeForm(data, initial={"starts_at": written(at)}, families=families)


def _page(request: PortalRequest, bound: Bound | None = None, status: int = 200) -> HttpResponse:
    at, actor, given = now(), request.actor, bound or {}
    found = freezes_for(actor, at=at)
    live = found.filter(ends_at__gt=at, lifted_at=None)
    rows = [_row(actor, one, at, given) for one in live]
    reviews = reviews_due(actor, at)
    context = {
        "rows": rows,
        "past": found.exclude(pk__in=live).order_by("-ends_at")[:PAST],
        "reviews": reviews,
        "months": _months([*_freeze_days(rows), *_review_days(reviews), *_moves(actor, at)]),
        "may_raise": may_raise_freeze(actor),
        "form": given.get("raise") or _raise_form(actor, at),
        "stray": next((form for key, form in given.items() if key not in {"raise", *_keys(rows)}), None),
    }
    return render(request, "proposals/freezes.html", context, status=status)


def _keys(rows: Iterable[dict[str, Any]]) -> set[str]:
    return {f"lift-{row['freeze'].pk}" for row in rows}


def _row(actor: Actor, one: Freeze, at: datetime, bound: Bound) -> dict[str, Any]:
    initial = {"expected_version": one.version}
    return {
        "freeze": one,
        "is_in_force": one.starts_at <= at,
        "decision": may_lift_freeze(actor, facts_of(one), at),
        "form": bound.get(f"lift-{one.pk}") or LiftFreezeForm(initial=initial, auto_id=_auto_id(one.pk)),
    }


# --- What is due -----------------------------------------------------------------------------------------------------


def reviews_due(actor: Actor, at: datetime) -> list[dict[str, Any]]:
    """Return the stages whose review is due soon, or overdue, the most urgent first."""
    sizes = list(sizes_for(actor, Action.VIEW, at=at).filter(standing__ending=""))
    policies = policies_in_force(sizes, at)
    due = [(size, _review_by(size, policies.get(size.pk))) for size in sizes]
    rows = [
        {"size": size, "by": by, "is_over": by < at, "url": showing.address("size", size)}
        for size, by in due
        if by is not None and by <= at + REVIEWS_AHEAD
    ]
    return sorted(rows, key=lambda row: row["by"])


def _review_by(size: ModelSize, policy: Any) -> datetime | None:
    lasts = policy.review_after(size.standing.stage) if policy else None
    since = size.standing.reviewed_at or size.standing.since
    return max(since, size.standing.since) + lasts if lasts is not None else None


def _freeze_days(rows: Iterable[dict[str, Any]]) -> list[tuple[datetime, str]]:
    found = []
    for row in rows:
        one, name = row["freeze"], row["freeze"].family or _("every family")
        found += [
            (one.starts_at, _("Freeze of %(name)s begins: %(reason)s") % {"name": name, "reason": one.reason}),
            (one.ends_at, _("Freeze of %(name)s ends") % {"name": name}),
        ]
    return found


def _review_days(rows: Iterable[dict[str, Any]]) -> list[tuple[datetime, str]]:
    return [(row["by"], _("Review due: %(name)s") % {"name": row["size"].name}) for row in rows]


def _moves(actor: Actor, at: datetime) -> list[tuple[datetime, str]]:
    coming = proposals_for(actor, at=at).filter(state__in=OPEN).exclude(execute_after=None)
    words = _("Move scheduled: %(name)s to %(stage)s")
    return [
        (one.execute_after, words % {"name": one.size.name, "stage": one.to_stage.label})
        for one in coming
        if one.execute_after
    ]


def _months(days: list[tuple[datetime, str]]) -> list[dict[str, Any]]:
    """Return the days in order, in groups by month."""
    ordered = sorted(days, key=lambda day: day[0])
    return [
        {"name": name, "days": [{"at": when, "title": title} for when, title in group]}
        for name, group in groupby(ordered, key=lambda day: date_format(day[0], "F Y"))
    ]
