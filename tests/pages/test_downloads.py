"""Lists as CSV: the rows of the reader's own list, and nothing in them that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from release_portal.access.models import Grant
from release_portal.jobs.models import Job
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from tests.services.applying import DAY, submit
from tests.world import World

pytestmark = pytest.mark.django_db
ClientOf = Callable[[str], Any]
EVIL = '=HYPERLINK("http://evil.example","x")'


def rows(response: Any) -> list[dict[str, str]]:
    """The rows of a downloaded table."""
    assert (response.status_code, response["Content-Type"]) == (200, "text/csv; charset=utf-8")
    return list(csv.DictReader(io.StringIO(response.content.decode())))


@pytest.fixture
def generation(world: World, at: datetime) -> Job:
    """Something that cleo generated."""
    return Job.objects.create(
        account=world.people["cleo"], size=world.size, grant=world.grants["cleo"], function="generate",
        interface="web", stage="research_hosted", policy_version="1", weights_digest="d" * 64, state="done",
        sealed_prompt=Job.sealed(EVIL), sealed_output=Job.sealed('[{"text": "+1 more"}]'), quota_holder="grant:x",
        quota_day=at.date(), created_at=at, permit_ends_at=at, ended_at=at,
    )  # fmt: skip


def test_T22_the_queue_is_downloaded_as_reviewers_see_it_and_runs_nothing(
    world: World, client_of: ClientOf, at: datetime
) -> None:
    """Seen to fail with `cell` left out of `sheet`."""
    write_agreement(DEMO, at=at - DAY)
    sent = submit(world, "lou", at, affiliation=EVIL)
    (row,) = [row for row in rows(client_of("ivy").get("/staff/applications/?format=csv")) if row["applicant"] == "lou"]
    assert (row["application"], row["affiliation"], row["state"]) == (sent.pk, "'" + EVIL, "submitted")
    assert client_of("finn").get("/staff/applications/?format=csv").status_code == 403


def test_a_reviewers_table_holds_the_rows_of_their_page(world: World, client_of: ClientOf, at: datetime) -> None:
    write_agreement(DEMO, at=at - DAY)
    for name in ("lou", "finn", "hal"):
        submit(world, name, at)
    for who in ("ivy", "hal", "ben"):
        page = client_of(who).get("/staff/applications/")
        shown = set(re.findall(r'href="/staff/applications/(a-[0-9a-f]+)/"', page.content.decode()))
        assert {row["application"] for row in rows(client_of(who).get("/staff/applications/?format=csv"))} == shown


@pytest.mark.parametrize("query", ["", "state=active", "holder=cleo", "state=expired&holder=cleo"])
def test_grants_are_downloaded_as_they_are_filtered(world: World, client_of: ClientOf, query: str) -> None:
    Grant.objects.filter(pk=world.grants["cleo"].pk).update(purpose=EVIL)
    page = client_of("ivy").get(f"/staff/grants/?{query}")
    found = rows(client_of("ivy").get(f"/staff/grants/?{query}&format=csv"))
    assert {row["grant"] for row in found} == {row["grant"].pk for row in page.context["rows"]}
    assert all(not row["purpose"].startswith("=") for row in found)
    assert client_of("cleo").get(f"/staff/grants/?{query}&format=csv").status_code == 403


def test_generations_are_downloaded_by_their_owner_alone(client_of: ClientOf, generation: Job) -> None:
    (row,) = rows(client_of("cleo").get("/generations/?format=csv"))
    assert (row["generation"], row["prompt"], row["output"]) == (generation.pk, "'" + EVIL, "'+1 more")
    for who in ("finn", "ada"):
        assert rows(client_of(who).get("/generations/?format=csv")) == []
    assert rows(client_of("cleo").get("/generations/?format=csv&state=failed")) == []
