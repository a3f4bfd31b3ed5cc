"""Write rules of engagement for a grant, agree to somebody else's, end them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from release_portal.access.engagement_rules import Act, Verdict, inside_engagement
from release_portal.access.grant_rules import GRANT
from release_portal.access.models import Engagement, Grant
from release_portal.access.services import grant_subject, relations_of
from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision, allow, may_not, not_now
from release_portal.core.errors import InvalidInput, error_of
from release_portal.notices.services import notify

CODE = re.compile(r"^[A-Z]{2,20}$")
LONGEST_TEXT = 2_000
MOST_TOKENS = 10_000_000


@dataclass(frozen=True)
class Rules:
    """What is written.

    Args:
        targets: slugs of sizes of the grant.
        categories: codes of harm, from the list of the misuse desk.
        tokens_per_day: how much text may be made on one day.
        keep_inside: where the text may not go.
        ends_at: until when; not after the grant.
    """

    targets: tuple[str, ...]
    categories: tuple[str, ...]
    tokens_per_day: int
    keep_inside: str
    ends_at: datetime


def engagement_in_force(grant: Grant, at: datetime) -> Engagement | None:
    """Return the rules that hold now."""
    return grant.engagements.in_force(at).first()


def waiting_engagement(grant: Grant, at: datetime) -> Engagement | None:
    """Return the rules that wait for a second person."""
    return grant.engagements.standing(at).filter(confirmed_at=None).first()


def engagements_of(grant_ids: Iterable[str]) -> list[Engagement]:
    """Return the rules on which two people agreed for any of these grants, those that ended too, the newest first."""
    agreed = Engagement.objects.agreed().filter(grant_id__in=list(grant_ids))
    return list(agreed.select_related("grant__holder"))


def verdict_on(grant: Grant, act: Act) -> Verdict | None:
    """Return whether an act lies inside the rules of a grant; None where it has none."""
    rules = engagement_in_force(grant, act.at)
    return inside_engagement(rules.facts(), act) if rules else None


def decide_engagement(actor: Actor, grant: Grant, name: str, at: datetime) -> Decision:
    """Decide whether the actor may write, agree to or end rules of engagement now."""
    decision = GRANT.decide(name, grant.state, relations_of(actor, grant))
    if not decision or name == "engage":
        return decision
    waiting, rule = waiting_engagement(grant, at), f"grant: {name}"
    if name == "disengage":
        is_there = waiting is not None or engagement_in_force(grant, at) is not None
        nothing = not_now("no_engagement", "This grant has no rules of engagement.", rule, "Nothing is left to do.")
        return decision if is_there else nothing
    if waiting is None:
        return not_now("not_written", "No rules of engagement wait.", rule, "A lead writes them first.")
    if waiting.written_by_id == actor.id:
        reason = "You wrote these rules; another person must agree."
        return may_not("same_person", reason, rule, "Ask a safety reviewer.")
    return allow("second_person", "Another person than the one who wrote them.", rule)


@transaction.atomic
def write_engagement(actor: Actor, grant_id: str, rules: Rules, *, at: datetime) -> Engagement:
    """Write rules of engagement; they hold once a safety reviewer agrees, and replace what waited before."""
    grant = _locked(actor, "engage", grant_id, at)
    _check_rules(grant, rules, at)
    waiting = grant.engagements.filter(confirmed_at=None, ended_at=None)
    waiting.update(ended_at=at, ended_by=actor.name, end_reason="written anew")
    made = Engagement.objects.create(
        grant=grant, targets=sorted(set(rules.targets)), categories=sorted(set(rules.categories)),
        tokens_per_day=rules.tokens_per_day, keep_inside=rules.keep_inside.strip(), starts_at=at,
        ends_at=rules.ends_at, written_by_id=actor.id, written_by=actor.name, written_at=at,
    )  # fmt: skip
    data = {"engagement": made.pk, "categories": ", ".join(made.categories), "targets": ", ".join(made.targets)}
    record("grant.engagement_written", actor=actor, subject=grant_subject(grant), at=at, data=data)
    return made


@transaction.atomic
def agree_to_engagement(actor: Actor, grant_id: str, *, at: datetime) -> Engagement:
    """The second person agrees; from now on the rules hold, and earlier ones end."""
    grant = _locked(actor, "agree", grant_id, at)
    waiting = waiting_engagement(grant, at)
    assert waiting is not None
    earlier = grant.engagements.exclude(pk=waiting.pk).filter(ended_at=None)
    earlier.update(ended_at=at, ended_by=actor.name, end_reason="replaced")
    waiting.confirmed_by_id, waiting.confirmed_by, waiting.confirmed_at = actor.id, actor.name, at
    waiting.starts_at = at
    waiting.save(update_fields=["confirmed_by_id", "confirmed_by", "confirmed_at", "starts_at"])
    data = {"engagement": waiting.pk}
    record("grant.engagement_agreed", actor=actor, subject=grant_subject(grant), at=at, data=data)
    facts = {"grant": grant.pk, "until": f"{waiting.ends_at:%d %B %Y, %H:%M UTC}"}
    notify(grant.holder, "grant_engagement", facts, at=at, path=f"/grants/{grant.pk}/")
    return waiting


@transaction.atomic
def end_engagement(actor: Actor, grant_id: str, *, reason: str, at: datetime) -> None:
    """End rules of engagement; what was done inside them stays inside them."""
    grant = _locked(actor, "disengage", grant_id, at)
    if not reason.strip() or len(reason) > LONGEST_TEXT or "\x00" in reason:
        raise InvalidInput("A reason is needed.", field="reason", change="Write what the holder shall read.")
    standing = grant.engagements.filter(ended_at=None)
    standing.update(ended_at=at, ended_by=actor.name, end_reason=reason.strip())
    record("grant.engagement_ended", actor=actor, subject=grant_subject(grant), at=at, reason=reason.strip())
    facts = {"grant": grant.pk, "reason": reason.strip()}
    notify(grant.holder, "grant_engagement_ended", facts, at=at, path=f"/grants/{grant.pk}/")


def _check_rules(grant: Grant, rules: Rules, at: datetime) -> None:
    held = set(grant.sizes.values_list("slug", flat=True))
    if not rules.targets or set(rules.targets) - held:
        raise InvalidInput("Choose at least one of the grant's sizes.", field="targets")
    if not rules.categories or not all(CODE.match(code) for code in rules.categories):
        raise InvalidInput("Choose at least one kind of harm.", field="categories")
    if not 1 <= rules.tokens_per_day <= min(grant.tokens_per_day, MOST_TOKENS):
        most = min(grant.tokens_per_day, MOST_TOKENS)
        raise InvalidInput(f"Choose a number from 1 to {most:,}, the grant's quota.", field="tokens_per_day")
    if not rules.keep_inside.strip() or len(rules.keep_inside) > LONGEST_TEXT or "\x00" in rules.keep_inside:
        raise InvalidInput("Say where the text may not go.", field="keep_inside")
    if not at < rules.ends_at <= grant.ends_at:
        change = f"The grant ends on {grant.ends_at:%d %B %Y, %H:%M UTC}."
        raise InvalidInput("The end must lie ahead, and not after the grant's.", field="ends_at", change=change)


def _locked(actor: Actor, name: str, grant_id: str, at: datetime) -> Grant:
    grant = Grant.objects.select_for_update().get(pk=grant_id)
    decision = decide_engagement(actor, grant, name, at)
    if not decision:
        raise error_of(decision)
    return grant
