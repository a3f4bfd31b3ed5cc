"""Raise and lift freezes; what is in force, what comes."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.errors import NotFound, StaleVersion
from release_portal.registry.models import ModelFamily
from release_portal.releases.freeze_rules import FreezeFacts, end_problem, may_lift_freeze, may_raise_freeze
from release_portal.releases.models import Freeze
from release_portal.releases.preparation import check, check_input, needed_text
from release_portal.releases.preparation_rules import instant


@transaction.atomic
def raise_freeze(
    actor: Actor,
    *,
    family: ModelFamily | None,
    starts_at: datetime,
    ends_at: datetime,
    reason: str,
    at: datetime,
) -> Freeze:
    """Block widening of a family, or of all sizes, between two times; narrowing and use go on.

    Raises:
        NotAllowed: the rule says no.
        InvalidInput: no reason, or an end that is not after the start and after now.
    """
    check(may_raise_freeze(actor))
    reason = needed_text("reason", reason, "Write why; the calendar shows it.")
    check_input("ends_at", end_problem(starts_at, ends_at, at), "Choose a later end.")
    freeze = Freeze.objects.create(
        family=family,
        starts_at=instant(starts_at),
        ends_at=instant(ends_at),
        reason=reason,
        raised_by_id=actor.id,
        raised_by=actor.name,
        raised_at=at,
    )
    _record("freeze.raised", actor, freeze, at, reason)
    return freeze


@transaction.atomic
def lift_freeze(actor: Actor, freeze_id: int, *, reason: str, expected_version: int, at: datetime) -> Freeze:
    """Another person than the raiser ends a freeze before its time.

    Raises:
        NotFound: there is no such freeze.
        NotAllowed, NotNow: the rule says no; or it has ended.
        InvalidInput: no reason.
        StaleVersion: it changed while the form was open.
    """
    freeze = Freeze.objects.select_for_update(of=("self",)).select_related("family").filter(pk=freeze_id).first()
    if freeze is None:
        raise NotFound("There is no such freeze.", change="The calendar lists them.")
    check(may_lift_freeze(actor, facts_of(freeze), at))
    if freeze.version != expected_version:
        raise StaleVersion("The freeze changed while this form was open.", change="Look again, then decide.")
    freeze.lift_reason = needed_text("reason", reason, "Write why; the calendar shows it.")
    freeze.lifted_by, freeze.lifted_at, freeze.version = actor.name, at, freeze.version + 1
    freeze.save(update_fields=["lift_reason", "lifted_by", "lifted_at", "version"])
    _record("freeze.lifted", actor, freeze, at, freeze.lift_reason)
    return freeze


def frozen_families(at: datetime) -> set[int | None]:
    """Return the families that a freeze bars at that time; None stands for all of them."""
    return set(Freeze.objects.in_force(at).values_list("family_id", flat=True))


def facts_of(freeze: Freeze) -> FreezeFacts:
    """Return what the rules need to know of a freeze."""
    return FreezeFacts(freeze.starts_at, freeze.ends_at, freeze.raised_by_id, freeze.lifted_at is not None)


def freeze_subjects(family: ModelFamily) -> tuple[str, str]:
    """Return how the record names freezes that concern a family: its own, and those over all families."""
    return f"family:{family.slug}", "families:all"


def freeze_subject(freeze: Freeze) -> str:
    """Return how the record names what is frozen."""
    return freeze_subjects(freeze.family)[0] if freeze.family else "families:all"


def _record(kind: str, actor: Actor, freeze: Freeze, at: datetime, reason: str) -> None:
    data = {
        "freeze": freeze.pk,
        "starts_at": freeze.starts_at.isoformat(),
        "ends_at": freeze.ends_at.isoformat(),
        "version": freeze.version,
    }
    record(kind, actor=actor, subject=freeze_subject(freeze), at=at, reason=reason, data=data)
