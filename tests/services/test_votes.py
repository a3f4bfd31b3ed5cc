"""Votes on a lock: who casts which, what each does, and what the database itself refuses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from release_portal.accounts.models import RoleAssignment
from release_portal.audit.models import AuditEvent
from release_portal.core.actors import system_actor
from release_portal.core.errors import InvalidInput, NotAllowed, NotFound, NotNow, PortalError, StaleVersion
from release_portal.releases.assessments import gate_of
from release_portal.releases.external_reviews import accept_terms, deposit_review, invite_reviewer
from release_portal.releases.models import Lock, Proposal, Vote, Waiver, WaiverVote
from release_portal.releases.proposal_lookups import role_holders, tally_of, votes_visible_to
from release_portal.releases.proposals import abort_proposal, reopen_proposal, submit_proposal
from release_portal.releases.votes import answer_vote, cast_vote
from tests.governance import (
    DAY,
    adopt,
    answer_checklist,
    carry_out,
    fresh,
    lock,
    propose,
    small_policy,
    supply,
    unmet,
)
from tests.services.proposing import person_with
from tests.world import World

TARGET = "public_hosted"
APPROVALS = "approvals: {release_manager: 1, safety_reviewer: 1}"
Act = Callable[[], Any]


def in_review_under(world: World, text: str) -> Proposal:
    """A proposal of jo's that waits for votes under a policy."""
    adopt(world, text)
    proposal = propose(world, world.size, TARGET, at=world.at)
    supply(world, world.size, gate_of(proposal), at=world.at)
    answer_checklist(world, proposal, at=world.at)
    lock(world, proposal, at=world.at)
    return submit_proposal(world.actor("jo"), proposal.pk, expected_version=fresh(proposal).version, at=world.at)


@pytest.fixture
def proposal(world: World) -> Proposal:
    return in_review_under(world, small_policy())


def asking_for(approvals: str) -> str:
    """The small policy with other approvals."""
    return small_policy().replace(APPROVALS, f"approvals: {{{approvals}}}")


def refused(act: Act) -> PortalError:
    """Run what must be refused; it leaves no vote and no event behind."""
    before = AuditEvent.objects.count(), list(Vote.objects.values()), list(Proposal.objects.values())
    with pytest.raises(PortalError) as caught, transaction.atomic():
        act()
    assert before == (AuditEvent.objects.count(), list(Vote.objects.values()), list(Proposal.objects.values()))
    assert caught.value.change
    return caught.value


def cast(world: World, proposal: Proposal, name: str = "ben", role: str = "safety_reviewer", **more: Any) -> Vote:
    """Cast a vote as the page does, with what the test changes."""
    now = fresh(proposal).current_lock
    fields = {
        "lock_digest": now.digest if now else "",
        "verdict": "approve",
        "reason": "Read it all.",
        "conflict_note": "none",
        "confirmed_at": world.at,
        "at": world.at,
        **more,
    }
    return cast_vote(fields.pop("actor", None) or world.actor(name), proposal.pk, role=role, **fields)


def reload(proposal: Proposal) -> str:
    return fresh(proposal).state


# --- A quorum --------------------------------------------------------------------------------------------------------


def test_the_vote_that_completes_the_quorum_starts_the_cool_off(world: World, proposal: Proposal) -> None:
    cast(world, proposal, "ada", "release_manager")
    assert reload(proposal) == "in_review"
    cast(world, proposal)
    approved = fresh(proposal)
    assert (approved.state, approved.approved_at, approved.cool_off_until) == ("cooling", world.at, world.at + DAY)
    assert list(AuditEvent.objects.order_by("-seq").values_list("kind", flat=True)[:3]) == [
        "proposal.cooling", "proposal.approved", "proposal.voted",
    ]  # fmt: skip


