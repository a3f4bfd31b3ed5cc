"""Waivers: asked for before the lock, granted by one more than the quorum, public, and over by themselves."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from release_portal.accounts.actors import actor_of
from release_portal.accounts.models import User
from release_portal.audit.models import AuditEvent
from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput, NotAllowed, NotFound, NotNow
from release_portal.releases.assessments import assess_proposal
from release_portal.releases.models import Proposal, Waiver, WaiverVote
from release_portal.releases.outcomes import Outcome
from release_portal.releases.services import size_subject
from release_portal.releases.waivers import agree_to_waiver, ask_waiver, people_needed_for
from tests.services.proposing import person_with, proposal
from tests.world import World

DAY = timedelta(days=1)
REASON = "The survey is delayed by the partner."


@pytest.fixture
def prepared(world: World) -> Proposal:
    """Jo's proposal; its gate asks for a release manager, a safety reviewer and a board member."""
    return proposal(world)


def asked(world: World, prepared: Proposal, criterion: str = "C03", *, by: str = "jo", days: int = 10) -> Waiver:
    return ask_waiver(
        world.actor(by), prepared.pk, criterion=criterion, reason=REASON, ends_at=world.at + days * DAY, at=world.at
    )


def agree(actor: Actor, waiver: Waiver, role: str, at: datetime) -> Waiver:
    return agree_to_waiver(actor, waiver.proposal_id, waiver.pk, role=role, reason="It can wait.", at=at)


def four(world: World) -> list[tuple[Actor, str]]:
    """Four people who may agree to what jo asked for on jo's proposal."""
    fourth = actor_of(person_with(world, "lea", "board"))
    named = [(world.actor("ada"), "release_manager"), (world.actor("ben"), "safety_reviewer")]
    return [*named, (world.actor("kim"), "board"), (fourth, "board")]


def grant(world: World, waiver: Waiver) -> Waiver:
    for actor, role in four(world):
        waiver = agree(actor, waiver, role, world.at)
    return waiver


def test_a_waiver_is_granted_when_one_more_than_the_quorum_has_agreed(world: World, prepared: Proposal) -> None:
    waiver = asked(world, prepared)
    assert people_needed_for(prepared) == 4
    granted = [agree(actor, waiver, role, world.at).granted_at is not None for actor, role in four(world)]
    assert granted == [False, False, False, True]


def test_every_step_of_a_waiver_is_public(world: World, prepared: Proposal) -> None:
    waiver = grant(world, asked(world, prepared))
    timeline = AuditEvent.objects.filter(subject=size_subject(world.size.slug), data__waiver=waiver.pk)
    assert list(timeline.order_by("seq").values_list("kind", flat=True)) == [
        "waiver.asked", *["waiver.agreed"] * 4, "waiver.granted",
    ]  # fmt: skip
    last = timeline.order_by("seq").last()
    assert last is not None
    assert last.reason == REASON
    assert last.data["criterion"] == "C03"


def test_T25_a_granted_waiver_stands_in_for_its_criterion_until_it_ends(world: World, prepared: Proposal) -> None:
    def outcome(at: datetime) -> Outcome:
        found = assess_proposal(Proposal.objects.get(pk=prepared.pk), at)
        return next(result.outcome for result in found.results if result.criterion.id == "C03")

    waiver = asked(world, prepared)
    assert outcome(world.at) is Outcome.NOT_RUN, "asking alone changes nothing"
    grant(world, waiver)
    assert outcome(waiver.ends_at - timedelta(seconds=1)) is Outcome.WAIVED
    assert outcome(waiver.ends_at) is Outcome.NOT_RUN


@pytest.mark.parametrize("name", ["ben", "olu", "kim", "finn", "anonymous"])
def test_only_release_managers_ask(world: World, prepared: Proposal, name: str) -> None:
    with pytest.raises(NotAllowed):
        asked(world, prepared, by=name)


