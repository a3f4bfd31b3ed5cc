"""Asking about a text: who may, how long it must be, what it costs, and what the report says in the end."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

import pytest
import redis
from django.db import transaction

from inference.contract import FinishReason, Function, Priority, ScoredToken, ScoreResult, Usage
from release_portal.accounts.actors import actor_of_token
from release_portal.accounts.models import ApiToken
from release_portal.core.errors import InvalidInput, NotAllowed, NotFound, PortalError, Unavailable
from release_portal.detection.curvature import curvature
from release_portal.detection.limits import LEAST_TOKENS, MOST_TOKENS
from release_portal.detection.lookups import report_for, reports_for
from release_portal.detection.models import FAILED, SCORED, WAITING, DetectionReport
from release_portal.detection.services import detect, report_payload
from release_portal.jobs.models import Job
from release_portal.jobs.quotas import usage_of
from release_portal.jobs.settle import Outcome, settle
from release_portal.provenance.matching import Strength
from release_portal.provenance.services import write_fingerprints
from tests.fakes import order_of, permits
from tests.rules.test_fingerprint import GENERATED, UNRELATED
from tests.world import MISSING_CHARACTER, SERVED, World


def score(text: str) -> list[dict[str, Any]]:
    """The result that a worker would deliver: one token per character, ranks in turn from each class."""
    ranks = (1, 50, 500, 5_000)
    tokens = [ScoredToken(text[0], 0, 1)] + [
        ScoredToken(one, place, place + 1, -1.0 - place % 3, ranks[place % 4], 2.0, -2.0, 1.5)
        for place, one in enumerate(text[1:], start=1)
    ]
    return [json.loads(ScoreResult(tuple(tokens), len(tokens) - 1).to_json())]


@pytest.fixture
def ask(world: World, service: redis.Redis, committed: Any) -> Any:
    """Return a function that asks about a text as one of the cast."""

    def make(text: str, name: str = "cleo", **more: Any) -> DetectionReport:
        with committed():
            return detect(world.actor(name), SERVED, text, at=world.at, **more)

    return make


def settled(report: DetectionReport, samples: list[dict[str, Any]], reason: FinishReason, at: datetime) -> Any:
    usage = Usage(report.job.prompt_tokens if samples else 0)
    assert settle(Outcome(report.job_id, reason, "", usage), samples, at=at)
    return DetectionReport.objects.select_related("job", "size").get(pk=report.pk)


def test_a_text_becomes_a_score_for_the_worker_and_a_report_for_its_owner(
    ask: Any, world: World, service: redis.Redis
) -> None:
    report = ask(f"\r\n{GENERATED} \n")
    assert report.state == WAITING
    assert report.text == GENERATED
    order = order_of(service, report.job_id)
    assert order is not None
    assert (order.function, order.prompt, order.needs_reader) == (Function.SCORE, GENERATED, False)
    (permit,) = permits(service)
    assert permit.function == "score"
    assert GENERATED.encode() not in bytes(report.sealed_text)
    assert report_for(world.actor("cleo"), report.pk) == report


def test_a_page_waits_for_its_score_and_a_program_comes_back(ask: Any, service: redis.Redis) -> None:
    for interface, priority in (("web", Priority.INTERACTIVE), ("api", Priority.BATCH)):
        order = order_of(service, ask(GENERATED, interface=interface).job_id)
        assert order is not None
        assert order.priority is priority


def test_the_worker_s_result_becomes_the_report(ask: Any, at: datetime) -> None:
    report = settled(ask(GENERATED), score(GENERATED), FinishReason.COMPLETE, at)
    evidence = report.evidence
    assert report.state == SCORED
    assert (evidence.tokens, evidence.scored) == (len(GENERATED), len(GENERATED) - 1)
    assert evidence.ranks.total == len(GENERATED) - 1
    assert evidence.curvature == curvature(report.tokens)
    assert len(report.tokens) == len(GENERATED)
    assert report.detectors == {"ranks": "gltr-1", "curvature": "curvature-1"}


def test_the_text_s_tokens_are_charged(ask: Any, world: World, at: datetime) -> None:
    report = ask(GENERATED)
    holder = f"grant:{world.grants['cleo'].pk}"
    assert (usage_of(holder, at).reserved, usage_of(holder, at).tokens) == (len(GENERATED), 0)
    settled(report, score(GENERATED), FinishReason.COMPLETE, at)
    assert (usage_of(holder, at).reserved, usage_of(holder, at).tokens) == (0, len(GENERATED))


def test_a_failed_score_leaves_a_report_that_says_so(ask: Any, at: datetime) -> None:
    report = settled(ask(GENERATED), [], FinishReason.WORKER_LOST, at)
    assert (report.state, report.evidence, report.tokens) == (FAILED, None, ())
    assert "worker stopped answering" in report.job.message
    payload = report_payload(report)
    assert (payload["state"], payload["evidence"], payload["tokens"]) == ("failed", None, [])


@pytest.mark.parametrize(
    "sample", [{}, {"tokens": [], "scored": 0}, {"tokens": [{"unknown": 1}], "scored": 1}, {"tokens": 5, "scored": 1}]
)
def test_a_result_that_cannot_be_read_still_ends_the_job(ask: Any, at: datetime, sample: dict[str, Any]) -> None:
    report = settled(ask(GENERATED), [sample], FinishReason.COMPLETE, at)
    assert (report.job.state, report.state) == ("done", FAILED)


def test_a_settlement_that_comes_twice_changes_nothing(ask: Any, at: datetime) -> None:
    report = settled(ask(GENERATED), score(GENERATED), FinishReason.COMPLETE, at)
    assert not settle(Outcome(report.job_id, FinishReason.WORKER_LOST, "", Usage()), [], at=at)
    assert DetectionReport.objects.get(pk=report.pk).evidence_data == report.evidence_data


def test_the_own_record_is_asked_at_once(ask: Any, world: World, at: datetime) -> None:
    served = ask(UNRELATED).job  # any job will do as a generation that was served
    write_fingerprints(served, [{"text": GENERATED}], at)
    report = ask(f"In the interview that followed she said: {GENERATED}", "cleo")
    assert report.state == WAITING
    assert (report.match.strength, report.match.generations) == (Strength.NEAR, 1)
    payload = report_payload(report)
    assert payload["record"]["generations"] == 1
    assert served.pk not in json.dumps(payload), "never whose it was"


def test_the_payload_is_plain_and_says_that_it_is_not_calibrated(ask: Any, at: datetime) -> None:
    report = settled(ask(GENERATED), score(GENERATED), FinishReason.COMPLETE, at)
    payload = json.loads(json.dumps(report_payload(report)))
    assert payload["calibration"] == "not calibrated"
    assert [layer["name"] for layer in payload["layers"]] == ["record", "ranks", "curvature"]
    assert len(payload["tokens"]) == len(GENERATED)
    assert sum(payload["evidence"]["rank_fractions"]) == pytest.approx(1)
    assert payload["tokens"][1] == asdict(report.tokens[1])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "text_empty"),
        (" \n ", "text_empty"),
        ("x" * (LEAST_TOKENS - 1), "text_too_short"),
        ("x" * (MOST_TOKENS + 1), "text_too_long"),
        ("x" * 9_000, "text_too_long"),
        ("x" * 70 + MISSING_CHARACTER, "text_not_covered"),
        ("x" * 70 + "\x00", "text_not_covered"),
        ("x" * 70 + "\ud800", "text_not_covered"),
    ],
)
def test_a_text_outside_the_limits_is_refused_at_its_field(ask: Any, text: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        ask(text)
    assert (refusal.value.field, refusal.value.code) == ("text", code)
    assert "prompt" not in refusal.value.reason
    assert not Job.objects.exists()
    assert not DetectionReport.objects.exists()


@pytest.mark.parametrize("length", [LEAST_TOKENS, MOST_TOKENS])
def test_the_limits_themselves_are_allowed(ask: Any, length: int) -> None:
    assert ask("x" * length).job.prompt_tokens == length


@pytest.mark.parametrize(
    ("name", "code"), [("finn", "no_grant"), ("dan", "grant_expired"), ("eve", "grant_suspended"), ("ada", "no_grant")]
)
def test_who_may_not_is_told_why_and_nothing_is_kept(ask: Any, name: str, code: str) -> None:
    with pytest.raises(NotAllowed) as refusal:
        ask(GENERATED, name)
    assert refusal.value.code == code
    assert not DetectionReport.objects.exists()


def test_an_anonymous_visitor_is_refused(ask: Any) -> None:
    with pytest.raises(NotAllowed) as refusal:
        ask(GENERATED, "anonymous")
    assert refusal.value.code == "sign_in"


def test_without_a_worker_nothing_is_kept(world: World, portal_redis: redis.Redis) -> None:
    with pytest.raises(Unavailable):
        detect(world.actor("cleo"), SERVED, GENERATED, at=world.at)
    assert not DetectionReport.objects.exists()
    assert not Job.objects.exists()


def test_the_same_submission_is_the_same_report(ask: Any) -> None:
    first, second = ask(GENERATED, submit_key="k-1"), ask(GENERATED, submit_key="k-1")
    assert first == second
    assert ask(GENERATED, submit_key="k-2") != first
    assert Job.objects.count() == 2


def test_a_report_is_never_without_its_job_nor_a_job_without_its_report(
    ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("between the two")

    monkeypatch.setattr(DetectionReport, "sealed", staticmethod(fail))
    with pytest.raises(RuntimeError), transaction.atomic():
        ask(GENERATED)
    assert not Job.objects.exists()


def test_others_do_not_find_a_report(ask: Any, world: World) -> None:
    report = ask(GENERATED)
    for name in ("finn", "ada", "ben", "anonymous"):
        with pytest.raises(NotFound):
            report_for(world.actor(name), report.pk)
        assert not reports_for(world.actor(name)).exists()


@pytest.mark.parametrize(("scope", "is_allowed"), [("detect", True), ("generate", False)])
def test_a_token_needs_the_scope_detect(ask: Any, world: World, scope: str, is_allowed: bool) -> None:
    report = ask(GENERATED)
    actor = actor_of_token(ApiToken(user=world.people["cleo"], scopes=[scope]))
    if is_allowed:
        assert report_for(actor, report.pk) == report
        return
    with pytest.raises(PortalError) as refusal:
        report_for(actor, report.pk)
    assert refusal.value.code == "scope"
    with pytest.raises(NotAllowed) as refused:
        detect(actor, SERVED, GENERATED, at=world.at)
    assert refused.value.code == "scope"
