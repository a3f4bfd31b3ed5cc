"""Every command of governance in any order: the invariants of release governance hold after each step.

The machine drives the services over two sizes of a family under a small policy. Each invariant is checked against
plain rows of the database, not against the functions that the services ask. How each was seen to fail stands with it.
"""

from __future__ import annotations

import dataclasses
import os
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from model_cards.lookups import latest_card
from model_cards.services import publish_card
from release_portal.audit.models import AuditEvent
from release_portal.audit.services import verify_chain
from release_portal.core.actors import system_actor
from release_portal.core.errors import PortalError
from release_portal.evidence.lookups import newest_checklist
from release_portal.evidence.models import Evidence
from release_portal.evidence.services import review_evidence
from release_portal.registry.models import ModelSize
from release_portal.releases import executions, hold_services, narrowings, observations, proposals
from release_portal.releases.assessments import gate_of
from release_portal.releases.freezes import lift_freeze, raise_freeze
from release_portal.releases.history import standing_as_of
from release_portal.releases.ladder import stage_of
from release_portal.releases.models import Freeze, Hold, Lock, Narrowing, Proposal, Standing, Vote, Waiver
from release_portal.releases.policy_files import parse
from release_portal.releases.proposal_lookups import proposal_subject
from release_portal.releases.services import set_stage
from release_portal.releases.waivers import agree_to_waiver, ask_waiver
from tests.governance import (
    STAGES,
    VOTERS,
    accept,
    adopt,
    answer_checklist,
    attach,
    fresh,
    lock,
    passing_draft,
    propose,
    small_policy,
    vote,
)
from tests.world import World

SWEEPER = system_actor("sweeper")
SMALLER, BIGGER = "huggingfacetb/smollm2-135m-instruct", "huggingfacetb/smollm2-360m-instruct"
OFFICERS = ("ben", "olu")
PEOPLE = ("ada", "jo", "ben", "ivy", "hal", "kim", "olu", "cleo", "finn")
# What a step of the dev profile costs is paid by every `make test`; 10,000 steps run in `.ci/run`.
IS_CI = os.environ.get("HYPOTHESIS_PROFILE") == "ci"

DISTURBANCES = (
    *("two weeks", "card", "hold", "smaller goes down", "two weeks", "freeze", "checklist", "passing evidence"),
    *("bad evidence", "unreviewed evidence", "stop", "objection", "own vote", "reopened"),
)
names = st.sampled_from(PEOPLE)
sizes = st.sampled_from((SMALLER, BIGGER))


