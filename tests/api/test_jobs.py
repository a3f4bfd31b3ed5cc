"""Generate, follow and stop by token; ask about texts."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis

from inference.contract import EmbedResult, Pooling
from release_portal.jobs.models import Job
from tests.fakes import queued_messages

SERVED = "huggingfacetb/smollm2-135m-instruct"
ASK = {"size": SERVED, "prompt": "The unicorns", "max_tokens": 8, "temperature": 0.5, "seed": 7, "stop": ["\n"]}


def test_a_generation_is_queued_and_can_be_followed(api: Any, service: redis.Redis, committed: Any, world: Any) -> None:
    cleo = api("cleo")
    with committed():
        response = cleo.post("/api/jobs/", ASK)
    job = response.json()
    assert (response.status_code, job["state"], job["prompt"]) == (202, "queued", ASK["prompt"])
    assert [job_id for job_id, _ in queued_messages(service)] == [job["id"]]
    assert job["settings"]["seed"] == 7
    assert job["settings"]["stop"] == ["\n"]
    assert cleo.get(response["Location"]).json() == job
    assert [row["id"] for row in cleo.get("/api/jobs/").json()["results"]] == [job["id"]]
    assert cleo.get("/api/jobs/?state=done").json()["count"] == 0


def test_an_ended_job_shows_its_samples_to_its_owner_only(api: Any, service: redis.Redis) -> None:
    made = api("cleo").post("/api/jobs/", ASK).json()
    samples = [{"text": " run.", "tokens": 2, "finish": "stop"}]
    Job.objects.filter(pk=made["id"]).update(
        state="done", finish_reason="stop", sealed_output=Job.sealed(json.dumps(samples))
    )
    assert api("cleo").get(f"/api/jobs/{made['id']}/").json()["samples"] == samples
    assert api("finn").get(f"/api/jobs/{made['id']}/").status_code == 404
    assert api("ivy").get(f"/api/jobs/{made['id']}/").status_code == 404


def test_an_ended_embedding_shows_its_vector(api: Any, service: redis.Redis) -> None:
    made = api("cleo").post("/api/jobs/", ASK).json()
    assert made["embedding"] is None
    result = EmbedResult.of([0.5, -1.0], Pooling.MEAN, 3)
    Job.objects.filter(pk=made["id"]).update(
        function="embed", state="done", finish_reason="complete", sealed_output=Job.sealed(f"[{result.to_json()}]")
    )
    shown = api("cleo").get(f"/api/jobs/{made['id']}/").json()
    assert (shown["function"], shown["samples"]) == ("embed", [])
    assert EmbedResult.from_mapping(shown["embedding"]) == result
    assert api("finn").get(f"/api/jobs/{made['id']}/").status_code == 404


def test_a_cancelled_job_is_told_to_the_worker(api: Any, service: redis.Redis) -> None:
    made = api("cleo").post("/api/jobs/", ASK).json()
    response = api("cleo").post(f"/api/jobs/{made['id']}/cancel/")
    assert response.status_code == 202
    assert service.keys(f"*cancel*{made['id']}*") or service.keys(f"*{made['id']}*cancel*")
    assert api("finn").post(f"/api/jobs/{made['id']}/cancel/").status_code == 404


def test_a_token_that_only_reads_cannot_stop_a_job(api: Any, service: redis.Redis) -> None:
    made = api("cleo").post("/api/jobs/", ASK).json()
    refused = api("cleo", "jobs:read").post(f"/api/jobs/{made['id']}/cancel/")
    assert refused.json()["error"]["code"] == "scope"


@pytest.mark.parametrize(("name", "code"), [("finn", "no_grant"), ("dan", "grant_expired"), ("eve", "grant_suspended")])
def test_whoever_may_not_generate_reads_why(api: Any, service: redis.Redis, name: str, code: str) -> None:
    response = api(name).post("/api/jobs/", ASK)
    assert (response.status_code, response.json()["error"]["code"]) == (403, code)
    assert not Job.objects.exists()


def test_without_a_worker_nothing_is_stored(api: Any, portal_redis: redis.Redis) -> None:
    response = api("cleo").post("/api/jobs/", ASK)
    assert (response.status_code, response.json()["error"]["code"]) == (503, "no_lease")
    assert int(response["Retry-After"]) > 0
    assert not Job.objects.exists()


def test_too_much_says_when(api: Any, service: redis.Redis, world: Any) -> None:
    grant = world.grants["cleo"]
    grant.concurrent = 1
    grant.save()
    cleo = api("cleo")
    assert cleo.post("/api/jobs/", ASK).status_code == 202
    response = cleo.post("/api/jobs/", ASK)
    assert (response.status_code, response.json()["error"]["code"]) == (429, "concurrent")
    assert int(response["Retry-After"]) > 0
    assert response.json()["error"]["retry_at"]


def test_a_text_is_asked_about_and_the_report_is_ones_own(api: Any, service: redis.Redis) -> None:
    body = {"size": SERVED, "text": "A text of some length about unicorns. " * 4}
    response = api("cleo").post("/api/detections/", body)
    report = response.json()
    assert (response.status_code, report["state"], report["evidence"]) == (202, "waiting", None)
    assert api("cleo").get(response["Location"]).json() == report
    assert [row["id"] for row in api("cleo").get("/api/detections/").json()["results"]] == [report["id"]]
    assert api("finn").get(f"/api/detections/{report['id']}/").status_code == 404
    (job,) = api("cleo").get("/api/jobs/").json()["results"]
    assert api("cleo").get(f"/api/jobs/{job['id']}/").json()["detection"] == report["id"]


def test_a_text_that_is_too_short_is_refused_at_its_field(api: Any, service: redis.Redis) -> None:
    error = api("cleo").post("/api/detections/", {"size": SERVED, "text": "short"}).json()["error"]
    assert (error["param"], error["code"]) == ("text", "text_too_short")
