"""What was carried out is watched: a monitor that fails holds the size once, and the end completes the proposal."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from release_portal.audit.models import AuditEvent
from release_portal.audit.services import verify_chain
from release_portal.core.actors import system_actor
from release_portal.core.errors import NotAllowed
from release_portal.evidence import measurers
from release_portal.evidence.models import Evidence
from release_portal.evidence.services import review_evidence
from release_portal.registry import store
from release_portal.registry.models import ModelSize
from release_portal.registry.services import register_revision
from release_portal.releases.assessments import gate_of
from release_portal.releases.hold_services import release_hold
from release_portal.releases.models import Hold, Proposal, Standing
from release_portal.releases.narrowings import confirm_narrowing, roll_back
from release_portal.releases.observations import failing_monitors, observe_proposals
from tests.governance import DAY, HOUR, accept, adopt, advance, attach, fresh, passing_draft, small_policy
from tests.world import World, model_folder, put_at_stage

SWEEPER = system_actor("sweeper")
TARGET = "public_hosted"


def watched(world: World, *, monitors: str = "C03", soak: int = 30, on_fail: str = "") -> Proposal:
    """A proposal that is being observed from a day after the world's time; C03 counts for 20 days."""
    text = small_policy(soak=soak).replace("monitors: [C12]", f"monitors: [{monitors}]")
    if on_fail:
        text = text.replace("    max_age_days: 20\n", f"    max_age_days: 20\n    on_fail: {on_fail}\n")
    adopt(world, text)
    return advance(world, world.size, TARGET, at=world.at)


def renew(world: World, proposal: Proposal, name: str, *, at: datetime, **changes: Any) -> Evidence:
    """Attach evidence anew and have it accepted."""
    criterion = gate_of(proposal).criterion(name)
    assert criterion is not None
    evidence = attach(world, world.size, replace(passing_draft(criterion, world.size, at), **changes), at=at)
    accept(world, evidence, at=at)
    return evidence


def holds(world: World) -> list[Hold]:
    return list(Hold.objects.open().filter(size=world.size))


def stage_now(world: World) -> str:
    return Standing.objects.get(size=world.size).stage


# --- The end ---------------------------------------------------------------------------------------------------------


def test_when_the_soak_is_over_and_every_monitor_passes_the_proposal_is_completed(world: World) -> None:
    """Seen to fail with the comparison with `soak_until` left out of `_observe`: completed a day early."""
    proposal = watched(world, soak=2)
    over = world.at + 3 * DAY
    assert proposal.soak_until == over
    assert observe_proposals(SWEEPER, at=over - timedelta(seconds=1)) == 0
    assert fresh(proposal).state == "observing"
    assert observe_proposals(SWEEPER, at=over) == 1
    ended = fresh(proposal)
    assert (ended.state, ended.closed_at) == ("completed", over)
    assert stage_now(world) == TARGET
    assert observe_proposals(SWEEPER, at=over + DAY) == 0, "it is over"
    assert verify_chain().is_intact


def test_what_waits_to_be_carried_out_is_not_observed(world: World) -> None:
    proposal = watched(world)
    Proposal.objects.filter(pk=proposal.pk).update(state="scheduled")
    assert observe_proposals(SWEEPER, at=world.at + 90 * DAY) == 0
    assert not holds(world)


def test_people_complete_nothing(world: World) -> None:
    proposal = watched(world, soak=1)
    with pytest.raises(NotAllowed):
        observe_proposals(world.actor("jo"), at=world.at + 2 * DAY)
    assert fresh(proposal).state == "observing"


# --- A monitor that does not pass ------------------------------------------------------------------------------------


def test_a_monitor_that_becomes_stale_holds_the_size_and_nothing_is_completed(world: World) -> None:
    """Invariant 6. Seen to fail with stale counted as a pass in `failing_monitors`."""
    proposal = watched(world, soak=30)
    stale = world.at + 20 * DAY + HOUR
    assert observe_proposals(SWEEPER, at=stale - 2 * HOUR) == 0
    assert not holds(world)
    observe_proposals(SWEEPER, at=stale)
    (hold,) = holds(world)
    assert (hold.level, hold.raised_by) == ("hold", SWEEPER.name)
    assert hold.reason.startswith("Monitor C03 is stale: ")
    assert AuditEvent.objects.get(kind="proposal.monitored").data["monitor"] == "C03"
    assert observe_proposals(SWEEPER, at=world.at + 90 * DAY) == 0
    assert fresh(proposal).state == "observing"