def test_a_vote_keeps_role_reason_conflict_note_and_when_it_was_confirmed(world: World, proposal: Proposal) -> None:
    confirmed_at = world.at - timedelta(minutes=9)
    cast(world, proposal, reason=" It holds. ", conflict_note=" I wrote the card. ", confirmed_at=confirmed_at)
    one = Vote.objects.get()
    assert (one.person, one.role, one.verdict, one.reason) == ("ben", "safety_reviewer", "approve", "It holds.")
    assert (one.conflict_note, one.confirmed_at, one.at) == ("I wrote the card.", confirmed_at, world.at)
    event = AuditEvent.objects.filter(kind="proposal.voted").get()
    assert event.data["lock"] == Lock.objects.get().digest


def test_one_person_with_two_roles_fills_one_place(world: World, proposal: Proposal) -> None:
    """Invariant 3. Seen to fail with every vote counted in `tally` and `mine` always None in `cast_vote`, and without
    the constraint `one_vote_per_person_and_lock`."""
    RoleAssignment.objects.create(user=world.people["ben"], role="release_manager", given_at=world.at, given_by="tests")
    cast(world, proposal)
    assert refused(lambda: cast(world, proposal, role="release_manager")).code == "voted"
    assert reload(proposal) == "in_review"
    assert [place.people for place in tally_of(fresh(proposal)).places] == [(), ("ben",)]


def test_the_proposer_does_not_vote_in_any_role(world: World, proposal: Proposal) -> None:
    """Invariant 3. Seen to fail with the line `own_proposal` left out of `decide_command`: the database refused it."""
    for role in ("safety_reviewer", "board"):
        RoleAssignment.objects.create(user=world.people["jo"], role=role, given_at=world.at, given_by="tests")
    for role in ("release_manager", "safety_reviewer", "board"):
        for verdict in ("approve", "object", "veto"):
            error = refused(lambda role=role, verdict=verdict: cast(world, proposal, "jo", role, verdict=verdict))
            assert (type(error), error.code) == (NotAllowed, "own_proposal")


@pytest.mark.parametrize(("holders", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3)])
def test_two_thirds_of_those_who_hold_the_role_and_may_vote(world: World, holders: int, needed: int) -> None:
    """The proposer, who sits on the board too, counts neither among the votes nor among the holders."""
    RoleAssignment.objects.create(user=world.people["jo"], role="board", given_at=world.at, given_by="tests")
    members = ["kim", *(person_with(world, f"member{number}", "board").username for number in range(1, holders))]
    proposal = in_review_under(world, asking_for("board: two_thirds"))
    assert role_holders(proposal.opened_by_id)["board"] == holders
    for name in members[: needed - 1]:
        cast(world, proposal, name, "board")
    assert reload(proposal) == "in_review"
    cast(world, proposal, members[needed - 1], "board")
    assert reload(proposal) == "cooling"


# --- What each verdict does ------------------------------------------------------------------------------------------


def test_who_abstains_fills_no_place(world: World, proposal: Proposal) -> None:
    cast(world, proposal, "ada", "release_manager")
    cast(world, proposal, verdict="abstain")
    assert reload(proposal) == "in_review"
    amy = person_with(world, "amy", "safety_reviewer")
    cast(world, proposal, amy.username)
    assert reload(proposal) == "cooling"


def test_an_approval_with_a_condition_counts_once_it_is_answered(world: World, proposal: Proposal) -> None:
    cast(world, proposal, "ada", "release_manager")
    one = cast(world, proposal, verdict="approve_if", reason="Name a contact.")
    assert reload(proposal) == "in_review"
    answer_vote(world.actor("ada"), proposal.pk, one.pk, answer="It is in the card.", at=world.at)
    assert reload(proposal) == "cooling"
    one.refresh_from_db()
    assert (one.answer, one.answered_by, one.answered_at) == ("It is in the card.", "ada", world.at)


