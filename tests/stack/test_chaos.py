"""Kill worker, Redis, settlement and web in turn under load: every request ends once, and nothing is left over.

CHAOS_KILLS says how many (continuous integration: 10, `make chaos`: 100).
"""

from __future__ import annotations

import json
import os
import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from tests.stack.conftest import MODEL
from tests.stack.portal import Portal, wait_for

pytestmark = pytest.mark.worker

KILLS = int(os.environ.get("CHAOS_KILLS", "10" if os.environ.get("HYPOTHESIS_PROFILE") == "ci" else "4"))
VICTIMS = ("worker", "redis", "settle", "web")
CLIENTS = 4


@dataclass
class Seen:
    """What one client saw of one request."""

    job_id: str = ""
    pieces: int = 0  # events with text or a finish
    ends: int = 0  # [DONE] or an error event
    errors: list[str] = field(default_factory=list)
    is_cut: bool = False  # the connection broke: the web process was killed


@dataclass
class Load:
    """Clients that ask for one stream after the other until told to stop."""

    portal: Portal
    token: str
    seen: list[Seen] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    is_over: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        self.threads = [threading.Thread(target=self._client, args=(number,)) for number in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        self.is_over.set()
        for thread in self.threads:
            thread.join(120)
            assert not thread.is_alive(), "a client hangs"

    def _client(self, number: int) -> None:
        source = random.Random(number)
        while not self.is_over.is_set():
            try:
                self._ask(source)
            except httpx.HTTPError:
                self.is_over.wait(0.5)  # the web process is away

    def _ask(self, source: random.Random) -> None:
        body = {"model": MODEL, "prompt": "Tell me about rivers.", "max_tokens": source.randrange(10, 60)}
        body |= {"stream": True, "seed": source.randrange(1000)}
        url, headers = f"{self.portal.url}/v1/completions", {"Authorization": f"Bearer {self.token}"}
        with httpx.stream("POST", url, json=body, headers=headers, timeout=90) as answer:
            if answer.status_code != 200:
                self.refused[json.loads(answer.read())["error"]["code"]] += 1
                self.is_over.wait(0.3)
                return
            one = Seen()
            self.seen.append(one)
            try:
                for line in answer.iter_lines():
                    _note(one, line)
            except httpx.HTTPError:
                one.is_cut = True


def _note(one: Seen, line: str) -> None:
    if line == "data: [DONE]":
        one.ends += 1
    elif line.startswith("data: {"):
        event = json.loads(line[6:])
        if "error" in event:
            one.ends += 1
            one.errors.append(event["error"]["code"])
        else:
            one.job_id = "job-" + event["id"].partition("-job-")[2]
            one.pieces += 1


FACTS = """
import json
from release_portal.access.models import UsageDay
from release_portal.core.redis_client import redis_client
from release_portal.jobs.models import Job
from release_portal.jobs.settle import Settlement
names = ("state", "finish_reason", "completion_tokens", "charged_tokens", "reserved_tokens")
settlement = Settlement(redis_client())
generations = Job.objects.filter(function="generate")  # other tests of this portal score and embed
written = {job.pk: sum(sample["tokens"] for sample in settlement.delivered(job.pk)) for job in generations}
print(json.dumps({
    "written": {job_id: tokens for job_id, tokens in written.items() if tokens},
    "jobs": {job.pk: [getattr(job, name) for name in names] for job in Job.objects.all()},
    "reserved": sum(job.reserved_tokens for job in Job.objects.all()),
    "used": sum(row.used for row in UsageDay.objects.all()),
}))
"""


def facts(portal: Portal) -> dict[str, Any]:
    return json.loads(portal.ask(FACTS).splitlines()[-1])


def test_every_request_ends_once_whatever_is_killed(portal: Portal, cleo_token: str) -> None:
    portal.wait_ready()
    before = facts(portal)
    load = Load(portal, cleo_token)
    load.start()
    try:
        for number in range(KILLS):
            began = len(load.seen)
            wait_for(lambda began=began: len(load.seen) > began + 1, "requests under way", 120)
            old = portal.kill(VICTIMS[number % len(VICTIMS)])
            victim = VICTIMS[number % len(VICTIMS)]
            wait_for(lambda v=victim, o=old: portal.pid(v) != o, f"a new {victim}", 60)
            portal.wait_ready(120)
        began = len(load.seen)
        wait_for(lambda: len(load.seen) > began + CLIENTS, "requests after the last kill", 120)
    finally:
        load.stop()
    after = wait_for(
        lambda: (f := facts(portal)) and all(job[0] != "queued" for job in f["jobs"].values()) and f,
        "the settlement",
        180,
    )
    _every_request_ended_once(load, after)
    _what_is_metered_is_what_was_written(load, after)
    _nothing_is_left_over(before, after)
    assert "intact" in portal.manage("audit_verify")


def _every_request_ended_once(load: Load, after: dict[str, Any]) -> None:
    assert any(one.ends for one in load.seen), load.refused
    for one in load.seen:
        assert one.ends == 1 or (one.is_cut and one.ends == 0), one
        if not one.job_id:
            continue
        state, reason, completion, charged, reserved = after["jobs"][one.job_id]
        assert reserved == 0
        if reason == "broker_lost":
            assert (state, charged) == ("failed", 0)
        elif not one.errors and not one.is_cut:
            assert state == "done"
            assert completion >= one.pieces - 1  # the last piece may carry the finish alone


def _what_is_metered_is_what_was_written(load: Load, after: dict[str, Any]) -> None:
    """Of every request whose stream no killed Redis took away."""
    metered = {job_id: after["jobs"][job_id][2] for job_id in after["written"]}
    assert metered == after["written"]
    assert metered.keys() & {one.job_id for one in load.seen}, "the last requests are still there"


def _nothing_is_left_over(before: dict[str, Any], after: dict[str, Any]) -> None:
    new = [job for job_id, job in after["jobs"].items() if job_id not in before["jobs"]]
    assert after["reserved"] == 0
    assert after["used"] - before["used"] == sum(job[3] for job in new)
