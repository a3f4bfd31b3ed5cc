"""Invariants of release governance that the machine over the commands does not ask: 5 in small, and 7 to 11."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import redis
from django.db import connection

from inference.contract import EPOCHS_KEY, FinishReason, Function, Permit, SamplingSettings
from model_cards.lookups import latest_card
from model_cards.services import publish_card
from release_portal.access.models import Grant
from release_portal.access.policy import POLICY_VERSION
from release_portal.access.services import suspend_grant
from release_portal.audit.models import AuditEvent
from release_portal.audit.services import verify_chain
from release_portal.celery import app
from release_portal.core.clock import now
from release_portal.core.errors import NotAllowed, NotNow, PortalError
from release_portal.epochs.publisher import copy_all
from release_portal.epochs.services import size_key
from release_portal.jobs.models import Job
from release_portal.jobs.services import JobRequest, submit_job
from release_portal.registry.models import ModelSize
from release_portal.releases.assessments import gate_of
from release_portal.releases.executions import execute_proposal, schedule_proposal
from release_portal.releases.freezes import raise_freeze
from release_portal.releases.hold_services import raise_hold
from release_portal.releases.models import Lock, Proposal, StageEntry, Standing, Vote
from release_portal.releases.narrowings import roll_back
from release_portal.releases.proposals import open_proposal
from release_portal.tasks import sweep_grants
from tests import fakes
from tests.governance import (
    DAY,
    adopt,
    advance,
    answer_checklist,
    fresh,
    lock,
    propose,
    review,
    small_policy,
    supply,
    vote,
)
from tests.services.working import Worker
from tests.world import SERVED, World, put_at_stage, stored_digest

TARGET = "public_hosted"
REQUEST = JobRequest(SERVED, Function.GENERATE, "Once upon a time", SamplingSettings(max_tokens=60))
SECOND = timedelta(seconds=1)


def size_now(world: World) -> ModelSize:
    return ModelSize.objects.select_related("standing", "family").get(pk=world.size.pk)


def down(world: World, target: str = "partner", *, at: datetime | None = None) -> None:
    size = size_now(world)
    version = size.standing.version
    roll_back(world.actor("ben"), size, target, reason="Odd output.", expected_version=version, at=at or world.at)


# --- 5: nothing that blocks widening blocks narrowing ----------------------------------------------------------------


def test_neither_hold_nor_freeze_nor_an_open_proposal_stands_in_the_way_of_narrowing(world: World) -> None:
    """Invariant 5. Seen to fail with a line in `roll_back` that refuses while a freeze is in force."""
    adopt(world, small_policy())
    propose(world, world.size, TARGET, at=world.at)
    raise_hold(world.actor("ben"), world.size, reason="Odd output.", at=world.at)
    raise_freeze(
        world.actor("ada"), family=None, starts_at=world.at, ends_at=world.at + DAY, reason="Holidays.", at=world.at
    )
    for target in ("partner", "disclosed", "registered"):
        down(world, target)
        assert Standing.objects.get(size=world.size).stage == target


# --- 7: the worker asks again when it runs ---------------------------------------------------------------------------


@pytest.fixture
def submitted(world: World, worker: Worker, committed: Callable[[], Any]) -> Job:
    """A job of cleo's that waits in the queue; asked for now, as the worker's clock is the real one."""
    with committed():
        return submit_job(world.actors["cleo"], REQUEST, at=now())


def suspend(world: World) -> None:
    grant = Grant.objects.get(pk=world.grants["cleo"].pk)
    suspend_grant(world.actor("ben"), grant.pk, reason="A case.", expected_version=grant.version, at=now())


def stop_use(world: World) -> None:
    raise_hold(world.actor("ben"), world.size, reason="Odd output.", level="R5", at=now())


def narrow(world: World) -> None:
    down(world, at=now())


CHANGES = {"stage": narrow, "grant": suspend, "restriction": stop_use}
changed = pytest.mark.parametrize("what", CHANGES)


def test_what_is_still_permitted_when_it_starts_runs_to_its_end(worker: Worker, submitted: Job) -> None:
    worker.run(submitted).join(20)
    assert worker.end_of(submitted) == "length"
    assert worker.tokens_of(submitted) == 60


@changed
def test_T12_a_queued_job_whose_permission_was_taken_back_never_starts(
    world: World, worker: Worker, submitted: Job, committed: Callable[[], Any], what: str
) -> None:
    """Invariant 7. Seen to fail with the loop over the epochs left out of `PUBLISH_LUA`, and for the stage with
    `advance_epoch` left out of `set_stage`."""
    with committed():
        CHANGES[what](world)
    worker.run(submitted).join(20)
    assert worker.end_of(submitted) == "stopped"
    assert (worker.tokens_of(submitted), worker.steps) == (0, 0), "no token was computed"


@changed
def test_T12_a_running_job_whose_permission_is_taken_back_stops_before_its_next_token(
    world: World, worker: Worker, submitted: Job, committed: Callable[[], Any], what: str
) -> None:
    """Invariant 7 in mid-run. Seen to fail with the loop over the epochs left out of `PUBLISH_LUA`."""
    worker.pause_at = 5
    thread = worker.run(submitted)
    assert worker.is_paused.wait(20)
    assert worker.tokens_of(submitted) == 4
    with committed():
        CHANGES[what](world)
    worker.go_on.set()
    thread.join(20)
    assert worker.end_of(submitted) == "stopped"
    assert worker.tokens_of(submitted) == 4


def test_what_was_taken_back_is_not_submitted_again(
    world: World, worker: Worker, submitted: Job, committed: Callable[[], Any]
) -> None:
    """What is only disclosed is read about, not used."""
    with committed():
        down(world, "disclosed", at=now())
    with pytest.raises(NotAllowed), committed():
        submit_job(world.actors["cleo"], REQUEST, at=now())
    assert Job.objects.count() == 1


def test_a_permit_of_before_does_not_live_again_when_the_roll_back_lapses_upwards(
    world: World, worker: Worker, submitted: Job, committed: Callable[[], Any]
) -> None:
    """Invariant 7. Seen to fail with `advance_epoch` left out of `set_stage`."""
    with committed():
        narrow(world)
    with committed():
        put_at_stage(world.size, "research_hosted", now())
        copy_all(worker.client)
    worker.run(submitted).join(20)
    assert worker.end_of(submitted) == "stopped"


def test_a_permit_for_another_size_is_not_lent_to_this_one(
    world: World, worker: Worker, submitted: Job, committed: Callable[[], Any]
) -> None:
    """Only the size that was rolled back is stopped: the epoch is its own."""
    other = ModelSize.objects.filter(family=world.size.family).exclude(pk=world.size.pk).select_related("standing")[0]
    put_at_stage(other, "partner", now())
    with committed():
        version = Standing.objects.get(size=other).version
        roll_back(world.actor("ben"), other, "disclosed", reason="Odd.", expected_version=version, at=now())
    worker.run(submitted).join(20)
    assert worker.end_of(submitted) == "length"
    assert worker.client.hget(EPOCHS_KEY, size_key(other.slug)) != worker.client.hget(EPOCHS_KEY, size_key(SERVED))


# --- 8: every generation names what it rested on ---------------------------------------------------------------------


def test_every_job_keeps_stage_policy_card_and_weights_as_they_were(
    world: World, service: redis.Redis, committed: Callable[[], Any], at: datetime
) -> None:
    """Invariant 8. Seen to fail with `card_version` left out of `_write_job`."""
    adopt(world, small_policy())
    with committed():
        first = submit_job(world.actors["cleo"], REQUEST, at=at)
    card = latest_card(world.size)
    assert card is not None
    assert (first.stage, first.policy_version, first.card_version) == ("research_hosted", POLICY_VERSION, card.number)
    assert first.weights_digest == stored_digest() == world.size.revisions.get(is_current=True).digest

    text = card.text + "\nOne more line.\n"
    publish_card(world.actor("ada"), world.size, text, summary="a line", expected_number=card.number, at=at)
    advance(world, world.size, TARGET, at=at)
    with committed():
        second = submit_job(world.actors["finn"], REQUEST, at=at + DAY)
    assert (second.stage, second.card_version) == (TARGET, card.number + 1)
    first.refresh_from_db()
    assert (first.stage, first.card_version) == ("research_hosted", card.number)


# --- 9: a grant that ends takes its jobs with it ---------------------------------------------------------------------


def ending(world: World, worker: Worker, committed: Callable[[], Any], lasts: float) -> tuple[Job, datetime]:
    """Submit a job under a grant that ends in so many seconds."""
    ends_at = now() + timedelta(seconds=lasts)
    Grant.objects.filter(pk=world.grants["cleo"].pk).update(ends_at=ends_at)
    with committed():
        return submit_job(world.actors["cleo"], REQUEST, at=now()), ends_at


def wait_for(end: datetime) -> None:
    time.sleep(max(0.0, (end - now()).total_seconds()) + 0.02)


def test_T9_a_queued_job_ends_with_the_grant_also_while_nobody_sweeps(
    world: World, worker: Worker, committed: Callable[[], Any]
) -> None:
    """Invariant 9. Seen to fail with `permit_ends_at` not cut to the end of the grant."""
    job, end = ending(world, worker, committed, 0.5)
    wait_for(end)
    worker.run(job).join(20)
    assert (worker.end_of(job), worker.tokens_of(job), worker.steps) == ("expired", 0, 0)


def test_T9_a_running_job_ends_with_the_grant_also_while_nobody_sweeps(
    world: World, worker: Worker, committed: Callable[[], Any]
) -> None:
    """Invariant 9. Seen to fail with the comparison with `expires_at` left out of `PUBLISH_LUA`."""
    worker.pause_at = 3
    job, end = ending(world, worker, committed, 3.0)
    thread = worker.run(job)
    assert worker.is_paused.wait(20)
    wait_for(end)
    worker.go_on.set()
    thread.join(20)
    assert (worker.end_of(job), worker.tokens_of(job)) == ("expired", 2)


def test_T9_the_sweep_comes_every_minute_and_ends_every_permit_of_an_ended_grant(
    world: World,
    worker: Worker,
    submitted: Job,
    committed: Callable[[], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Invariant 9: sixty seconds at most. Seen to fail with `advance_epoch` left out of `expire_grants`."""
    assert app.conf.beat_schedule["sweep-grants"]["task"] == sweep_grants.name
    assert app.conf.beat_schedule["sweep-grants"]["schedule"] <= 60
    Grant.objects.filter(pk=world.grants["cleo"].pk).update(ends_at=now() - SECOND)
    monkeypatch.setattr("release_portal.tasks.close_old_connections", lambda: None)  # the test's own would be closed
    with committed():
        sweep_grants()
    assert Grant.objects.get(pk=world.grants["cleo"].pk).state == "expired"
    worker.run(submitted).join(20)
    assert (worker.end_of(submitted), worker.tokens_of(submitted)) == (FinishReason.STOPPED, 0)
    with pytest.raises(NotAllowed), committed():
        submit_job(world.actors["cleo"], REQUEST, at=now())


