"""The same requests through Celery and Redis alone: what lies between the bare engine and the whole portal."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import redis
from celery import Celery

from benchmarks.serving.answer import Answer
from benchmarks.serving.outcome import Outcome
from benchmarks.serving.worker_side import WorkerSide
from benchmarks.serving.workload import Ask
from inference.contract import (
    ASKED_KEY,
    EPOCHS_KEY,
    LEASE_KEY,
    ORDER_SECONDS,
    POLICY_KEY,
    TASK_NAME,
    Function,
    Keys,
    Order,
    Permit,
    SamplingSettings,
    order_key,
    queue_of,
    stream_key,
)
from release_portal.jobs.entries import streams_of
from release_portal.registry.demo_model import SIZE_ID

GRANT = "grant:1"
# As many as a permit of the portal names: the worker looks at each of them at every step.
EPOCHS = {f"size:{SIZE_ID}": 1, GRANT: 1, POLICY_KEY: 1}
BLOCK_MS = 1_000


class Queued:
    """Sends and reads as the portal does, to a worker and a Redis of its own.

    Args:
        home: its folder.
        folder: the model.
        end_ids: token ids that end a text; they are made impossible, since a workload fixes its number of tokens.
    """

    def __init__(self, home: Path, folder: Path, end_ids: Sequence[int]) -> None:
        self._side = WorkerSide(home, folder)
        self._keys = Keys.parse(self._side.permit_keys)
        self._bias = tuple((token, -100.0) for token in sorted(end_ids))
        self._app = Celery("benchmarks", broker=self._side.redis_url, set_as_current=False)
        self._client = redis.Redis.from_url(self._side.redis_url, decode_responses=True)

    def start(self) -> None:
        """Start the processes, and vouch for the epochs as the portal would."""
        self._side.start()
        self._client.set(LEASE_KEY, "benchmark")
        self._client.hset(EPOCHS_KEY, mapping=EPOCHS)

    def stop(self) -> None:
        """Stop the processes."""
        self._app.close()
        self._client.close()
        self._side.stop()

    def run(self, asks: Sequence[Ask]) -> Outcome:
        """One round: one thread sends, one connection reads all streams."""
        began = time.perf_counter()
        names = [secrets.token_hex(8) for _ in asks]
        with ThreadPoolExecutor(1) as pool:
            answers = self._read(names, pool.submit(self._send_all, names, asks, began))
        seconds = time.perf_counter() - began
        firsts = tuple(one.first - began - ask.at for one, ask in zip(answers, asks, strict=True))
        return Outcome(seconds, sum(one.tokens for one in answers), firsts, tuple(one.text for one in answers), 0)

    def _send_all(self, names: Sequence[str], asks: Sequence[Ask], began: float) -> None:
        for name, ask in zip(names, asks, strict=True):
            threading.Event().wait(max(began + ask.at - time.perf_counter(), 0))
            self._send(name, ask)

    def _send(self, name: str, ask: Ask) -> None:
        """Order and permit, in the two steps of the portal: the order to Redis, then the task to its queue."""
        ends = time.time() + ORDER_SECONDS
        settings = SamplingSettings(max_tokens=ask.new_tokens, temperature=0.0, logit_bias=self._bias)
        order = Order(Function.GENERATE, ask.prompt, settings, share=GRANT, deadline=ends)
        permit = Permit(name, SIZE_ID, self._side.digest, order.function.value, ends, EPOCHS)
        pipe = self._client.pipeline()
        pipe.sadd(ASKED_KEY, permit.weights_digest).set(order_key(name), order.to_json(), ex=ORDER_SECONDS)
        pipe.execute()
        arguments = [name, permit.sign(self._keys)]
        queue = queue_of(permit.weights_digest)
        self._app.send_task(TASK_NAME, args=arguments, queue=queue, retry=False, ignore_result=True)

    def _read(self, names: Sequence[str], sending: Future[None]) -> list[Answer]:
        """Read every stream to its end; raises what the sending raised."""
        answers = {stream_key(name): Answer() for name in names}
        while places := {key: one.place for key, one in answers.items() if not one.is_over}:
            found = streams_of(self._client.xread(places, block=BLOCK_MS))
            moment = time.perf_counter()
            for key, entries in found.items():
                for entry in entries:
                    answers[key].take(entry, moment)
            if not found:
                self._check(sending)
        return list(answers.values())

    def _check(self, sending: Future[None]) -> None:
        """Nothing came for a while: find out whether anything still can."""
        self._side.check()
        if sending.done():
            sending.result()
