"""Write duties when terms are accepted; hand one in, accept it, give it back, waive it for a time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from release_portal.access.extra_terms import Term
from release_portal.access.models import Grant, Obligation
from release_portal.access.obligations.rules import (
    DUTIES,
    HANDED_IN,
    LONGEST_LINK,
    LONGEST_TEXT,
    LONGEST_WAIVER,
    MET,
    OBLIGATION,
    OPEN,
    RETURNED,
    due_after_return,
    due_of,
    is_overdue,
    is_settled,
    lead_of,
    relations,
)
from release_portal.access.services import grant_subject, relations_to_duties
from release_portal.accounts.models import User
from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import InvalidInput, NotNow, StaleVersion, error_of
from release_portal.core.texts import needed_text
from release_portal.notices.services import notify, notify_each

WHEN = "%d %B %Y, %H:%M UTC"


def add_duties(grant: Grant, terms: Iterable[Term], *, at: datetime) -> list[Obligation]:
    """Write the duties that terms bring, inside the transaction in which they were accepted; none twice."""
    known = {(one.code, one.what) for one in grant.obligations.all()}
    return [
        Obligation.objects.create(
            grant=grant,
            code=term.code,
            what=what,
            due_at=due_of(term, grant.starts_at, grant.ends_at),
            created_at=at,
        )
        for term in sorted(terms)
        if term.code in DUTIES and (term.code, what := what_of(term)) not in known
    ]


def replace_duties(grant: Grant, terms: Iterable[Term], *, at: datetime) -> None:
    """Write the duties of these terms; those of terms that are gone go, unless something was handed in."""
    terms = list(terms)
    kept = [what_of(term) for term in terms if term.code in DUTIES]
    grant.obligations.filter(state=OPEN, handed_in_at=None).exclude(what__in=kept).delete()
    add_duties(grant, terms, at=at)


def what_of(term: Term) -> str:
    """Return what is to be handed in for a term, in its words."""
    return f"{term.sentence} {DUTIES[term.code]}"


def decide_duty(actor: Actor, duty: Obligation, name: str) -> Decision:
    """Decide whether the actor may give a command on a duty now; pages ask the same as services."""
    return OBLIGATION.decide(name, duty.state, relations(relations_to_duties(actor, duty.grant), duty.grant.kind))


@transaction.atomic
def hand_in(
    actor: Actor, obligation_id: int, *, said: str, link: str = "", expected_version: int, at: datetime
) -> Obligation:
    """Hand in what is due; a grant that rested for it works again at once.

    Args:
        said: the report, or what was found, or the statement.
        link: where more of it lies; http or https.
    """
    duty = _locked(actor, "hand_in", obligation_id, expected_version)
    duty.text = needed_text(said, "said", "Write what you hand in.", longest=LONGEST_TEXT)
    duty.link, duty.handed_in_at = _link(link), at
    _set_state(duty, HANDED_IN)
    _record("obligation.handed_in", actor, duty, at)
    facts = {"grant": duty.grant_id, "what": duty.what, "holder": duty.grant.holder.name}
    leads = User.objects.filter(role_assignments__role=lead_of(duty.grant.kind), is_active=True)
    others = leads.exclude(pk=duty.grant.holder_id).distinct()
    notify_each(others, "obligation_handed_in", facts, at=at, path=_path(duty))
    return duty


@transaction.atomic
def accept_duty(actor: Actor, obligation_id: int, *, expected_version: int, at: datetime) -> Obligation:
    """Look at what was handed in and take it as done."""
    duty = _locked(actor, "accept", obligation_id, expected_version)
    duty.looked_at, duty.looked_by = at, actor.name
    _set_state(duty, MET)
    _record("obligation.met", actor, duty, at)
    notify(duty.grant.holder, "obligation_met", {"grant": duty.grant_id, "what": duty.what}, at=at, path=_path(duty))
    return duty


@transaction.atomic
def give_back_duty(actor: Actor, obligation_id: int, *, note: str, expected_version: int, at: datetime) -> Obligation:
    """Give back what was handed in, with what is missing; the holder has time again before the grant rests."""
    duty = _locked(actor, "give_back", obligation_id, expected_version)
    duty.note = needed_text(note, "note", "Say what is missing.", longest=LONGEST_TEXT)
    duty.looked_at, duty.looked_by = at, actor.name
    duty.due_at = due_after_return(duty.due_at, at)
    _set_state(duty, RETURNED)
    _record("obligation.returned", actor, duty, at, duty.note)
    facts = {"grant": duty.grant_id, "what": duty.what, "note": duty.note}
    notify(duty.grant.holder, "obligation_returned", facts, at=at, path=_path(duty))
    return duty


@transaction.atomic
def waive_duty(
    actor: Actor, obligation_id: int, *, reason: str, until: datetime, expected_version: int, at: datetime
) -> Obligation:
    """Let a duty rest until a day, with a reason; after that day it counts as before."""
    duty = _locked(actor, "waive", obligation_id, expected_version)
    why = needed_text(reason, "reason", "An exception needs a reason.", longest=LONGEST_TEXT)
    if not at < until <= at + LONGEST_WAIVER:
        raise InvalidInput(f"The end lies 1 to {LONGEST_WAIVER.days} days ahead.", field="until")
    duty.waived_at, duty.waived_until, duty.waived_by, duty.waiver_reason = at, until, actor.name, why
    _set_state(duty, duty.state)
    _record("obligation.waived", actor, duty, at, why, until=until.isoformat())
    facts = {"grant": duty.grant_id, "what": duty.what, "until": f"{until:{WHEN}}", "reason": why}
    notify(duty.grant.holder, "obligation_waived", facts, at=at, path=_path(duty))
    return duty


def count_overdue(user: User, at: datetime) -> int:
    """Return how many duties of a person are overdue; who has some may be told so when they ask for another grant."""
    return Obligation.objects.owed(at).filter(grant__holder=user, due_at__lte=at).count()


# --- Renewal ---------------------------------------------------------------------------------------------------------


def overdue_duties(grant: Grant, at: datetime) -> list[Obligation]:
    """Return what its holder should have done by now."""
    return [duty for duty in grant.obligations.all() if is_overdue(duty.facts(), at)]


def check_settled(grant: Grant, at: datetime) -> None:
    """Refuse to renew a grant while a duty that was due is neither met nor waived."""
    left = [duty for duty in grant.obligations.all() if not is_settled(duty.facts(), at)]
    if left:
        raise NotNow(
            f"Duties of the grant {grant.pk} are not settled: {'; '.join(duty.what for duty in left)}",
            code="obligations_open",
            rule="grant: renew",
            change="Accept what was handed in on the grant's page, or waive it with a reason and an end.",
        )


def _locked(actor: Actor, name: str, obligation_id: int, expected_version: int) -> Obligation:
    found = Obligation.objects.select_for_update(of=("self",)).select_related("grant__holder")
    duty = found.get(pk=obligation_id)
    decision = decide_duty(actor, duty, name)
    if not decision:
        raise error_of(decision)
    if duty.version != expected_version:
        raise StaleVersion("This duty changed while the page was open.", change="Look again, then decide.")
    return duty


def _set_state(duty: Obligation, state: str) -> None:
    duty.state, duty.version = state, duty.version + 1
    duty.save()


def _record(kind: str, actor: Actor, duty: Obligation, at: datetime, reason: str = "", **more: str) -> None:
    data = {"obligation": duty.pk, "code": duty.code, **more}
    record(kind, actor=actor, subject=grant_subject(duty.grant), at=at, reason=reason, data=data)


def _path(duty: Obligation) -> str:
    return f"/grants/{duty.grant_id}/"


def _link(link: str) -> str:
    link = link.strip()
    is_web = link.startswith(("https://", "http://")) and not any(one.isspace() or one == "\x00" for one in link)
    if link and not (is_web and len(link) <= LONGEST_LINK):
        raise InvalidInput("This is no address of a page.", field="link", change="Write it like https://example.org.")
    return link