def test_an_objection_bars_the_quorum_until_it_is_answered(world: World, proposal: Proposal) -> None:
    """C28 turns with it: dissent is answered before anything is approved."""
    amy = person_with(world, "amy", "safety_reviewer")
    one = cast(world, proposal, amy.username, verdict="object", reason="The register is thin.")
    assert unmet(proposal, world.at)["C28"] == "fail"
    cast(world, proposal, "ada", "release_manager")
    cast(world, proposal)
    assert reload(proposal) == "in_review", "others may vote meanwhile, and nothing is approved"
    answer_vote(world.actor("jo"), proposal.pk, one.pk, answer="Two threats were added.", at=world.at)
    assert "C28" not in unmet(proposal, world.at)
    assert reload(proposal) == "cooling"


def test_who_objected_may_vote_again_after_the_answer_and_not_before(world: World, proposal: Proposal) -> None:
    cast(world, proposal, "ada", "release_manager")
    one = cast(world, proposal, verdict="object", reason="The register is thin.")
    assert refused(lambda: cast(world, proposal)).code == "voted"
    answer_vote(world.actor("jo"), proposal.pk, one.pk, answer="Two threats were added.", at=world.at)
    assert reload(proposal) == "in_review", "an answered objection is no approval"
    cast(world, proposal, reason="Now it holds.")
    assert reload(proposal) == "cooling"
    old, new = Vote.objects.filter(person="ben").order_by("pk")
    assert (old.verdict, old.replaced_at, new.verdict) == ("object", world.at, "approve")


def test_who_objected_may_object_again_and_that_waits_for_an_answer_too(world: World, proposal: Proposal) -> None:
    cast(world, proposal, "ada", "release_manager")
    one = cast(world, proposal, verdict="object", reason="The register is thin.")
    answer_vote(world.actor("jo"), proposal.pk, one.pk, answer="It is not.", at=world.at)
    again = cast(world, proposal, verdict="object", reason="It is.")
    assert refused(lambda: cast(world, proposal)).code == "voted"
    assert unmet(proposal, world.at)["C28"] == "fail"
    with pytest.raises(NotFound):
        answer_vote(world.actor("jo"), proposal.pk, one.pk, answer="Once more.", at=world.at)
    answer_vote(world.actor("jo"), proposal.pk, again.pk, answer="Two were added.", at=world.at)
    cast(world, proposal)
    assert reload(proposal) == "cooling"


def test_a_veto_rejects_at_once_and_says_why(world: World, proposal: Proposal) -> None:
    cast(world, proposal, "ada", "release_manager")
    cast(world, proposal, verdict="veto", reason="Not while the case is open.")
    ended = fresh(proposal)
    assert (ended.state, ended.closed_at) == ("rejected", world.at)
    assert ended.closing_reason == "Not while the case is open."
    assert ended.current_lock is not None, "the lock stays as what was voted on"
    assert refused(lambda: cast(world, proposal, "ada", "release_manager")).code == "state"


def test_without_the_right_to_it_nobody_vetoes(world: World, proposal: Proposal) -> None:
    error = refused(lambda: cast(world, proposal, "ada", "release_manager", verdict="veto"))
    assert isinstance(error, NotAllowed)
    no_place = refused(lambda: cast(world, proposal, "kim", "board", verdict="veto"))
    assert no_place.code == "no_place", "the board has no place at this gate"


# --- Refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "role", "code"),
    [
        ("ben", "release_manager", "role"),
        ("ada", "safety_reviewer", "role"),
        ("kim", "board", "no_place"),
        ("hal", "partner_lead", "no_place"),
        ("olu", "operator", "role"),
        ("cleo", "release_manager", "role"),
        ("anonymous", "release_manager", "role"),
    ],
)
def test_only_whom_the_gate_asks_for_votes_in_a_role_of_theirs(
    world: World, proposal: Proposal, name: str, role: str, code: str
) -> None:
    error = refused(lambda: cast(world, proposal, name, role))
    assert (type(error), error.code) == (NotAllowed, code)


