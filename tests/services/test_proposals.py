"""A proposal from its first draft to the end of its observation, and every piece without which it does not go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction

from model_cards.lookups import latest_card
from model_cards.services import publish_card
from release_portal.accounts.duty import remove_shift
from release_portal.accounts.models import DutyShift
from release_portal.audit.models import AuditEvent
from release_portal.audit.services import verify_chain
from release_portal.core.actors import Actor, system_actor
from release_portal.core.errors import InvalidInput, NotAllowed, NotFound, NotNow, PortalError, StaleVersion
from release_portal.evidence import checklist
from release_portal.evidence.checklist_services import save_checklist
from release_portal.evidence.rules import EvidenceDraft
from release_portal.evidence.services import review_evidence
from release_portal.registry import store
from release_portal.registry.models import ModelSize
from release_portal.registry.services import register_revision
from release_portal.releases import executions, proposals
from release_portal.releases.assessments import assess_proposal, gate_of
from release_portal.releases.freezes import lift_freeze, raise_freeze
from release_portal.releases.hold_services import raise_hold, release_hold
from release_portal.releases.models import Lock, Narrowing, PolicyVersion, Proposal, StageEntry, Standing
from release_portal.releases.narrowings import confirm_narrowing, roll_back
from release_portal.releases.policy_files import parse
from release_portal.releases.proposal_lookups import proposal_subject
from release_portal.releases.proposal_steps import LONGEST_TEXT
from release_portal.releases.waivers import agree_to_waiver, ask_waiver
from tests.governance import (
    DAY,
    HOUR,
    VOTERS,
    accept,
    adopt,
    advance,
    answer_checklist,
    attach,
    carry_out,
    fresh,
    lock,
    passing_draft,
    propose,
    review,
    small_policy,
    supply,
    unmet,
    vote,
)
from tests.services.proposing import person_with
from tests.world import World, model_folder, put_at_stage

SWEEPER = system_actor("sweeper")
TARGET = "public_hosted"
Act = Callable[[], Any]


@pytest.fixture
def policy(world: World) -> str:
    """The small policy is in force; return its digest."""
    return adopt(world, small_policy())


@pytest.fixture
def collecting(world: World, policy: str) -> Proposal:
    return propose(world, world.size, TARGET, at=world.at)


@pytest.fixture
def complete(world: World, collecting: Proposal) -> Proposal:
    """A proposal that may be locked."""
    supply(world, world.size, gate_of(collecting), at=world.at)
    answer_checklist(world, collecting, at=world.at)
    return fresh(collecting)


@pytest.fixture
def cooling(world: World, complete: Proposal) -> Proposal:
    """A proposal that everybody has approved."""
    return review(world, complete, at=world.at)


@pytest.fixture
def scheduled(world: World, cooling: Proposal) -> Proposal:
    """A proposal that may be carried out a day from now."""
    schedule(world, cooling, at=world.at + DAY)
    return fresh(cooling)


def refused(act: Act) -> PortalError:
    """Run what must be refused; whatever the refusal, it leaves nothing behind."""
    before = AuditEvent.objects.count(), list(Proposal.objects.values()), list(Lock.objects.values())
    stood = list(Standing.objects.values())
    with pytest.raises(PortalError) as caught, transaction.atomic():
        act()
    assert before == (AuditEvent.objects.count(), list(Proposal.objects.values()), list(Lock.objects.values()))
    assert stood == list(Standing.objects.values())
    assert caught.value.reason
    assert caught.value.change
    return caught.value


MODULE_OF = dict.fromkeys(("schedule_proposal", "execute_proposal"), executions)


def command(name: str, world: World, proposal: Proposal, *, by: str | Actor = "jo", at: datetime, **more: Any) -> Any:
    """Give a command as somebody who sees the proposal as it is now."""
    actor = world.actor(by) if isinstance(by, str) else by
    return getattr(MODULE_OF.get(name, proposals), name)(
        actor, proposal.pk, expected_version=fresh(proposal).version, at=at, **more
    )


def submit(world: World, proposal: Proposal, *, at: datetime) -> Proposal:
    return command("submit_proposal", world, proposal, at=at)


def schedule(world: World, proposal: Proposal, *, at: datetime, execute_after: datetime | None = None) -> Proposal:
    return command("schedule_proposal", world, proposal, execute_after=execute_after or at, at=at)


def execute(
    world: World, proposal: Proposal, *, at: datetime, typed: str = "", by: str = "jo", confirmed_at: Any = None
) -> Proposal:
    return command(
        "execute_proposal", world, proposal, by=by, typed=typed, confirmed_at=confirmed_at or at, preview={}, at=at
    )


def reopen(world: World, proposal: Proposal, *, at: datetime) -> Proposal:
    return command("reopen_proposal", world, proposal, reason="Something changed.", at=at)


def stage_now(size: ModelSize) -> str:
    return Standing.objects.get(size=size).stage


def kinds(proposal: Proposal) -> list[str]:
    """Return the kinds of the proposal's events, in the order of the chain."""
    return list(AuditEvent.objects.filter(data__proposal=proposal.pk).order_by("seq").values_list("kind", flat=True))


# --- The whole way ---------------------------------------------------------------------------------------------------


def test_a_proposal_goes_from_draft_to_the_end_of_its_observation(world: World, policy: str) -> None:
    proposal = advance(world, world.size, TARGET, at=world.at)
    when = world.at + DAY
    assert (proposal.state, proposal.executed_at, proposal.executed_by) == ("observing", when, "jo")
    assert (proposal.approved_at, proposal.cool_off_until, proposal.soak_until) == (world.at, when, when + DAY)
    standing = Standing.objects.get(size=world.size)
    assert (standing.stage, standing.granted, standing.since) == (TARGET, TARGET, when)
    assert StageEntry.objects.filter(size=world.size).last().stage == TARGET
    assert kinds(proposal) == [
        "proposal.opened", "proposal.collecting", "proposal.locked", "proposal.submitted", "proposal.voted",
        "proposal.voted", "proposal.approved", "proposal.cooling", "proposal.scheduled", "proposal.executing",
        "stage.advanced", "proposal.observing",
    ]  # fmt: skip
    assert verify_chain().is_intact


