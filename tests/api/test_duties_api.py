"""What a grant asks of its holder, through the API."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client

from release_portal.access.extra_terms import Term
from release_portal.access.models import Grant
from release_portal.access.obligations.services import add_duties
from release_portal.access.offers import offer_for_grant
from release_portal.access.reviews import approve_application
from release_portal.accounts.services import create_token
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from tests.files import pdf
from tests.services.applying import conditions, submit
from tests.world import World

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def agreement(world: World, at: datetime) -> None:
    write_agreement(DEMO, at=at - 100 * DAY)


def token(world: World, name: str) -> Any:
    scopes = ["applications:write"]
    _, secret = create_token(world.actor(name), world.people[name], name="t", scopes=scopes, at=world.at)
    client = Client(raise_request_exception=False)
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {secret}"
    return client


def post(client: Any, path: str, **body: Any) -> Any:
    return client.post(path, body, content_type="application/json")


def test_terms_of_an_approval_are_read_and_accepted(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at)
    given = conditions(sent, terms=(Term("Q06", "6"),))
    approve_application(world.actor("ivy"), sent.pk, given, expected_version=sent.version, at=at)
    finn, path = token(world, "finn"), f"/api/applications/{sent.pk}/terms/"
    offer = finn.get(path).json()
    assert offer["terms"][0] == {
        "code": "Q06", "value": "6", "sentence": "Results are published or reported within 6 months.",
    }  # fmt: skip
    version = finn.get(f"/api/applications/{sent.pk}/").json()["version"]
    assert post(finn, path, digest="d" * 64, expected_version=version).json()["error"]["code"] == "terms_changed"
    answer = post(finn, path, digest=offer["digest"], expected_version=version)
    assert (answer.status_code, answer.json()["state"]) == (200, "granted")
    assert finn.get(path).status_code == 404
    assert token(world, "cleo").get(path).status_code == 404


def test_terms_of_a_running_grant_are_answered(world: World, at: datetime) -> None:
    pk, cleo = world.grants["cleo"].pk, token(world, "cleo")
    offer_for_grant(world.actor("ivy"), pk, (Term("Q15"),), reason="Asked for.", at=at)
    found = cleo.get(f"/api/grants/{pk}/terms/").json()
    assert (found["accepted"], found["offer"]["reason"]) == ([], "Asked for.")
    done = post(cleo, f"/api/grants/{pk}/terms/answer/", digest=found["offer"]["digest"], accept=True)
    assert [one["code"] for one in done.json()["accepted"]] == ["Q15"]
    assert post(cleo, f"/api/grants/{pk}/terms/answer/", digest="x", accept=True).status_code == 404


def test_duties_are_listed_and_handed_in(world: World, at: datetime) -> None:
    pk, cleo = world.grants["cleo"].pk, token(world, "cleo")
    with transaction.atomic():
        one = add_duties(Grant.objects.get(pk=pk), (Term("Q06", "1"),), at=at)[0]
    (found,) = cleo.get(f"/api/grants/{pk}/duties/").json()["results"]
    assert (found["id"], found["state"], found["version"]) == (one.pk, "open", 1)
    path = f"/api/grants/{pk}/duties/{one.pk}/hand_in/"
    assert post(cleo, path, said="x", link="nowhere", expected_version=1).status_code == 400
    assert post(token(world, "eve"), path, said="x", expected_version=1).status_code == 404
    assert post(cleo, path, said="The report.", expected_version=1).json()["state"] == "handed_in"
    assert post(cleo, path, said="Again.", expected_version=2).status_code == 409


def test_a_duty_is_handed_in_with_a_file_once_for_a_key(world: World, at: datetime) -> None:
    pk, cleo = world.grants["cleo"].pk, token(world, "cleo")
    with transaction.atomic():
        one = add_duties(Grant.objects.get(pk=pk), (Term("Q06", "1"),), at=at)[0]
    path = f"/api/grants/{pk}/duties/{one.pk}/hand_in/"

    def send(client: Any, content: bytes = pdf(), version: str = "1", **more: str) -> Any:
        file = SimpleUploadedFile("report.pdf", content, "application/pdf")
        return client.post(path, {"file": file, "said": "The report.", "expected_version": version}, **more)

    assert send(cleo, b"no pdf").json()["error"]["code"] == "file_not_taken"
    assert send(cleo, version="one").status_code == 400
    assert send(token(world, "eve")).status_code == 404
    done, again = (send(cleo, HTTP_IDEMPOTENCY_KEY="one") for _ in range(2))
    assert done.json() == again.json()
    (file,) = done.json()["files"]
    assert (done.json()["state"], file["name"], file["kind"]) == ("handed_in", "report.pdf", "pdf")
    content = f"/api/grants/{pk}/duties/{one.pk}/files/{file['id']}/content/"
    answer = cleo.get(content)
    assert (answer.status_code, answer.content) == (200, pdf())
    assert token(world, "eve").get(content).status_code == 404


def test_a_close_out_is_reported(world: World) -> None:
    pk, dan = world.grants["dan"].pk, token(world, "dan")
    version = dan.get(f"/api/grants/{pk}/").json()["version"]
    said = {"report": "A paper.", "disposal": "deleted", "statement": "All.", "expected_version": version}
    answer = post(dan, f"/api/grants/{pk}/closing/", **said)
    assert (answer.status_code, answer.json()["closed_at"]) == (200, None)
    assert post(dan, f"/api/grants/{pk}/closing/", **{**said, "disposal": "burnt"}).status_code == 400
    cleo = world.grants["cleo"].pk
    assert post(token(world, "cleo"), f"/api/grants/{cleo}/closing/", **said).status_code == 409
