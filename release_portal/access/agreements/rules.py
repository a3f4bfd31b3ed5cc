"""Versions of the agreement, and how a person's signature stands under them (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from release_portal.access.grant_rules import Pause
from release_portal.accounts.roles import Role
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision, may_not
from release_portal.core.lifecycle import Lifecycle, command

NEW, DRAFT, SCHEDULED, EFFECTIVE, SUPERSEDED, RETIRED = (
    "new", "draft", "scheduled", "effective", "superseded", "retired",
)  # fmt: skip
EDITORS = (Role.ACCESS_LEAD.value, Role.ADMINISTRATOR.value)
_EDITORS = " ".join(EDITORS)

AGREEMENT = Lifecycle(
    "agreement",
    (NEW, DRAFT, SCHEDULED, EFFECTIVE, SUPERSEDED, RETIRED),
    (
        command("write", "new", DRAFT, _EDITORS, "the text, its day, and whether the change is material and why"),
        command("save", "draft", None, _EDITORS, "at any time"),
        command("schedule", "draft", SCHEDULED, _EDITORS, "not who wrote any of it; from here the text never changes"),
        command("take_effect", "scheduled", EFFECTIVE, "system", "its day is reached; a rule at use"),
        command("supersede", "effective", SUPERSEDED, "system", "a later version takes effect; a rule at use"),
        command("retire", "draft scheduled", RETIRED, _EDITORS, "before it takes effect, with a reason"),
    ),
)

# Where the terms changed in substance, work goes on for so long without a new signature.
GRACE = timedelta(days=30)
# How long before the end of grace people are told again.
DAYS_BEFORE_LAPSE = (14, 3)


@dataclass(frozen=True)
class VersionFacts:
    """One version that was scheduled and not retired."""

    number: int
    effective_from: datetime
    is_material: bool


class Standing(StrEnum):
    """How a person's signature stands."""

    NOTHING_TO_SIGN = "nothing_to_sign"
    SIGNED = "signed"
    STALE = "stale"  # a material version came since; in grace everything works
    LAPSED = "lapsed"  # grace is over; the person's grants rest


@dataclass(frozen=True)
class SignatureFacts:
    """How a person's signature stands at a time.

    Args:
        standing: see `Standing`.
        number: the version that is to be signed now; 0 where none is in force.
        signed: the newest version that the person signed; 0 for none.
        since: when the first material version took effect that the person has not signed.
        until: the end of grace.
    """

    standing: Standing
    number: int = 0
    signed: int = 0
    since: datetime | None = None
    until: datetime | None = None


def state_of(effective_from: datetime, *, is_newest: bool, is_retired: bool, at: datetime) -> str:
    """Return the state of a version whose text is settled.

    Args:
        is_newest: no version with a higher number has taken effect.
    """
    if is_retired:
        return RETIRED
    if at < effective_from:
        return SCHEDULED
    return EFFECTIVE if is_newest else SUPERSEDED


def signature_at(versions: Iterable[VersionFacts], signed: Collection[int], at: datetime) -> SignatureFacts:
    """Return how a person's signature stands; a later minor version asks for nothing.

    Args:
        versions: every version that was not retired.
        signed: numbers of the versions that the person signed and did not take back.
    """
    in_effect = [version for version in versions if version.effective_from <= at]
    if not in_effect:
        return SignatureFacts(Standing.NOTHING_TO_SIGN)
    number, newest = max(version.number for version in in_effect), max(signed, default=0)
    missed = [one.effective_from for one in in_effect if one.is_material and one.number > newest]
    if not missed:
        return SignatureFacts(Standing.SIGNED, number, newest)
    until = min(missed) + GRACE
    standing = Standing.STALE if at < until else Standing.LAPSED
    return SignatureFacts(standing, number, newest, min(missed), until)


def pause_of(signature: SignatureFacts) -> Pause | None:
    """Return why a person's grants rest, if their signature has lapsed."""
    if signature.standing is not Standing.LAPSED or signature.until is None:
        return None
    reason = (
        f"Version {signature.number} of the agreement has waited for your signature since "
        f"{signature.until - GRACE:%d %B %Y}; your access is paused."
    )
    return Pause("terms_lapsed", reason, f"Sign version {signature.number}; it works again at once.")


def decide_version(actor: Actor, name: str, state: str, *, editors: Collection[str] = ()) -> Decision:
    """Decide whether the actor may give a command on a version; a token never does.

    Args:
        editors: ids of the accounts that wrote any of the draft.
    """
    who = actor.roles if actor.scopes is None else frozenset[str]()
    decision = AGREEMENT.decide(name, state, who | ({"system"} if actor.is_system else set()))
    if decision and name == "schedule" and actor.id in editors:
        return may_not(
            "same_person",
            "You wrote this draft; another person must approve it.",
            "agreement: schedule",
            "Ask another access lead or an administrator.",
        )
    return decision