def test_the_record_of_the_move_names_proposal_lock_and_the_digest_of_the_preview(
    world: World, scheduled: Proposal
) -> None:
    execute(world, scheduled, at=world.at + DAY)
    now = Lock.objects.get(proposal=scheduled)
    moved = AuditEvent.objects.get(kind="stage.advanced")
    assert (moved.data["proposal"], moved.data["lock"]) == (scheduled.pk, now.digest)
    assert (moved.data["from"], moved.data["to"]) == ("research_hosted", TARGET)
    assert len(AuditEvent.objects.get(kind="proposal.executing").data["preview"]) == 64


def test_a_lock_holds_every_part_and_every_result_of_the_policy(world: World, complete: Proposal) -> None:
    now = lock(world, complete, at=world.at)
    card, gate = latest_card(world.size), gate_of(complete)
    assert card is not None
    assert now.material["policy"] == complete.policy_id
    assert now.material["card"] == card.digest
    assert now.material["manifest"] == world.size.revisions.get(is_current=True).digest
    assert set(now.material["results"]) == {row["criterion"] for row in now.results} == gate.ids
    assert {row["outcome"] for row in now.results} == {"pass"}
    assert len(now.digest) == 64


# --- Opening ---------------------------------------------------------------------------------------------------------


def open_one(world: World, target: str = TARGET, *, by: str = "jo", **more: Any) -> Proposal:
    more = {"rationale": "Researchers asked for it.", **more}
    return proposals.open_proposal(world.actor(by), world.size, target, at=world.at, **more)


@pytest.mark.parametrize("name", ["ben", "ivy", "hal", "gia", "kim", "olu", "cleo", "anonymous"])
def test_nobody_but_release_managers_opens_a_proposal(world: World, policy: str, name: str) -> None:
    assert isinstance(refused(lambda: open_one(world, by=name)), NotAllowed)


def test_a_token_opens_nothing_whoever_made_it(world: World, policy: str) -> None:
    token = replace(world.actor("jo"), scopes=frozenset({"staff:read", "evidence:write"}))
    error = refused(lambda: proposals.open_proposal(token, world.size, TARGET, rationale="Because.", at=world.at))
    assert isinstance(error, NotAllowed)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"rationale": " \n"}, "rationale"),
        ({"rationale": "x" * (LONGEST_TEXT + 1)}, "rationale"),
        ({"rationale": "a\x00b"}, "rationale"),
        ({"conditions": "x" * (LONGEST_TEXT + 1)}, "conditions"),
        ({"target": "orbit"}, "target"),
    ],
)
def test_a_proposal_needs_a_stage_and_a_text_that_can_be_kept(
    world: World, policy: str, change: dict[str, str], field: str
) -> None:
    error = refused(lambda: open_one(world, **change))
    assert isinstance(error, InvalidInput)
    assert error.field == field


def test_the_longest_text_is_kept_and_conditions_may_be_empty(world: World, policy: str) -> None:
    opened = open_one(world, rationale="x" * LONGEST_TEXT, conditions="")
    assert len(opened.rationale) == LONGEST_TEXT


@pytest.mark.parametrize("target", ["research_hosted", "partner", "registered", "research_weights", "open_science"])
def test_only_moves_that_the_policy_lists_are_proposed(world: World, policy: str, target: str) -> None:
    error = refused(lambda: open_one(world, target))
    assert (type(error), error.code) == (NotNow, "no_gate")
    assert error.change == "It lists: Public, hosted."


def test_one_proposal_is_open_for_a_size_and_the_second_is_told_which(world: World, collecting: Proposal) -> None:
    """Seen to fail with the constraint `one_open_proposal_per_size` left out: two were open."""
    error = refused(lambda: open_one(world, by="ada"))
    assert (type(error), error.code) == (NotNow, "open_proposal")
    assert f"Proposal {collecting.pk}" in error.reason
    command("abort_proposal", world, collecting, reason="Not now.", at=world.at)
    assert open_one(world, by="ada").pk != collecting.pk


def test_proposals_of_two_sizes_do_not_bar_each_other(world: World, collecting: Proposal) -> None:
    other = ModelSize.objects.exclude(pk=world.size.pk).select_related("standing").order_by("pk").first()
    assert other is not None
    put_at_stage(other, "disclosed", world.at)
    assert propose(world, other, "partner", at=world.at).state == "collecting"


def test_what_is_being_observed_does_not_bar_the_next_proposal(world: World, policy: str) -> None:
    advance(world, world.size, TARGET, at=world.at)
    assert propose(world, world.size, "research_weights", at=world.at + DAY).source == TARGET


def test_a_withdrawn_size_is_not_proposed_again(world: World, policy: str) -> None:
    Standing.objects.filter(size=world.size).update(ending="withdrawn")
    assert refused(lambda: open_one(world)).code == "ended"


def test_without_a_policy_in_force_nothing_is_proposed(world: World) -> None:
    before = world.at - DAY
    error = refused(
        lambda: proposals.open_proposal(world.actor("jo"), world.size, TARGET, rationale="Because.", at=before)
    )
    assert error.code == "no_policy"


# --- Preparing -------------------------------------------------------------------------------------------------------


def test_rationale_and_conditions_change_until_the_lock(world: World, complete: Proposal) -> None:
    command("edit_proposal", world, complete, rationale="Better words.", conditions="A report a month.", at=world.at)
    assert (fresh(complete).rationale, fresh(complete).conditions) == ("Better words.", "A report a month.")
    lock(world, complete, at=world.at)
    error = refused(lambda: command("edit_proposal", world, complete, rationale="Other.", conditions="", at=world.at))
    assert error.code == "state"