def test_a_failure_holds_once_and_not_again_each_sweep(world: World) -> None:
    """Seen to fail with `_is_answered` returning no."""
    watched(world)
    stale = world.at + 21 * DAY
    for minutes in range(5):
        observe_proposals(SWEEPER, at=stale + timedelta(minutes=minutes))
    observe_proposals(SWEEPER, at=stale + 10 * DAY)
    assert Hold.objects.count() == 1
    assert AuditEvent.objects.filter(kind="proposal.monitored").count() == 1


def test_people_who_release_the_hold_have_a_day_before_it_comes_again(world: World) -> None:
    watched(world)
    stale = world.at + 21 * DAY
    observe_proposals(SWEEPER, at=stale)
    release_hold(world.actor("ben"), holds(world)[0].pk, reason="It is renewed today.", at=stale + HOUR)
    observe_proposals(SWEEPER, at=stale + 23 * HOUR)
    assert not holds(world)
    observe_proposals(SWEEPER, at=stale + 25 * HOUR)
    assert len(holds(world)) == 1


def test_with_new_evidence_it_goes_on_to_its_end(world: World) -> None:
    proposal = watched(world, soak=22)
    stale = world.at + 21 * DAY
    observe_proposals(SWEEPER, at=stale)
    renew(world, proposal, "C03", at=stale + HOUR)
    release_hold(world.actor("olu"), holds(world)[0].pk, reason="It was renewed.", at=stale + HOUR)
    assert observe_proposals(SWEEPER, at=world.at + 23 * DAY) == 1
    assert fresh(proposal).state == "completed"
    assert not holds(world)


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"ci_low": Decimal("0.4"), "ci_high": Decimal("0.6")}, "inconclusive"),
        ({"value": Decimal("0.1"), "ci_low": Decimal("0.1"), "ci_high": Decimal("0.2")}, "fail"),
    ],
)
def test_nothing_is_completed_while_a_monitor_is_anything_but_a_pass(
    world: World, changes: dict[str, Any], outcome: str
) -> None:
    """Invariant 6. Seen to fail with only `Outcome.FAIL` looked for in `failing_monitors`."""
    proposal = watched(world, monitors="C07", soak=1)
    over = world.at + 3 * DAY
    renew(world, proposal, "C07", at=over, **changes)
    assert observe_proposals(SWEEPER, at=over) == 0
    assert fresh(proposal).state == "observing"
    assert holds(world)[0].reason.startswith(f"Monitor C07 is {outcome}: ")


def test_evidence_that_a_reviewer_rejects_while_it_soaks_holds_the_size(world: World) -> None:
    watched(world, monitors="C03, C07")
    newest = Evidence.objects.filter(size=world.size, criterion="C07").latest("pk")
    at = world.at + 2 * DAY
    review_evidence(world.actor("kim"), world.size, newest.pk, "rejected", reason="The texts leaked.", at=at)
    observe_proposals(SWEEPER, at=at)
    (hold,) = holds(world)
    assert hold.reason.startswith("Monitor C07 is not run: ")


def test_two_monitors_that_fail_hold_twice_each_by_name(world: World) -> None:
    proposal = watched(world, monitors="C03, C07")
    at = world.at + 21 * DAY
    renew(world, proposal, "C07", at=at, ci_low=Decimal("0.1"))
    for _sweep in range(2):
        observe_proposals(SWEEPER, at=at)
    assert sorted(hold.reason[:11] for hold in holds(world)) == ["Monitor C03", "Monitor C07"]


def test_what_is_no_monitor_is_not_watched(world: World) -> None:
    proposal = watched(world, monitors="C07", soak=25)
    assert observe_proposals(SWEEPER, at=world.at + 26 * DAY) == 1, "C03 became stale, and nobody asked"
    assert fresh(proposal).state == "completed"