def test_a_token_and_the_system_never_vote(world: World, proposal: Proposal) -> None:
    token = replace(world.actor("ben"), scopes=frozenset({"staff:read", "evidence:write"}))
    for actor in (token, system_actor("gate")):
        assert isinstance(refused(lambda actor=actor: cast(world, proposal, actor=actor)), NotAllowed)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"verdict": "perhaps"}, "verdict"),
        ({"reason": " "}, "reason"),
        ({"reason": "x" * 10_001}, "reason"),
        ({"reason": "a\x00b"}, "reason"),
        ({"conflict_note": ""}, "conflict_note"),
    ],
)
def test_a_vote_says_what_why_and_what_ties_the_voter(
    world: World, proposal: Proposal, change: dict[str, str], field: str
) -> None:
    error = refused(lambda: cast(world, proposal, **change))
    assert (type(error), error.field) == (InvalidInput, field)


@pytest.mark.parametrize("ago", [timedelta(minutes=10, seconds=1), timedelta(seconds=-1)])
def test_a_vote_needs_a_fresh_confirmation(world: World, proposal: Proposal, ago: timedelta) -> None:
    error = refused(lambda: cast(world, proposal, confirmed_at=world.at - ago))
    assert (type(error), error.code) == (NotAllowed, "confirm")


def test_a_vote_on_another_lock_than_the_one_in_force_changes_nothing(world: World, proposal: Proposal) -> None:
    """Invariant 2. Seen to fail with the digests not compared in `_lock_seen`."""
    seen = Lock.objects.get().digest
    jo = world.actor("jo")
    reopen_proposal(jo, proposal.pk, reason="A new line.", expected_version=fresh(proposal).version, at=world.at)
    assert refused(lambda: cast(world, proposal, lock_digest=seen)).code == "state"
    answer_checklist(world, proposal, at=world.at, reason="Said in other words.")
    lock(world, proposal, at=world.at)
    submit_proposal(jo, proposal.pk, expected_version=fresh(proposal).version, at=world.at)
    error = refused(lambda: cast(world, proposal, lock_digest=seen))
    assert isinstance(error, StaleVersion)
    assert isinstance(refused(lambda: cast(world, proposal, lock_digest="")), StaleVersion)
    assert cast(world, proposal).lock.number == 2


def test_votes_on_a_lock_that_is_void_count_for_nothing(world: World, proposal: Proposal) -> None:
    cast(world, proposal)
    jo = world.actor("jo")
    reopen_proposal(jo, proposal.pk, reason="Again.", expected_version=fresh(proposal).version, at=world.at)
    assert not any(place.people for place in tally_of(fresh(proposal)).places)
    lock(world, proposal, at=world.at)
    submit_proposal(jo, proposal.pk, expected_version=fresh(proposal).version, at=world.at)
    cast(world, proposal, "ada", "release_manager")
    assert reload(proposal) == "in_review"


def test_nobody_votes_before_the_submission_or_after_the_decision(world: World, proposal: Proposal) -> None:
    cast(world, proposal, "ada", "release_manager")
    cast(world, proposal)
    amy = person_with(world, "amy", "safety_reviewer")
    assert refused(lambda: cast(world, proposal, amy.username)).code == "state"


# --- Answers ---------------------------------------------------------------------------------------------------------


def test_only_what_waits_for_an_answer_is_answered(world: World, proposal: Proposal) -> None:
    approval = cast(world, proposal)
    jo = world.actor("jo")
    for number in (approval.pk, 987_654):
        with pytest.raises(NotFound):
            answer_vote(jo, proposal.pk, number, answer="Thank you.", at=world.at)


def test_an_objection_is_answered_by_release_managers_with_words(world: World, proposal: Proposal) -> None:
    one = cast(world, proposal, verdict="object", reason="The register is thin.")
    for name in ("ben", "kim", "cleo"):
        error = refused(
            lambda name=name: answer_vote(world.actor(name), proposal.pk, one.pk, answer="No.", at=world.at)
        )
        assert isinstance(error, NotAllowed)
    empty = refused(lambda: answer_vote(world.actor("jo"), proposal.pk, one.pk, answer=" ", at=world.at))
    assert empty.field == "answer"


