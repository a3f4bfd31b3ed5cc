"""How an application looks to those who review it, and how its risk is said to everybody."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from release_portal.access.application_rules import OURS, TWO_PEOPLE_FROM
from release_portal.access.models import Application
from release_portal.access.refusals import REASONS
from release_portal.access.review_desk import (
    Desk,
    has_voted,
    largest_open,
    lease_on,
    place_in_queue,
    risk_facing,
    step_of,
    voices,
)
from release_portal.access.risk_rules import Risk
from release_portal.core.actors import Actor
from release_portal.pages.applying import row_of
from release_portal.pages.words import FUNCTIONS

_VERDICTS = {"approve": lazy("for it"), "refuse": lazy("against it")}


def queue_row(application: Application, desk: Desk, at: datetime) -> dict[str, Any]:
    """Return an application as a row of the queue: its tier, and who looks at it."""
    shown = {"risk": risk_facing(application, desk.largest_open, at), "lease": lease_on(application, desk, at)}
    return row_of(application, at) | shown


def voices_shown(application: Application, actor: Actor) -> dict[str, Any]:
    """Return the voices that the actor may read: all once theirs is given or nothing is open, else that there are some.

    Whoever still decides reads no verdict of another, so that each judges for themselves.
    """
    given = voices(application) if application.state in OURS else application.votes.all()
    is_open = application.state not in OURS or has_voted(application, actor)
    lines = [
        {
            "name": one.voter_name,
            "role": one.role.replace("_", " "),
            "at": one.at,
            "verdict": _VERDICTS[one.verdict] if is_open else "",
            "reason": REASONS[one.code].label if is_open and one.code in REASONS else "",
            "text": one.text if is_open else "",
            "functions": [FUNCTIONS.get(name, name) for name in one.functions] if is_open else [],
            "last_day": one.last_day if is_open else None,
        }
        for one in given
    ]
    return {"lines": lines, "is_hidden": bool(given) and not is_open}


def standing_of(application: Application, at: datetime) -> dict[str, Any]:
    """Return what an applicant reads while we owe a decision: step, whose turn, how many people, place in the queue."""
    risk = risk_facing(application, largest_open(), at)
    return {
        "risk": risk,
        "owner": _owner(application, risk),
        "people": step_of(application, risk.tier).people,
        "place": place_in_queue(application),
    }


def _owner(application: Application, risk: Risk) -> str:
    if application.state not in OURS:
        return ""
    if application.state == "second_review":
        return str(_("a second reviewer: access lead, partner lead or safety reviewer"))
    if risk.tier >= TWO_PEOPLE_FROM:
        return str(_("two of: access lead, partner lead, safety reviewer"))
    is_partner = any(one.code == "kind" and one.tier for one in risk.signals)
    return str(_("the partner lead") if is_partner else _("an access lead"))
