"""The Redis side: one atomic look and write per request and step, and the one end of a request."""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict

import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError
from redis.retry import Retry

from inference.contract import (
    ASKED_KEY,
    EPOCHS_KEY,
    FINISH_ONCE_LUA,
    HEARTBEAT_SECONDS,
    LEASE_KEY,
    RETURNED,
    RETURNED_SECONDS,
    STREAM_MAXLEN,
    STREAM_SECONDS,
    WORKERS_KEY,
    FinishReason,
    Permit,
    StreamKind,
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
from inference.engine.outlet import End, Entry, OutletLostError, Verdict

logger = logging.getLogger(__name__)

REASONS = frozenset(reason.value for reason in FinishReason)

Call = tuple[list[str], list[str]]  # keys and arguments of a script

# Whether a request still may, and its entry if so, in one go: nothing is written after the answer would be no.
# The time is Redis' own, so that a worker with a wrong clock cannot stretch a permit. A Redis that has lost the claim
# was emptied since: nothing may be added to what it no longer holds.
PUBLISH_LUA = """
local ended, claim, cancel, reader, stream, lease, epochs = unpack(KEYS)
local worker, needs_reader, expires_at, maxlen, seconds, kind, step, field, body = unpack(ARGV, 1, 9)
if redis.call('EXISTS', ended) == 1 then return 'ended' end
if redis.call('GET', claim) ~= worker then return 'broker_lost' end
if redis.call('EXISTS', lease) == 0 then return 'lease_lost' end
for i = 10, #ARGV, 2 do
  if redis.call('HGET', epochs, ARGV[i]) ~= ARGV[i + 1] then return 'stopped' end
end
local cancelled = redis.call('GET', cancel)
if cancelled then return 'cancel:' .. cancelled end
if needs_reader == '1' and redis.call('EXISTS', reader) == 0 then return 'reader_lost' end
local now = redis.call('TIME')
if now[1] + now[2] / 1000000 >= tonumber(expires_at) then return 'expired' end
if kind ~= '' then
  redis.call('XADD', stream, 'MAXLEN', '~', maxlen, '*', 'kind', kind, 'step', step, field, body)
  redis.call('EXPIRE', stream, seconds)
end
return 'ok'
"""

# Taken once: by whoever comes first, or comes first after it was handed back.
CLAIM_LUA = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[2] then return 'no' end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])
return 'ok'
"""
# Only by its holder: what was ended or taken by another stays as it is.
GIVE_BACK_LUA = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] or redis.call('EXISTS', KEYS[2]) == 1 then return 'no' end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 'ok'
"""


def connect(url: str) -> redis.Redis:
    """Client for the stream: no retries of its own, since a repeated write would show a piece twice."""
    return redis.Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=5,
        socket_connect_timeout=2,
        retry=Retry(NoBackoff(), 0),
    )