def test_a_vote_of_another_proposal_is_not_answered_here(world: World, proposal: Proposal) -> None:
    one = cast(world, proposal, verdict="object", reason="The register is thin.")
    with pytest.raises(NotFound):
        answer_vote(world.actor("jo"), proposal.pk + 1, one.pk, answer="No.", at=world.at)


# --- The external reviewer -------------------------------------------------------------------------------------------


def deposit(world: World, proposal: Proposal) -> None:
    accept_terms(world.actor("gia"), proposal.pk, at=world.at)
    deposit_review(
        world.actor("gia"), proposal.pk, report="I read it.", finding="supports", expected_version=2, at=world.at
    )


@pytest.fixture
def reviewed(world: World) -> Proposal:
    """A proposal in review whose gate asks for an external reviewer; gia was invited before."""
    adopt(world, asking_for("external_reviewer: 1, release_manager: 1"))
    proposal = propose(world, world.size, TARGET, at=world.at)
    invite_reviewer(
        world.actor("jo"),
        proposal.pk,
        reviewer=world.people["gia"],
        terms="Thirty hours.",
        fee="None.",
        edit_rights="The lab changes no word.",
        due_at=world.at + 40 * DAY,
        at=world.at,
    )
    supply(world, world.size, gate_of(proposal), at=world.at)
    answer_checklist(world, proposal, at=world.at)
    lock(world, proposal, at=world.at)
    return submit_proposal(world.actor("jo"), proposal.pk, expected_version=fresh(proposal).version, at=world.at)


def test_an_external_reviewer_votes_and_reads_votes_after_the_report(world: World, reviewed: Proposal) -> None:
    """Seen to fail with the line `no_report` left out of `may_vote`."""
    cast(world, reviewed, "ada", "release_manager")
    for verdict in ("approve", "veto"):
        error = refused(lambda verdict=verdict: cast(world, reviewed, "gia", "external_reviewer", verdict=verdict))
        assert (type(error), error.code) == (NotNow, "no_report")
    assert votes_visible_to(world.actor("gia"), fresh(reviewed)).code == "no_report"
    deposit(world, reviewed)
    assert votes_visible_to(world.actor("gia"), fresh(reviewed))
    cast(world, reviewed, "gia", "external_reviewer")
    assert reload(reviewed) == "cooling"


def test_a_reviewer_who_was_not_invited_does_not_vote(world: World, reviewed: Proposal) -> None:
    deposit(world, reviewed)
    zoe = person_with(world, "zoe", "external_reviewer")
    assert refused(lambda: cast(world, reviewed, zoe.username, "external_reviewer")).code == "no_report"


# --- Who reads votes -------------------------------------------------------------------------------------------------


def test_votes_are_for_those_who_decide_until_the_decision_and_then_for_everyone(
    world: World, proposal: Proposal
) -> None:
    insiders, outsiders = ("jo", "ada", "ben", "kim", "olu"), ("cleo", "finn", "gia", "anonymous")
    cast(world, proposal, "ada", "release_manager")
    now = fresh(proposal)
    assert all(votes_visible_to(world.actor(name), now) for name in insiders)
    assert not any(votes_visible_to(world.actor(name), now) for name in outsiders)
    token = replace(world.actor("ben"), scopes=frozenset({"staff:read"}))
    assert not votes_visible_to(token, now)
    cast(world, proposal)
    assert not votes_visible_to(world.actor("cleo"), fresh(proposal)), "approved is not yet decided"
    carry_out(world, proposal, at=world.at)
    assert all(votes_visible_to(world.actor(name), fresh(proposal)) for name in (*insiders, *outsiders))


