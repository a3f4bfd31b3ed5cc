"""The agreement through the API: versions for everyone, one's own signature by a token with its scope."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from release_portal.access.models import AgreementVersion, Signature
from release_portal.accounts.services import create_token
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from tests.services.agreeing import next_version
from tests.world import World

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def second(world: World, at: datetime) -> AgreementVersion:
    """A material version that nobody has signed, past its grace."""
    write_agreement(DEMO, at=at - 100 * DAY)
    return next_version(world, "Other terms.", at=at - 31 * DAY)


def token(world: World, name: str, *scopes: str) -> Any:
    _, secret = create_token(world.actor(name), world.people[name], name="t", scopes=list(scopes), at=world.at)
    client = Client(raise_request_exception=False)
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {secret}"
    return client


def test_anybody_lists_and_reads_versions() -> None:
    listed = Client().get("/api/agreements/").json()
    assert [(one["number"], one["state"]) for one in listed["results"]] == [(2, "effective"), (1, "superseded")]
    one = Client().get("/api/agreements/2/").json()
    assert (one["text"], one["is_material"]) == ("Other terms.\n", True)
    assert Client().get("/api/agreements/3/").status_code == 404
    assert Client().post("/api/agreements/2/sign/").status_code == 401


def test_a_holder_sees_the_pause_signs_and_works_again(world: World, second: AgreementVersion) -> None:
    cleo, grant = token(world, "cleo", "applications:write"), world.grants["cleo"].pk
    assert cleo.get("/api/signature/").json()["standing"] == "lapsed"
    paused = cleo.get(f"/api/grants/{grant}/").json()
    assert (paused["state"], [one["code"] for one in paused["pauses"]]) == ("paused", ["terms_lapsed"])
    for body, status in (({"sha256": "d" * 64}, 409), ({}, 400), ({"sha256": second.sha256}, 200)):
        answer = cleo.post("/api/agreements/2/sign/", body, content_type="application/json")
        assert answer.status_code == status, body
    assert answer.json()["standing"] == "signed"
    assert Signature.objects.filter(account=world.people["cleo"], agreement=second).exists()
    free = cleo.get(f"/api/grants/{grant}/").json()
    assert (free["state"], free["pauses"]) == ("active", [])


def test_T24_a_token_signs_only_within_its_scope(world: World, second: AgreementVersion) -> None:
    answer = token(world, "cleo", "generate").post(
        "/api/agreements/2/sign/", {"sha256": second.sha256}, content_type="application/json"
    )
    assert answer.status_code == 403
    assert not Signature.objects.filter(agreement=second).exists()
