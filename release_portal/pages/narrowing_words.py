"""What pages say about a size that was narrowed, is to be reviewed, will be retired, or was withdrawn."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from release_portal.core.actors import Actor
from release_portal.moves.partner_reports import may_answer
from release_portal.moves.recall_rules import may_open
from release_portal.pages import showing
from release_portal.registry.models import ModelSize
from release_portal.releases.ladder import stage_of
from release_portal.releases.lookups import open_narrowings
from release_portal.releases.models import Standing
from release_portal.releases.narrowing_rules import SunsetState, may_review, may_withdraw
from release_portal.releases.sunsets import sunset_of

Notice = dict[str, str]
ENDED = {"withdrawn": _lazy("This size was withdrawn."), "archived": _lazy("This size is retired and archived.")}


def standing_notices(size: ModelSize, at: datetime) -> list[Notice]:
    """Return what everybody who sees the size should know first."""
    standing = size.standing
    found = sunset_of(size, at)
    return [
        *_ended(standing),
        *_narrowed(size),
        *_announced(standing),
        *([_overdue(found)] if found is not None else []),
    ]


def narrowing_pages(actor: Actor, size: ModelSize) -> list[dict[str, str]]:
    """Return the pages of further steps that are this actor's business."""
    pages = (
        ("size-recall", _("Recall the weights (R6)"), may_open(actor)),
        ("size-withdraw", _("Withdraw the size for ever (R7)"), may_withdraw(actor, "", {})),
        ("size-review", _("Review the stage, or announce its retirement"), may_review(actor)),
        ("size-partner-reports", _("Partner reports"), may_answer(actor)),
    )
    return [{"url": showing.address(name, size), "label": label} for name, label, decision in pages if decision]


def tombstone_facts(tombstone: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the tombstone as terms and values."""
    words = (
        ("what", _("What")),
        ("why", _("Why")),
        ("copies", _("Copies known outside")),
        ("replacement", _("Use instead")),
    )
    return [(label, tombstone[name]) for name, label in words if tombstone.get(name)]


def _ended(standing: Standing) -> Iterator[Notice]:
    if standing.ending:
        body = " ".join(f"{label}: {value}" for label, value in tombstone_facts(standing.tombstone))
        more = " " + _("Copies cannot be recalled.") if standing.tombstone.get("cannot_recall") else ""
        yield _notice("danger", ENDED[standing.ending], body + more)


def _narrowed(size: ModelSize) -> Iterator[Notice]:
    for one in open_narrowings(size):
        words = {"source": stage_of(one.source).label, "target": stage_of(one.target).label, "name": one.raised_by}
        title = (
            _("Rolled back from %(source)s to %(target)s by %(name)s; a second person has not confirmed it.") % words
        )
        yield _notice("warning", title, one.reason)


def _announced(standing: Standing) -> Iterator[Notice]:
    if standing.sunset_at is not None and not standing.ending:
        words = {"date": f"{standing.sunset_at:%d %B %Y}"}
        body = _("On that day all use ends. Card, evidence and history stay readable.")
        yield _notice("warning", _("This size will be retired on %(date)s.") % words, body)


def _overdue(found: SunsetState) -> Notice:
    title = _("The stage was to be reviewed by %(date)s.") % {"date": f"{found.review_by:%d %B %Y}"}
    words = {"held": f"{found.hold_at:%d %B %Y}", "down": f"{found.step_down_at:%d %B %Y}"}
    body = _("Without a review it is held from %(held)s and steps down on %(down)s, where that can be undone.") % words
    return _notice("warning", title, body)


def _notice(level: str, title: Any, body: str) -> Notice:
    return {"level": level, "title": str(title), "body": body}