@pytest.mark.parametrize("is_vetoed", [True, False])
def test_votes_on_what_ended_without_a_move_are_public_too(world: World, proposal: Proposal, is_vetoed: bool) -> None:
    if is_vetoed:
        cast(world, proposal, verdict="veto", reason="No.")
    else:
        version = fresh(proposal).version
        abort_proposal(world.actor("jo"), proposal.pk, reason="No.", expected_version=version, at=world.at)
    assert votes_visible_to(world.actor("finn"), fresh(proposal)).code == "decided"


# --- What the database refuses, whatever the services do --------------------------------------------------------------


def row(world: World, now: Lock, name: str, **changes: Any) -> Vote:
    fields = {
        "lock": now,
        "person_id": world.actor(name).id,
        "person": name,
        "role": "safety_reviewer",
        "verdict": "approve",
        "reason": "r",
        "conflict_note": "none",
        "confirmed_at": world.at,
        "at": world.at,
        "proposer_id": now.proposal.opened_by_id,
        **changes,
    }
    return Vote.objects.create(**fields)


def forbidden(act: Act) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        act()


def test_no_row_holds_a_vote_for_oneself(world: World, proposal: Proposal) -> None:
    """Invariant 3 in the database. Seen to fail with the constraint `vote_not_by_proposer` left out."""
    now = Lock.objects.get()
    forbidden(lambda: row(world, now, "jo"))
    assert row(world, now, "ben").pk
    forbidden(lambda: Vote.objects.update(person_id=proposal.opened_by_id))


def test_no_two_votes_of_one_person_stand_on_a_lock(world: World, proposal: Proposal) -> None:
    """Invariant 3 in the database. Seen to fail with the constraint `one_vote_per_person_and_lock` left out."""
    now = Lock.objects.get()
    row(world, now, "ben")
    forbidden(lambda: row(world, now, "ben", role="release_manager"))
    assert row(world, now, "ada").pk
    Vote.objects.filter(person="ben").update(replaced_at=world.at)
    assert row(world, now, "ben").pk


def test_no_waiver_is_agreed_to_by_who_asked_or_twice_by_one_person(world: World, proposal: Proposal) -> None:
    waiver = Waiver.objects.create(
        proposal=proposal,
        criterion="C03",
        reason="r",
        asked_by_id=world.actor("jo").id,
        asked_by="jo",
        asked_at=world.at,
        ends_at=world.at + DAY,
    )

    def agree(name: str) -> WaiverVote:
        person = {"person_id": world.actor(name).id, "person": name, "role": "release_manager"}
        return WaiverVote.objects.create(
            waiver=waiver, reason="r", at=world.at, asked_by_id=waiver.asked_by_id, **person
        )

    forbidden(lambda: agree("jo"))
    assert agree("ada").pk
    forbidden(lambda: agree("ada"))


def test_no_two_proposals_of_a_size_are_open(world: World, proposal: Proposal) -> None:
    """Seen to fail with the constraint `one_open_proposal_per_size` left out."""
    kept = {"size": world.size, "policy": proposal.policy, "opened_by_id": "1", "opened_by": "x"}
    kept |= {"source": "research_hosted", "target": TARGET, "rationale": "r", "opened_at": world.at}
    for state in ("draft", "in_review", "executing"):
        forbidden(lambda state=state: Proposal.objects.create(state=state, **kept))
    for state in ("observing", "aborted", "rejected"):
        assert Proposal.objects.create(state=state, **kept).pk


def test_no_two_locks_of_a_proposal_are_in_force_or_bear_one_number(world: World, proposal: Proposal) -> None:
    """Seen to fail with the constraint `one_lock_in_force_per_proposal` left out."""
    kept = {"proposal": proposal, "digest": "d", "material": {}, "results": [], "locked_by_id": "1", "locked_by": "x"}
    forbidden(lambda: Lock.objects.create(number=2, locked_at=world.at, **kept))
    forbidden(lambda: Lock.objects.create(number=1, locked_at=world.at, voided_at=world.at, **kept))
    Lock.objects.update(voided_at=world.at)
    assert Lock.objects.create(number=2, locked_at=world.at, **kept).pk
