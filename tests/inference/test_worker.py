"""A real Celery worker on a tiny model, from the queue to the outcome."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from celery import Celery

from inference.backends.vocabulary import Vocabulary
from inference.contract import (
    ASKED_KEY,
    EPOCHS_KEY,
    FINISH_ONCE_LUA,
    LEASE_KEY,
    OUTCOMES_KEY,
    QUEUE,
    RETURNED,
    TASK_NAME,
    WORKERS_KEY,
    EmbedResult,
    FinishReason,
    Function,
    Keys,
    Order,
    Permit,
    Pooling,
    SamplingSettings,
    ScoreResult,
    Usage,
    cancel_key,
    claim_key,
    ended_key,
    finish_once_call,
    order_key,
    queue_of,
    stream_key,
    worker_key,
)
from inference.watermark import GreenList
from tests.inference.conftest import RedisServer, wait_until

pytestmark = pytest.mark.worker

SECRET = f"v1:{base64.b64encode(b'k' * 32).decode()}"
ROOT = Path(__file__).parents[2]
SLOW = {"max_tokens": 110, "samples": 64, "temperature": 1.0}


class Portal:
    """What the portal does, without the portal."""

    def __init__(self, client: redis.Redis, url: str, digests: dict[str, str]) -> None:
        self.client = client
        self.digests = digests
        self.app = Celery("producer", broker=url)
        self.app.conf.task_ignore_result = True
        self.vouch()

    def vouch(self) -> None:
        self.client.set(LEASE_KEY, "portal")
        self.client.hset(EPOCHS_KEY, "size:1", 1)

    def order(self, job_id: str, order: Order, kind: str = "gpt2", keys: str = SECRET, **changes) -> None:
        fields = {"expires_at": time.time() + 600, "epochs": {"size:1": 1}, **changes}
        digest = self.digests.get(kind, kind)
        permit = Permit(job_id, "tiny", digest, order.function.value, **fields)
        self.client.set(order_key(job_id), order.to_json())
        self.send(permit, keys=keys)

    def send(self, permit: Permit, *, queue: str = "", keys: str = SECRET) -> None:
        """Send the task, to the queue of its size if no other is named."""
        self.client.sadd(ASKED_KEY, permit.weights_digest)
        arguments = (permit.job_id, permit.sign(Keys.parse(keys)))
        self.app.send_task(TASK_NAME, arguments, queue=queue or queue_of(permit.weights_digest))

    def entries(self, job_id: str) -> list[dict[str, str]]:
        return [fields for _, fields in self.client.xrange(stream_key(job_id))]

    def pieces(self, job_id: str) -> list[dict]:
        bodies = [each["body"] for each in self.entries(job_id) if each["kind"] == "tokens"]
        return [piece for body in bodies for piece in json.loads(body)]

    def text(self, job_id: str) -> str:
        return "".join(piece["text"] for piece in self.pieces(job_id))

    def outcome(self, job_id: str) -> dict[str, str]:
        wait_until(lambda: self.client.exists(ended_key(job_id)))
        (outcome,) = [fields for _, fields in self.client.xrange(OUTCOMES_KEY) if fields["job"] == job_id]
        return outcome

    def state(self, worker_id: str) -> dict:
        """The newest heartbeat, empty while there is none."""
        return json.loads(self.client.get(worker_key(worker_id)) or "{}")

    def is_at_rest(self, worker_id: str) -> bool:
        """Whether the worker says that it holds nothing, and no order is left over."""
        state = self.state(worker_id)
        held = {state.get(name) for name in ("running", "waiting", "cache_used")}
        return held == {0} and not list(self.client.scan_iter(order_key("*")))

    def reason(self, job_id: str) -> str:
        ends = [fields for fields in self.entries(job_id) if fields["kind"] == "end"]
        reason = self.outcome(job_id)["reason"]
        ends = [fields for fields in self.entries(job_id) if fields["kind"] == "end"]
        assert [end["reason"] for end in ends] == [reason]
        assert self.entries(job_id)[-1]["kind"] == "end"
        return reason


class WorkerProcess:
    """A Celery worker in a process of its own."""

    def __init__(self, url: str, store: Path, log: Path, **env: str) -> None:
        self.log = log
        settings = {
            "REDIS_URL": url,
            "INFERENCE_STORE": str(store),
            "INFERENCE_PERMIT_KEYS": SECRET,
            "INFERENCE_WATERMARK_KEYS": f"v2:{base64.b64encode(b'w' * 32).decode()},{SECRET}",
            "INFERENCE_DEVICE": "cpu",
            "INFERENCE_DRAIN_SECONDS": "1",
            "PYTHONPATH": str(ROOT),
        }
        command = "-A inference.worker worker --pool=threads --loglevel=INFO"
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "celery", *command.split()],
                cwd=log.parent,
                env={**os.environ, **settings, **env},
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def ready(self, portal: Portal, seconds: float = 180.0) -> WorkerProcess:
        """Wait for the first heartbeat: importing torch takes long on a busy machine."""
        wait_until(lambda: self._is_ready(portal), seconds)
        return self

    def _is_ready(self, portal: Portal) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        return any(f"-{self.process.pid}-" in name for name in portal.client.smembers(WORKERS_KEY))

    @property
    def threads(self) -> int:
        """Threads of the process; Celery keeps those of its pool."""
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    def stop(self, sign: signal.Signals) -> int:
        if self.process.poll() is None:
            self.process.send_signal(sign)
        return self.process.wait(60)


@pytest.fixture(scope="module")
def portal(redis_server, store) -> Iterator[Portal]:
    with redis.Redis.from_url(redis_server.url, decode_responses=True) as client:
        client.flushall()
        portal = Portal(client, redis_server.url, store[1])
        yield portal
        portal.app.close()


@pytest.fixture(scope="module")
def worker(portal, redis_server, store, tmp_path_factory) -> Iterator[WorkerProcess]:
    worker = WorkerProcess(redis_server.url, store[0], tmp_path_factory.mktemp("worker") / "log")
    yield worker.ready(portal)
    worker.stop(signal.SIGKILL)


@pytest.fixture
def own_redis(redis_server, tmp_path) -> Iterator[RedisServer]:
    """A Redis from which no other worker takes."""
    server = RedisServer(redis_server._binary, tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def start_worker(tmp_path) -> Iterator[Callable[..., WorkerProcess]]:
    """Starts worker processes; those that a failing test leaves behind are killed."""
    started: list[WorkerProcess] = []

    def start(url: str, store: Path, **env: str) -> WorkerProcess:
        started.append(WorkerProcess(url, store, tmp_path / f"worker-{len(started)}.log", **env))
        return started[-1]

    yield start
    for worker in started:
        worker.stop(signal.SIGKILL)


@pytest.fixture
def running(portal, worker) -> WorkerProcess:
    portal.vouch()
    return worker


def generate(prompt: str = "The lab", **settings) -> Order:
    return Order(Function.GENERATE, prompt, SamplingSettings(**{"max_tokens": 8, "temperature": 0.0, **settings}))


def test_requests_of_three_sizes_stream_to_their_ends(portal, running):
    for at in range(6):
        portal.order(f"ok{at}", generate(seed=at, temperature=0.7), kind=("gpt2", "opt", "llama")[at % 3])
    assert {portal.reason(f"ok{at}") for at in range(6)} <= {"length", "stop"}
    first = portal.entries("ok0")
    assert first[0]["kind"] == "started"
    assert first[0]["worker"] == portal.client.get(claim_key("ok0")) == portal.outcome("ok0")["worker"]
    assert not portal.client.exists(order_key("ok0"))
    assert first[0]["worker"] in portal.client.smembers(WORKERS_KEY)
    state = json.loads(portal.client.get(worker_key(first[0]["worker"])))
    assert state["device"] == "cpu"
    assert running.process.poll() is None


def test_what_a_portal_without_queues_per_size_has_sent_is_served(portal, running):
    permit = Permit("old", "tiny", portal.digests["opt"], "generate", time.time() + 60, {"size:1": 1})
    portal.client.set(order_key("old"), generate().to_json())
    portal.send(permit, queue=QUEUE)
    assert portal.reason("old") in ("length", "stop")


def test_a_score_is_one_result(portal, running):
    portal.order("score", Order(Function.SCORE, "The lab releases a size."))
    assert portal.reason("score") == "complete"
    started, result, end = portal.entries("score")
    scored = ScoreResult.from_json(result["body"])
    assert "".join(token.text for token in scored.tokens) == "The lab releases a size."
    assert scored.scored == len(scored.tokens) - 1
    assert json.loads(end["usage"]) == {"prompt_tokens": len(scored.tokens), "completion_tokens": 0}


def test_an_embedding_is_one_result_and_a_language_model_does_not_classify(portal, running):
    portal.order("embed", Order(Function.EMBED, "The lab releases a size.", pooling=Pooling.LAST))
    portal.order("classify", Order(Function.CLASSIFY, "The lab releases a size."))
    assert portal.reason("embed") == "complete"
    started, result, end = portal.entries("embed")
    embedded = EmbedResult.from_json(result["body"])
    assert (len(embedded.numbers), embedded.pooling) == (32, "last")
    assert json.loads(end["usage"]) == {"prompt_tokens": embedded.prompt_tokens, "completion_tokens": 0}
    assert portal.reason("classify") == "invalid"
    assert "does not classify" in portal.outcome("classify")["error"]


def test_a_text_that_is_to_be_marked_bears_the_mark_of_the_newest_key(portal, running, tiny_models):
    plain = {"seed": 3, "temperature": 1.0, "max_tokens": 100}
    portal.order("marked", generate(watermark=True, **plain))
    portal.order("plain", generate(**plain))
    values = {}
    for job_id in ("marked", "plain"):
        assert portal.reason(job_id) in ("length", "stop")
        tokens = Vocabulary(tiny_models["gpt2"], is_exact=False).encode(portal.text(job_id))
        values[job_id] = [GreenList(secret * 32).examine(tokens).p_value for secret in (b"w", b"k")]
    # Bytes that are no characters are lost in between, and pairs with them.
    assert values["marked"][0] < 0.01 < min(values["marked"][1], *values["plain"])


def test_what_must_not_run_ends_with_its_reason_and_no_token(portal, running):
    other_key = f"v1:{base64.b64encode(b'x' * 32).decode()}"
    portal.order("forged", generate(), keys=other_key)
    portal.order("late", generate(), expires_at=time.time() - 1)
    portal.order("moved", generate(), epochs={"size:1": 0})
    portal.order("unbound", generate(), epochs={})
    portal.order("unknown", generate(), kind="0" * 64)
    portal.order("long", generate(max_tokens=4000))
    portal.order("unread", Order(Function.GENERATE, "The lab", needs_reader=True))
    portal.order("gone", generate())
    portal.client.set(cancel_key("cancelled"), "cancelled")
    portal.order("cancelled", generate())
    expected = {
        "forged": "refused",
        "late": "expired",
        "moved": "stopped",
        "unbound": "refused",
        "unknown": "engine_failed",
        "long": "invalid",
        "unread": "reader_lost",
        "cancelled": "cancelled",
    }
    assert {job_id: portal.reason(job_id) for job_id in expected} == expected
    assert not any(portal.text(job_id) for job_id in expected)
    portal.order("sound", generate())
    assert portal.reason("sound") in ("length", "stop")


def test_an_order_that_redis_lost_ends_as_such(portal, running):
    permit = Permit("lost", "tiny", portal.digests["gpt2"], "generate", time.time() + 60, {"size:1": 1})
    portal.send(permit)
    assert portal.reason("lost") == "broker_lost"


def test_a_raised_epoch_stops_a_running_request(portal, running):
    portal.order("running", generate(**SLOW))
    wait_until(lambda: portal.text("running"))
    portal.client.hset(EPOCHS_KEY, "size:1", 2)
    assert portal.reason("running") == "stopped"
    pieces = [
        piece for each in portal.entries("running") if each["kind"] == "tokens" for piece in json.loads(each["body"])
    ]
    written = {piece["sample"]: piece["tokens"] for piece in pieces}
    assert json.loads(portal.outcome("running")["usage"])["completion_tokens"] == sum(written.values())


def test_a_worker_that_was_held_and_goes_on_writes_no_second_end(portal, running):
    portal.order("held", generate(**SLOW))
    wait_until(lambda: portal.text("held"))
    worker_id = portal.client.get(claim_key("held"))
    running.process.send_signal(signal.SIGSTOP)
    try:
        wait_until(lambda: not portal.client.exists(worker_key(worker_id)))  # to the portal it is lost
        written = portal.text("held")
        keys, args = finish_once_call("held", FinishReason.WORKER_LOST, usage=Usage(2, 7), worker="settlement")
        assert portal.client.register_script(FINISH_ONCE_LUA)(keys=keys, args=args) == 1
    finally:
        running.process.send_signal(signal.SIGCONT)
    wait_until(lambda: portal.is_at_rest(worker_id))
    assert portal.reason("held") == "worker_lost"
    assert portal.text("held") == written
    assert json.loads(portal.outcome("held")["usage"]) == {"prompt_tokens": 2, "completion_tokens": 7}
    portal.order("goes_on", generate())
    assert portal.reason("goes_on") in ("length", "stop")


def test_after_faults_the_worker_holds_what_it_held_before(portal, running):
    threads = []
    for turn in range(3):
        meet_faults(portal, [f"{turn}-{number}" for number in range(12)])
        threads.append(running.threads)
    assert threads[2] - threads[0] < 12, "threads are used again"
    assert all(portal.client.ttl(key) > 0 for name in ("tokens", "claim") for key in portal.client.keys(f"{name}:?-*"))


def meet_faults(portal: Portal, names: list[str]) -> None:
    """Send requests of which some are invalid, some are cancelled and some are stopped; wait until all is over."""
    for number, name in enumerate(names):
        wrong = {"max_tokens": 5000} if number % 4 == 0 else {}
        portal.order(name, generate(**{**SLOW, "samples": 6, **wrong}))
    wait_until(lambda: portal.text(names[1]))
    for name in names[1::4]:
        portal.client.set(cancel_key(name), "cancelled")
    portal.client.hset(EPOCHS_KEY, "size:1", 2)
    assert {portal.reason(name) for name in names} <= {"invalid", "cancelled", "stopped", "length"}
    portal.vouch()
    wait_until(lambda: portal.is_at_rest(portal.client.get(claim_key(names[1]))))


def test_prompts_and_outputs_are_not_in_the_log(portal, running):
    portal.order("quiet", generate("café TOPSECRET"))
    portal.order("loud", generate("café TOPSECRET", max_tokens=5000))
    assert portal.reason("loud") == "invalid"
    assert portal.reason("quiet") in ("length", "stop")
    wait_until(lambda: "quiet ended" in running.log.read_text())
    assert "TOPSECRET" not in running.log.read_text()


def test_a_terminated_worker_ends_what_it_cannot_finish(portal, running):
    portal.order("drained", generate(**SLOW))
    wait_until(lambda: portal.text("drained"))
    worker_id = portal.client.get(claim_key("drained"))
    assert running.stop(signal.SIGTERM) == 0
    assert portal.reason("drained") in ("worker_lost", "length")
    assert not portal.client.exists(worker_key(worker_id))


def test_a_worker_that_is_stopped_under_load_hands_back_what_it_has_not_begun(own_redis, store, start_worker):
    """What runs is finished or ended, what waits is served by the next worker; each has one end."""
    few = {"INFERENCE_MAX_SLOTS": "2", "INFERENCE_DRAIN_SECONDS": "30"}
    with redis.Redis.from_url(own_redis.url, decode_responses=True) as client:
        portal = Portal(client, own_redis.url, store[1])
        first = start_worker(own_redis.url, store[0], **few).ready(portal)
        names = [f"j{at}" for at in range(12)]
        for name in names:
            portal.order(name, generate(max_tokens=100))
        wait_until(lambda: len(claims(portal, names)) == 1 and claims(portal, names).total() == len(names))
        wait_until(lambda: any(portal.text(name) for name in names))
        assert first.stop(signal.SIGTERM) == 0
        returned = [name for name in names if client.get(claim_key(name)) == RETURNED]
        assert returned, "slots for two of twelve: some had not begun"
        assert {portal.reason(name) for name in names if name not in returned} <= {"length", "stop"}
        assert not any(client.exists(ended_key(name)) for name in returned)
        assert client.llen(queue_of(portal.digests["gpt2"])) == len(returned)
        second = start_worker(own_redis.url, store[0]).ready(portal)
        assert {portal.reason(name) for name in names} <= {"length", "stop"}
        assert second.stop(signal.SIGTERM) == 0
        portal.app.close()


def test_a_worker_outlives_its_broker_and_a_killed_one_leaves_claim_and_no_heartbeat(
    redis_server, store, tmp_path, start_worker
):
    server = type(redis_server)(redis_server._binary, tmp_path)
    server.start()
    worker = start_worker(server.url, store[0])
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        portal = Portal(client, server.url, store[1])
        worker.ready(portal)
        portal.order("cut", generate(**SLOW))
        wait_until(lambda: portal.text("cut"))
        server.kill()
        server.start()
        portal.vouch()
        assert portal.reason("cut") == "broker_lost"
        portal.order("after", generate())
        assert portal.reason("after") in ("length", "stop")

        portal.order("orphan", generate(**SLOW))
        wait_until(lambda: portal.text("orphan"))
        worker.stop(signal.SIGKILL)
        worker_id = client.get(claim_key("orphan"))
        assert worker_id
        assert not client.exists(ended_key("orphan"))
        wait_until(lambda: not client.exists(worker_key(worker_id)))
        portal.app.close()
    server.kill()


def test_weights_that_were_truncated_or_swapped_are_refused_and_other_sizes_go_on(
    own_redis, store, tmp_path, start_worker
):
    shutil.copytree(store[0], tmp_path / "store")
    files = {
        kind: json.loads((tmp_path / "store" / "manifests" / f"{digest}.json").read_bytes())["files"]
        for kind, digest in store[1].items()
    }
    blobs = {kind: tmp_path / "store" / "blobs" / files[kind]["model.safetensors"]["sha256"] for kind in files}
    os.truncate(blobs["gpt2"], blobs["gpt2"].stat().st_size // 2)
    shutil.copy(blobs["llama"], blobs["opt"])
    with redis.Redis.from_url(own_redis.url, decode_responses=True) as client:
        portal = Portal(client, own_redis.url, store[1])
        worker = start_worker(own_redis.url, tmp_path / "store").ready(portal)
        for kind in files:
            portal.order(kind, generate(), kind=kind)
        assert {kind: portal.reason(kind) for kind in ("gpt2", "opt")} == dict.fromkeys(
            ("gpt2", "opt"), "engine_failed"
        )
        assert portal.outcome("gpt2")["error"] == "model.safetensors is not what the manifest says"
        assert portal.outcome("opt")["error"] == "model.safetensors is not what the manifest says"
        assert portal.reason("llama") in ("length", "stop")
        name = portal.client.get(claim_key("llama"))
        wait_until(lambda: portal.state(name)["loaded"] == [store[1]["llama"]])  # the next heartbeat tells it
        assert worker.stop(signal.SIGTERM) == 0
        portal.app.close()


def claims(portal: Portal, names: list[str]) -> Counter[str]:
    """How many of these requests each worker has taken."""
    return Counter(filter(None, portal.client.mget([claim_key(name) for name in names])))


def test_two_workers_share_what_comes_and_a_size_that_none_of_them_serves_waits(own_redis, store, start_worker):
    few = {"INFERENCE_MAX_SLOTS": "2", "INFERENCE_SIZES": f"{store[1]['gpt2']},{store[1]['llama']}"}
    with redis.Redis.from_url(own_redis.url, decode_responses=True) as client:
        portal = Portal(client, own_redis.url, store[1])
        pair = [start_worker(own_redis.url, store[0], **few) for _ in range(2)]
        for worker in pair:
            worker.ready(portal)
            wait_until(lambda log=worker.log: " ready." in log.read_text(), 180)
        portal.order("nobodys", generate(), kind="opt")
        names = [f"j{at}" for at in range(4)]
        for name in names:
            portal.order(name, generate(**{**SLOW, "samples": 16}))
        wait_until(lambda: len(claims(portal, names)) == 2)  # beyond its slots nobody takes what another could begin
        client.hset(EPOCHS_KEY, "size:1", 2)
        assert {portal.reason(name) for name in names} == {"stopped"}
        assert not client.exists(claim_key("nobodys"))
        assert client.llen(queue_of(portal.digests["opt"])) == 1
        assert [worker.stop(signal.SIGTERM) for worker in pair] == [0, 0]
        portal.app.close()


@pytest.mark.parametrize("missing", ["REDIS_URL", "INFERENCE_STORE", "INFERENCE_PERMIT_KEYS"])
def test_a_worker_without_its_settings_says_which(missing):
    from inference.settings import WorkerSettings

    env = {"REDIS_URL": "redis://localhost", "INFERENCE_STORE": "store", "INFERENCE_PERMIT_KEYS": SECRET}
    assert WorkerSettings.read(env).max_slots == 64
    with pytest.raises(ValueError, match=missing):
        WorkerSettings.read({name: value for name, value in env.items() if name != missing})
