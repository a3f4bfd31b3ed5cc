"""What the portal measures by itself, and how the gate reads it under the packaged policy."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from release_portal.core.errors import NotNow
from release_portal.evidence.measurers import measurable
from release_portal.evidence.models import Evidence
from release_portal.evidence.services import measure_now
from release_portal.jobs.models import Job
from release_portal.misuse.filing import Filing, file_report
from release_portal.misuse.models import MisuseReport
from release_portal.misuse.services import Triage, triage, write_to_reporter
from release_portal.registry import store
from release_portal.releases.evidence_answers import answer_from_evidence
from release_portal.releases.gate_policy import Criterion
from release_portal.releases.outcomes import Outcome
from release_portal.releases.policy_files import PACKAGED, packaged
from tests.world import SERVED, World, put_at_stage, stored_digest

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def measured(world: World, criterion: str, at: datetime | None = None) -> Evidence:
    world.size.refresh_from_db()
    return measure_now(world.actor("jo"), world.size, criterion, at=at or world.at)


def asked(policy: str, name: str) -> Criterion:
    """The criterion as some gate of a packaged policy asks for it."""
    return next(found for gate in packaged(policy).gates if (found := gate.criterion(name)) is not None)


def answer(evidence: Evidence, at: datetime) -> Outcome:
    """How the preset's criterion stands with it."""
    return answer_from_evidence(asked("preset", evidence.criterion), evidence.facts(), stored_digest(), at).outcome


def report(world: World, *, at: datetime | None = None, category: str = "FRAUD", size: str = SERVED) -> MisuseReport:
    filing = Filing(what="seen", evidence="words", contact="", link="", category=category, size=size)
    number = MisuseReport.objects.count() + 1  # each from a network of its own
    return file_report(world.actor("anonymous"), filing, address=f"192.0.{number}.7", at=at or world.at)[0]


def accept(world: World, found: MisuseReport, severity: int, *, size: str = SERVED, at: datetime | None = None) -> None:
    found.refresh_from_db()
    verdict = Triage("accept", severity=severity, category="FRAUD", size=size)
    triage(world.actor("ben"), found.pk, verdict, expected_version=found.version, at=at or world.at)
    found.refresh_from_db()


def generation(world: World, name: str, at: datetime, **changes: Any) -> Job:
    """A request that ended."""
    said = {"function": "generate", "state": "done", "finish_reason": "stop", "stage": world.size.standing.stage}
    return Job.objects.create(
        account=world.people[name],
        grant=world.grants.get(name),
        size=world.size,
        interface="web",
        policy_version="1",
        weights_digest="0" * 64,
        sealed_prompt=Job.sealed("p"),
        quota_holder="tests",
        quota_day=at.date(),
        created_at=at,
        permit_ends_at=at,
        **{**said, "ended_at": at, **changes},
    )


@pytest.mark.parametrize("policy", PACKAGED)
def test_what_is_measured_is_of_the_kind_that_the_policy_asks_for(world: World, policy: str) -> None:
    assert measurable() == ("C01", "C14", "C14g", "C16")
    accept(world, report(world), 1)
    for name in measurable():
        assert measured(world, name).kind == asked(policy, name).kind


# --- C01: the weights ------------------------------------------------------------------------------------------------


def test_the_value_of_integrity_is_the_share_of_files_that_match(world: World, settings: Any, tmp_path: Path) -> None:
    assert answer(measured(world, "C01"), world.at) is Outcome.PASS

    settings.STORE_ROOT = shutil.copytree(settings.STORE_ROOT, tmp_path / "store")
    store.path_of(settings.STORE_ROOT, stored_digest(), "config.json").write_bytes(b"other bytes")
    evidence = measured(world, "C01", world.at + HOUR)
    assert (str(evidence.value), evidence.n) == ("0.7500", 4)
    assert evidence.statement.startswith("config.json")
    assert answer(evidence, world.at + HOUR) is Outcome.FAIL