def test_a_form_that_was_open_while_somebody_else_wrote_changes_nothing(world: World, complete: Proposal) -> None:
    """Seen to fail with the comparison of versions left out of `_begin`."""
    seen = complete.version
    command("edit_proposal", world, complete, by="ada", rationale="Ada's words.", conditions="", at=world.at)
    more: dict[str, dict[str, Any]] = {
        "edit_proposal": {"rationale": "Jo's words.", "conditions": ""},
        "lock_proposal": {"preview": {}},
        "abort_proposal": {"reason": "no"},
    }
    for name, words in more.items():
        error = refused(
            lambda name=name, words=words: getattr(proposals, name)(
                world.actor("jo"), complete.pk, expected_version=seen, at=world.at, **words
            )
        )
        assert isinstance(error, StaleVersion), name
        assert "kept here" in error.change
    assert fresh(complete).rationale == "Ada's words."


def test_a_proposal_that_is_not_there_is_not_found(world: World, policy: str) -> None:
    jo = world.actor("jo")
    with pytest.raises(NotFound):
        proposals.collect(jo, 987_654, expected_version=1, at=world.at)


# --- Locking: each missing piece by name -----------------------------------------------------------------------------


def lock_refused(world: World, proposal: Proposal, *, at: datetime | None = None) -> PortalError:
    error = refused(lambda: lock(world, proposal, at=at or world.at))
    assert isinstance(error, NotNow)
    assert not Lock.objects.filter(proposal=proposal).exists()
    assert fresh(proposal).state == "collecting"
    return error


def test_the_whole_case_is_locked(world: World, complete: Proposal) -> None:
    assert lock(world, complete, at=world.at).number == 1
    assert fresh(complete).state == "locked"


def test_with_nothing_supplied_every_piece_is_named(world: World, collecting: Proposal) -> None:
    error = lock_refused(world, collecting)
    assert error.code == "gate_shut"
    assert error.reason.startswith("The gate is shut by C03, C07, C12, C27.")
    assert unmet(collecting, world.at) == {"C03": "not_run", "C07": "not_run", "C12": "not_run", "C27": "fail"}


@pytest.mark.parametrize("name", ["C03", "C07", "C12"])
def test_a_piece_that_is_missing_keeps_the_gate_shut(world: World, collecting: Proposal, name: str) -> None:
    supply(world, world.size, gate_of(collecting), at=world.at, leave_out=(name,))
    answer_checklist(world, collecting, at=world.at)
    error = lock_refused(world, collecting)
    assert (error.code, unmet(collecting, world.at)[name]) == ("gate_shut", "not_run")
    assert f"{name}, C27" in error.reason


def arrives(world: World, proposal: Proposal, name: str, *, verdict: str = "accepted", **changes: Any) -> None:
    """Attach other evidence than the one that passes, and review it."""
    criterion = gate_of(proposal).criterion(name)
    assert criterion is not None
    draft: EvidenceDraft = replace(passing_draft(criterion, world.size, world.at), **changes)
    evidence = attach(world, world.size, draft, at=world.at)
    if verdict:
        review_evidence(world.actor("ben"), world.size, evidence.pk, verdict, reason="Looked at it.", at=world.at)


@pytest.mark.parametrize(
    ("name", "changes", "outcome", "words"),
    [
        ("C03", {"verdict": ""}, "inconclusive", "waits for review"),
        ("C07", {"verdict": ""}, "inconclusive", "waits for review"),
        ("C03", {"verdict": "rejected"}, "not_run", "rejected the newest evidence: Looked at it."),
        ("C07", {"ci_low": Decimal("0.4"), "ci_high": Decimal("0.6")}, "inconclusive", "more must be measured"),
        (
            "C07",
            {"value": Decimal("0.3"), "ci_low": Decimal("0.2"), "ci_high": Decimal("0.4")},
            "fail",
            "No part of the interval",
        ),
        ("C07", {"n": 9}, "inconclusive", "at least 10"),
    ],
)
def test_evidence_that_does_not_pass_keeps_the_gate_shut_with_its_reason(
    world: World, complete: Proposal, name: str, changes: dict[str, Any], outcome: str, words: str
) -> None:
    """Seen to fail with `Outcome.INCONCLUSIVE` counted as met in `Result.is_met` (invariant 6)."""
    arrives(world, complete, name, **changes)
    error = lock_refused(world, complete)
    assert (error.code, unmet(complete, world.at)[name]) == ("gate_shut", outcome)
    assert f"{name}: " in error.reason
    assert words in error.reason
    arrives(world, complete, name)
    assert lock(world, complete, at=world.at)


def test_evidence_that_became_too_old_keeps_the_gate_shut(world: World, complete: Proposal) -> None:
    assert unmet(complete, world.at + 10 * DAY) == {}
    later = world.at + 10 * DAY + timedelta(microseconds=1)
    assert lock_refused(world, complete, at=later).code == "gate_shut"
    assert unmet(complete, later)["C12"] == "stale"


def test_evidence_on_other_weights_keeps_the_gate_shut(world: World, complete: Proposal, tmp_path: Path) -> None:
    other_weights(world, tmp_path)
    error = lock_refused(world, complete)
    assert unmet(complete, world.at)["C07"] == "stale"
    assert "other weights" in error.reason


def other_weights(world: World, folder: Path) -> str:
    """Serve another revision of the size."""
    digest = store.add_folder(settings.STORE_ROOT, model_folder(folder / "other", marker="other"))
    register_revision(world.actor("olu"), world.size.slug, digest, settings.STORE_ROOT, source="tests", at=world.at)
    world.size.refresh_from_db()
    return digest