class Governance(RuleBasedStateMachine):
    """Two sizes, one policy, the cast, and a clock that only goes on."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.undo = transaction.atomic()
        self.undo.__enter__()
        self.at: datetime = self.world.at
        self.touched: set[int] = set()  # keys of locks of which a locked part changed afterwards

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.undo.__exit__(None, None, None)

    # --- helpers -----------------------------------------------------------------------------------------------------

    def size(self, slug: str) -> ModelSize:
        return ModelSize.objects.select_related("standing", "family").get(slug=slug)

    def open_proposal(self, slug: str) -> Proposal | None:
        return Proposal.objects.open().filter(size__slug=slug).select_related("size__standing", "policy").first()

    def attempt(self, act: Any) -> bool:
        """Run a command; a refusal changes nothing and writes nothing."""
        before = AuditEvent.objects.count()
        try:
            with transaction.atomic():
                act()
        except PortalError:
            assert AuditEvent.objects.count() == before
            return False
        return True

    def touch(self, slug: str) -> None:
        """Note that something that locks of this size are over has changed."""
        self.touched.update(Lock.objects.filter(proposal__size__slug=slug, voided_at=None).values_list("pk", flat=True))

    # --- the start ---------------------------------------------------------------------------------------------------

    @initialize(smaller=st.sampled_from((5, 6, 3, 10, 12, 0)), bigger=st.sampled_from((4, 5, 2, 6, 0)))
    def begin(self, smaller: int, bigger: int) -> None:
        """Start somewhere on the way, not always at its foot."""
        adopt(self.world, small_policy(needs_subject=False), at=self.at)
        for slug in (SMALLER, BIGGER):
            standing = Standing.objects.select_related("size").get(size__slug=slug)
            set_stage(
                SWEEPER, standing, "registered", kind="stage.set", reason="tests", at=self.at, granted="registered"
            )

        for slug, steps in ((SMALLER, smaller), (BIGGER, bigger)):
            for _number in range(steps):
                self.next_step(slug)

    # --- the right next step -----------------------------------------------------------------------------------------

    @rule(slug=sizes)
    def go_on(self, slug: str) -> None:
        """Take the step that a well-meaning team would take next; chance alone would never get as far."""
        self.next_step(slug)

    @rule(slug=sizes, steps=st.sampled_from((6, 3, 2)))
    def go_on_for_a_while(self, slug: str, steps: int) -> None:
        for _number in range(steps):
            self.next_step(slug)

    @rule(
        slug=sizes,
        disturbance=st.sampled_from(DISTURBANCES),
        at_state=st.sampled_from(("scheduled", "cooling", "scheduled", "in_review")),
    )
    def disturb_and_go_on(self, slug: str, disturbance: str, at_state: str) -> None:
        """Something happens at the worst time: after the lock, after the vote, just before the move."""
        for _number in range(6):
            proposal = self.open_proposal(slug)
            if proposal is None or proposal.state == at_state:
                break
            self.next_step(slug)
        self.disturb(slug, disturbance)
        for _number in range(3):
            proposal = self.open_proposal(slug)
            if proposal is not None and proposal.state in ("in_review", "cooling", "scheduled"):
                self.next_step(slug)

    @rule(
        slug=sizes,
        is_held=st.booleans(),
        then=st.sampled_from(("lapse", "confirm", "confirm and lapse", "nothing")),
    )
    def an_officer_narrows(self, slug: str, is_held: bool, then: str) -> None:
        """5: an officer narrows whatever holds the size; then a second person confirms, or nobody does."""
        for _number in range(6):
            if self.size(slug).standing.stage == "registered":
                self.next_step(slug)
        if is_held:
            self.officer_holds(slug, "olu", "hold")
            self.anybody_freezes("ben")
        self.anybody_rolls_back(slug, "ben", 1)
        if then == "confirm and lapse":
            self.anybody_rolls_back(slug, "ada", 1)
            self.confirm_first(slug)
        if then == "confirm":
            self.anybody_confirms_roll_backs("jo")
        if then in ("lapse", "confirm and lapse"):
            self.wait(80)
            self.sweep()

    def confirm_first(self, slug: str) -> None:
        """Confirm only the oldest roll-back that waits; a later one goes on waiting."""
        one = Narrowing.objects.unconfirmed().filter(size__slug=slug).order_by("pk").first()
        if one is not None:
            self.attempt(
                lambda: narrowings.confirm_narrowing(
                    self.world.actor("jo"), one.pk, reason="seen too", expected_version=one.version, at=self.at
                )
            )

    def disturb(self, slug: str, disturbance: str) -> None:
        smaller = {BIGGER: SMALLER, SMALLER: SMALLER}[slug]
        happenings = {
            "card": lambda: self.card_is_edited(slug, "z"),
            "checklist": lambda: self.checklist_is_signed_again(slug),
            "passing evidence": lambda: self.evidence_arrives(slug, "C07", "passing"),
            "bad evidence": lambda: self.evidence_arrives(slug, "C07", "inconclusive"),
            "unreviewed evidence": lambda: self.evidence_arrives(slug, "C03", "unreviewed"),
            "hold": lambda: self.officer_holds(slug, "ben", "hold"),
            "stop": lambda: self.officer_holds(slug, "olu", "R5"),
            "freeze": lambda: self.anybody_freezes("ben"),
            "smaller goes down": lambda: self.anybody_rolls_back(smaller, "ben", 1),
            "two weeks": lambda: self.wait(300),
            "objection": lambda: self.anybody_votes(slug, "ada", "release_manager", "object"),
            "own vote": lambda: self.anybody_votes(slug, "jo", "release_manager", "approve"),
            "reopened": lambda: self.anybody_commands(slug, "ada", "reopen_proposal"),
        }
        assert set(happenings) == set(DISTURBANCES)
        happenings[disturbance]()

    def next_step(self, slug: str) -> None:
        proposal = self.open_proposal(slug)
        if proposal is None:
            size = self.size(slug)
            above = STAGES[min(stage_of(size.standing.stage).ordinal + 1, 7)]
            self.attempt(lambda: propose(self.world, size, above, at=self.at))
            return
        step = {
            "draft": self.collect,
            "changes_requested": self.reopen,
            "collecting": self.complete_case,
            "locked": self.submit,
            "in_review": self.approve_all,
            "cooling": self.schedule,
            "scheduled": self.execute_now,
        }[proposal.state]
        step(proposal)

    def collect(self, proposal: Proposal) -> None:
        self.attempt(
            lambda: proposals.collect(
                self.world.actor("jo"), proposal.pk, expected_version=proposal.version, at=self.at
            )
        )

    def reopen(self, proposal: Proposal) -> None:
        version = fresh(proposal).version
        self.attempt(
            lambda: proposals.reopen_proposal(
                self.world.actor("jo"), proposal.pk, reason="again", expected_version=version, at=self.at
            )
        )

    def complete_case(self, proposal: Proposal) -> None:
        for criterion in gate_of(proposal).criteria:
            if criterion.source == "evidence":
                self.supply_one(proposal.size.slug, criterion.id)
        if newest_checklist(proposal.size, proposal_subject(proposal)) is None:
            answer_checklist(self.world, proposal, at=self.at)
        self.attempt(lambda: lock(self.world, proposal, at=self.at))

    def supply_one(self, slug: str, name: str) -> None:
        criterion = small_criterion(name)
        self.attempt(
            lambda: accept(
                self.world,
                attach(self.world, self.size(slug), passing_draft(criterion, self.size(slug), self.at), at=self.at),
                at=self.at,
            )
        )
        self.touch(slug)

    def submit(self, proposal: Proposal) -> None:
        version = fresh(proposal).version
        self.attempt(
            lambda: proposals.submit_proposal(self.world.actor("jo"), proposal.pk, expected_version=version, at=self.at)
        )

    def approve_all(self, proposal: Proposal) -> None:
        own = self.attempt(lambda: vote(self.world, proposal, "jo", "release_manager", at=self.at))
        assert not own or proposal.opened_by_id != self.world.actor("jo").id  # 3: never on one's own proposal
        for need in gate_of(proposal).approvals:
            self.attempt(lambda need=need: vote(self.world, proposal, VOTERS[need.role], need.role, at=self.at))

    def schedule(self, proposal: Proposal) -> None:
        self.at = max(self.at, proposal.cool_off_until or self.at)
        version = fresh(proposal).version
        self.attempt(
            lambda: executions.schedule_proposal(
                self.world.actor("jo"), proposal.pk, execute_after=self.at, expected_version=version, at=self.at
            )
        )

    def execute_now(self, proposal: Proposal) -> None:
        self.execute(proposal, "jo")

    def execute(self, proposal: Proposal, name: str) -> None:
        proposal, facts = fresh(proposal), self.what_must_hold(proposal)
        was_done = self.attempt(
            lambda: executions.execute_proposal(
                self.world.actor(name),
                proposal.pk,
                typed="irreversible",
                confirmed_at=self.at,
                preview={},
                expected_version=proposal.version,
                at=self.at,
            )
        )
        if was_done:
            assert not [name for name, holds in facts.items() if not holds], facts

    def what_must_hold(self, proposal: Proposal) -> dict[str, bool]:
        """Answer from plain rows what must be true before a size is widened; independent of the rules."""
        now = proposal.locks.filter(voided_at=None).first()
        if now is None:
            return {"1: there is a lock": False}
        gate = gate_of(proposal)
        outcomes = {row["criterion"]: row["outcome"] for row in now.results}
        people = list(now.votes.filter(replaced_at=None, verdict="approve").values_list("person_id", "role"))
        waivers = {waiver.criterion: waiver for waiver in proposal.waivers.exclude(granted_at=None)}
        waived = {name for name, outcome in outcomes.items() if outcome == "waived"}
        smaller = (
            ModelSize.objects.filter(family=proposal.size.family_id, ordinal__lt=proposal.size.ordinal)
            .order_by("-ordinal")
            .first()
        )
        return {
            "1: the locked results are the policy's set": set(outcomes) == set(gate.ids),
            "6: every locked result is a pass or a waiver": set(outcomes.values()) <= {"pass", "waived"},
            "2: no locked byte changed": now.pk not in self.touched or self.is_same(proposal, now),
            "3: each place is filled by another person": {role for _who, role in people}
            >= {need.role for need in gate.approvals}
            and len({who for who, _role in people}) == len(people)
            and proposal.opened_by_id not in {who for who, _role in people},
            "5: nothing holds it": not Hold.objects.filter(size=proposal.size, released_at=None).exists(),
            "5: nothing freezes it": not [
                one for one in Freeze.objects.filter(lifted_at=None) if one.starts_at <= self.at < one.ends_at
            ],
            "6: no evidence is stale": all(
                name in waived or self.is_fresh(proposal.size, name) for name in ("C03", "C12")
            ),
            "11: the cool-off was a whole day": proposal.approved_at is not None
            and self.at - proposal.approved_at >= timedelta(days=1),
            "12: the smaller size stands there": smaller is None
            or "L01" in waived
            or stage_of(smaller.standing.stage).ordinal >= stage_of(proposal.target).ordinal,
            "13: every waiver is in force": all(waivers[name].ends_at > self.at for name in waived),
        }

    def is_fresh(self, size: ModelSize, name: str) -> bool:
        newest = Evidence.objects.filter(size=size, criterion=name).order_by("-pk").first()
        longest = {"C03": timedelta(days=20), "C12": timedelta(days=10)}[name]
        return newest is not None and self.at - newest.measured_at <= longest

    def is_same(self, proposal: Proposal, now: Lock) -> bool:
        """Whether card, checklist and evidence are byte for byte what was locked."""
        card = latest_card(proposal.size)
        checklist = newest_checklist(proposal.size, proposal_subject(proposal))
        evidence = {row["criterion"]: row["evidence_digest"] for row in now.results if row["evidence_digest"]}
        present = {
            name: Evidence.objects.filter(size=proposal.size, criterion=name).order_by("-pk")[0].digest
            for name in evidence
        }
        return (
            now.material["card"] == (card.digest if card else "")
            and now.material["checklist"] == (checklist.digest if checklist else "")
            and evidence == present
        )

    # --- anything else, by anybody -----------------------------------------------------------------------------------

    @rule(hours=st.sampled_from((1, 5, 24, 80, 300)))
    def wait(self, hours: int) -> None:
        self.at += timedelta(hours=hours)

    @rule()
    def sweep(self) -> None:
        """What the system does by itself."""
        executions.expire_proposals(SWEEPER, at=self.at)
        observations.observe_proposals(SWEEPER, at=self.at)
        narrowings.lapse_narrowings(SWEEPER, at=self.at)
        hold_services.lapse_holds(SWEEPER, at=self.at)

    @rule(
        slug=sizes,
        name=names,
        role=st.sampled_from(sorted(VOTERS)),
        verdict=st.sampled_from(("approve", "approve_if", "abstain", "object", "veto")),
    )
    def anybody_votes(self, slug: str, name: str, role: str, verdict: str) -> None:
        proposal = self.open_proposal(slug)
        if proposal is not None:
            self.attempt(lambda: vote(self.world, proposal, name, role, verdict, at=self.at))

    @rule(
        slug=sizes,
        name=names,
        step=st.sampled_from(
            ("collect", "submit_proposal", "request_changes", "reopen_proposal", "abort_proposal", "execute")
        ),
    )
    def anybody_commands(self, slug: str, name: str, step: str) -> None:
        proposal = self.open_proposal(slug)
        if proposal is None:
            return
        if step == "execute":
            self.execute(proposal, name)
            return
        reason = {"reason": "so"} if step in ("request_changes", "reopen_proposal", "abort_proposal") else {}
        self.attempt(
            lambda: getattr(proposals, step)(
                self.world.actor(name), proposal.pk, expected_version=proposal.version, at=self.at, **reason
            )
        )

    @rule(
        slug=sizes,
        name=st.sampled_from(("C03", "C07", "C12")),
        kind=st.sampled_from(("passing", "unreviewed", "rejected", "inconclusive", "old")),
    )
    def evidence_arrives(self, slug: str, name: str, kind: str) -> None:
        if kind == "passing":
            self.supply_one(slug, name)
            return
        size, criterion = self.size(slug), small_criterion(name)
        measured_at = self.at - timedelta(days=30 if kind == "old" else 0)
        draft = passing_draft(criterion, size, measured_at)
        if kind == "inconclusive" and draft.value is not None:
            draft = replaced(draft, ci_low=draft.value - 1, ci_high=draft.value + 1)
        evidence = attach(self.world, size, draft, at=self.at)
        if kind != "unreviewed":
            verdict = "rejected" if kind == "rejected" else "accepted"
            review_evidence(self.world.actor("ben"), size, evidence.pk, verdict, reason="looked at it", at=self.at)
        self.touch(slug)

    @rule(slug=sizes, word=st.sampled_from(("a", "b", "c")))
    def card_is_edited(self, slug: str, word: str) -> None:
        size = self.size(slug)
        card = latest_card(size)
        if card is not None:
            text = card.text + f"\nOne more line {word}.\n"
            publish_card(self.world.actor("ada"), size, text, summary="a line", expected_number=card.number, at=self.at)
            self.touch(slug)

    @rule(slug=sizes)
    def checklist_is_signed_again(self, slug: str) -> None:
        proposal = self.open_proposal(slug)
        if proposal is not None:
            answer_checklist(self.world, proposal, at=self.at, reason=f"Answered anew at {self.at:%H:%M}.")
            self.touch(slug)

    @rule(slug=sizes, name=st.sampled_from(OFFICERS), level=st.sampled_from(("hold", "R1", "R3", "R5")))
    def officer_holds(self, slug: str, name: str, level: str) -> None:
        self.attempt(
            lambda: hold_services.raise_hold(
                self.world.actor(name),
                self.size(slug),
                reason="odd output",
                level=level,
                percent=50 if level == "R1" else None,
                cohort="public" if level == "R3" else "",
                at=self.at,
            )
        )

    @rule(name=names)
    def anybody_releases_holds(self, name: str) -> None:
        for hold in Hold.objects.open():
            self.attempt(
                lambda hold=hold: hold_services.release_hold(
                    self.world.actor(name), hold.pk, reason="looked at it", at=self.at
                )
            )

    @rule(name=names)
    def anybody_freezes(self, name: str) -> None:
        self.attempt(
            lambda: raise_freeze(
                self.world.actor(name),
                family=None,
                starts_at=self.at,
                ends_at=self.at + timedelta(hours=30),
                reason="holidays",
                at=self.at,
            )
        )

    @rule(name=names)
    def anybody_lifts(self, name: str) -> None:
        for one in Freeze.objects.in_force(self.at):
            self.attempt(
                lambda one=one: lift_freeze(
                    self.world.actor(name), one.pk, reason="back early", expected_version=one.version, at=self.at
                )
            )

    @rule(slug=sizes, name=st.sampled_from(PEOPLE), down=st.integers(1, 3))
    def anybody_rolls_back(self, slug: str, name: str, down: int) -> None:
        """5: narrowing is never blocked; an officer always succeeds while there is anything to narrow.

        Seen to fail with a line in `roll_back` that refuses while the size is held.
        """
        size = self.size(slug)
        ordinal = stage_of(size.standing.stage).ordinal - down
        if ordinal < 0:
            return
        was_done = self.attempt(
            lambda: narrowings.roll_back(
                self.world.actor(name),
                size,
                STAGES[ordinal],
                reason="odd output",
                expected_version=size.standing.version,
                at=self.at,
            )
        )
        assert was_done is (name in ("ada", "jo", "ben", "olu"))

    @rule(name=names)
    def anybody_confirms_roll_backs(self, name: str) -> None:
        for one in Narrowing.objects.unconfirmed():
            self.attempt(
                lambda one=one: narrowings.confirm_narrowing(
                    self.world.actor(name), one.pk, reason="seen too", expected_version=one.version, at=self.at
                )
            )

    @rule(
        slug=sizes,
        criterion=st.sampled_from(("C03", "C07", "L01", "C12", "C27")),
        days=st.sampled_from((1, 5, 40)),
        people=st.sampled_from((5, 2)),
    )
    def a_waiver_instead_of_evidence(self, slug: str, criterion: str, days: int, people: int) -> None:
        """Bad evidence arrives, a waiver is asked for, some or all agree, time passes, and the team goes on."""
        if self.open_proposal(slug) is None:
            self.next_step(slug)
        proposal = self.open_proposal(slug)
        if proposal is None or proposal.state != "collecting":
            return
        for one in ("C03", "C07", "C12"):
            self.supply_one(slug, one)
        if criterion in ("C03", "C07"):
            self.evidence_arrives(slug, criterion, "rejected")
        answer_checklist(self.world, proposal, at=self.at, reason=f"Answered at {self.at:%d %H:%M}.")
        self.ask_and_agree(proposal, criterion, days, people)
        self.attempt(lambda: lock(self.world, proposal, at=self.at))
        for _number in range(4):
            found = self.open_proposal(slug)
            if found is not None and found.state in ("locked", "in_review", "cooling", "scheduled"):
                self.next_step(slug)

    def ask_and_agree(self, proposal: Proposal, criterion: str, days: int, people: int) -> None:
        ends_at = self.at + timedelta(days=days)
        self.attempt(
            lambda: ask_waiver(
                self.world.actor("jo"), proposal.pk, criterion=criterion, reason="needed", ends_at=ends_at, at=self.at
            )
        )
        agreeing = [(name, role) for role, name in VOTERS.items() if name != "gia"][:people]
        for one in Waiver.objects.filter(proposal=proposal, granted_at=None):
            for name, role in agreeing:
                self.attempt(
                    lambda one=one, name=name, role=role: agree_to_waiver(
                        self.world.actor(name), one.proposal_id, one.pk, role=role, reason="yes", at=self.at
                    )
                )

    # --- what always holds -------------------------------------------------------------------------------------------

    @invariant()
    def the_record_tells_where_everything_stands(self) -> None:
        """4: replaying the events gives the current state.

        Seen to fail with the event left out of `lapse_narrowings`, and with `granted` left as it was on a confirmation.
        """
        for slug in (SMALLER, BIGGER):
            then, standing = standing_as_of(slug, self.at), Standing.objects.get(size__slug=slug)
            assert (then.stage, then.since) == (standing.stage, standing.since)
            assert set(then.holds) == set(Hold.objects.open().filter(size__slug=slug).values_list("pk", flat=True))
            states = dict(Proposal.objects.filter(size__slug=slug).values_list("pk", "state"))
            assert then.proposals == states

    @invariant()
    def only_executed_proposals_widen(self) -> None:
        """1: there is no other way up: what stands was granted by an executed proposal, or held before."""
        for standing in Standing.objects.filter(size__slug__in=(SMALLER, BIGGER)):
            executed = Proposal.objects.filter(size=standing.size).exclude(executed_at=None)
            reached = [stage_of(proposal.target).ordinal for proposal in executed] or [0]
            assert stage_of(standing.stage).ordinal <= stage_of(standing.granted).ordinal <= max(reached)

    @invariant()
    def nothing_is_open_beyond_the_last_confirmed_roll_back(self) -> None:
        """5: what two people took back stays taken until a proposal is executed after it.

        Seen to fail with `granted` left as it was in `confirm_narrowing`.
        """
        for one in Narrowing.objects.filter(state="confirmed", size__slug__in=(SMALLER, BIGGER)):
            later = Proposal.objects.filter(size=one.size, executed_at__gte=one.ended_at)
            standing = Standing.objects.get(size=one.size)
            assert later.exists() or stage_of(standing.granted).ordinal <= stage_of(one.target).ordinal

    @invariant()
    def votes_are_by_distinct_people(self) -> None:
        """3, in the database too: the constraints are asked in tests of their own."""
        for one in Lock.objects.all():
            people = list(Vote.objects.standing().filter(lock=one).values_list("person_id", flat=True))
            assert len(people) == len(set(people))
            assert one.proposal.opened_by_id not in people

    @rule()
    def the_chain_holds(self) -> None:
        """14: the chain verifies from its first event."""
        assert verify_chain().is_intact


def small_criterion(name: str) -> Any:
    """Return a criterion of the small policy."""
    found = parse(small_policy(needs_subject=False)).gates[0].criterion(name)
    assert found is not None
    return found


def steps_of(vendor: str) -> tuple[int, int]:
    """10,000 steps in continuous integration, once; PostgreSQL runs the short form of the same machine."""
    return (200, 50) if IS_CI and vendor == "sqlite" else (10, 25)


def replaced(draft: Any, **values: Any) -> Any:
    """Return a draft with other values."""
    return dataclasses.replace(draft, **values)


@pytest.mark.django_db
def test_no_order_of_commands_breaks_an_invariant(world: World) -> None:
    """Invariants 1-6 and 12-14 over the services; 15 is asked of the page, 7-11 in tests of their own.

    Seen to fail, each with one guard removed in a copy: 2 with `drift=()` at execution; 3 with the question of the own
    proposal taken out of `decide_command` (the database refuses then); 4 with another kind of event for a lapse; 5 with
    `is_held` or `is_frozen` always false, and with a roll-back that a hold refuses; 1 and 5 with `granted` left as it
    was on a confirmation; 6 with evidence that never becomes stale; 11 with a cool-off of nothing; 12 with the smaller
    size never asked; 13 with waivers that never end.
    """
    machine = type("GovernanceOfThisWorld", (Governance,), {"world": world})
    examples, steps = steps_of(connection.vendor)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
