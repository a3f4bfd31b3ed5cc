"""Write withdrawals (R7): one person proposes and the size narrows at once; a second makes it final."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import InvalidInput, NotAllowed, error_of
from release_portal.registry.models import ModelSize
from release_portal.releases.hold_rules import CONFIRM_STOP_WITHIN
from release_portal.releases.ladder import stage_of
from release_portal.releases.models import Narrowing, StageEntry, Standing
from release_portal.releases.narrowing_rules import (
    LANDING,
    TYPED_WORD,
    WITHDRAWN,
    is_freshly_confirmed,
    may_confirm_withdrawal,
    may_withdraw,
    narrowest,
)
from release_portal.releases.narrowings import check_standing, confirm_narrowing, locked_standing, roll_back
from release_portal.releases.services import size_subject

# What the public reads; what, why and copies must be filled in.
FIELDS = ("what", "why", "copies", "replacement")
NEEDED = FIELDS[:3]
OPEN_WEIGHTS_ORDINAL = stage_of("open_weights").ordinal
NOBODY_CONFIRMED = "no second person confirmed the withdrawal within 72 hours"


@transaction.atomic
def withdraw(
    actor: Actor,
    size: ModelSize,
    *,
    tombstone: Mapping[str, str],
    typed: str,
    confirmed_at: datetime | None,
    expected_version: int,
    at: datetime,
) -> Standing:
    """Propose to withdraw a size for ever, and narrow it at once to where only reading is left.

    Args:
        tombstone: what, why, copies (known outside) and replacement; the last may be empty.
        typed: the word `withdraw`.
        confirmed_at: when the person last proved who they are.

    Raises:
        InvalidInput: a part of the tombstone is missing, or the word was not typed.
        NotAllowed, NotNow: the rule says no, or the password was not asked lately.
        StaleVersion: somebody moved the size since the form was opened.
    """
    standing = locked_standing(size)
    _check(may_withdraw(actor, standing.ending, standing.tombstone))
    _check_input(tombstone, typed)
    _check_fresh(confirmed_at, at)
    check_standing(standing, expected_version)
    narrowing_id = _narrow(actor, standing, tombstone["why"], at)
    standing.refresh_from_db()
    standing.tombstone = {
        **{name: str(tombstone.get(name, "")).strip() for name in FIELDS},
        "proposed_by": actor.name,
        "proposed_by_id": actor.id,
        "proposed_at": at.isoformat(),
        "narrowing": narrowing_id,
    }
    _save(standing, "tombstone")
    data = {name: standing.tombstone[name] for name in FIELDS} | {"version": standing.version}
    why = standing.tombstone["why"]
    record("size.withdrawal_proposed", actor=actor, subject=size_subject(size.slug), at=at, reason=why, data=data)
    return standing


@transaction.atomic
def confirm_withdrawal(
    actor: Actor, size: ModelSize, *, confirmed_at: datetime | None, expected_version: int, at: datetime
) -> Standing:
    """A second person makes a withdrawal final; nothing leads back from it."""
    standing = locked_standing(size)
    _check(may_confirm_withdrawal(actor, standing.ending, standing.tombstone))
    _check_fresh(confirmed_at, at)
    check_standing(standing, expected_version)
    _confirm_narrowing(actor, standing, at)
    standing.refresh_from_db()
    standing.ending = WITHDRAWN
    standing.granted = narrowest(standing.granted, [LANDING])
    standing.tombstone = {
        **standing.tombstone,
        "confirmed_by": actor.name,
        "confirmed_at": at.isoformat(),
        "cannot_recall": was_open_weights(size),
    }
    _save(standing, "ending", "granted", "tombstone")
    data = {name: standing.tombstone[name] for name in FIELDS} | {"version": standing.version}
    why = standing.tombstone["why"]
    record("size.withdrawn", actor=actor, subject=size_subject(size.slug), at=at, reason=why, data=data)
    return standing


@transaction.atomic
def lapse_withdrawals(actor: Actor, *, at: datetime) -> int:
    """Take back every proposed withdrawal that nobody confirmed in time; return how many."""
    if not actor.is_system:
        raise NotAllowed("Only the system lapses a withdrawal.", rule="withdrawal: lapse", change="Wait 72 hours.")
    count = 0
    for found in Standing.objects.filter(ending="").exclude(tombstone={}).select_related("size"):
        standing = locked_standing(found.size)
        proposed_at = datetime.fromisoformat(standing.tombstone["proposed_at"])
        if at >= proposed_at + CONFIRM_STOP_WITHIN:
            standing.tombstone = {}
            _save(standing, "tombstone")
            subject = size_subject(found.size.slug)
            record("size.withdrawal_lapsed", actor=actor, subject=subject, at=at, reason=NOBODY_CONFIRMED)
            count += 1
    return count


def was_open_weights(size: ModelSize) -> bool:
    """Whether everybody could once copy the weights: then no withdrawal reaches every copy."""
    return StageEntry.objects.filter(size=size, ordinal__gte=OPEN_WEIGHTS_ORDINAL).exists()


def _narrow(actor: Actor, standing: Standing, why: str, at: datetime) -> int | None:
    if standing.place.ordinal <= stage_of(LANDING).ordinal:
        return None
    narrowing = roll_back(actor, standing.size, LANDING, reason=why, expected_version=standing.version, at=at)
    return narrowing.pk


def _confirm_narrowing(actor: Actor, standing: Standing, at: datetime) -> None:
    """The second person of the withdrawal is also that of its roll-back."""
    waiting = Narrowing.objects.unconfirmed().filter(pk=standing.tombstone["narrowing"]).first()
    if waiting is not None:
        why = standing.tombstone["why"]
        confirm_narrowing(actor, waiting.pk, reason=why, expected_version=waiting.version, at=at)


def _check_input(tombstone: Mapping[str, str], typed: str) -> None:
    for name in NEEDED:
        if not str(tombstone.get(name, "")).strip():
            raise InvalidInput("This is needed.", field=name, change="The tombstone shows it to everybody.")
    if typed.strip().lower() != TYPED_WORD:
        raise InvalidInput(f"Type the word {TYPED_WORD}.", field="typed", change="Nothing leads back from it.")


def _check_fresh(confirmed_at: datetime | None, at: datetime) -> None:
    if not is_freshly_confirmed(confirmed_at, at):
        rule = "withdrawal: who you are"
        raise NotAllowed("This needs your password anew.", code="confirm", rule=rule, change="Enter it, then send.")


def _save(standing: Standing, *fields: str) -> None:
    standing.version += 1
    standing.save(update_fields=[*fields, "version"])


def _check(decision: Decision) -> None:
    if not decision:
        raise error_of(decision)