def test_a_checklist_that_lacks_an_answer_keeps_the_gate_shut(world: World, collecting: Proposal) -> None:
    supply(world, world.size, gate_of(collecting), at=world.at)
    error = lock_refused(world, collecting)
    assert (error.code, error.reason) == ("checklist", f"The safety checklist lacks {len(checklist.ITEMS)} answers.")
    answers = {str(one.id): {"answer": "yes", "reason": "So it is.", "evidence": []} for one in checklist.ITEMS[1:]}
    subject = proposal_subject(collecting)
    save_checklist(world.actor("jo"), world.size, subject, answers, expected_number=0, at=world.at)
    error = lock_refused(world, collecting)
    assert (error.code, error.reason) == ("checklist", "The safety checklist lacks 1 answer.")
    answer_checklist(world, collecting, at=world.at)
    assert lock(world, collecting, at=world.at)


def test_a_draft_is_not_locked_and_a_lock_is_not_locked_again(world: World, policy: str, complete: Proposal) -> None:
    lock(world, complete, at=world.at)
    assert refused(lambda: lock(world, complete, at=world.at)).code == "state"
    command("abort_proposal", world, complete, reason="Anew.", at=world.at)
    draft = open_one(world)
    assert refused(lambda: lock(world, draft, at=world.at)).code == "state"


def test_only_release_managers_lock(world: World, complete: Proposal) -> None:
    for name in ("ben", "kim", "olu", "cleo"):
        assert isinstance(refused(lambda name=name: lock(world, complete, at=world.at, by=name)), NotAllowed)
    assert lock(world, complete, at=world.at, by="ada").locked_by == "ada"


# --- Rule L01: not further than the next smaller size ----------------------------------------------------------------


def test_a_size_is_never_further_than_the_next_smaller_one(world: World, policy: str) -> None:
    """Invariant 12. Seen to fail with the rule `smaller_size` answering pass."""
    bigger = ModelSize.objects.filter(family=world.size.family, ordinal__gt=world.size.ordinal).order_by("ordinal")[0]
    put_at_stage(bigger, "research_hosted", world.at)
    assert stage_now(world.size) == "research_hosted"
    bigger = ModelSize.objects.select_related("standing", "family").get(pk=bigger.pk)
    proposal = propose(world, bigger, TARGET, at=world.at)
    assert unmet(proposal, world.at)["L01"] == "fail"
    put_at_stage(world.size, TARGET, world.at)
    assert "L01" not in unmet(proposal, world.at)


# --- Any changed byte ------------------------------------------------------------------------------------------------


def edit_card(world: World, proposal: Proposal, folder: Path) -> None:
    card = latest_card(world.size)
    assert card is not None
    text = card.text + "\nOne more line.\n"
    publish_card(world.actor("ada"), world.size, text, summary="a line", expected_number=card.number, at=world.at)


def sign_checklist(world: World, proposal: Proposal, folder: Path) -> None:
    answer_checklist(world, proposal, at=world.at, reason="Answered in other words.")


def attach_anew(world: World, proposal: Proposal, folder: Path) -> None:
    arrives(world, proposal, "C07", value=Decimal("0.9"), ci_low=Decimal("0.9"), ci_high=Decimal("0.9"))


def swap_weights(world: World, proposal: Proposal, folder: Path) -> None:
    other_weights(world, folder)


def change_case(world: World, proposal: Proposal, folder: Path) -> None:
    """No command does this while a lock is in force; the lock would notice it if one did."""
    Proposal.objects.filter(pk=proposal.pk).update(rationale="Quite another case.")


def change_policy(world: World, proposal: Proposal, folder: Path) -> None:
    """No command does this while a lock is in force; the lock would notice it if one did."""
    adopt(world, small_policy(version=2))
    Proposal.objects.filter(pk=proposal.pk).update(policy=PolicyVersion.objects.get(name="small", version=2))


CHANGES = {
    "card": edit_card,
    "checklist": sign_checklist,
    "C07": attach_anew,
    "manifest": swap_weights,
    "case": change_case,
    "policy": change_policy,
}
changed = pytest.mark.parametrize("part", CHANGES)


def drifted(act: Act, part: str) -> None:
    error = refused(act)
    assert (type(error), error.code) == (NotNow, "drift"), error.reason
    assert part in error.reason
    assert error.change.startswith("Reopen")


@changed
def test_what_changed_after_the_lock_is_not_submitted(
    world: World, complete: Proposal, tmp_path: Path, part: str
) -> None:
    """Invariant 2. Seen to fail with `refuse_drift` left out of `submit_proposal`."""
    lock(world, complete, at=world.at)
    CHANGES[part](world, complete, tmp_path)
    drifted(lambda: submit(world, complete, at=world.at), part)


@changed
def test_what_changed_after_the_submission_is_not_voted_on(
    world: World, complete: Proposal, tmp_path: Path, part: str
) -> None:
    """Invariant 2. Seen to fail with `_lock_seen` returning the lock without a look."""
    lock(world, complete, at=world.at)
    submit(world, complete, at=world.at)
    CHANGES[part](world, complete, tmp_path)
    drifted(lambda: vote(world, complete, "ada", "release_manager", at=world.at), part)


@changed
def test_what_changed_after_the_approval_is_not_scheduled(
    world: World, cooling: Proposal, tmp_path: Path, part: str
) -> None:
    """Invariant 2. Seen to fail with `refuse_drift` left out of `schedule_proposal`."""
    CHANGES[part](world, cooling, tmp_path)
    drifted(lambda: schedule(world, cooling, at=world.at + DAY), part)


@changed
def test_what_changed_after_the_scheduling_is_not_carried_out(
    world: World, scheduled: Proposal, tmp_path: Path, part: str
) -> None:
    """Invariants 1 and 2. Seen to fail with `drift` empty in `_execution_facts`."""
    CHANGES[part](world, scheduled, tmp_path)
    drifted(lambda: execute(world, scheduled, at=world.at + DAY), part)
    assert stage_now(world.size) == "research_hosted"


