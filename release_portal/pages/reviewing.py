"""How an application looks to those who review it, and how its risk is said to everybody."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext

from release_portal.access.application_rules import OURS
from release_portal.access.models import AnswerChange, Application
from release_portal.access.purposes import PURPOSES
from release_portal.access.questions.fields import readable_fields
from release_portal.access.queue.status import NOW, status_of
from release_portal.access.refusals import REASONS
from release_portal.access.review_desk import Desk, has_voted, lease_on, risk_facing, voices, voices_of_round
from release_portal.core.actors import Actor
from release_portal.pages.applying import row_of
from release_portal.pages.differences import changed_lines
from release_portal.pages.words import FUNCTIONS
from release_portal.pages.words_applications import NEXT_ACTS, OWNERS, STANDINGS, STEPS

_VERDICTS = {"approve": lazy("for it"), "refuse": lazy("against it")}


def queue_row(application: Application, desk: Desk, at: datetime) -> dict[str, Any]:
    """Return an application as a row of the queue: its tier, and who looks at it."""
    shown = {"risk": risk_facing(application, desk.largest_open, at), "lease": lease_on(application, desk, at)}
    expected = application.assigned_name if application.state in OURS and not shown["lease"] else ""
    return row_of(application, at) | shown | {"expected": expected}


def voices_shown(application: Application, actor: Actor) -> dict[str, Any]:
    """Return the voices that the actor may read: all once theirs is given or nothing is open, else that there are some.

    Whoever still decides reads no verdict of another, so that each judges for themselves.
    """
    given = voices_of_round(application) if application.state in OURS else application.votes.all()
    standing = {one.pk for one in voices(application)} if application.state in OURS else {one.pk for one in given}
    is_open = application.state not in OURS or has_voted(application, actor)
    lines = [
        {
            "name": one.voter_name,
            "role": one.role.replace("_", " "),
            "at": one.at,
            "is_outdated": one.pk not in standing,
            "verdict": _VERDICTS[one.verdict] if is_open else "",
            "reason": REASONS[one.code].label if is_open and one.code in REASONS else "",
            "text": one.text if is_open else "",
            "functions": [FUNCTIONS.get(name, name) for name in one.functions] if is_open else [],
            "last_day": one.last_day if is_open else None,
            "seats": one.seats if is_open else None,
        }
        for one in given
    ]
    return {"lines": lines, "is_hidden": bool(given) and not is_open}


def exchange_of(application: Application, actor: Actor) -> list[dict[str, Any]]:
    """Return what was asked and answered, each with what was changed: lines that are gone, lines that are new."""
    questions = list(application.questions.all())
    readable = readable_fields(application, actor) if questions else frozenset()
    return [
        {"question": one, "changes": [_change(change) for change in one.changes.all() if change.field in readable]}
        for one in questions
    ]


def _change(change: AnswerChange) -> dict[str, Any]:
    old, new = field_text(change.field, change.old), field_text(change.field, change.new)
    return {"label": change.label, "lines": changed_lines(old, new)}


def field_text(key: str, text: str) -> str:
    """Return a kept answer as people read it."""
    if key == "purpose_code":
        return PURPOSES.get(text, text)
    if key == "functions":
        return ", ".join(str(FUNCTIONS.get(name, name)) for name in text.split(", "))
    return text


def standing_of(application: Application, at: datetime) -> dict[str, Any]:
    """Return what an applicant reads: the steps, whose turn it is, the place in the queue, and what to expect."""
    status = status_of(application, at=at)
    return {
        "status": status,
        "risk": status.risk,
        "owner": OWNERS.get(status.owner, ""),
        "next_act": NEXT_ACTS.get(status.next_act, ""),
        "people": status.people,
        "place": status.place,
        "paused": worked_days(status.paused) if status.paused else "",
        "steps": [
            {"label": STEPS[one.code], "is_now": one.standing == NOW, "pill": STANDINGS[one.standing]}
            for one in status.steps
        ],
    }


def worked_days(span: timedelta) -> str:
    """Return a length in days and hours, for people."""
    days, hours = span.days, span.seconds // 3600
    if days:
        return ngettext("%(n)d day", "%(n)d days", days) % {"n": days}
    return ngettext("%(n)d hour", "%(n)d hours", hours) % {"n": hours} if hours else _("less than an hour")
