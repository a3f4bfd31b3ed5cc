"""The receipt of a withdrawal: what became of the work, measured from the rows and never assumed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import redis

from inference.contract import FinishReason, Function, SamplingSettings, Usage
from release_portal.access.models import Grant
from release_portal.access.services import surrender_grant, suspend_grant
from release_portal.accounts.services import create_token
from release_portal.audit.models import AuditEvent
from release_portal.audit.services import verify_chain
from release_portal.core.clock import now
from release_portal.core.errors import NotFound
from release_portal.epochs.services import grant_key, numbers_of
from release_portal.jobs import receipts
from release_portal.jobs.models import Job, Receipt
from release_portal.jobs.receipts import jobs_of, receipts_for
from release_portal.jobs.services import JobRequest, submit_job
from release_portal.jobs.settle import Outcome, Settlement, Times, settle, times_of
from release_portal.pages.receipts import receipts_of
from tests.conftest import wait_until
from tests.services.working import Worker
from tests.world import SERVED, World

REQUEST = JobRequest(SERVED, Function.GENERATE, "Once upon a time", SamplingSettings(max_tokens=60))
SECOND = timedelta(seconds=1)
Committed = Callable[[], Any]


def suspend(world: World, *, at: datetime | None = None, name: str = "cleo") -> Receipt:
    grant = Grant.objects.get(pk=world.grants[name].pk)
    suspend_grant(world.actor("ben"), grant.pk, reason="A case.", expected_version=grant.version, at=at or world.at)
    return Receipt.objects.get(grant=grant, decided_at=at or world.at)


def running(world: World, committed: Committed, *, count: int = 1, at: datetime | None = None) -> list[Job]:
    """Jobs of cleo's that were submitted before the decision."""
    with committed():
        return [submit_job(world.actors["cleo"], REQUEST, at=(at or world.at) - SECOND) for _ in range(count)]


def end(job: Job, reason: FinishReason, at: datetime, **times: datetime) -> None:
    settle(Outcome(job.pk, reason, "", Usage()), [], at=at, times=Times(**times))


def completed(receipt: Receipt) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(kind="receipt.completed", subject=f"grant:{receipt.grant_id}"))


def words(world: World, receipt: Receipt, name: str = "cleo") -> str:
    (card,) = [one for one in receipts_of(world.actor(name), receipt.grant_id) if one["receipt"] == receipt]
    return " ".join([*(f"{name}: {value}" for name, value in card["figures"]), *card["lines"]])


def test_a_grant_without_work_has_its_receipt_at_once(world: World, at: datetime) -> None:
    receipt = suspend(world)
    assert (receipt.kind, receipt.decided_at, receipt.completed_at) == ("suspended", at, at)
    assert receipt.epoch == numbers_of([grant_key(receipt.grant_id)])[grant_key(receipt.grant_id)]
    assert (receipt.running_ended, receipt.queued_refused, receipt.lost) == (0, 0, 0)
    assert "Last token: none after the decision" in words(world, receipt)
    assert [event.data["receipt"] for event in completed(receipt)] == [receipt.pk]


def test_a_grant_that_is_given_up_has_one_too(world: World, at: datetime) -> None:
    grant = Grant.objects.get(pk=world.grants["cleo"].pk)
    surrender_grant(world.actor("cleo"), grant.pk, reason="Done.", expected_version=grant.version, at=at)
    assert Receipt.objects.get(grant=grant).kind == "surrendered"


def test_it_is_completed_by_the_end_of_the_last_job_and_by_nothing_else(
    world: World, service: redis.Redis, committed: Committed, at: datetime
) -> None:
    """Seen to fail with `on_settled` left out of the room's `ready`."""
    first, second = running(world, committed, count=2)
    receipt = suspend(world)
    assert set(jobs_of(receipt)) == {first, second}
    assert receipt.completed_at is None
    end(first, FinishReason.STOPPED, at + SECOND, started_at=at - SECOND, last_token_at=at + SECOND / 4)
    receipt.refresh_from_db()
    assert receipt.completed_at is None
    assert completed(receipt) == []
    end(second, FinishReason.STOPPED, at + 2 * SECOND)
    receipt.refresh_from_db()
    assert receipt.completed_at == at + 2 * SECOND
    assert (receipt.running_ended, receipt.queued_refused, receipt.lost) == (1, 1, 0)
    assert (receipt.to_last_token, receipt.to_last_end) == (SECOND / 4, 2 * SECOND)
    text = words(world, receipt)
    for part in ("0.25 seconds after", "2.00 seconds after", "1 running job ended", "1 waiting job never started"):
        assert part in text
    (event,) = completed(receipt)
    assert (event.data["running_ended"], event.data["epoch"]) == (1, receipt.epoch)
    assert event.data["last_token_at"] == (at + SECOND / 4).isoformat()
    assert verify_chain().is_intact


def test_what_ended_before_the_decision_is_not_on_it(
    world: World, service: redis.Redis, committed: Committed, at: datetime
) -> None:
    (job,) = running(world, committed)
    end(job, FinishReason.LENGTH, at - SECOND / 2, started_at=at - SECOND)
    assert list(jobs_of(suspend(world))) == []


