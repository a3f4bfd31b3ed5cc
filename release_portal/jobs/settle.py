"""The one owner of a job's end: writes row and quota exactly once, whoever ended the work.

The worker (or, when it is lost, this process) ends a request in Redis by `FINISH_ONCE_LUA`, which leaves one outcome.
Here each outcome becomes the end of its row; a second outcome for the same row changes nothing.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import redis
from django.db import transaction

from inference.contract import (
    FINISH_ONCE_LUA,
    OUTCOMES_KEY,
    RETURNED,
    WORKERS_KEY,
    FinishReason,
    StreamKind,
    Usage,
    claim_key,
    ended_key,
    finish_once_call,
    order_key,
    stream_key,
    worker_key,
)
from release_portal.core.clock import now
from release_portal.jobs import handlers
from release_portal.jobs.entries import entries_of
from release_portal.jobs.models import Job
from release_portal.jobs.quotas import charge, release_on_commit
from release_portal.jobs.states import STATE_OF, UNCHARGED

logger = logging.getLogger(__name__)

GROUP, CONSUMER = "settlement", "settlement"
BLOCK_MS = 500
BATCH = 100
# A new job's order may not have arrived yet; younger jobs are not looked at.
GRACE = timedelta(seconds=5)
# A worker announces itself every second; a message that no worker took for this long is lost.
UNCLAIMED = timedelta(seconds=120)
# When Redis does not come back within this time, what it held is gone for its readers as well.
BROKER_PATIENCE_SECONDS = 10.0


@dataclass(frozen=True)
class Outcome:
    """How a request ended, as Redis tells."""

    job_id: str
    reason: FinishReason
    error: str
    usage: Usage

    @classmethod
    def from_entry(cls, fields: dict[str, str]) -> Outcome:
        """Read an entry of the outcome stream."""
        usage = Usage(**json.loads(fields["usage"]))
        return cls(fields["job"], FinishReason(fields["reason"]), fields.get("error", ""), usage)


@dataclass(frozen=True)
class Times:
    """When the work on a request began and when its last tokens came, by the clock of its stream."""

    started_at: datetime | None = None
    last_token_at: datetime | None = None


def settle(
    outcome: Outcome,
    samples: list[dict[str, Any]],
    *,
    at: datetime,
    times: Times = Times(),
    is_redis_away: bool = False,
) -> bool:
    """Write the end of a job; return False when it had ended before.

    Args:
        samples: what was delivered, as [{"text", "tokens", "finish"}] or one score result; with "logprobs", which only
            the handlers get, where they were asked for.
        times: what the stream tells of its course; empty when it is gone.
        is_redis_away: do not wait for it once more; what the job had set aside is looked up when it is back.
    """
    with transaction.atomic():
        job = Job.objects.select_for_update().filter(pk=outcome.job_id).first()
        if job is None:
            return False
        if not job.is_open:
            release_on_commit(job)  # whoever wrote the end may have been killed before Redis was told
            return False
        job.state, job.finish_reason = STATE_OF[outcome.reason], outcome.reason.value
        job.error, job.ended_at = outcome.error[:300], at
        job.started_at, job.last_token_at = times.started_at, times.last_token_at
        job.completion_tokens = outcome.usage.completion_tokens
        job.charged_tokens = 0 if outcome.reason in UNCHARGED else _spent(outcome.usage)
        job.sealed_output = Job.sealed(json.dumps(_kept(samples))) if samples else None
        job.reserved_tokens = 0
        job.save()
        charge(job)
        if not is_redis_away:
            release_on_commit(job)
        handlers.run_settled(job, samples, at=at)
    return True


def _kept(samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a row keeps of its samples: the log-probabilities are for whoever was to be answered."""
    return [{name: value for name, value in sample.items() if name != "logprobs"} for sample in samples]


def _spent(usage: Usage) -> int:
    return usage.prompt_tokens + usage.completion_tokens


