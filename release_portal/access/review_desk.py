"""What a reviewer's decision rests on: the tier, the lease, the interests, and whose voice counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Max

from release_portal.access import application_rules as rules
from release_portal.access import review_rules
from release_portal.access.application_rules import OURS, REVIEWERS
from release_portal.access.attestations import rules as attestation_rules
from release_portal.access.attestations.facts import is_attester, mailboxes_of, needs_of, vouchers_of
from release_portal.access.barring import barred_from
from release_portal.access.models import Application, ReviewVote, Seat
from release_portal.access.models.people import cohort_of
from release_portal.access.people.cohort_rules import CLOSED, RUNNING
from release_portal.access.people.seat_rules import TAKEN
from release_portal.access.policy import GRANT_FUNCTIONS, TABLE, Audience
from release_portal.access.programmes.applying import still_eligible
from release_portal.access.programmes.services import programme_facing
from release_portal.access.questions.fields import content_of
from release_portal.access.review_rules import Interests, Lease
from release_portal.access.review_steps import Step, step_at
from release_portal.access.risk_rules import Risk, RiskFacts, risk_of
from release_portal.accounts.models import RoleAssignment, User
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.registry.models import ModelSize
from release_portal.releases.ladder import LADDER

_NEEDS_GRANT = (Audience.GRANTEES, Audience.PARTNERS, Audience.NOBODY, Audience.STAFF)
# Stages at which some use of a size asks for no grant.
OPEN_STAGES = tuple(
    stage.slug for stage in LADDER if any(TABLE[stage.slug][action] not in _NEEDS_GRANT for action in GRANT_FUNCTIONS)
)
# What the tier reads of people, so that it is fetched for many applications at once.
WHO_WOULD_USE_IT = ("seats", "cohort", "renews__seats", "renews__cohort")
# What a decision on many applications reads, so that it is fetched for all of them at once.
LOOKED_AT = ("votes", "attestations", "seats__person", "renews__seats__person", *WHO_WOULD_USE_IT)
ONCE = frozenset({"approve", "refuse"})
EXCLUSIVE = frozenset({"approve", "refuse", "ask"})


@dataclass(frozen=True)
class Desk:
    """What is the same for every application that one person looks at; read once for a whole queue.

    Args:
        actor: who reviews.
        mine: what ties them to a lab.
        reviewers: ids of the accounts that hold a reviewing role now.
        largest_open: parameters of the largest size that asks for no grant.
        barred: ids of applications on which others decide now, since an appeal undid what the person decided.
        mailboxes: the person's own, by which they may be named to vouch.
    """

    actor: Actor
    mine: Interests
    reviewers: frozenset[str]
    largest_open: int
    barred: frozenset[str] = frozenset()
    mailboxes: frozenset[str] = frozenset()


def desk_of(actor: Actor) -> Desk:
    """Return the desk of somebody who reviews."""
    held = RoleAssignment.objects.filter(role__in=REVIEWERS, user__is_active=True).values_list("user_id", flat=True)
    reviewers, mailboxes = frozenset(str(one) for one in held), mailboxes_of([actor.account_id])
    return Desk(actor, _interests(actor), reviewers, largest_open(), barred_from(actor.id), mailboxes)


def largest_open() -> int:
    """Return how large the largest size is that asks for no grant; 0 when there is none."""
    found = ModelSize.objects.filter(standing__stage__in=OPEN_STAGES).aggregate(most=Max("parameters"))
    return found["most"] or 0


def _interests(actor: Actor) -> Interests:
    if not actor.is_person:
        return Interests("")
    email = User.objects.filter(pk=actor.account_id).values_list("email", flat=True).first() or ""
    named = Application.objects.filed_by(actor.id).sent().values_list("affiliation", flat=True)
    joined = Seat.objects.of_person(actor.id).values_list("affiliation", flat=True)
    return Interests(email, frozenset(named) | frozenset(joined))


def team_of(application: Application) -> list[Interests]:
    """Return what ties each member of a team to a lab: those who are named or joined, also on a grant to renew.

    Who left or was taken back counts as well: the work was theirs.
    """
    seats = [*application.seats.all(), *(application.renews.seats.all() if application.renews else ())]
    mails = [Interests(seat.mail, frozenset({seat.affiliation})) for seat in seats]
    return mails + [Interests(seat.person.email) for seat in seats if seat.person]


def risk_facing(application: Application, largest: int, at: datetime) -> Risk:
    """Return the tier of an application as it stands, with its trace; a move of the size shows at once."""
    return risk_of(
        RiskFacts(
            stage=application.size.standing.stage,
            answers=application.answers(),
            parameters=application.size.parameters,
            largest_open=largest,
            today=(application.submitted_at or at).date(),
            needs_care=programme_facing(application).needs_care(application.purpose_code),
            named=_named(application),
            seats=_seats(application),
        )
    )


def _named(application: Application) -> int:
    """How many people are named, on a renewal also those who sit on the grant already."""
    seats = [*application.seats.all(), *(application.renews.seats.all() if application.renews else ())]
    mine = {application.applicant_id, None}
    return len({seat.mail for seat in seats if seat.state in TAKEN and (seat.person_id or 0) not in mine})


def _seats(application: Application) -> int:
    """How many seats a cohort asks for; without a wish a renewal keeps those that there are."""
    wish, kept = getattr(application, "cohort", None), cohort_of(application.renews) if application.renews else None
    if wish is not None and wish.state != CLOSED:
        return int(wish.seats)
    return int(kept.seats) if kept is not None and kept.state in RUNNING else 0


def step_of(application: Application, tier: int) -> Step:
    """Return how many people review an application of that tier, and from which roles; its programme says it."""
    return step_at(programme_facing(application).step(tier), application.state)


def lease_on(application: Application, desk: Desk, at: datetime) -> Lease | None:
    """Return who looks at it now; a lease ends with its time, and with the role of its holder."""
    until, holder = application.claimed_until, str(application.claimed_by_id)
    if until is None or at >= until or holder not in desk.reviewers:
        return None
    return Lease(holder, application.claimed_by_name, until)


def counted(application: Application, desk: Desk) -> list[str]:
    """Return the verdicts that count: given in this round, by people who hold a reviewing role now."""
    return [vote.verdict for vote in voices(application) if str(vote.voter_id) in desk.reviewers]


def has_voted(application: Application, actor: Actor) -> bool:
    """Return whether the actor gave a voice in this round."""
    return any(str(vote.voter_id) == actor.id for vote in voices(application))


def voices(application: Application) -> list[ReviewVote]:
    """Return the voices on what the applicant says now, since it came in or was opened again."""
    given = voices_of_round(application)
    content = content_of(application) if given else ""
    return [vote for vote in given if vote.content == content]


def voices_of_round(application: Application) -> list[ReviewVote]:
    """Return every voice since the application came in or was opened again, outdated ones too."""
    return [vote for vote in application.votes.all() if vote.review_round == application.review_round]


def review_decision(
    name: str, application: Application, desk: Desk, at: datetime, *, has_reason: bool = False
) -> Decision:
    """Decide whether the person at the desk may give a command now.

    Args:
        name: claim, advise, ask, approve or refuse.
        application: with size, applicant and votes.
        desk: who decides.
        at: the time of asking.
        has_reason: a reason is given why another's lease does not wait.
    """
    actor, stage = desk.actor, application.size.standing.stage
    tier = risk_facing(application, desk.largest_open, at).tier
    applicant = Interests(application.applicant.email, frozenset({application.affiliation}))
    step, applicant_id = step_of(application, tier), str(application.applicant_id)
    given: dict[str, Any] = {"tier": tier, "people": step.people, "roles": step.roles}
    answers = [rules.decide_command(name, application.state, actor, applicant_id, stage, **given)]
    if name in rules.IMPARTIAL:
        tie = review_rules.shared_lab(desk.mine, applicant) or review_rules.tie_to_team(desk.mine, team_of(application))
        answers.append(review_rules.no_interest(name, tie))
        answers.append(review_rules.not_before(name, application.pk in desk.barred))
        answers.append(attestation_rules.not_attester(name, is_attester(application, desk.mailboxes)))
    if name in ONCE:
        answers.append(review_rules.may_vote(name, has_voted(application, actor)))
    if name in EXCLUSIVE or name == "claim":
        lease = lease_on(application, desk, at)
        answers.append(review_rules.not_taken(name, actor.id, lease, has_reason=has_reason))
    if name == "approve":
        needs, vouchers = needs_of(application, tier), vouchers_of(application, at)
        answers.append(attestation_rules.enough(name, needs, vouchers, at))
    return next((one for one in answers if not one.allowed), answers[-1])


def command_decision(
    name: str, application: Application, desk: Desk, at: datetime, *, has_reason: bool = False
) -> Decision:
    """Decide as `review_decision`; to approve, the programme's rules must hold now too, which asks more queries."""
    decision = review_decision(name, application, desk, at, has_reason=has_reason)
    return still_eligible(name, application, at) if decision and name == "approve" else decision


def place_in_queue(application: Application) -> int:
    """Return how many are promised a decision earlier, and itself; 0 when it does not wait for us."""
    if application.state not in OURS or application.due_at is None:
        return 0
    return Application.objects.waiting().filter(due_at__lt=application.due_at).count() + 1