def test_T9_no_permit_outlives_the_grant_that_carries_it(
    world: World, service: redis.Redis, committed: Callable[[], Any], at: datetime
) -> None:
    for lasts in (SECOND, timedelta(minutes=5), 99 * DAY):
        Grant.objects.filter(pk=world.grants["cleo"].pk).update(ends_at=at + lasts)
        with committed():
            submit_job(world.actors["cleo"], REQUEST, at=at)
        permit: Permit = fakes.permits(service)[-1]
        assert permit.expires_at <= (at + lasts).timestamp()


# --- 10: of two at once one wins -------------------------------------------------------------------------------------


def together(*works: Callable[[], Any]) -> list[Any]:
    """Do all this in threads that start together; return the results, errors among them."""
    barrier, results = threading.Barrier(len(works)), []

    def run(work: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            results.append(work())
        except Exception as error:  # noqa: BLE001 - looked at by the test
            results.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def one_wins(results: list[Any]) -> None:
    refusals = [one for one in results if isinstance(one, Exception)]
    assert len(refusals) == len(results) - 1
    assert all(isinstance(one, PortalError) for one in refusals), refusals
    assert all(isinstance(one, NotNow) for one in refusals), "409: the page shows what changed"


def scheduled(world: World) -> Proposal:
    adopt(world, small_policy())
    proposal = propose(world, world.size, TARGET, at=world.at)
    supply(world, world.size, gate_of(proposal), at=world.at)
    answer_checklist(world, proposal, at=world.at)
    proposal = review(world, proposal, at=world.at)
    over = world.at + DAY
    schedule_proposal(world.actor("jo"), proposal.pk, execute_after=over, expected_version=proposal.version, at=over)
    return fresh(proposal)


@pytest.mark.django_db(transaction=True)
def test_of_two_executions_at_once_one_wins(world: World) -> None:
    """Invariant 10. Seen to fail with state, version and stage no longer compared after the row was locked."""
    proposal = scheduled(world)
    at = world.at + DAY

    def execute(name: str) -> Proposal:
        return execute_proposal(
            world.actors[name],
            proposal.pk,
            typed="",
            confirmed_at=at,
            preview={},
            expected_version=proposal.version,
            at=at,
        )

    one_wins(together(*(lambda name=name: execute(name) for name in ("jo", "ada", "jo"))))
    assert AuditEvent.objects.filter(kind="stage.advanced").count() == 1
    assert AuditEvent.objects.filter(kind="proposal.executing").count() == 1
    assert StageEntry.objects.filter(size=world.size, stage=TARGET).count() == 1
    assert fresh(proposal).state == "observing"
    assert Standing.objects.get(size=world.size).stage == TARGET
    assert verify_chain().is_intact


@pytest.mark.django_db(transaction=True)
def test_of_a_roll_back_and_an_execution_at_once_the_narrower_stage_stays_or_is_made_after(world: World) -> None:
    """Invariant 10: never widened over a roll-back that came first; `test_proposals` asks for its guard in order."""
    proposal = scheduled(world)
    at, version = world.at + DAY, Standing.objects.get(size=world.size).version
    results = together(
        lambda: execute_proposal(
            world.actors["jo"],
            proposal.pk,
            typed="",
            confirmed_at=at,
            preview={},
            expected_version=proposal.version,
            at=at,
        ),
        lambda: roll_back(
            world.actors["ben"], size_now(world), "partner", reason="Odd.", expected_version=version, at=at
        ),
    )
    one_wins(results)
    kinds = list(AuditEvent.objects.filter(kind__startswith="stage.a").values_list("kind", flat=True))
    stage = Standing.objects.get(size=world.size).stage
    assert (stage, kinds) in ((TARGET, ["stage.advanced"]), ("partner", []))


@pytest.mark.django_db(transaction=True)
def test_of_two_proposals_opened_at_once_one_is_open(world: World) -> None:
    """Seen to fail with the constraint `one_open_proposal_per_size` left out."""
    adopt(world, small_policy())

    def begin(name: str) -> Proposal:
        return open_proposal(world.actors[name], world.size, TARGET, rationale="Researchers asked.", at=world.at)

    one_wins(together(lambda: begin("jo"), lambda: begin("ada")))
    assert Proposal.objects.open().count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_locks_at_once_one_is_in_force(world: World) -> None:
    adopt(world, small_policy())
    proposal = propose(world, world.size, TARGET, at=world.at)
    supply(world, world.size, gate_of(proposal), at=world.at)
    answer_checklist(world, proposal, at=world.at)
    one_wins(together(*[lambda: lock(world, proposal, at=world.at)] * 2))
    assert Lock.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_votes_of_one_person_at_once_one_stands(world: World) -> None:
    """Invariant 3 under a double click."""
    adopt(world, small_policy())
    proposal = propose(world, world.size, TARGET, at=world.at)
    supply(world, world.size, gate_of(proposal), at=world.at)
    answer_checklist(world, proposal, at=world.at)
    lock(world, proposal, at=world.at)
    Proposal.objects.filter(pk=proposal.pk).update(state="in_review")
    one_wins(together(*[lambda: vote(world, proposal, "ben", "safety_reviewer", at=world.at)] * 2))
    assert Vote.objects.standing().count() == 1


# --- 11: no clock and no calendar shortens a wait --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "approved"),
    [
        ("Europe/Berlin", "2028-03-25T14:00"),  # the night that lacks an hour
        ("America/New_York", "2028-03-11T14:00"),
        ("Europe/Berlin", "2028-10-28T14:00"),  # the night in which an hour comes twice
        ("America/New_York", "2028-11-04T14:00"),
        ("UTC", "2028-02-28T14:00"),  # 29 February follows
        ("UTC", "2028-02-29T14:00"),
    ],
)
def test_a_cool_off_lasts_its_whole_time_whatever_zone_the_people_are_in(
    world: World, zone: str, approved: str
) -> None:
    """Invariant 11. Seen to fail with an hour taken off the cool-off in `conclude_vote`."""
    local = ZoneInfo(zone)
    at = datetime.fromisoformat(approved).replace(tzinfo=local)
    adopt(world, small_policy(), at=at - DAY)
    proposal = propose(world, world.size, TARGET, at=at)
    supply(world, world.size, gate_of(proposal), at=at)
    answer_checklist(world, proposal, at=at)
    proposal = review(world, proposal, at=at)
    begun, until = proposal.approved_at, proposal.cool_off_until
    assert begun is not None
    assert until is not None
    assert until - begun >= timedelta(days=1), "elapsed time, both in UTC"
    assert until.astimezone(UTC) - at.astimezone(UTC) >= timedelta(days=1)


def test_a_clock_that_is_moved_back_opens_nothing(world: World) -> None:
    """Invariant 11. Seen to fail with `at < cool_off_until` left out of `may_execute` and `may_schedule`."""
    proposal = scheduled(world)
    for back in (timedelta(hours=1), timedelta(hours=23), 2 * DAY):
        at = world.at + DAY - back
        with pytest.raises(PortalError) as caught:
            execute_proposal(
                world.actor("jo"),
                proposal.pk,
                typed="",
                confirmed_at=at,
                preview={},
                expected_version=proposal.version,
                at=at,
            )
        assert caught.value.code == "cooling"


def test_a_time_in_another_zone_is_the_same_time(world: World) -> None:
    proposal = scheduled(world)
    at = (world.at + DAY).astimezone(ZoneInfo("Pacific/Kiritimati"))
    done = execute_proposal(
        world.actor("jo"),
        proposal.pk,
        typed="",
        confirmed_at=at,
        preview={},
        expected_version=proposal.version,
        at=at,
    )
    assert done.state == "observing"
