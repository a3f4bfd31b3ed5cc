"""Write roll-backs (R4): one person narrows at once; another confirms, or it lapses to what people had granted."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from release_portal.audit.services import record
from release_portal.core.actors import Actor, system_actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import InvalidInput, NotFound, StaleVersion, error_of
from release_portal.registry.models import ModelSize
from release_portal.releases.executions import mark_rolled_back
from release_portal.releases.hold_rules import CONFIRM_STOP_WITHIN
from release_portal.releases.ladder import LADDER
from release_portal.releases.models import Narrowing, Standing
from release_portal.releases.narrowing_rules import (
    CONFIRMED,
    LAPSED,
    NARROWING,
    is_lapsed,
    may_confirm,
    may_roll_back,
    narrowest,
)
from release_portal.releases.services import set_stage, size_subject

NOBODY_CONFIRMED = "no second person confirmed the roll-back within 72 hours"
RULE = system_actor("release rule")


@transaction.atomic
def roll_back(
    actor: Actor, size: ModelSize, target: str, *, reason: str, expected_version: int, at: datetime
) -> Narrowing:
    """Narrow a size at once; running work that the new stage does not allow ends.

    Args:
        reason: sentence that the public timeline shows.
        expected_version: version of the standing that the officer saw.

    Raises:
        InvalidInput: unknown stage, or no reason.
        NotAllowed, NotNow: the rule says no.
        StaleVersion: somebody moved the size since the form was opened.
    """
    _check_input(target, reason)
    standing = locked_standing(size)
    _check(may_roll_back(actor, standing.stage, target))
    check_standing(standing, expected_version)
    narrowing = Narrowing.objects.create(
        size=size,
        source=standing.stage,
        target=target,
        reason=reason.strip(),
        raised_by_id=actor.id,
        raised_by=actor.name,
        raised_at=at,
    )
    data = {"narrowing": narrowing.pk, "granted": standing.granted}
    set_stage(actor, standing, target, kind="stage.rolled_back", reason=narrowing.reason, at=at, data=data)
    return narrowing


@transaction.atomic
def confirm_narrowing(
    actor: Actor, narrowing_id: int, *, reason: str, expected_version: int, at: datetime
) -> Narrowing:
    """A second person confirms a roll-back: it no longer lapses, and proposals that it undid are closed."""
    narrowing = _locked(narrowing_id)
    _check(may_confirm(actor, narrowing.facts()))
    if narrowing.version != expected_version:
        raise StaleVersion(f"The roll-back is {narrowing.state} now.", change="Look again, then decide.")
    standing = locked_standing(narrowing.size)
    narrowing.confirmed_by_id, narrowing.confirmed_by = actor.id, actor.name
    _end(narrowing, CONFIRMED, at)
    standing.granted = narrowest(standing.granted, [narrowing.target])
    standing.version += 1
    standing.save(update_fields=["granted", "version"])
    data = {"narrowing": narrowing.pk, "granted": standing.granted, "version": standing.version}
    subject = size_subject(narrowing.size.slug)
    record("narrowing.confirmed", actor=actor, subject=subject, at=at, reason=reason.strip(), data=data)
    mark_rolled_back(RULE, narrowing.size, standing.granted, at=at)
    return narrowing


@transaction.atomic
def lapse_narrowings(actor: Actor, *, at: datetime) -> int:
    """End every roll-back that nobody confirmed in time; return how many. What was granted before is open again."""
    due = Narrowing.objects.select_for_update(of=("self",)).unconfirmed().select_related("size").order_by("raised_at")
    count = 0
    for narrowing in due.filter(raised_at__lte=at - CONFIRM_STOP_WITHIN):
        if is_lapsed(narrowing.facts(), at):
            _check(NARROWING.decide("lapse", narrowing.state, {actor.kind.value}))
            _lapse(actor, narrowing, at)
            count += 1
    return count


def _lapse(actor: Actor, narrowing: Narrowing, at: datetime) -> None:
    standing = locked_standing(narrowing.size)
    _end(narrowing, LAPSED, at)
    stage = present_stage(standing)
    data = {"narrowing": narrowing.pk, "granted": standing.granted}
    set_stage(actor, standing, stage, kind="narrowing.lapsed", reason=NOBODY_CONFIRMED, at=at, data=data)


def present_stage(standing: Standing) -> str:
    """Return where a size stands: the narrowest of what is granted and of what is narrowed for now."""
    targets = Narrowing.objects.unconfirmed().filter(size_id=standing.size_id).values_list("target", flat=True)
    return narrowest(standing.granted, targets)


def locked_standing(size: ModelSize) -> Standing:
    """Return the row of a size, locked: one mover at a time."""
    return Standing.objects.select_for_update(of=("self",)).select_related("size").get(size=size)


def check_standing(standing: Standing, expected_version: int) -> None:
    """Raise StaleVersion when somebody moved the size since the form was opened."""
    if standing.version != expected_version:
        raise StaleVersion(
            f"The size was moved to {standing.place.label} while this form was open.",
            change="Look at the timeline, then decide again.",
        )


def _check_input(target: str, reason: str) -> None:
    if target not in {stage.slug for stage in LADDER}:
        raise InvalidInput(f"{target!r} is not a stage.", field="stage", change="Choose a stage from the list.")
    if not reason.strip():
        raise InvalidInput(
            "A reason is needed.", field="reason", change="Write why the size moves; the public timeline shows it."
        )


def _locked(narrowing_id: int) -> Narrowing:
    query = Narrowing.objects.select_for_update(of=("self",)).select_related("size")
    narrowing = query.filter(pk=narrowing_id).first()
    if narrowing is None:
        raise NotFound("There is no such roll-back.", change="The roll-backs of a size are listed on its page.")
    return narrowing


def _end(narrowing: Narrowing, state: str, at: datetime) -> None:
    narrowing.state, narrowing.ended_at, narrowing.version = state, at, narrowing.version + 1
    narrowing.save(update_fields=["state", "ended_at", "version", "confirmed_by_id", "confirmed_by"])


def _check(decision: Decision) -> None:
    if not decision:
        raise error_of(decision)
