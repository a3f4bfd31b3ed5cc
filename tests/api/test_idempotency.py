"""The same key is the same request."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import redis

from release_portal.api import idempotency
from release_portal.api.models import IdempotencyRecord
from release_portal.celery import app
from release_portal.core.errors import NotNow
from release_portal.jobs.models import Job
from release_portal.misuse.models import MisuseReport

SERVED = "huggingfacetb/smollm2-135m-instruct"
ASK = {"size": SERVED, "prompt": "The unicorns", "max_tokens": 8}
REPORT = {"what": "Somebody posts invented reviews.", "evidence": "Best shop ever."}


def test_the_same_request_is_done_once_and_answered_alike(api: Any, service: redis.Redis) -> None:
    cleo = api("cleo")
    first, second = cleo.post("/api/jobs/", ASK, key="k-1"), cleo.post("/api/jobs/", ASK, key="k-1")
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    assert "Idempotent-Replay" not in first
    assert second["Idempotent-Replay"] == "true"
    assert second["Location"] == first["Location"]
    assert Job.objects.count() == 1


def test_without_a_key_every_request_is_its_own(api: Any, service: redis.Redis) -> None:
    assert [api("cleo").post("/api/jobs/", ASK).status_code for _ in range(2)] == [202, 202]
    assert Job.objects.count() == 2


@pytest.mark.parametrize(("path", "body"), [("/api/jobs/", {**ASK, "max_tokens": 9}), ("/api/detections/", ASK)])
def test_a_key_for_another_request_is_refused(api: Any, service: redis.Redis, path: str, body: Any) -> None:
    cleo = api("cleo")
    cleo.post("/api/jobs/", ASK, key="k-1")
    refused = cleo.post(path, body, key="k-1")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "idempotency_mismatch")
    assert Job.objects.count() == 1


def test_keys_of_two_tokens_do_not_meet(api: Any, service: redis.Redis) -> None:
    assert api("cleo").post("/api/jobs/", ASK, key="k-1").status_code == 202
    other = api("finn").post("/api/jobs/", ASK, key="k-1")
    assert other.status_code == 403
    assert "Idempotent-Replay" not in other


def test_a_report_with_a_key_is_filed_once_and_its_code_is_sealed(api: Any) -> None:
    first, second = (api().post("/api/reports/", REPORT, key="k-1") for _ in range(2))
    assert first.json()["code"] == second.json()["code"]
    assert MisuseReport.objects.filter(code_digest__isnull=False).count() >= 1
    record = IdempotencyRecord.objects.get()
    assert first.json()["code"].encode() not in bytes(record.sealed_answer or b"")
    assert "127.0.0.1" not in record.owner


def test_a_visitor_elsewhere_has_keys_of_their_own(api: Any) -> None:
    before = MisuseReport.objects.count()
    api().post("/api/reports/", REPORT, key="k-1")
    api().post("/api/reports/", REPORT, key="k-1", REMOTE_ADDR="198.51.100.7")
    assert MisuseReport.objects.count() == before + 2


def test_a_refusal_is_answered_alike(api: Any, service: redis.Redis) -> None:
    finn = api("finn")
    first, second = (finn.post("/api/jobs/", ASK, key="k-1") for _ in range(2))
    assert (first.status_code, second.status_code) == (403, 403)
    assert second["Idempotent-Replay"] == "true"


def test_what_may_pass_is_not_kept(api: Any, portal_redis: redis.Redis, world: Any) -> None:
    from tests.fakes import pretend_service

    cleo = api("cleo")
    assert cleo.post("/api/jobs/", ASK, key="k-1").status_code == 503
    pretend_service(portal_redis)
    assert cleo.post("/api/jobs/", ASK, key="k-1").status_code == 202


def test_too_much_is_not_kept(api: Any, service: redis.Redis, world: Any) -> None:
    grant = world.grants["cleo"]
    grant.concurrent = 1
    grant.save()
    cleo = api("cleo")
    job = cleo.post("/api/jobs/", ASK).json()
    assert cleo.post("/api/jobs/", ASK, key="k-1").status_code == 429
    Job.objects.filter(pk=job["id"]).update(state="done")
    service.delete(*service.scan_iter("quota:*"))  # nobody settled it, so Redis would go on counting it
    assert cleo.post("/api/jobs/", ASK, key="k-1").status_code == 202


def test_a_fault_of_ours_gives_the_key_back(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("release_portal.api.views.reports.file_report", lambda *_a, **_k: 1 / 0)
        assert api().post("/api/reports/", REPORT, key="k-1").status_code == 500
    assert api().post("/api/reports/", REPORT, key="k-1").status_code == 201


@pytest.mark.parametrize("key", ["a b", "ä", "x" * 81, "\x7f"])
def test_a_key_that_is_not_visible_ascii_is_refused(api: Any, key: str) -> None:
    response = api().post("/api/reports/", REPORT, HTTP_IDEMPOTENCY_KEY=key)
    assert (response.status_code, response.json()["error"]["param"]) == (400, "Idempotency-Key")
    assert api().post("/api/reports/", REPORT, HTTP_IDEMPOTENCY_KEY="").status_code == 400


def asked(**more: str) -> idempotency.Asked:
    return idempotency.Asked(**{"owner": "token:1", "key": "k", "target": "POST /x", "body_sha256": "0", **more})


def test_while_the_first_runs_the_second_is_told_to_come_back(db: None, at: Any) -> None:
    idempotency.claim(asked(), at=at)
    with pytest.raises(NotNow) as refused:
        idempotency.claim(asked(), at=at + timedelta(seconds=5))
    assert refused.value.code == "idempotency_in_progress"
    assert refused.value.retry_at is not None


def test_a_claim_whose_request_died_is_taken_over_under_the_same_id(db: None, at: Any) -> None:
    first = idempotency.claim(asked(), at=at)
    second = idempotency.claim(asked(), at=at + idempotency.CLAIM_LASTS)
    assert first.pk == second.pk
    assert second.status is None


def test_a_job_that_was_made_before_its_process_died_is_found_again(api: Any, service: redis.Redis) -> None:
    cleo = api("cleo")
    made = cleo.post("/api/jobs/", ASK, key="k-1").json()
    IdempotencyRecord.objects.update(status=None, sealed_answer=None, claimed_at="2020-01-01T00:00:00Z")
    again = cleo.post("/api/jobs/", ASK, key="k-1")
    assert again.json()["id"] == made["id"]
    assert "Idempotent-Replay" not in again


def test_after_a_day_a_key_is_free_and_its_answer_gone(db: None, at: Any) -> None:
    first = idempotency.claim(asked(), at=at)
    later = at + idempotency.KEPT + timedelta(seconds=1)
    assert idempotency.claim(asked(body_sha256="1"), at=later).pk != first.pk
    assert idempotency.purge(at=later) == 0
    assert idempotency.purge(at=later + idempotency.KEPT + timedelta(seconds=1)) == 1


def test_everything_on_the_schedule_is_a_task_that_exists() -> None:
    app.loader.import_default_modules()
    scheduled = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert "portal.purge_idempotency" in scheduled
    assert scheduled <= set(app.tasks)