@pytest.mark.parametrize("criterion", ["C01", "C15", "C27", "C99", ""])
def test_what_is_never_waived_or_not_asked_for_is_refused(world: World, prepared: Proposal, criterion: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        asked(world, prepared, criterion)
    assert refused.value.field == "criterion"
    assert "C03" in refused.value.change


@pytest.mark.parametrize("days", [0, -1, 31])
def test_T25_an_end_in_the_past_or_beyond_the_longest_waiver_is_refused(
    world: World, prepared: Proposal, days: int
) -> None:
    with pytest.raises(InvalidInput) as refused:
        asked(world, prepared, days=days)
    assert refused.value.field == "ends_at"
    assert asked(world, prepared, days=30).pk


def test_T25_a_waiver_needs_a_reason(world: World, prepared: Proposal) -> None:
    with pytest.raises(InvalidInput) as refused:
        ask_waiver(world.actor("jo"), prepared.pk, criterion="C03", reason=" ", ends_at=world.at + DAY, at=world.at)
    assert refused.value.field == "reason"


@pytest.mark.parametrize("state", ["locked", "in_review", "scheduled", "completed", "aborted"])
def test_no_waiver_is_asked_for_or_agreed_to_after_the_lock(world: World, prepared: Proposal, state: str) -> None:
    waiver = asked(world, prepared)
    Proposal.objects.filter(pk=prepared.pk).update(state=state)
    with pytest.raises(NotNow):
        asked(world, prepared, "C04")
    with pytest.raises(NotNow):
        agree(world.actor("ben"), waiver, "safety_reviewer", world.at)


def test_a_second_waiver_of_the_same_criterion_waits_for_the_end_of_the_first(world: World, prepared: Proposal) -> None:
    first = asked(world, prepared)
    with pytest.raises(NotNow) as pending:
        asked(world, prepared)
    assert pending.value.code == "waived"
    grant(world, first)
    with pytest.raises(NotNow):
        asked(world, prepared)
    again = ask_waiver(
        world.actor("jo"), prepared.pk, criterion="C03", reason=REASON, ends_at=first.ends_at + DAY, at=first.ends_at
    )
    assert again.granted_at is None


def test_neither_asker_nor_proposer_agrees_and_nobody_twice(world: World, prepared: Proposal) -> None:
    waiver = asked(world, prepared, by="ada")
    with pytest.raises(NotAllowed, match="You asked"):
        agree(world.actor("ada"), waiver, "release_manager", world.at)
    with pytest.raises(NotAllowed, match="own proposal"):
        agree(world.actor("jo"), waiver, "release_manager", world.at)
    agree(world.actor("ben"), waiver, "safety_reviewer", world.at)
    with pytest.raises(NotNow, match="already"):
        agree(world.actor("ben"), waiver, "safety_reviewer", world.at)


def test_people_agree_in_roles_that_they_hold_and_that_vote_on_releases(world: World, prepared: Proposal) -> None:
    waiver = asked(world, prepared)
    for name, role in (("ben", "board"), ("finn", "board"), ("olu", "operator")):
        with pytest.raises(NotAllowed):
            agree(world.actor(name), waiver, role, world.at)
    assert not waiver.votes.exists()


def test_a_waiver_of_another_proposal_is_not_found(world: World, prepared: Proposal) -> None:
    with pytest.raises(NotFound):
        agree_to_waiver(world.actor("ben"), prepared.pk, 0, role="safety_reviewer", reason="why", at=world.at)
    with pytest.raises(NotFound):
        agree_to_waiver(world.actor("ben"), 0, 0, role="safety_reviewer", reason="why", at=world.at)


def test_people_whose_account_was_closed_count_for_no_share(world: World, prepared: Proposal) -> None:
    needed = people_needed_for(prepared)
    User.objects.filter(username="kim").update(is_active=False)
    assert people_needed_for(prepared) == needed, "a fixed number stays"


def test_the_database_itself_refuses_the_asker_and_a_second_agreement(world: World, prepared: Proposal) -> None:
    waiver = asked(world, prepared)
    agree(world.actor("ben"), waiver, "safety_reviewer", world.at)
    for name in ("jo", "ben"):
        with pytest.raises(IntegrityError), transaction.atomic():
            WaiverVote.objects.create(
                waiver=waiver,
                person_id=world.actor(name).id,
                person=name,
                role="safety_reviewer",
                reason="x",
                at=world.at,
                asked_by_id=waiver.asked_by_id,
            )