@pytest.mark.parametrize("part", ["card", "checklist", "C07"])
def test_after_a_new_lock_and_new_votes_it_goes_on(
    world: World, scheduled: Proposal, tmp_path: Path, part: str
) -> None:
    CHANGES[part](world, scheduled, tmp_path)
    at = world.at + DAY
    reopen(world, scheduled, at=at)
    again = fresh(scheduled)
    assert (again.state, again.approved_at, again.cool_off_until, again.execute_after) == ("collecting", *[None] * 3)
    lock(world, scheduled, at=at)
    submit(world, scheduled, at=at)
    assert fresh(scheduled).state == "in_review", "the votes on the old lock count for nothing"
    vote(world, scheduled, "ada", "release_manager", at=at)
    vote(world, scheduled, "ben", "safety_reviewer", at=at)
    assert fresh(scheduled).cool_off_until == at + DAY, "the wait begins anew"
    assert carry_out(world, scheduled, at=at).state == "observing"
    old, new = Lock.objects.filter(proposal=scheduled).order_by("number")
    assert (old.void_reason, new.number) == ("Something changed.", 2)
    assert old.voided_at == at
    assert old.digest != new.digest


def test_what_changed_and_was_changed_back_is_the_same_again(world: World, complete: Proposal) -> None:
    first = lock(world, complete, at=world.at)
    reopen(world, complete, at=world.at)
    assert lock(world, complete, at=world.at).digest == first.digest


def test_a_later_look_at_the_same_bytes_is_no_change(world: World, complete: Proposal) -> None:
    """Days go by and the same evidence still passes: nothing has drifted."""
    lock(world, complete, at=world.at)
    assert submit(world, complete, at=world.at + 9 * DAY).state == "in_review"


# --- Sent back, aborted, expired -------------------------------------------------------------------------------------


def test_who_votes_may_ask_for_changes_and_every_vote_is_void(world: World, complete: Proposal) -> None:
    now = lock(world, complete, at=world.at)
    submit(world, complete, at=world.at)
    vote(world, complete, "ada", "release_manager", at=world.at)
    command("request_changes", world, complete, by="ben", reason="The register is thin.", at=world.at)
    now.refresh_from_db()
    assert (fresh(complete).state, now.voided_at, now.void_reason) == (
        "changes_requested",
        world.at,
        "The register is thin.",
    )
    reopen(world, complete, at=world.at)
    lock(world, complete, at=world.at)
    submit(world, complete, at=world.at)
    vote(world, complete, "ben", "safety_reviewer", at=world.at)
    assert fresh(complete).state == "in_review", "ada's vote was on the lock before"


def test_the_proposer_does_not_ask_for_changes_and_nobody_without_a_reason(world: World, complete: Proposal) -> None:
    lock(world, complete, at=world.at)
    submit(world, complete, at=world.at)
    own = refused(lambda: command("request_changes", world, complete, reason="mine", at=world.at))
    assert own.code == "own_proposal"
    empty = refused(lambda: command("request_changes", world, complete, by="ben", reason=" ", at=world.at))
    assert (type(empty), empty.field) == (InvalidInput, "reason")


def test_a_proposal_is_aborted_before_it_is_carried_out_and_not_after(world: World, scheduled: Proposal) -> None:
    assert refused(lambda: command("abort_proposal", world, scheduled, reason="", at=world.at)).field == "reason"
    assert isinstance(
        refused(lambda: command("abort_proposal", world, scheduled, by="ben", reason="no", at=world.at)), NotAllowed
    )
    at = world.at + DAY
    execute(world, scheduled, at=at)
    assert refused(lambda: command("abort_proposal", world, scheduled, reason="Too late.", at=at)).code == "state"


def test_an_aborted_proposal_says_when_and_why_and_never_lives_again(world: World, scheduled: Proposal) -> None:
    command("abort_proposal", world, scheduled, reason="Another lab was faster.", at=world.at)
    ended = fresh(scheduled)
    assert (ended.state, ended.closed_at, ended.closing_reason) == ("aborted", world.at, "Another lab was faster.")
    for act in (
        lambda: execute(world, scheduled, at=world.at + DAY),
        lambda: reopen(world, scheduled, at=world.at + DAY),
        lambda: schedule(world, scheduled, at=world.at + DAY),
    ):
        assert refused(act).code == "state"


def test_a_locked_proposal_whose_evidence_becomes_stale_expires(world: World, complete: Proposal) -> None:
    """Seen to fail with `became_stale` returning nothing."""
    lock(world, complete, at=world.at)
    assert executions.expire_proposals(SWEEPER, at=world.at + 10 * DAY) == 0
    later = world.at + 10 * DAY + HOUR
    assert executions.expire_proposals(SWEEPER, at=later) == 1
    ended = fresh(complete)
    assert (ended.state, ended.closed_at) == ("expired", later)
    assert "C12" in ended.closing_reason
    assert executions.expire_proposals(SWEEPER, at=later) == 0


def test_a_proposal_that_still_collects_does_not_expire(world: World, complete: Proposal) -> None:
    assert executions.expire_proposals(SWEEPER, at=world.at + 400 * DAY) == 0
    assert fresh(complete).state == "collecting"


def test_nobody_but_the_system_lets_proposals_expire(world: World, complete: Proposal) -> None:
    lock(world, complete, at=world.at)
    assert isinstance(
        refused(lambda: executions.expire_proposals(world.actor("jo"), at=world.at + 20 * DAY)), NotAllowed
    )


# --- Scheduling ------------------------------------------------------------------------------------------------------


def test_nothing_is_scheduled_before_the_end_of_the_cool_off(world: World, cooling: Proposal) -> None:
    second = timedelta(seconds=1)
    assert refused(lambda: schedule(world, cooling, at=world.at + DAY - second)).code == "cooling"
    over = world.at + DAY
    early = refused(lambda: schedule(world, cooling, at=over, execute_after=over - second))
    assert early.code == "early"
    assert schedule(world, cooling, at=over, execute_after=over + 2 * DAY).execute_after == over + 2 * DAY
    assert refused(lambda: execute(world, cooling, at=over + DAY)).code == "scheduled"
    assert execute(world, cooling, at=over + 2 * DAY).state == "observing"


