"""A worker's side of Redis, played by the test: heartbeat, claim, tokens, end."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import redis

from inference.contract import (
    ASKED_KEY,
    FINISH_ONCE_LUA,
    LEASE_KEY,
    OUTCOMES_KEY,
    POLICY_KEY,
    QUEUE,
    WORKERS_KEY,
    FinishReason,
    Order,
    Permit,
    Piece,
    Usage,
    WorkerState,
    claim_key,
    finish_once_call,
    order_key,
    pieces_to_json,
    queue_of,
    stream_key,
    worker_key,
)
from release_portal.access.policy import POLICY_MARK
from release_portal.core.keys import keys_for
from release_portal.epochs.publisher import copy_all, write_marks

WORKER = "worker-of-the-test"


def pretend_service(client: redis.Redis) -> None:
    """Copy the epochs, hold the lease and announce a worker, without an end."""
    copy_all(client)
    write_marks(client, {POLICY_KEY: POLICY_MARK})
    client.set(LEASE_KEY, "the test")
    announce_worker(client)


def announce_worker(client: redis.Redis, worker: str = WORKER, **told: Any) -> None:
    """Leave a heartbeat."""
    state = WorkerState(worker, "cpu", 0, 0, (), 0, 0.0, **told)
    client.sadd(WORKERS_KEY, worker)
    client.set(worker_key(worker), json.dumps(asdict(state)))


def queues(client: redis.Redis) -> list[str]:
    """Names of the workers' queues."""
    return [QUEUE, *map(queue_of, sorted(client.smembers(ASKED_KEY)))]


def queued_messages(client: redis.Redis) -> list[tuple[str, str]]:
    """Job id and permit of every message in the workers' queues, the oldest of each first."""
    import base64

    messages = [json.loads(raw) for name in queues(client) for raw in reversed(client.lrange(name, 0, -1))]
    bodies = [json.loads(base64.b64decode(message["body"])) for message in messages]
    return [tuple(body[0]) for body in bodies]


def permits(client: redis.Redis) -> list[Permit]:
    """Every permit in the worker's queue, its signature and end checked as the worker would."""
    return [Permit.verify(token, keys_for("permit"), 0.0) for _, token in queued_messages(client)]


def order_of(client: redis.Redis, job_id: str) -> Order | None:
    """The order as the worker would read it."""
    text = client.get(order_key(job_id))
    return Order.from_json(text) if text else None


def claim(client: redis.Redis, job_id: str, worker: str = WORKER) -> None:
    """Take a request."""
    assert client.set(claim_key(job_id), worker, nx=True)


def deliver(client: redis.Redis, job_id: str, *pieces: Piece, step: int = 1) -> str:
    """Write the tokens of one step; return the entry's id."""
    body = pieces_to_json(pieces)
    return str(client.xadd(stream_key(job_id), {"kind": "tokens", "step": step, "body": body}))


def finish(
    client: redis.Redis, job_id: str, reason: FinishReason, *, error: str = "", usage: Usage | None = None
) -> int:
    """End a request as the worker does; 1 when this call was the first."""
    keys, args = finish_once_call(job_id, reason, error=error, usage=usage, worker=WORKER)
    return int(client.eval(FINISH_ONCE_LUA, len(keys), *keys, *args))


def ends(client: redis.Redis, job_id: str) -> list[dict[str, Any]]:
    """Every end entry of a request's stream."""
    return [fields for _, fields in client.xrange(stream_key(job_id)) if fields["kind"] == "end"]


def outcomes(client: redis.Redis) -> list[dict[str, Any]]:
    """Every outcome that the settlement has not taken yet."""
    return [fields for _, fields in client.xrange(OUTCOMES_KEY)]
