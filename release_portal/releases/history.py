"""Where did a size stand then? Folds of the record, from its events alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from release_portal.audit.models import AuditEvent
from release_portal.registry.models import ModelSize
from release_portal.releases.ladder import Stage, stage_of
from release_portal.releases.services import size_subject

# Events that this room writes about a size; the fold reads no others.
KINDS = (
    "stage.set",
    "stage.advanced",
    "stage.rolled_back",
    "stage.stepped_down",
    "narrowing.confirmed",
    "narrowing.lapsed",
    "size.withdrawn",
    "size.archived",
    "sunset.announced",
    "sunset.called_off",
    "hold.raised",
    "hold.released",
    "hold.lapsed",
    "proposal.opened",
    "proposal.edited",
    "proposal.policy_moved",
    "proposal.collecting",
    "proposal.locked",
    "proposal.submitted",
    "proposal.changes_requested",
    "proposal.reopened",
    "proposal.approved",
    "proposal.cooling",
    "proposal.scheduled",
    "proposal.executing",
    "proposal.observing",
    "proposal.completed",
    "proposal.rejected",
    "proposal.expired",
    "proposal.aborted",
    "proposal.rolled_back",
)
# What an event ends for good.
ENDINGS = {"size.withdrawn": "withdrawn", "size.archived": "archived"}


@dataclass(frozen=True)
class StandingThen:
    """Where a size stood at a time, as the record tells it.

    Args:
        stage: slug of the stage; empty before the record knows of the size.
        since: since when; None before.
        holds: open holds by number, with their level.
        ending: withdrawn or archived; empty while it is neither.
        is_sunset: whether its retirement is announced.
        proposals: state of each proposal by number.
        events: how many events were folded.
    """

    stage: str = ""
    since: datetime | None = None
    holds: dict[int, str] = field(default_factory=dict)
    ending: str = ""
    is_sunset: bool = False
    proposals: dict[int, str] = field(default_factory=dict)
    events: int = 0

    @property
    def place(self) -> Stage | None:
        """The stage with its words, or None before the record."""
        return stage_of(self.stage) if self.stage else None


def standing_as_of(slug: str, at: datetime) -> StandingThen:
    """Return where a size stood at that time.

    Args:
        slug: the size, e.g. `openai/gpt2-124m`.
        at: any time; before the first event a size stands nowhere, except as far back as that event itself says.
    """
    events = AuditEvent.objects.about(size_subject(slug)).filter(kind__in=KINDS).order_by("seq")
    return fold(events.values("kind", "at", "data"), at)


def board_as_of(sizes: Sequence[ModelSize], at: datetime) -> dict[int, StandingThen]:
    """Return where each size stood at that time, by its key, in one query."""
    keys = {size_subject(size.slug): size.pk for size in sizes}
    events = AuditEvent.objects.filter(subject__in=keys, kind__in=KINDS).order_by("seq")
    by_size: dict[int, list[Mapping[str, Any]]] = {pk: [] for pk in keys.values()}
    for event in events.values("subject", "kind", "at", "data"):
        by_size[keys[event["subject"]]].append(event)
    return {pk: fold(found, at) for pk, found in by_size.items()}


def fold(events: Iterable[Mapping[str, Any]], at: datetime) -> StandingThen:
    """Return the state after every event up to that time, in the order of the chain."""
    then = StandingThen()
    for event in events:
        reached = _reached(event)
        if reached <= at:
            then = _apply(replace(then, events=then.events + 1), event["kind"], reached, event["data"])
    return then


def _reached(event: Mapping[str, Any]) -> datetime:
    """The first standing counts from when the public record says that the size got there."""
    at: datetime = event["at"]
    since = event["data"].get("since") if event["kind"] == "stage.set" else None
    return min(datetime.fromisoformat(since), at) if since else at


def _apply(then: StandingThen, kind: str, at: datetime, data: dict[str, Any]) -> StandingThen:
    noun, _, verb = kind.partition(".")
    if noun == "hold":
        return replace(then, holds=_holds(then.holds, verb, data))
    if noun == "proposal":
        return replace(then, proposals={**then.proposals, data["proposal"]: data["state"]})
    if noun == "sunset":
        return replace(then, is_sunset=verb == "announced")
    if kind in ENDINGS:
        return replace(then, ending=ENDINGS[kind])
    if "to" not in data or data["to"] == then.stage:
        return then
    return replace(then, stage=data["to"], since=at)


def _holds(holds: dict[int, str], verb: str, data: dict[str, Any]) -> dict[int, str]:
    if verb == "raised":
        level = data.get("level") or ("R5" if data.get("stops_use") else "hold")
        return {**holds, data["hold"]: level}
    return {number: level for number, level in holds.items() if number != data["hold"]}