def test_what_was_not_approved_is_not_scheduled(world: World, complete: Proposal) -> None:
    lock(world, complete, at=world.at)
    submit(world, complete, at=world.at)
    vote(world, complete, "ada", "release_manager", at=world.at)
    assert refused(lambda: schedule(world, complete, at=world.at + 5 * DAY)).code == "state"


# --- Carrying out ----------------------------------------------------------------------------------------------------


def bar_and_way_out(
    world: World, scheduled: Proposal, code: str, *, bar: Act, clear: Callable[[Any], Any], at: datetime
) -> None:
    """Something bars the move by name; once it is gone the move is made."""
    what = bar()
    assert refused(lambda: execute(world, scheduled, at=at)).code == code
    assert stage_now(world.size) == "research_hosted"
    clear(what)
    assert execute(world, scheduled, at=at).state == "observing"
    assert stage_now(world.size) == TARGET


@pytest.mark.parametrize("level", ["hold", "R5"])
def test_a_held_size_is_not_widened(world: World, scheduled: Proposal, level: str) -> None:
    at = world.at + DAY
    bar_and_way_out(
        world,
        scheduled,
        "held",
        bar=lambda: raise_hold(world.actor("ben"), world.size, reason="Odd output.", level=level, at=at),
        clear=lambda hold: release_hold(world.actor("olu"), hold.pk, reason="Looked at it.", at=at),
        at=at,
    )


@pytest.mark.parametrize("is_for_all", [True, False])
def test_nothing_is_widened_in_a_freeze(world: World, scheduled: Proposal, is_for_all: bool) -> None:
    at = world.at + DAY
    family = None if is_for_all else world.size.family
    bar_and_way_out(
        world,
        scheduled,
        "frozen",
        bar=lambda: raise_freeze(
            world.actor("ada"), family=family, starts_at=at, ends_at=at + DAY, reason="Holidays.", at=at
        ),
        clear=lambda one: lift_freeze(
            world.actor("ben"), one.pk, reason="Back early.", expected_version=one.version, at=at
        ),
        at=at,
    )


def test_a_freeze_of_another_family_bars_nothing_and_one_that_is_over_neither(
    world: World, scheduled: Proposal
) -> None:
    other = ModelSize.objects.exclude(family=world.size.family).select_related("family")[0].family
    at, ada = world.at + DAY, world.actor("ada")
    raise_freeze(ada, family=other, starts_at=at, ends_at=at + DAY, reason="Theirs.", at=at)
    raise_freeze(ada, family=None, starts_at=world.at, ends_at=at, reason="Over.", at=world.at)
    assert execute(world, scheduled, at=at).state == "observing"


def test_two_people_must_be_on_duty(world: World, scheduled: Proposal) -> None:
    at = world.at + DAY
    remove_shift(world.actor("ada"), DutyShift.objects.get(user__username="olu").pk, at=world.at)
    error = refused(lambda: execute(world, scheduled, at=at))
    assert (error.code, error.reason) == ("duty", "1 of 2 people are on duty.")


def test_a_size_that_was_rolled_back_meanwhile_is_not_widened_from_elsewhere(world: World, scheduled: Proposal) -> None:
    """Seen to fail with `stage` and `source` not compared in `may_execute`."""
    at = world.at + DAY
    down(world, "partner", at=at)
    assert refused(lambda: execute(world, scheduled, at=at)).code == "moved"


def down(world: World, target: str, *, at: datetime, by: str = "ben") -> Narrowing:
    version = Standing.objects.get(size=world.size).version
    size = ModelSize.objects.select_related("standing", "family").get(pk=world.size.pk)
    return roll_back(world.actor(by), size, target, reason="Odd output.", expected_version=version, at=at)


def test_an_unconfirmed_roll_back_bars_the_way_up_again(world: World, policy: str) -> None:
    at = world.at + DAY
    narrowing = down(world, "partner", at=world.at)
    proposal = propose(world, size_now(world), "research_hosted", at=world.at)
    supply(world, world.size, gate_of(proposal), at=world.at)
    answer_checklist(world, proposal, at=world.at)
    review(world, proposal, at=world.at)
    schedule(world, proposal, at=at)
    assert refused(lambda: execute(world, proposal, at=at)).code == "narrowed"
    confirm_narrowing(world.actor("olu"), narrowing.pk, reason="Seen too.", expected_version=1, at=at)
    assert execute(world, proposal, at=at).state == "observing"
    assert Standing.objects.get(size=world.size).granted == "research_hosted"


def size_now(world: World) -> ModelSize:
    return ModelSize.objects.select_related("standing", "family").get(pk=world.size.pk)


def test_a_withdrawn_size_is_not_released_again(world: World, scheduled: Proposal) -> None:
    Standing.objects.filter(size=world.size).update(ending="withdrawn")
    assert refused(lambda: execute(world, scheduled, at=world.at + DAY)).code == "ended"


def test_evidence_that_became_stale_meanwhile_stops_the_move(world: World, scheduled: Proposal) -> None:
    """Invariant 6. Seen to fail with results compared by evidence alone, without their outcome."""
    error = refused(lambda: execute(world, scheduled, at=world.at + 11 * DAY))
    assert error.code == "drift"
    assert "C12" in error.reason


@pytest.mark.parametrize("ago", [timedelta(minutes=10, seconds=1), timedelta(seconds=-1)])
def test_who_did_not_just_confirm_who_they_are_moves_nothing(world: World, scheduled: Proposal, ago: timedelta) -> None:
    at = world.at + DAY
    error = refused(lambda: execute(world, scheduled, at=at, confirmed_at=at - ago))
    assert (type(error), error.code) == (NotAllowed, "confirm")
    assert execute(world, scheduled, at=at, confirmed_at=at - timedelta(minutes=10))