class Settlement:
    """Consumes outcomes and ends the jobs of lost workers, queues and brokers.

    Args:
        client: Redis with decoded strings.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._finish_once = client.register_script(FINISH_ONCE_LUA)
        self._away_since: float | None = None

    def run(self, stop: threading.Event) -> None:
        """Settle until told to stop."""
        next_look = 0.0
        while not stop.is_set():
            try:
                self.consume()
                if time.monotonic() >= next_look:
                    self.end_lost_jobs(at=now())
                    next_look = time.monotonic() + 1.0
                self._away_since = None
            except redis.RedisError as error:
                self._without_broker(error)
                stop.wait(1.0)

    def consume(self) -> int:
        """Settle the outcomes that wait; return how many entries were read."""
        self._ensure_group()
        read = 0
        for start in ("0", ">"):  # first what an earlier settlement read and did not finish
            entries = self._read(start)
            for entry_id, fields in entries:
                self._settle_entry(entry_id, fields)
            read += len(entries)
        return read

    def _ensure_group(self) -> None:
        try:
            self._redis.xgroup_create(OUTCOMES_KEY, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    def _read(self, start: str) -> list[tuple[str, dict[str, str]]]:
        block = BLOCK_MS if start == ">" else None
        answer = self._redis.xreadgroup(GROUP, CONSUMER, {OUTCOMES_KEY: start}, count=BATCH, block=block)
        return entries_of(answer)

    def _settle_entry(self, entry_id: str, fields: dict[str, str]) -> None:
        if fields:  # an entry that was deleted after it was read comes back empty
            outcome = Outcome.from_entry(fields)
            stream = self._redis.xrange(stream_key(outcome.job_id))
            settle(outcome, collect(fields for _, fields in stream), at=now(), times=times_of(stream))
        self._redis.pipeline().xack(OUTCOMES_KEY, GROUP, entry_id).xdel(OUTCOMES_KEY, entry_id).execute()

    def delivered(self, job_id: str) -> list[dict[str, Any]]:
        """Return what the request's stream holds: the text of each sample, or the result of a score."""
        return collect(fields for _, fields in self._redis.xrange(stream_key(job_id)))

    def end_lost_jobs(self, *, at: datetime) -> int:
        """End open jobs that nobody works on any more; return how many."""
        count = 0
        for job in Job.objects.open().filter(created_at__lt=at - GRACE):
            reason = self._why_lost(job, at)
            if reason:
                usage = Usage() if reason in UNCHARGED else self._usage_so_far(job)
                self._finish(job.pk, reason, usage)
                count += 1
        self._forget_dead_workers()
        return count

    def _why_lost(self, job: Job, at: datetime) -> FinishReason | None:
        pipe = self._redis.pipeline()
        pipe.exists(ended_key(job.pk)).get(claim_key(job.pk)).exists(order_key(job.pk))
        has_ended, claimed_by, has_order = pipe.execute()
        if has_ended:
            return None  # its outcome is on the way
        if claimed_by == RETURNED:
            return None
        if claimed_by:
            return None if self._redis.exists(worker_key(claimed_by)) else FinishReason.WORKER_LOST
        if not has_order:
            return FinishReason.BROKER_LOST
        if at >= job.permit_ends_at:
            return FinishReason.EXPIRED
        return FinishReason.WORKER_LOST if at - job.created_at > UNCLAIMED else None

    def _usage_so_far(self, job: Job) -> Usage:
        """Count what was delivered: each entry carries the running count of its sample."""
        samples = self.delivered(job.pk)
        tokens = sum(sample.get("tokens", 0) for sample in samples)
        return Usage(job.prompt_tokens if samples else 0, tokens)

    def _finish(self, job_id: str, reason: FinishReason, usage: Usage) -> None:
        keys, args = finish_once_call(job_id, reason, usage=usage, worker=CONSUMER)
        self._finish_once(keys=keys, args=args)

    def _forget_dead_workers(self) -> None:
        for worker_id in self._redis.smembers(WORKERS_KEY):
            if not self._redis.exists(worker_key(worker_id)):
                self._redis.srem(WORKERS_KEY, worker_id)

    def _without_broker(self, error: redis.RedisError) -> None:
        """Redis does not answer: after a while the open jobs are failed and uncharged, for their readers are gone."""
        if self._away_since is None:
            self._away_since = time.monotonic()
            logger.warning("Redis does not answer: %s", type(error).__name__)
        if time.monotonic() - self._away_since < BROKER_PATIENCE_SECONDS:
            return
        for job_id in Job.objects.open().filter(created_at__lt=now() - GRACE).values_list("pk", flat=True):
            settle(Outcome(job_id, FinishReason.BROKER_LOST, "", Usage()), [], at=now(), is_redis_away=True)


def times_of(stream: Iterable[tuple[str, dict[str, str]]]) -> Times:
    """Read from the ids of a stream's entries when its work began and when its last tokens came."""
    work = [(_moment(entry_id), fields["kind"]) for entry_id, fields in stream if fields["kind"] != StreamKind.END]
    tokens = [moment for moment, kind in work if kind != StreamKind.STARTED]
    return Times(work[0][0] if work else None, tokens[-1] if tokens else None)


def _moment(entry_id: str) -> datetime:
    return datetime.fromtimestamp(int(entry_id.partition("-")[0]) / 1000, tz=UTC)


def collect(entries: Any) -> list[dict[str, Any]]:
    """Fold the entries of a request's stream into its samples, or its one score result."""
    pieces: list[dict[str, Any]] = []
    for fields in entries:
        if fields.get("kind") == StreamKind.RESULT:
            return [json.loads(fields["body"])]
        if fields.get("kind") == StreamKind.TOKENS:
            pieces.extend(_generated(piece) for piece in json.loads(fields["body"]))
    return collect_pieces(pieces, max((piece["sample"] + 1 for piece in pieces), default=0))


def _generated(piece: dict[str, Any]) -> dict[str, Any]:
    """What comes before the first new token is the prompt, echoed: nobody generated it, so it is no output."""
    return piece if piece["tokens"] else {**piece, "text": ""}


def collect_pieces(pieces: Iterable[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """Join pieces into `count` samples, in order; a sample without pieces is empty."""
    samples: list[dict[str, Any]] = [{"text": "", "tokens": 0, "finish": None} for _ in range(count)]
    for piece in pieces:
        sample = samples[piece["sample"]]
        sample["text"] += piece["text"]
        sample["tokens"] = piece["tokens"]
        sample["finish"] = piece["finish"] or sample["finish"]
        if piece.get("logprobs"):
            sample.setdefault("logprobs", []).extend(piece["logprobs"])
    return samples