def test_what_the_portal_measures_by_itself_it_measures_anew(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    proposal = watched(world, monitors="C12", soak=15)
    criterion = gate_of(proposal).criterion("C12")
    assert criterion is not None
    monkeypatch.setitem(measurers._MEASURERS, "C12", lambda size, at: passing_draft(criterion, size, at))
    before = Evidence.objects.filter(size=world.size, criterion="C12").count()
    observe_proposals(SWEEPER, at=world.at + 2 * DAY)
    observe_proposals(SWEEPER, at=world.at + 2 * DAY + HOUR)
    newest = Evidence.objects.filter(size=world.size, criterion="C12").latest("pk")
    assert Evidence.objects.filter(size=world.size, criterion="C12").count() == before + 1
    assert (newest.signer, newest.measured_at) == (SWEEPER.name, world.at + 2 * DAY)
    assert not holds(world)


# --- Other weights than those that were approved ---------------------------------------------------------------------


def test_weights_that_were_swapped_hold_the_size(world: World, tmp_path: Path) -> None:
    """Seen to fail with `_drifted_weights` returning nothing."""
    proposal = watched(world, soak=2)
    digest = store.add_folder(settings.STORE_ROOT, model_folder(tmp_path / "other", marker="other"))
    at = world.at + DAY + HOUR
    register_revision(world.actor("olu"), world.size.slug, digest, settings.STORE_ROOT, source="tests", at=at)
    for later in (at, at + DAY, at + 9 * DAY):
        assert observe_proposals(SWEEPER, at=later) == 0
    assert [hold.reason.split(":")[0] for hold in holds(world)] == ["Monitor weights is fail"]
    assert [name for name, _sentence, _on_fail in failing_monitors(fresh(proposal), at)] == ["weights"]


# --- A policy that steps down ----------------------------------------------------------------------------------------


def test_where_the_policy_says_so_a_failure_steps_the_size_down(world: World) -> None:
    """Seen to fail with `on_fail` not looked at in `_respond`: it was only held."""
    proposal = watched(world, on_fail="step_down")
    stale = world.at + 21 * DAY
    observe_proposals(SWEEPER, at=stale)
    standing = Standing.objects.get(size=world.size)
    assert (standing.stage, standing.granted, standing.since) == ("research_hosted", "research_hosted", stale)
    ended = fresh(proposal)
    assert (ended.state, ended.closed_at) == ("rolled_back", stale)
    assert AuditEvent.objects.get(kind="stage.stepped_down").reason.startswith("Monitor C03 is stale")
    assert not holds(world)
    observe_proposals(SWEEPER, at=stale + DAY)
    assert stage_now(world) == "research_hosted", "one step for one failure"


def test_what_cannot_be_recalled_is_held_and_not_stepped_down(world: World) -> None:
    put_at_stage(world.size, "research_weights", world.at)
    text = small_policy(soak=30).replace("monitors: [C12]", "monitors: [C03]")
    adopt(world, text.replace("    max_age_days: 20\n", "    max_age_days: 20\n    on_fail: step_down\n"))
    size = ModelSize.objects.select_related("standing", "family").get(pk=world.size.pk)
    proposal = advance(world, size, "open_weights", at=world.at)
    observe_proposals(SWEEPER, at=world.at + 21 * DAY)
    assert (stage_now(world), fresh(proposal).state, len(holds(world))) == ("open_weights", "observing", 1)


def test_a_size_that_one_person_rolled_back_is_not_stepped_down_further(world: World) -> None:
    proposal = watched(world, on_fail="step_down")
    stale = world.at + 21 * DAY
    standing = Standing.objects.get(size=world.size)
    size = ModelSize.objects.select_related("standing").get(pk=world.size.pk)
    one = roll_back(
        world.actor("ben"), size, "partner", reason="odd", expected_version=standing.version, at=stale - HOUR
    )
    observe_proposals(SWEEPER, at=stale)
    assert stage_now(world) == "partner"
    assert len(holds(world)) == 1
    confirm_narrowing(world.actor("olu"), one.pk, reason="seen", expected_version=1, at=stale)
    assert fresh(proposal).state == "rolled_back"
    assert observe_proposals(SWEEPER, at=stale + 90 * DAY) == 0