@pytest.mark.parametrize("name", ["ben", "kim", "olu", "gia", "cleo", "anonymous"])
def test_nobody_but_release_managers_carries_a_move_out(world: World, scheduled: Proposal, name: str) -> None:
    assert isinstance(refused(lambda: execute(world, scheduled, at=world.at + DAY, by=name)), NotAllowed)


def test_a_move_is_made_once(world: World, scheduled: Proposal) -> None:
    at = world.at + DAY
    version = scheduled.version
    execute(world, scheduled, at=at)
    assert refused(lambda: execute(world, scheduled, at=at)).code == "state"
    jo = world.actor("jo")
    again = refused(
        lambda: executions.execute_proposal(
            jo, scheduled.pk, typed="", confirmed_at=at, preview={}, expected_version=version, at=at
        )
    )
    assert again.code == "state"
    assert AuditEvent.objects.filter(kind="stage.advanced").count() == 1


def test_what_cannot_be_recalled_asks_for_the_word(world: World, policy: str) -> None:
    put_at_stage(world.size, "research_weights", world.at)
    size, at = size_now(world), world.at + DAY
    proposal = propose(world, size, "open_weights", at=world.at)
    supply(world, size, gate_of(proposal), at=world.at)
    answer_checklist(world, proposal, at=world.at)
    review(world, proposal, at=world.at)
    schedule(world, proposal, at=at)
    for typed in ("", "yes", "irreversibly"):
        error = refused(lambda typed=typed: execute(world, proposal, at=at, typed=typed))
        assert (type(error), error.field) == (InvalidInput, "typed")
    assert execute(world, proposal, at=at, typed=" Irreversible ").state == "observing"
    assert stage_now(size) == "open_weights"


def test_a_move_that_can_be_undone_asks_for_no_word(world: World, scheduled: Proposal) -> None:
    assert execute(world, scheduled, at=world.at + DAY, typed="").state == "observing"


# --- The policy of a proposal ----------------------------------------------------------------------------------------


def test_a_policy_that_is_adopted_meanwhile_leaves_open_proposals_alone(world: World, complete: Proposal) -> None:
    new = adopt(world, small_policy(version=2, cool_off=9))
    lock(world, complete, at=world.at)
    submit(world, complete, at=world.at)
    vote(world, complete, "ada", "release_manager", at=world.at)
    vote(world, complete, "ben", "safety_reviewer", at=world.at)
    kept = fresh(complete)
    assert kept.policy_id != new
    assert kept.cool_off_until == world.at + DAY
    assert carry_out(world, complete, at=world.at).state == "observing"


def test_a_proposal_is_moved_to_the_new_policy_and_the_record_keeps_the_difference(
    world: World, complete: Proposal
) -> None:
    old = complete.policy_id
    new = adopt(world, small_policy(version=2, cool_off=9))
    command("move_policy", world, complete, at=world.at)
    assert fresh(complete).policy_id == new
    event = AuditEvent.objects.get(kind="proposal.policy_moved")
    assert (event.data["from"], event.data["to"]) == (old, new)
    assert event.data["changes"]
    assert any("9" in line for line in event.data["changes"])
    assert review(world, complete, at=world.at).cool_off_until == world.at + 9 * DAY


def test_a_proposal_under_the_policy_in_force_has_nowhere_to_move(world: World, complete: Proposal) -> None:
    assert refused(lambda: command("move_policy", world, complete, at=world.at)).code == "same_policy"


def test_what_is_voted_on_is_not_moved_to_another_policy(world: World, complete: Proposal) -> None:
    lock(world, complete, at=world.at)
    adopt(world, small_policy(version=2))
    assert refused(lambda: command("move_policy", world, complete, at=world.at)).code == "state"
    reopen(world, complete, at=world.at)
    assert command("move_policy", world, complete, at=world.at).state == "collecting"


def test_a_policy_without_this_move_does_not_take_the_proposal(world: World, complete: Proposal) -> None:
    shorter = small_policy(version=2).partition("  - from: research_hosted")[0]
    assert parse(shorter).gate("research_hosted", TARGET) is None
    adopt(world, shorter)
    assert refused(lambda: command("move_policy", world, complete, at=world.at)).code == "no_gate"


# --- Waivers ---------------------------------------------------------------------------------------------------------


def waive(world: World, proposal: Proposal, name: str, *, ends_at: datetime) -> None:
    """Let everybody agree whom the waiver needs."""
    person_with(world, "amy", "safety_reviewer")
    waiver = ask_waiver(
        world.actor("jo"), proposal.pk, criterion=name, reason="The harness is late.", ends_at=ends_at, at=world.at
    )
    for who, role in (("ada", "release_manager"), ("ben", "safety_reviewer"), ("amy", "safety_reviewer")):
        agree_to_waiver(world.actor(who), proposal.pk, waiver.pk, role=role, reason="For now.", at=world.at)


def test_a_waiver_stands_in_for_a_criterion_until_it_ends(world: World, collecting: Proposal) -> None:
    """Invariant 13. Seen to fail with `ends > at` left out of `_with_waiver`."""
    supply(world, world.size, gate_of(collecting), at=world.at, leave_out=("C07",))
    answer_checklist(world, collecting, at=world.at)
    ends_at = world.at + 5 * DAY
    waive(world, collecting, "C07", ends_at=ends_at)
    assert unmet(collecting, ends_at - HOUR) == {}
    assert unmet(collecting, ends_at)["C07"] == "not_run"
    assert lock_refused(world, collecting, at=ends_at).code == "gate_shut"
    now = lock(world, collecting, at=world.at)
    assert now.material["results"]["C07"].startswith("waived")