def test_a_token_before_the_decision_is_no_token_after_it(
    world: World, service: redis.Redis, committed: Committed, at: datetime
) -> None:
    (job,) = running(world, committed)
    receipt = suspend(world)
    end(job, FinishReason.STOPPED, at + SECOND, started_at=at - SECOND, last_token_at=at - SECOND / 2)
    receipt.refresh_from_db()
    assert receipt.to_last_token is None
    assert "Last token: none after the decision" in words(world, receipt)


def test_with_the_broker_lost_it_says_what_is_not_known(
    world: World, service: redis.Redis, committed: Committed, at: datetime
) -> None:
    """The worker fails closed when its lease ends; nobody claims to know when its last token came."""
    running(world, committed, count=2)
    receipt = suspend(world)
    for job in Job.objects.open():
        end(job, FinishReason.BROKER_LOST, at + 15 * SECOND)
    receipt.refresh_from_db()
    assert (receipt.running_ended, receipt.queued_refused, receipt.lost) == (0, 0, 2)
    text = words(world, receipt)
    assert "Last token: not known" in text
    assert "whether they had started is not known" in text
    assert "15.00 seconds after" in text


def test_tokens_stay_and_are_counted_in_words(world: World, at: datetime) -> None:
    create_token(world.actor("cleo"), world.people["cleo"], name="t", scopes=("generate",), at=at - SECOND)
    receipt = suspend(world)
    assert receipt.lines == {"api_tokens": 1, "permalinks": 0}
    assert "1 API token of the holder stays valid" in words(world, receipt)
    assert "asks for this grant anew and is refused" in words(world, receipt)


def test_every_registered_line_is_said_in_words(world: World) -> None:
    receipt = suspend(world)
    assert set(receipt.lines) == set(receipts._LINES)
    card = receipts_of(world.actor("ben"), receipt.grant_id)[0]
    assert len(card["lines"]) == 2 + 1 + len(receipts._LINES), "work, permits, and one for each line"


@pytest.mark.parametrize("kind", [kind for kind, _ in Receipt.KINDS])
def test_every_kind_of_withdrawal_has_its_word(world: World, at: datetime, kind: str) -> None:
    receipts.open_receipt(world.grants["cleo"], kind, at)
    (card,) = receipts_of(world.actor("cleo"), world.grants["cleo"].pk)
    assert card["title"]


def test_holder_and_staff_see_it_and_nobody_else(world: World) -> None:
    receipt = suspend(world)
    for name in ("cleo", "ben", "olu"):
        assert list(receipts_for(world.actor(name), receipt.grant_id)) == [receipt]
    for name in ("finn", "anonymous"):
        with pytest.raises(NotFound):
            receipts_for(world.actor(name), receipt.grant_id)


def test_the_page_of_the_grant_shows_it(world: World, client_of: Callable[[str], Any]) -> None:
    receipt = suspend(world)
    for name in ("cleo", "ben"):
        page = client_of(name).get(f"/grants/{receipt.grant_id}/").content.decode()
        assert "What became of the work of this grant" in page
        assert "none after the decision" in page


def test_an_unfinished_one_says_what_will_appear(
    world: World, service: redis.Redis, committed: Committed, client_of: Callable[[str], Any]
) -> None:
    running(world, committed)
    receipt = suspend(world)
    assert "Not complete yet" in client_of("cleo").get(f"/grants/{receipt.grant_id}/").content.decode()


def test_times_are_those_of_the_stream() -> None:
    entries = [("1000-0", {"kind": "started"}), ("2500-0", {"kind": "tokens"}), ("2500-1", {"kind": "end"})]
    times = times_of(entries)
    assert times.started_at is not None
    assert times.last_token_at is not None
    assert times.last_token_at - times.started_at == 1.5 * SECOND
    assert times_of([]) == times_of([("1-0", {"kind": "end"})]) == Times()


def test_a_real_worker_that_streams_is_measured(
    world: World, worker: Worker, service: redis.Redis, committed: Committed
) -> None:
    """2.8: the worker stops before its next token, and the receipt has its times from the stream."""
    with committed():
        job = submit_job(world.actors["cleo"], REQUEST, at=now())
    with committed():
        waiting = submit_job(world.actors["cleo"], replace(REQUEST, prompt="Another"), at=now())
    worker.pause_at = 5
    thread = worker.run(job)
    assert worker.is_paused.wait(20)
    with committed():
        receipt = suspend(world, at=now())
    worker.go_on.set()
    thread.join(20)
    worker.run(waiting).join(20)
    wait_until(lambda: worker.end_of(waiting) == "stopped")
    settlement = Settlement(service)
    settlement.consume()
    receipt.refresh_from_db()
    assert receipt.completed_at is not None
    assert (receipt.running_ended, receipt.queued_refused, receipt.lost) == (1, 1, 0)
    assert receipt.to_last_token is None, "the four tokens came before the decision"
    assert receipt.last_start_at is not None
    assert receipt.last_start_at < receipt.decided_at
    assert receipt.to_last_end is not None
    assert receipt.to_last_end < 5 * SECOND