class RedisStream:
    """Outlet of the engine, and the marks of requests and workers.

    Args:
        client: a client made by `connect`.
        worker_id: name of this worker in claims, entries and outcomes.
    """

    def __init__(self, client: redis.Redis, worker_id: str) -> None:
        self._client = client
        self._worker_id = worker_id
        self._unwritten: deque[End] = deque(maxlen=10_000)
        self._writing = threading.Lock()

    # --- the engine's outlet ---

    def publish(self, step: int, entries: list[Entry]) -> list[Verdict]:
        """Check and publish every entry, one round trip; raises OutletLostError."""
        calls = [
            self._call_of(entry.request.permit, entry.request.order.needs_reader, step, entry.kind, "body", entry.body)
            for entry in entries
        ]
        return [_verdict(answer) for answer in self._evaluate(PUBLISH_LUA, calls)]

    def finish(self, ends: Iterable[End]) -> None:
        """Write ends; those that cannot be written now are kept for `write_kept`."""
        ends = list(ends)
        try:
            self._write(ends)
        except OutletLostError:
            logger.warning("%d ends wait for the broker", len(ends))
            self._unwritten.extend(ends)

    def write_kept(self) -> None:
        """Try again to write the ends that could not be written; raises OutletLostError."""
        with self._writing:
            kept = list(self._unwritten)
            self._write(kept)
            for _ in kept:
                self._unwritten.popleft()

    # --- marks ---

    def claim(self, job_id: str) -> bool:
        """Take a request; False when another worker has it. Raises OutletLostError."""
        call = ([claim_key(job_id)], [self._worker_id, RETURNED, str(STREAM_SECONDS)])
        return self._evaluate(CLAIM_LUA, [call]) == ["ok"]

    def give_back(self, job_id: str) -> bool:
        """Let go of a request that has not begun; False when it is another's or has ended. Raises OutletLostError."""
        call = ([claim_key(job_id), ended_key(job_id)], [self._worker_id, RETURNED, str(RETURNED_SECONDS)])
        return self._evaluate(GIVE_BACK_LUA, [call]) == ["ok"]

    def order(self, job_id: str) -> str | None:
        """JSON of an order, None when Redis no longer has it. Raises OutletLostError."""
        found = self._call("get", order_key(job_id))
        return found if isinstance(found, str) else None

    def announce(self, permit: Permit, *, needs_reader: bool) -> Verdict:
        """Check a request for the first time and publish that it has started. Raises OutletLostError."""
        call = self._call_of(permit, needs_reader, 0, StreamKind.STARTED, "worker", self._worker_id)
        return _verdict(self._evaluate(PUBLISH_LUA, [call])[0])

    def beat(self, state: WorkerState) -> None:
        """Renew the heartbeat. Raises OutletLostError."""
        try:
            pipe = self._client.pipeline(transaction=False)
            pipe.set(worker_key(self._worker_id), json.dumps(asdict(state)), ex=HEARTBEAT_SECONDS)
            pipe.sadd(WORKERS_KEY, self._worker_id)
            pipe.execute()
        except RedisError as error:
            raise OutletLostError(type(error).__name__) from error

    def asked(self) -> set[str]:
        """Weights digests that something was ever sent for. Raises OutletLostError."""
        found = self._call("smembers", ASKED_KEY)
        return set(found) if isinstance(found, set | list) else set()

    def workers(self) -> list[WorkerState]:
        """What the workers that live say of themselves, this one too. Raises OutletLostError."""
        names = self._call("smembers", WORKERS_KEY)
        keys = [worker_key(name) for name in names] if isinstance(names, set | list) else []
        beats = self._call("mget", keys) if keys else []
        return [WorkerState.from_json(beat) for beat in beats if beat] if isinstance(beats, list) else []

    def leave(self) -> None:
        """Withdraw the heartbeat at an orderly end. Raises OutletLostError."""
        self._call("delete", worker_key(self._worker_id))

    # --- scripts ---

    def _call_of(
        self, permit: Permit, needs_reader: bool, step: int, kind: StreamKind | None, field: str, body: str
    ) -> Call:
        return _publish_call(permit, self._worker_id, needs_reader, step, kind, field, body)

    def _write(self, ends: list[End]) -> None:
        calls = [
            finish_once_call(end.job_id, end.reason, error=end.error, usage=end.usage, worker=self._worker_id)
            for end in ends
        ]
        self._evaluate(FINISH_ONCE_LUA, calls)

    def _evaluate(self, text: str, calls: list[Call]) -> list[str]:
        """Run a script once per call in one round trip; loads it when Redis does not know it (any more)."""
        try:
            script = self._client.register_script(text)
            answers = self._send(script.sha, calls)
            unknown = [at for at, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
            if unknown:
                self._client.script_load(text)
                for at, answer in zip(unknown, self._send(script.sha, [calls[at] for at in unknown]), strict=True):
                    answers[at] = answer
        except RedisError as error:
            raise OutletLostError(type(error).__name__) from error
        for answer in answers:
            if isinstance(answer, Exception):
                raise OutletLostError(type(answer).__name__) from answer
        return [str(answer) for answer in answers]

    def _send(self, sha: str, calls: list[Call]) -> list[object]:
        # Not `script(client=pipeline)`: a pipeline asks for its scripts' existence first, one more round trip.
        pipe = self._client.pipeline(transaction=False)
        for keys, args in calls:
            pipe.evalsha(sha, len(keys), *keys, *args)
        return list(pipe.execute(raise_on_error=False))

    def _call(self, command: str, *args: object, **options: object) -> object:
        try:
            return getattr(self._client, command)(*args, **options)
        except RedisError as error:
            raise OutletLostError(type(error).__name__) from error


def _publish_call(
    permit: Permit, worker_id: str, needs_reader: bool, step: int, kind: StreamKind | None, field: str, body: str
) -> Call:
    job_id = permit.job_id
    marks = [ended_key(job_id), claim_key(job_id), cancel_key(job_id), reader_key(job_id)]
    keys = [*marks, stream_key(job_id), LEASE_KEY, EPOCHS_KEY]
    args = [
        worker_id,
        "1" if needs_reader else "0",
        repr(float(permit.expires_at)),
        str(STREAM_MAXLEN),
        str(STREAM_SECONDS),
        kind.value if kind else "",
        str(step),
        field,
        body,
    ]
    for name, number in permit.epochs.items():
        args += [name, str(number)]
    return keys, args


def _verdict(answer: str) -> Verdict:
    if answer == "ok":
        return Verdict()
    if answer == "ended":  # by the settlement, which took this worker for lost; its end stands
        return Verdict(FinishReason.WORKER_LOST, "ended elsewhere")
    kind, _, value = answer.partition(":")
    if kind != "cancel":
        return Verdict(FinishReason(kind))
    return Verdict(FinishReason(value) if value in REASONS else FinishReason.CANCELLED)