def test_a_waiver_that_ends_after_the_vote_shuts_the_gate_again(world: World, collecting: Proposal) -> None:
    """Invariant 13, at the execution itself. Seen to fail with `ends > at` left out of `_with_waiver`."""
    supply(world, world.size, gate_of(collecting), at=world.at, leave_out=("C07",))
    answer_checklist(world, collecting, at=world.at)
    ends_at = world.at + 2 * DAY
    waive(world, collecting, "C07", ends_at=ends_at)
    review(world, collecting, at=world.at)
    schedule(world, collecting, at=world.at + DAY)
    error = refused(lambda: execute(world, collecting, at=ends_at))
    assert error.code == "drift"
    assert "C07" in error.reason
    assert execute(world, collecting, at=ends_at - HOUR).state == "observing"


# --- The fast path ---------------------------------------------------------------------------------------------------


@pytest.fixture
def rolled_back(world: World, policy: str) -> datetime:
    """The size was rolled back to partner, two people agree; return when."""
    narrowing = down(world, "partner", at=world.at)
    confirm_narrowing(world.actor("olu"), narrowing.pk, reason="Seen too.", expected_version=1, at=world.at)
    return world.at


def open_fast(world: World, target: str, *, at: datetime) -> Proposal:
    opened = proposals.open_proposal(
        world.actor("jo"), size_now(world), target, rationale="It was a false alarm.", fast_path=True, at=at
    )
    return proposals.collect(world.actor("jo"), opened.pk, expected_version=opened.version, at=at)


def test_a_false_alarm_is_undone_in_a_day_with_fresh_evidence_and_two_people(
    world: World, rolled_back: datetime
) -> None:
    at = rolled_back + HOUR
    proposal = open_fast(world, "research_hosted", at=at)
    assert {result.criterion.id for result in assess_proposal(fresh(proposal), at).results} == {"C12", "C27", "L01"}
    answer_checklist(world, proposal, at=at)
    assert refused(lambda: lock(world, proposal, at=at)).code == "gate_shut"
    supply(world, world.size, gate_of(proposal), at=at)
    review(world, proposal, at=at)
    done = carry_out(world, proposal, at=at)
    assert (done.state, done.executed_at, stage_now(world.size)) == ("observing", at, "research_hosted")


def test_on_the_fast_path_only_what_was_measured_after_the_roll_back_counts(
    world: World, rolled_back: datetime
) -> None:
    """Seen to fail with `_still_counting` returning everything."""
    at = rolled_back + HOUR
    criterion = parse(small_policy()).gates[0].criterion("C12")
    assert criterion is not None
    before = passing_draft(criterion, world.size, rolled_back - HOUR)
    accept(world, attach(world, world.size, before, at=at), at=at)
    proposal = open_fast(world, "research_hosted", at=at)
    assert unmet(proposal, at)["C12"] == "not_run"
    accept(world, attach(world, world.size, passing_draft(criterion, world.size, at), at=at), at=at)
    assert unmet(proposal, at) == {}


def test_the_fast_path_is_open_for_fourteen_days(world: World, rolled_back: datetime) -> None:
    late = rolled_back + 14 * DAY + timedelta(seconds=1)
    error = refused(lambda: open_fast(world, "research_hosted", at=late))
    assert (type(error), error.code) == (NotAllowed, "no_fast_path")
    assert "full gate" in error.change
    assert open_fast(world, "research_hosted", at=rolled_back + 14 * DAY).is_fast_path


def test_the_fast_path_leads_no_further_than_before(world: World, rolled_back: datetime) -> None:
    assert refused(lambda: open_fast(world, TARGET, at=rolled_back)).code == "no_fast_path"


def test_without_a_confirmed_roll_back_there_is_no_fast_path(world: World, policy: str) -> None:
    assert refused(lambda: open_fast(world, TARGET, at=world.at)).code == "no_fast_path"
    down(world, "partner", at=world.at)
    assert refused(lambda: open_fast(world, "research_hosted", at=world.at)).code == "no_fast_path"


def test_proposers_and_voters_of_the_fast_path_are_other_people(world: World, rolled_back: datetime) -> None:
    proposal = open_fast(world, "research_hosted", at=rolled_back)
    supply(world, world.size, gate_of(proposal), at=rolled_back)
    answer_checklist(world, proposal, at=rolled_back)
    lock(world, proposal, at=rolled_back)
    submit(world, proposal, at=rolled_back)
    own = refused(lambda: vote(world, proposal, "jo", "release_manager", at=rolled_back))
    assert own.code == "own_proposal"
    vote(world, proposal, VOTERS["release_manager"], "release_manager", at=rolled_back)
    assert fresh(proposal).state == "in_review"
    vote(world, proposal, VOTERS["safety_reviewer"], "safety_reviewer", at=rolled_back)
    assert fresh(proposal).state == "cooling"


# --- After the move --------------------------------------------------------------------------------------------------


def test_a_confirmed_roll_back_closes_what_was_carried_out(world: World, policy: str) -> None:
    proposal = advance(world, world.size, TARGET, at=world.at)
    at = world.at + DAY + HOUR
    narrowing = down(world, "partner", at=at)
    assert fresh(proposal).state == "observing", "one person's roll-back may still lapse"
    confirm_narrowing(world.actor("olu"), narrowing.pk, reason="Seen too.", expected_version=1, at=at)
    ended = fresh(proposal)
    assert (ended.state, ended.closed_at) == ("rolled_back", at)
    assert "proposal.rolled_back" in kinds(proposal)


def test_a_roll_back_to_where_the_proposal_led_or_wider_leaves_it_alone(world: World, policy: str) -> None:
    proposal = advance(world, world.size, TARGET, at=world.at)
    assert executions.mark_rolled_back(SWEEPER, world.size, TARGET, at=world.at + DAY) == 0
    assert fresh(proposal).state == "observing"
    assert executions.mark_rolled_back(SWEEPER, world.size, "research_hosted", at=world.at + DAY) == 1


@pytest.mark.parametrize("target", ["registered", "disclosed", "partner"])
def test_the_fast_path_never_leads_down_or_nowhere(world: World, rolled_back: datetime, target: str) -> None:
    assert refused(lambda: open_fast(world, target, at=rolled_back)).code == "no_fast_path"
