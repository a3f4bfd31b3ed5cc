"""Nothing is published after what permitted it has changed; every request has one end and one outcome."""

from __future__ import annotations

import json
import threading
import time

import pytest
import redis

from inference.contract import (
    EPOCHS_KEY,
    FINISH_ONCE_LUA,
    LEASE_KEY,
    OUTCOMES_KEY,
    RETURNED_SECONDS,
    FinishReason,
    Piece,
    StreamKind,
    Usage,
    WorkerState,
    cancel_key,
    claim_key,
    ended_key,
    finish_once_call,
    order_key,
    reader_key,
    stream_key,
    worker_key,
)
from inference.engine.loop import Engine
from inference.engine.outlet import End, Entry, OutletLostError
from inference.engine.scheduler import Scheduler
from inference.engine.shelf import Shelf
from inference.engine.stream import RedisStream, connect
from tests.inference.fakes import FakeLoader, make_order, make_permit, make_request

pytestmark = pytest.mark.worker

CHANGED_IN = 5  # step


@pytest.fixture
def stream(broker, redis_server):
    """A stream whose requests may run: lease, epochs, reader and claims are there."""
    for job_id in ("job", "quiet", "other"):
        broker.set(claim_key(job_id), "worker-1")
    broker.set(LEASE_KEY, "portal")
    broker.hset(EPOCHS_KEY, mapping={"size:1": 1, "grant:7": 3})
    broker.set(reader_key("job"), 1)
    client = connect(redis_server.url)
    yield RedisStream(client, "worker-1")
    client.close()


def kinds(broker: redis.Redis, job_id: str = "job") -> list[str]:
    return [fields["kind"] for _, fields in broker.xrange(stream_key(job_id))]


def changes(broker: redis.Redis) -> dict[FinishReason, object]:
    """What can take a permission away, by the reason that follows."""
    return {
        FinishReason.LEASE_LOST: lambda: broker.delete(LEASE_KEY),
        FinishReason.STOPPED: lambda: broker.hset(EPOCHS_KEY, "grant:7", 4),
        FinishReason.CANCELLED: lambda: broker.set(cancel_key("job"), "cancelled"),
        FinishReason.READER_LOST: lambda: broker.delete(reader_key("job")),
        # A Redis that was restarted between two steps, in silence: the claim is gone with all the rest.
        FinishReason.BROKER_LOST: lambda: broker.delete(claim_key("job")),
    }


def run_until(stream: RedisStream, change, **permit) -> tuple[Engine, list[int]]:
    """Run a request; apply a change while a step computes. Returns the engine and the steps that were begun."""
    loader = FakeLoader()
    engine = Engine(Shelf(loader, lambda _: Scheduler(4, 16), 100), stream)
    begun: list[int] = []
    lane = engine._shelf.borrow("a")

    def before_step() -> None:
        begun.append(engine.steps)
        if engine.steps == CHANGED_IN:
            change()

    lane.backend.before_step = before_step
    order = make_order(max_tokens=90)
    order = type(order)(order.function, order.prompt, order.settings, needs_reader=True)
    request = engine.submit(make_permit(**permit), order)
    engine.start()
    assert request.done.wait(20)
    engine.stop()
    return engine, begun


@pytest.mark.parametrize(
    "reason",
    [
        FinishReason.LEASE_LOST,
        FinishReason.STOPPED,
        FinishReason.CANCELLED,
        FinishReason.READER_LOST,
        FinishReason.BROKER_LOST,
    ],
)
def test_a_change_stops_the_stream_before_another_token(broker, stream, reason):
    _, begun = run_until(stream, changes(broker)[reason])
    entries = [fields for _, fields in broker.xrange(stream_key("job"))]
    steps = [int(fields["step"]) for fields in entries if fields["kind"] == "tokens"]
    assert steps == list(range(1, CHANGED_IN))
    assert begun[-1] <= CHANGED_IN + 1
    assert kinds(broker)[-1] == "end"
    assert kinds(broker).count("end") == 1
    assert entries[-1]["reason"] == reason
    ((_, outcome),) = broker.xrange(OUTCOMES_KEY)
    assert outcome["job"] == "job"
    assert outcome["reason"] == reason
    assert outcome["worker"] == "worker-1"
    assert json.loads(outcome["usage"]) == {"prompt_tokens": 3, "completion_tokens": CHANGED_IN - 1}


def test_an_epoch_that_is_missing_stops_as_one_that_has_moved(broker, stream):
    run_until(stream, lambda: broker.hdel(EPOCHS_KEY, "size:1"))
    assert broker.get(ended_key("job")) == "stopped"


def test_a_permit_that_ends_mid_stream_stops_it(broker, stream):
    end = time.time() + 0.3
    _, begun = run_until(stream, lambda: time.sleep(max(0.0, end - time.time()) + 0.01), expires_at=end)
    assert broker.get(ended_key("job")) == "expired"
    assert kinds(broker) == ["tokens"] * (CHANGED_IN - 1) + ["end"]
    assert begun[-1] == CHANGED_IN


