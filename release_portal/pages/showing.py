"""How pages show a size, a quota and a history: plain values for the components."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from release_portal.access.lookups import decisions_for
from release_portal.access.models import Grant
from release_portal.access.policy import Action
from release_portal.access.quota import left_of
from release_portal.access.timelines import Entry, moment_of, tellable_facts, timeline_of
from release_portal.audit.models import AuditEvent
from release_portal.core.actors import Actor
from release_portal.jobs.quotas import limits_of, quota_holder, usage_of
from release_portal.moves.partner_reports import partner_grant
from release_portal.pages.applying import apply_url
from release_portal.pages.marks import marks_of_levels
from release_portal.registry.models import HistoricEvent, ModelFamily, ModelSize
from release_portal.releases.hold_rules import Restriction, are_holds_business
from release_portal.releases.ladder import stage_of
from release_portal.releases.models import Hold
from release_portal.releases.narrowing_rules import is_movers_business
from release_portal.releases.proposal_rules import NEW, decide_command

# Pages that the move page leads to; each stands in the rail while it is open.
NARROWING = ("size-withdraw", "size-recall", "size-review", "size-partner-reports")
SECTIONS = (
    "size",
    "size-card",
    "size-excuses",
    "evidence",
    "size-timeline",
    "playground",
    "apply",
    "proposal-new",
    "size-move",
    "size-hold",
    *NARROWING,
)


def see_other(url: str) -> HttpResponse:
    """Lead to the page of what a form changed; going back and reloading never sends the form again."""
    return HttpResponse(status=303, headers={"Location": url})


def address(name: str, size: ModelSize) -> str:
    """Return the address of a size's page."""
    return reverse(name, args=[size.lab_slug, size.size_slug])


def marks_of(holds: Iterable[Hold]) -> list[dict[str, str]]:
    """Return the marks that lie over the stage badge."""
    return marks_of_levels(hold.level for hold in holds)


def names_of(size: ModelSize) -> str:
    """Return the other names of a size in one line, without the one that its title repeats."""
    return ", ".join(alias.name for alias in size.aliases.all())


def ladder_row(size: ModelSize, holds: Iterable[Hold]) -> dict[str, Any]:
    """Return a size as a row of the ladder picture."""
    names = names_of(size)
    return {
        "name": size.name,
        "url": address("size", size),
        "stage": size.standing.place,
        "marks": marks_of(holds),
        "note": _("also %(names)s") % {"names": names} if names else "",
    }


def size_frame(actor: Actor, size: ModelSize, section: str, *, at: datetime) -> dict[str, Any]:
    """Return what each page of a size shows around its content: badge, holds, rail, breadcrumbs."""
    holds = list(size.holds.open())
    decisions = decisions_for(actor, size, at=at)
    to_apply = apply_url(actor, size, decisions)
    may = {
        "size": True,
        "size-card": bool(decisions[Action.READ_CARD]),
        "size-excuses": True,
        "evidence": True,
        "size-timeline": True,
        "playground": bool(decisions[Action.GENERATE]),
        "apply": bool(to_apply),
        "proposal-new": bool(decide_command("open", NEW, actor, "")),
        "size-move": is_movers_business(actor, size.standing.stage),
        "size-hold": are_holds_business(actor, [hold.facts() for hold in holds]),
        "size-partner-reports": partner_grant(actor, size, at) is not None,
    }
    return {
        "size": size,
        "stage": size.standing.place,
        "holds": holds,
        "marks": marks_of(holds),
        "names": names_of(size),
        "decisions": decisions,
        "apply_url": to_apply,
        "rail_items": [_rail_item(size, name, section) for name in SECTIONS if may.get(name) or name == section],
        "rail_label": size.name,
        "breadcrumbs": _crumbs(size, section),
    }


def _section_words() -> dict[str, str]:
    return {
        "size": _("Overview"),
        "size-card": _("Model card"),
        "size-excuses": _("Why not further"),
        "evidence": _("Evidence"),
        "proposal-new": _("New proposal"),
        "size-timeline": _("Timeline"),
        "playground": _("Playground"),
        "apply": _("Apply for access"),
        "size-move": _("Move"),
        "size-hold": _("Holds"),
        "size-withdraw": _("Withdraw"),
        "size-recall": _("Recall"),
        "size-review": _("Review and retirement"),
        "size-partner-reports": _("Partner reports"),
    }


def _rail_item(size: ModelSize, name: str, section: str) -> dict[str, Any]:
    return {"label": _section_words()[name], "url": address(name, size), "current": name == section}


def _crumbs(size: ModelSize, section: str) -> list[dict[str, str]]:
    crumbs = [
        {"label": _("Catalogue"), "url": reverse("catalogue")},
        {"label": size.family.name, "url": reverse("family", args=[size.family.slug])},
        {"label": size.name, "url": address("size", size)},
    ]
    return crumbs if section == "size" else [*crumbs, {"label": _section_words()[section], "url": ""}]


def quota_of(
    actor: Actor, grant: Grant | None, at: datetime, restrictions: Iterable[Restriction] = ()
) -> dict[str, Any]:
    """Return what is used and left today, under a grant or for the account where a stage needs none."""
    limits = limits_of(grant, restrictions)
    usage = usage_of(quota_holder(actor, grant), at)
    left, spent = left_of(limits, usage, at), usage.tokens + usage.reserved
    return {"spent": spent, "left": left.tokens, "limits": limits, "running": usage.running}


def size_history(actor: Actor, size: ModelSize, *, at: datetime) -> list[dict[str, Any]]:
    """Return the public events of a size and the dated facts about it, newest first."""
    return [_line(entry) for entry in timeline_of(actor, size, at=at)]


def until(history: list[dict[str, Any]], asked: datetime | None) -> list[dict[str, Any]]:
    """Leave out what came after a time; None leaves out nothing."""
    return history if asked is None else [item for item in history if moment_of(item["at"]) <= asked]


def family_history(actor: Actor, family: ModelFamily, *, at: datetime) -> list[dict[str, Any]]:
    """Return the dated facts of a family, newest first."""
    return [_of_fact(fact) for fact in reversed(tellable_facts(actor, family.historic_events.all(), at=at))]


def event_line(event: AuditEvent) -> dict[str, Any]:
    """Return an event of the record as a line of a history."""
    label = event.label[:1].upper() + event.label[1:]
    return {"at": event.at, "title": label, "body": event.reason, "actor": event.actor_name, "verified": None}


def _line(entry: Entry) -> dict[str, Any]:
    return _of_event(entry) if isinstance(entry, AuditEvent) else _of_fact(entry)


def _of_event(event: AuditEvent) -> dict[str, Any]:
    """An event of the record; a move says from where to where."""
    stages = [stage_of(event.data[key]) for key in ("from", "to") if key in event.data]
    words = " → ".join(stage.label for stage in stages)
    line = event_line(event)
    title = f"{line['title']}: {words}" if words else line["title"]
    return {**line, "title": title, "stage": stages[-1].slug if stages else ""}


def _of_fact(fact: HistoricEvent) -> dict[str, Any]:
    return {"at": fact.happened_on, "title": fact.text, "verified": fact.is_verified, "source": fact.source}