def test_without_its_manifest_no_file_of_a_revision_matches(world: World, settings: Any, tmp_path: Path) -> None:
    settings.STORE_ROOT = tmp_path / "empty"
    evidence = measured(world, "C01")
    assert (evidence.value, evidence.n) == (0, 4)
    assert "not in the store" in evidence.statement


# --- C14, C14g: use ---------------------------------------------------------------------------------------------------


def test_users_and_generations_are_counted_since_the_size_came_to_its_stage(world: World) -> None:
    put_at_stage(world.size, "research_hosted", world.at)
    world.size.refresh_from_db()
    assert measured(world, "C14").value == 0
    for name in ("cleo", "cleo", "dan"):
        generation(world, name, world.at + HOUR)
    at = world.at + DAY
    assert (measured(world, "C14", at).value, measured(world, "C14g", at).value) == (2, 3)
    assert answer(measured(world, "C14", at), at) is Outcome.FAIL


def test_who_generates_without_a_grant_is_not_counted_as_approved(world: World) -> None:
    put_at_stage(world.size, "public_hosted", world.at)
    world.size.refresh_from_db()
    for name in ("cleo", "finn"):
        generation(world, name, world.at + HOUR)
    at = world.at + DAY
    assert (measured(world, "C14", at).value, measured(world, "C14g", at).value) == (1, 1)


@pytest.mark.parametrize(
    "changes",
    [{"state": "failed"}, {"state": "queued", "ended_at": None}, {"function": "score"}, {"stage": "partner"}],
)
def test_what_gave_no_text_at_this_stage_is_not_counted(world: World, changes: dict[str, Any]) -> None:
    put_at_stage(world.size, "research_hosted", world.at)
    world.size.refresh_from_db()
    generation(world, "cleo", world.at + HOUR, **changes)
    at = world.at + DAY
    assert (measured(world, "C14", at).value, measured(world, "C14g", at).value) == (0, 0)


def test_generations_before_the_arrival_at_the_stage_are_not_counted(world: World) -> None:
    put_at_stage(world.size, "research_hosted", world.at)
    world.size.refresh_from_db()
    generation(world, "cleo", world.at - HOUR)
    assert measured(world, "C14g").value == 0


# --- C16: first answers ----------------------------------------------------------------------------------------------


def test_without_reports_there_is_nothing_to_measure(world: World) -> None:
    report(world, at=world.at - 91 * DAY)
    with pytest.raises(NotNow, match="No report") as caught:
        measured(world, "C16")
    assert caught.value.code == "no_reports"
    assert caught.value.change


def test_the_median_counts_the_first_message_or_verdict_and_is_rounded_up(world: World) -> None:
    start = world.at - 10 * DAY
    written, judged, slow = (report(world, at=start) for _ in range(3))
    write_to_reporter(
        world.actor("ben"), written.pk, "We look.", is_question=False,
        expected_version=written.version, at=start + HOUR,
    )  # fmt: skip
    accept(world, written, 1, at=start + 9 * DAY)  # later: the message was first
    accept(world, judged, 1, at=start + 5 * HOUR + timedelta(minutes=1))
    accept(world, slow, 1, at=start + 4 * DAY)
    evidence = measured(world, "C16")
    assert (str(evidence.value), evidence.n) == ("5.1", 3)
    assert (evidence.ci_low, evidence.ci_high) == (evidence.value, evidence.value)
    assert answer(evidence, world.at) is Outcome.PASS


def test_a_report_that_waits_counts_as_slower_than_all_others(world: World) -> None:
    """Seen to fail with the waiting left out: who answers only easy reports would look fast."""
    start = world.at - 10 * DAY
    quick, late, _waiting = (report(world, at=start) for _ in range(3))
    accept(world, quick, 1, at=start + HOUR)
    accept(world, late, 1, at=start + 96 * HOUR)
    evidence = measured(world, "C16")
    assert (evidence.value, evidence.n) == (96, 3)
    assert "slower than all others: 1" in evidence.statement
    assert answer(evidence, world.at) is Outcome.FAIL

    report(world, at=start)
    with pytest.raises(NotNow, match="half of the 4 reports"):
        measured(world, "C16", world.at + HOUR)