def test_an_undisturbed_request_streams_to_its_end(broker, stream):
    run_until(stream, lambda: None)
    assert kinds(broker) == ["tokens"] * 90 + ["end"]
    assert broker.get(ended_key("job")) == "length"
    assert broker.ttl(stream_key("job")) > 0


def test_the_settlement_may_end_a_request_and_the_worker_then_writes_nothing(broker, stream):
    def settle() -> None:
        keys, args = finish_once_call("job", FinishReason.WORKER_LOST, error="no heartbeat")
        assert broker.register_script(FINISH_ONCE_LUA)(keys=keys, args=args) == 1

    run_until(stream, settle)
    assert kinds(broker) == ["tokens"] * (CHANGED_IN - 1) + ["end"]
    ((_, outcome),) = broker.xrange(OUTCOMES_KEY)
    assert outcome["reason"] == "worker_lost"
    assert outcome["error"] == "no heartbeat"


def test_two_that_finish_at_once_write_one_end(broker, redis_server):
    broker.set(order_key("job"), "secret")
    barrier, wins = threading.Barrier(8), []

    def finish(number: int) -> None:
        with redis.Redis.from_url(redis_server.url) as client:
            keys, args = finish_once_call("job", FinishReason.STOP, usage=Usage(1, number), worker=f"w{number}")
            barrier.wait()
            wins.append(client.register_script(FINISH_ONCE_LUA)(keys=keys, args=args))

    threads = [threading.Thread(target=finish, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(wins) == [0] * 7 + [1]
    assert kinds(broker) == ["end"]
    assert broker.xlen(OUTCOMES_KEY) == 1
    assert not broker.exists(order_key("job"))


def test_only_one_worker_claims_a_request(stream, redis_server, broker):
    broker.delete(claim_key("job"))
    other = RedisStream(connect(redis_server.url), "worker-2")
    assert stream.claim("job")
    assert not other.claim("job")
    other._client.close()


def test_what_is_handed_back_is_taken_once_more_and_nobody_else_hands_it_back(stream, redis_server, broker):
    other = RedisStream(connect(redis_server.url), "worker-2")
    assert not other.give_back("job"), "it is not theirs"
    assert stream.give_back("job")
    assert 0 < broker.ttl(claim_key("job")) <= RETURNED_SECONDS
    assert other.claim("job")
    assert not stream.claim("job")
    assert not stream.give_back("job")
    other.finish([End("job", FinishReason.STOP)])
    assert not other.give_back("job"), "it has ended"
    other._client.close()


def test_a_started_entry_names_the_worker_and_a_forbidden_request_has_none(broker, stream):
    assert stream.announce(make_permit(), needs_reader=True).stop is None
    ((_, fields),) = broker.xrange(stream_key("job"))
    assert fields == {"kind": "started", "step": "0", "worker": "worker-1"}
    broker.delete(LEASE_KEY)
    assert stream.announce(make_permit("other"), needs_reader=False).stop is FinishReason.LEASE_LOST
    assert kinds(broker, "other") == []


def test_scripts_are_loaded_again_after_redis_forgot_them(broker, stream):
    for _ in range(2):
        broker.script_flush()
        piece = Piece(0, "x", 1)
        entries = [Entry(make_request(), StreamKind.TOKENS, "[]", (piece,)), Entry(make_request("quiet"))]
        assert [verdict.stop for verdict in stream.publish(1, entries)] == [None, None]
    assert kinds(broker) == ["tokens", "tokens"]
    assert kinds(broker, "quiet") == []


def test_a_step_is_one_round_trip(broker, stream):
    stream.publish(1, [Entry(make_request())])
    batches = []
    send = stream._send
    stream._send = lambda sha, calls: batches.append(len(calls)) or send(sha, calls)
    stream.publish(2, [Entry(make_request(f"j{at}")) for at in range(20)])
    assert batches == [20]


def test_ends_wait_for_a_broker_that_is_away(tmp_path, redis_server):
    server = type(redis_server)(redis_server._binary, tmp_path)
    server.start()
    stream = RedisStream(connect(server.url), "worker-1")
    assert stream.claim("job")
    server.kill()
    stream.finish([End("job", FinishReason.BROKER_LOST)])
    with pytest.raises(OutletLostError):
        stream.publish(1, [Entry(make_request())])
    with pytest.raises(OutletLostError):
        stream.write_kept()
    server.start()
    stream.write_kept()
    stream.write_kept()
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        assert [fields["reason"] for _, fields in client.xrange(OUTCOMES_KEY)] == ["broker_lost"]
    stream._client.close()
    server.kill()


def test_a_heartbeat_lasts_a_while_and_can_be_withdrawn(broker, stream):
    stream.beat(WorkerState("worker-1", "cpu", 1, 2, ("a",), 3, 4.0))
    assert json.loads(broker.get(worker_key("worker-1")))["loaded"] == ["a"]
    assert broker.ttl(worker_key("worker-1")) > 0
    assert broker.smembers("workers") == {"worker-1"}
    stream.leave()
    assert not broker.exists(worker_key("worker-1"))


def test_claims_outlive_the_request_by_a_while_only(broker, stream):
    stream.claim("job")
    stream.finish([End("job", FinishReason.STOP)])
    assert broker.ttl(claim_key("job")) > 0
