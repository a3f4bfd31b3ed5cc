"""Batches: read whole or not at all, worked off line by line, each permitted at its own time and submitted once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import redis
from kombu.exceptions import OperationalError

from inference.contract import FinishReason, Function, Piece, Priority, TokenLogprob, Usage, cancel_key
from release_portal.access.models import Grant
from release_portal.access.services import suspend_grant
from release_portal.accounts.actors import actor_of
from release_portal.accounts.models import User
from release_portal.accounts.own_data import export_own_data, holdings
from release_portal.audit.models import AuditEvent
from release_portal.batches import feeding
from release_portal.batches.feeding import advance_batch, open_batches
from release_portal.batches.lookups import batch_for, batches_for, file_for
from release_portal.batches.models import Batch, BatchFile, BatchLine
from release_portal.batches.rules import LASTS, MOST_FILES, MOST_OPEN
from release_portal.batches.services import Order, cancel_batch, create_batch, delete_file, keep_file
from release_portal.batches.settling import end_line
from release_portal.celery import app
from release_portal.core.errors import InvalidInput, NotAllowed, NotFound, NotNow
from release_portal.jobs import handlers
from release_portal.jobs.models import Job
from release_portal.jobs.settle import Settlement
from tests import fakes
from tests.world import MISSING_CHARACTER, SERVED, World, put_at_stage

pytestmark = pytest.mark.django_db
URL = "/v1/completions"
Committed = Callable[[], Any]


@pytest.fixture(autouse=True)
def roomy(world: World) -> None:
    """A grant with which the batch alone sets the pace."""
    limit(world, concurrent=20, requests_per_minute=1_000, tokens_per_day=1_000_000)


def limit(world: World, **limits: int) -> None:
    Grant.objects.filter(pk=world.grants["cleo"].pk).update(**limits)


def request(number: int, **body: Any) -> dict[str, Any]:
    asked = {"model": SERVED, "prompt": f"text {number}", "max_tokens": 4, "seed": number} | body
    return {"custom_id": f"r{number}", "method": "POST", "url": URL, "body": asked}


def content_of(*requests: Any) -> bytes:
    return "\n".join(json.dumps(one) for one in requests).encode()


def make(world: World, committed: Committed, *requests: Any, name: str = "cleo") -> Batch:
    actor = world.actors[name]
    with committed():
        file = keep_file(actor, "in.jsonl", content_of(*requests), at=world.at)
        return create_batch(actor, Order(file.pk, URL), at=world.at)


def advance(batch: Batch, world: World, committed: Committed, *, later: timedelta = timedelta(0)) -> Batch:
    with committed():
        advance_batch(batch.pk, at=world.at + later)
    return again(batch)


def again(batch: Batch) -> Batch:
    return Batch.objects.counted().get(pk=batch.pk)


def states(batch: Batch) -> list[str]:
    return list(batch.lines.order_by("number").values_list("state", flat=True))


def running(batch: Batch) -> list[Job]:
    return [line.job for line in batch.lines.running().select_related("job").order_by("number")]


def work(client: redis.Redis, job: Job, committed: Committed, reason: FinishReason = FinishReason.LENGTH) -> None:
    """Carry a job out as a worker would, and settle it."""
    fakes.claim(client, job.pk)
    if reason.is_success:
        fakes.deliver(client, job.pk, Piece(0, " and", 1), Piece(0, " so on", 2, "length"))
    fakes.finish(client, job.pk, reason, usage=Usage(6, 2) if reason.is_success else Usage())
    with committed():
        Settlement(client).consume()


def results(file_id: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in BatchFile.objects.get(pk=file_id).content.splitlines()]


def events(kind: str) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(kind=kind).order_by("seq"))


# --- From the file to the results -----------------------------------------------------------------------------------


def test_a_batch_is_worked_off_and_answers_every_line_as_the_address_would(
    world: World, service: redis.Redis, committed: Committed
) -> None:
    batch = make(world, committed, request(1), request(2, n=2, echo=True))
    assert (batch.state, batch.total, batch.expires_at) == ("in_progress", 2, world.at + LASTS)
    advance(batch, world, committed)
    first, second = running(batch)
    assert (first.prompt, first.interface, first.settings.seed) == ("text 1", "api", 1)
    for job in (first, second):
        order = fakes.order_of(service, job.pk)
        assert order is not None
        assert order.priority is Priority.BATCH
    work(service, second, committed)
    assert states(batch) == ["running", "done"]
    work(service, first, committed)
    ended = advance(batch, world, committed)
    assert (ended.state, ended.done, ended.failed, ended.error_file_id) == ("completed", 2, 0, "")
    one, two = results(ended.output_file_id)
    assert (one["custom_id"], one["error"], one["response"]["status_code"]) == ("r1", None, 200)
    assert one["response"]["request_id"] == first.pk
    body = one["response"]["body"]
    assert (body["object"], body["id"], body["model"]) == ("text_completion", f"cmpl-{first.pk}", SERVED)
    assert body["choices"] == [{"index": 0, "text": " and so on", "finish_reason": "length", "logprobs": None}]
    assert body["usage"] == {"prompt_tokens": 6, "completion_tokens": 2, "total_tokens": 8}
    assert [choice["text"] for choice in two["response"]["body"]["choices"]] == ["text 2 and so on", "text 2"]
    file = BatchFile.objects.get(pk=ended.output_file_id)
    assert file.size == len(file.content)


def test_log_probabilities_reach_the_results_and_not_the_row_of_the_job(
    world: World, service: redis.Redis, committed: Committed
) -> None:
    batch = make(world, committed, request(1, logprobs=1))
    advance(batch, world, committed)
    (job,) = running(batch)
    fakes.claim(service, job.pk)
    fakes.deliver(service, job.pk, Piece(0, " a", 1, None, (TokenLogprob(" a", -0.5, ((" a", -0.5),)),)))
    fakes.deliver(service, job.pk, Piece(0, " b", 2, "length", (TokenLogprob(" b", -1.5, ()),)))
    fakes.finish(service, job.pk, FinishReason.LENGTH, usage=Usage(6, 2))
    with committed():
        Settlement(service).consume()
    assert Job.objects.get(pk=job.pk).output == [{"text": " a b", "tokens": 2, "finish": "length"}]
    (one,) = results(advance(batch, world, committed).output_file_id)
    assert one["response"]["body"]["choices"][0]["logprobs"] == {
        "tokens": [" a", " b"],
        "token_logprobs": [-0.5, -1.5],
        "top_logprobs": [{" a": -0.5}, {" b": -1.5}],
        "text_offset": [0, 2],
    }


def test_nothing_of_what_was_asked_or_answered_is_stored_in_the_clear(
    world: World, service: redis.Redis, committed: Committed
) -> None:
    batch = make(world, committed, request(1, prompt="a secret"))
    line = batch.lines.get()
    (file,) = BatchFile.objects.all()
    assert b"secret" not in bytes(line.sealed_request) + bytes(file.sealed_content)
    advance(batch, world, committed)
    work(service, running(batch)[0], committed)
    line.refresh_from_db()
    assert b"and so on" not in bytes(line.sealed_answer)
    assert bytes(line.sealed_request) == b"", "what was asked is kept once, with its job"


# --- Reading the file ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "param", "code"),
    [
        (request(2, temperature=9), "body.temperature", "invalid_input"),
        (request(2, n=99), "body.n", "invalid_input"),
        (request(2, colour="red"), "body.colour", "unknown_parameter"),
        (request(2, stream=True), "body.stream", "unsupported_parameter"),
        (request(2, prompt=["one", "two"]), "body.prompt", "too_many_prompts"),
        (request(2, prompt=MISSING_CHARACTER), "body.prompt", "prompt_not_covered"),
        (request(2, prompt="x" * 3_000), "body.prompt", "context_exceeded"),
        (request(2, prompt=[10**9]), "body.prompt", "prompt_not_a_text"),
        (request(2, model="nobody/nothing"), "body.model", "model_not_found"),
        (request(2, logit_bias={"99999": 1}), "body.logit_bias", "token_unknown"),
        (request(2, metadata={"purpose": "zzz"}), "body.metadata.purpose", "invalid_input"),
    ],
)
def test_one_wrong_line_is_named_and_nothing_runs(
    world: World, service: redis.Redis, committed: Committed, wrong: Any, param: str, code: str
) -> None:
    batch = make(world, committed, request(1), wrong, request(3))
    assert (batch.state, batch.total) == ("failed", 0)
    assert [(one["line"], one["param"], one["code"]) for one in batch.problems] == [(2, param, code)]
    assert advance(batch, world, committed).state == "failed"
    assert not Job.objects.exists()
    assert [event.data["state"] for event in events("batch.ended")] == ["failed"]


def test_every_wrong_line_is_named_each_at_its_own_field(
    world: World, service: redis.Redis, committed: Committed
) -> None:
    unknown = [request(number, model="nobody/nothing") for number in (1, 2)]
    batch = make(world, committed, *unknown, request(3, top_p=7))
    assert [(one["line"], one["param"]) for one in batch.problems] == [
        (1, "body.model"), (2, "body.model"), (3, "body.top_p"),
    ]  # fmt: skip


def test_a_file_of_results_or_of_somebody_else_is_no_input(
    world: World, service: redis.Redis, committed: Committed
) -> None:
    batch = make(world, committed, request(1))
    advance(batch, world, committed)
    work(service, running(batch)[0], committed)
    ended = advance(batch, world, committed)
    with pytest.raises(InvalidInput) as caught:
        create_batch(world.actors["cleo"], Order(ended.output_file_id, URL), at=world.at)
    assert caught.value.field == "input_file_id"
    with pytest.raises(InvalidInput) as caught:
        create_batch(world.actors["cleo"], Order(batch.input_file_id, "/v1/nothing"), at=world.at)
    assert caught.value.field == "endpoint"
    put_at_stage(world.size, "public_hosted", world.at)
    with pytest.raises(NotFound):
        create_batch(world.actors["gia"], Order(batch.input_file_id, URL), at=world.at)


# --- Who may, and how much ------------------------------------------------------------------------------------------


def test_only_who_may_generate_keeps_files_and_only_the_owner_sees_them(
    world: World, service: redis.Redis, committed: Committed
) -> None:
    with pytest.raises(NotAllowed) as caught:
        keep_file(world.actors["finn"], "in.jsonl", content_of(request(1)), at=world.at)
    assert caught.value.code == "no_size"
    batch = make(world, committed, request(1))
    for name in ("finn", "gia", "ada", "anonymous"):
        with pytest.raises(NotFound):
            batch_for(world.actors[name], batch.pk)
        with pytest.raises(NotFound):
            file_for(world.actors[name], batch.input_file_id)
        with pytest.raises(NotFound):
            cancel_batch(world.actors[name], batch.pk, at=world.at)
    assert [one.pk for one in batches_for(world.actors["cleo"])] == [batch.pk]


def test_a_token_needs_the_scope_and_its_lines_may_no_more_than_it(
    world: World, service: redis.Redis, committed: Committed
) -> None:
    reader = replace(world.actors["cleo"], scopes=frozenset({"jobs:read"}))
    with pytest.raises(NotAllowed):
        keep_file(reader, "in.jsonl", content_of(request(1)), at=world.at)
    batch = make(world, committed, request(1))
    assert batch_for(reader, batch.pk)
    with pytest.raises(NotAllowed):
        cancel_batch(reader, batch.pk, at=world.at)
    with pytest.raises(NotAllowed):
        batch_for(replace(reader, scopes=frozenset({"detect"})), batch.pk)
    Batch.objects.update(scopes=["jobs:read"])
    ended = advance(batch, world, committed)
    (one,) = results(ended.error_file_id)
    assert (ended.state, one["response"]["status_code"]) == ("completed", 403)


def test_an_account_keeps_so_many_files_and_has_so_many_open_batches(
    world: World, service: redis.Redis, committed: Committed
) -> None:
    first = make(world, committed, request(1))
    for _ in range(MOST_OPEN - 1):
        create_batch(world.actors["cleo"], Order(first.input_file_id, URL), at=world.at)
    with pytest.raises(NotNow) as caught:
        create_batch(world.actors["cleo"], Order(first.input_file_id, URL), at=world.at)
    assert caught.value.code == "too_many_batches"
    for _ in range(MOST_FILES - 1):
        keep_file(world.actors["cleo"], "in.jsonl", b"x", at=world.at)
    with pytest.raises(NotNow) as caught:
        keep_file(world.actors["cleo"], "in.jsonl", b"x", at=world.at)
    assert caught.value.code == "too_many_files"


def test_the_same_key_is_the_same_batch(world: World, service: redis.Redis, committed: Committed) -> None:
    batch = make(world, committed, request(1))
    order = Order(batch.input_file_id, URL, submit_key="k")
    made = [create_batch(world.actors["cleo"], order, at=world.at).pk for _ in range(2)]
    assert made[0] == made[1] != batch.pk


# --- Feeding --------------------------------------------------------------------------------------------------------


def test_only_so_many_lines_run_at_once_and_each_end_lets_the_next_begin(
    world: World, service: redis.Redis, committed: Committed, settings: Any
) -> None:
    settings.BATCH_IN_FLIGHT = 2
    batch = make(world, committed, *(request(number) for number in range(1, 5)))
    for _ in range(3):
        advance(batch, world, committed)
    assert states(batch) == ["running", "running", "waiting", "waiting"]
    work(service, running(batch)[0], committed)
    advance(batch, world, committed)
    assert states(batch) == ["done", "running", "running", "waiting"]


def test_a_batch_leaves_its_owner_a_place(world: World, service: redis.Redis, committed: Committed) -> None:
    limit(world, concurrent=3)
    batch = make(world, committed, *(request(number) for number in range(1, 5)))
    advance(batch, world, committed)
    assert len(running(batch)) == 2


def test_the_end_of_a_line_has_the_batch_looked_at(
    world: World, service: redis.Redis, committed: Committed, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = make(world, committed, request(1))
    advance(batch, world, committed)
    sent: list[Any] = []
    monkeypatch.setattr(app, "send_task", lambda name, args, **more: sent.append((name, args)))
    work(service, running(batch)[0], committed)
    assert sent == [("portal.advance_batch", [batch.pk])]


def test_a_queue_that_is_away_keeps_no_settlement_from_its_end(
    world: World, service: redis.Redis, committed: Committed, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = make(world, committed, request(1))
    advance(batch, world, committed)

    def fail(*_: Any, **__: Any) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(app, "send_task", fail)
    work(service, running(batch)[0], committed)
    assert states(batch) == ["done"]


def test_the_periodic_look_takes_every_open_batch_on(
    world: World, service: redis.Redis, committed: Committed, monkeypatch: pytest.MonkeyPatch
) -> None:
    from release_portal import tasks
    from release_portal.tasks import advance_one_batch, look_at_batches

    monkeypatch.setattr(tasks, "close_old_connections", lambda: None)  # the test's own is one of them
    assert app.conf.beat_schedule["look-at-batches"]["task"] == look_at_batches.name
    batch = make(world, committed, request(1))
    assert open_batches() == [batch.pk]
    service.delete("portal")
    look_at_batches()
    assert service.llen("portal") == 1
    with committed():
        advance_one_batch(batch.pk)
    assert states(batch) == ["running"]


# --- What stands in the way -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [FinishReason.OVERLOADED, FinishReason.BROKER_LOST])
def test_bad_luck_at_the_worker_lets_the_line_wait_and_run_again(
    world: World, service: redis.Redis, committed: Committed, reason: FinishReason
) -> None:
    batch = make(world, committed, request(1))
    for _ in range(5):
        advance(batch, world, committed)
        (job,) = running(batch)
        work(service, job, committed, reason)
        assert states(batch) == ["waiting"]
    advance(batch, world, committed)
    work(service, running(batch)[0], committed)
    assert advance(batch, world, committed).state == "completed"
    assert Job.objects.count() == 6


def test_a_line_that_workers_die_of_fails_in_the_end(world: World, service: redis.Redis, committed: Committed) -> None:
    batch = make(world, committed, request(1))
    for _ in range(3):
        advance(batch, world, committed)
        work(service, running(batch)[0], committed, FinishReason.WORKER_LOST)
    ended = advance(batch, world, committed)
    (one,) = results(ended.error_file_id)
    assert (one["response"]["status_code"], one["response"]["body"]["error"]["code"]) == (503, "worker_lost")
    assert (ended.state, ended.failed, ended.output_file_id) == ("completed", 1, "")


def test_without_a_worker_or_with_too_much_waiting_the_batch_waits(
    world: World, service: redis.Redis, committed: Committed, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = make(world, committed, request(1))
    service.srem("workers", fakes.WORKER)
    service.delete(*[key for key in service.keys("*") if fakes.WORKER in key] or ["none"])
    advance(batch, world, committed)
    assert states(batch) == ["waiting"]
    fakes.announce_worker(service)
    monkeypatch.setattr("release_portal.jobs.workers.room_of", lambda workers: 0)
    advance(batch, world, committed)
    assert states(batch) == ["waiting"]
    monkeypatch.undo()
    advance(batch, world, committed)
    assert states(batch) == ["running"]


def test_a_suspended_grant_fails_what_remains_with_the_reason_and_keeps_what_is_done(
    world: World, service: redis.Redis, committed: Committed, settings: Any
) -> None:
    settings.BATCH_IN_FLIGHT = 1
    batch = make(world, committed, *(request(number) for number in range(1, 4)))
    advance(batch, world, committed)
    work(service, running(batch)[0], committed)
    grant = Grant.objects.get(pk=world.grants["cleo"].pk)
    with committed():
        suspend_grant(world.actor("ben"), grant.pk, reason="A case.", expected_version=grant.version, at=world.at)
    ended = advance(batch, world, committed)
    assert (ended.state, ended.done, ended.failed) == ("completed", 1, 2)
    assert [one["response"]["status_code"] for one in results(ended.error_file_id)] == [403, 403]
    assert {one["response"]["body"]["error"]["code"] for one in results(ended.error_file_id)} == {"model_gated"}
    assert [one["custom_id"] for one in results(ended.output_file_id)] == ["r1"]
    assert Job.objects.count() == 1


def test_a_line_that_runs_when_its_grant_is_suspended_says_so(
    world: World, service: redis.Redis, committed: Committed
) -> None:
    batch = make(world, committed, request(1))
    advance(batch, world, committed)
    work(service, running(batch)[0], committed, FinishReason.STOPPED)
    (one,) = results(advance(batch, world, committed).error_file_id)
    assert (one["response"]["status_code"], one["response"]["body"]["error"]["code"]) == (403, "stopped")


def test_a_quota_that_is_used_up_fails_lines_with_429_once_nothing_of_the_batch_runs(
    world: World, service: redis.Redis, committed: Committed
) -> None:
    """A line needs 10 tokens and uses 8: beside two others the third does not fit, after them it does."""
    limit(world, tokens_per_day=26)
    batch = make(world, committed, *(request(number) for number in range(1, 5)))
    advance(batch, world, committed)
    assert states(batch) == ["running", "running", "waiting", "waiting"]
    for job in running(batch):
        work(service, job, committed)
    advance(batch, world, committed)
    assert states(batch) == ["done", "done", "running", "waiting"]
    work(service, running(batch)[0], committed)
    ended = advance(batch, world, committed)
    (one,) = results(ended.error_file_id)
    assert (one["response"]["status_code"], one["response"]["body"]["error"]["code"]) == (429, "tokens_per_day")
    assert (ended.state, ended.done, ended.failed) == ("completed", 3, 1)


def test_a_closed_account_gets_nothing_more(world: World, service: redis.Redis, committed: Committed) -> None:
    batch = make(world, committed, request(1))
    User.objects.filter(username="cleo").update(is_active=False)
    ended = advance(batch, world, committed)
    assert (ended.done, ended.failed) == (0, 1)
    assert not Job.objects.exists()


# --- Cancelled, expired ---------------------------------------------------------------------------------------------


def test_cancelling_stops_what_runs_and_keeps_what_is_done(
    world: World, service: redis.Redis, committed: Committed, settings: Any
) -> None:
    settings.BATCH_IN_FLIGHT = 2
    batch = make(world, committed, *(request(number) for number in range(1, 5)))
    advance(batch, world, committed)
    first, second = running(batch)
    work(service, first, committed)
    with committed():
        cancelled = cancel_batch(world.actors["cleo"], batch.pk, at=world.at)
    assert (cancelled.state, states(batch)) == ("cancelling", ["done", "running", "failed", "failed"])
    assert service.get(cancel_key(second.pk)) == FinishReason.CANCELLED.value
    assert cancel_batch(world.actors["cleo"], batch.pk, at=world.at).state == "cancelling"
    assert advance(batch, world, committed).state == "cancelling", "until the worker has stopped"
    work(service, second, committed, FinishReason.CANCELLED)
    ended = advance(batch, world, committed)
    assert (ended.state, ended.done, ended.failed) == ("cancelled", 1, 3)
    assert [one["custom_id"] for one in results(ended.output_file_id)] == ["r1"]
    told = [(one["custom_id"], one["response"], one["error"]["code"]) for one in results(ended.error_file_id)]
    assert told == [(f"r{number}", None, "batch_cancelled") for number in (2, 3, 4)]
    with pytest.raises(NotNow):
        cancel_batch(world.actors["cleo"], batch.pk, at=world.at)
    assert [event.actor_name for event in events("batch.cancelled")] == ["cleo"]
    (end,) = events("batch.ended")
    assert (end.actor_name, end.data["state"]) == ("system: batches", "cancelled")


def test_a_batch_that_has_begun_nothing_is_cancelled_at_once(
    world: World, service: redis.Redis, committed: Committed
) -> None:
    batch = make(world, committed, request(1), request(2))
    with committed():
        assert cancel_batch(world.actors["cleo"], batch.pk, at=world.at).state == "cancelled"


def test_a_stop_that_cannot_be_sent_is_sent_by_the_next_look(
    world: World, service: redis.Redis, committed: Committed, monkeypatch: pytest.MonkeyPatch
) -> None:
    from release_portal.core.errors import Unavailable

    batch = make(world, committed, request(1))
    advance(batch, world, committed)
    (job,) = running(batch)

    def fail(*_: Any) -> None:
        raise Unavailable("gone")

    with monkeypatch.context() as patch:
        patch.setattr(feeding, "request_stop", fail)
        with committed():
            cancel_batch(world.actors["cleo"], batch.pk, at=world.at)
    assert service.get(cancel_key(job.pk)) is None
    advance(batch, world, committed)
    assert service.get(cancel_key(job.pk)) == FinishReason.CANCELLED.value


def test_after_its_day_a_batch_expires_with_what_was_done(
    world: World, service: redis.Redis, committed: Committed, settings: Any
) -> None:
    settings.BATCH_IN_FLIGHT = 1
    batch = make(world, committed, request(1), request(2), request(3))
    advance(batch, world, committed)
    work(service, running(batch)[0], committed)
    advance(batch, world, committed)
    (job,) = running(batch)
    assert advance(batch, world, committed, later=LASTS).state == "in_progress", "the worker is asked to stop first"
    assert service.get(cancel_key(job.pk)) == FinishReason.CANCELLED.value
    Batch.objects.update(expires_at=world.at - timedelta(hours=1))  # the settlement asks the real clock
    work(service, job, committed, FinishReason.CANCELLED)
    ended = advance(batch, world, committed, later=LASTS)
    assert (ended.state, ended.done, ended.failed) == ("expired", 1, 2)
    assert [one["error"]["code"] for one in results(ended.error_file_id)] == ["batch_expired"] * 2
    assert [one["custom_id"] for one in results(ended.output_file_id)] == ["r1"]


def test_a_line_that_its_owner_stops_on_its_own_page_says_so(
    world: World, service: redis.Redis, committed: Committed
) -> None:
    batch = make(world, committed, request(1))
    advance(batch, world, committed)
    work(service, running(batch)[0], committed, FinishReason.CANCELLED)
    ended = advance(batch, world, committed)
    assert (ended.state, results(ended.error_file_id)[0]["error"]["code"]) == ("completed", "request_cancelled")


# --- Crashes --------------------------------------------------------------------------------------------------------


def test_a_portal_that_dies_before_the_job_is_queued_submits_the_line_again_and_once(
    world: World, service: redis.Redis, committed: Committed
) -> None:
    """The row is committed, what follows on commit never happens; the settlement ends the job that has no order."""
    batch = make(world, committed, request(1))
    advance_batch(batch.pk, at=world.at)  # without `committed`: nothing reaches Redis
    (lost,) = running(batch)
    assert fakes.order_of(service, lost.pk) is None
    with committed():
        Settlement(service).end_lost_jobs(at=world.at + timedelta(minutes=1))
        Settlement(service).consume()
    lost.refresh_from_db()
    assert (lost.finish_reason, lost.charged_tokens, states(batch)) == ("broker_lost", 0, ["waiting"])
    advance(batch, world, committed)
    (fresh,) = running(batch)
    assert fresh.pk != lost.pk
    work(service, fresh, committed)
    assert advance(batch, world, committed).done == 1


def test_a_portal_that_dies_between_lines_goes_on_with_the_next(
    world: World, service: redis.Redis, committed: Committed, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = make(world, committed, request(1), request(2))

    def die(*_: Any, **__: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(feeding, "MOST_AT_ONCE", 1)
        patch.setattr(feeding, "_close", die)
        with pytest.raises(SystemExit):
            advance(batch, world, committed)
    assert states(batch) == ["running", "waiting"]
    advance(batch, world, committed)
    assert (states(batch), Job.objects.count()) == (["running", "running"], 2)


def test_a_settlement_that_is_repeated_changes_no_answer(
    world: World, service: redis.Redis, committed: Committed
) -> None:
    batch = make(world, committed, request(1))
    advance(batch, world, committed)
    (job,) = running(batch)
    work(service, job, committed)
    before = batch.lines.get().answer
    ended = advance(batch, world, committed)
    fakes.finish(service, job.pk, FinishReason.CANCELLED)
    with committed():
        Settlement(service).consume()
    assert batch.lines.get().answer == before
    assert advance(batch, world, committed).output_file_id == ended.output_file_id
    assert len(events("batch.ended")) == 1


def test_an_answer_that_cannot_be_written_keeps_no_job_from_its_end(
    world: World, service: redis.Redis, committed: Committed
) -> None:
    """A portal of another version may know the body or the address no more: the settlement must go on all the same."""
    batch = make(world, committed, request(1))
    advance(batch, world, committed)
    (job,) = running(batch)
    Batch.objects.update(endpoint="/v1/of-yesterday")
    work(service, job, committed)
    job.refresh_from_db()
    (one,) = results(advance(batch, world, committed).error_file_id)
    assert (job.state, one["error"]["code"], one["response"]) == ("done", "answer_lost", None)


def test_the_handler_is_registered_for_what_batches_carry_out_and_leaves_other_jobs_alone(
    world: World, service: redis.Redis, committed: Committed
) -> None:
    found = handlers.registered()
    assert [end_line in found[function.value] for function in Function] == [
        function in (Function.GENERATE, Function.EMBED) for function in Function
    ]


# --- Deleting and taking out ----------------------------------------------------------------------------------------


def test_a_deleted_file_is_gone_with_its_content_and_the_batch_goes_on(
    world: World, service: redis.Redis, committed: Committed
) -> None:
    batch = make(world, committed, request(1))
    delete_file(world.actors["cleo"], batch.input_file_id, at=world.at)
    advance(batch, world, committed)
    work(service, running(batch)[0], committed)
    ended = advance(batch, world, committed)
    assert ended.done == 1
    with pytest.raises(NotFound):
        delete_file(world.actors["gia"], ended.output_file_id, at=world.at)
    delete_file(world.actors["cleo"], ended.output_file_id, at=world.at)
    assert not BatchFile.objects.exists()
    assert bytes(batch.lines.get().sealed_answer) == b""
    assert len(events("batch.file_deleted")) == 2


def test_everything_of_it_is_exported_to_its_owner_and_erased_with_the_account(
    world: World, service: redis.Redis, committed: Committed
) -> None:
    batch = make(world, committed, request(1), request(2))
    advance(batch, world, committed)
    work(service, running(batch)[0], committed)
    cleo = User.objects.get(username="cleo")
    held = export_own_data(actor_of(cleo), cleo, at=world.at)["holdings"]
    assert [one["id"] for one in held["batches"]] == [batch.pk]
    assert "text 1" in held["batch_files"][0]["text"]
    assert "and so on" in held["batch_lines"][0]["answer"]
    assert held["batch_lines"][1]["request"]["custom_id"] == "r2"
    last = running(batch)
    for holding in holdings():
        if holding.kind.startswith("batch"):
            assert holding.erase is not None
            holding.erase(cleo, world.at)
    assert [kind.objects.count() for kind in (Batch, BatchLine, BatchFile)] == [0, 0, 0]
    work(service, last[0], committed)  # what still ran ends, and nobody asks for it
    assert Job.objects.get(pk=last[0].pk).state == "done"


def test_no_event_of_a_batch_holds_any_of_its_content(world: World, service: redis.Redis, committed: Committed) -> None:
    batch = make(world, committed, request(1, prompt="a secret"))
    advance(batch, world, committed)
    work(service, running(batch)[0], committed)
    advance(batch, world, committed)
    told = [f"{event.data} {event.reason}" for event in AuditEvent.objects.filter(kind__startswith="batch.")]
    assert len(told) == 3
    assert not any("secret" in text or "r1" in text for text in told)
