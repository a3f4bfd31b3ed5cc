"""Programmes through the API: read by everybody; answers and checks of one's own applications."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from release_portal.access.models import AgreementVersion
from release_portal.access.programmes.eligibility import RULES
from release_portal.access.programmes.programme_files import packaged_text, preset
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from tests.services.test_programmes import ASKED_MORE, TEXT, publish
from tests.world import SERVED, World

DAY = timedelta(days=1)
PATH = "/api/programmes/"


@pytest.fixture(autouse=True)
def agreement(world: World, at: datetime) -> AgreementVersion:
    """The shipped agreement, in force."""
    return write_agreement(DEMO, at=at - 10 * DAY)


@pytest.fixture
def full(at: datetime, agreement: AgreementVersion) -> dict[str, Any]:
    """A complete application by the preset."""
    return {
        "size": SERVED,
        "purpose_code": "P01",
        "purpose": "How short can a text be?",
        "affiliation": "An institute",
        "intended_use": "Counted.",
        "functions": ["generate"],
        "requested_end": (at + 100 * DAY).date().isoformat(),
        "submit": True,
        "agreement_hash": agreement.sha256,
    }


def test_everybody_reads_programmes_and_where_they_apply(api: Any, world: World, at: datetime) -> None:
    version = publish(world, TEXT, at - DAY)
    rows = {row["name"]: row for row in api().get(PATH).json()["results"]}
    assert set(rows) == {"research", "partner", "ours"}
    assert (rows["research"]["is_preset"], rows["ours"]["is_preset"]) == (True, False)
    (place,) = rows["ours"]["places"]
    assert (place["family"], place["stage"], place["reason"]) == (world.size.family.slug, "research_hosted", "ours")
    one = api().get(f"{PATH}{version.digest}/").json()
    assert one["text"] == TEXT
    assert [step["people"] for step in one["steps"]] == [1, 1, 2, 2]
    assert {row["code"]: row["verdict"] for row in one["purposes"]}["P15"] == "not_admitted"
    method = next(row for row in one["questions"] if row["key"] == "method")
    assert method["choices"][0] == {"value": "prompts", "label": "Prompts that we write by hand"}
    assert one["modifiers"][1] == {
        "code": "Q06", "value": "12", "sentence": "Results are published or reported within 12 months.",
    }  # fmt: skip


def test_a_programme_is_found_by_its_name_and_an_unknown_one_is_not(api: Any, world: World) -> None:
    assert api().get(f"{PATH}partner/").json()["digest"] == preset("partner").digest
    assert api().get(f"{PATH}nothing/").status_code == 404


def test_answers_are_sent_by_their_keys_and_stay_when_left_out(api: Any, world: World, at: datetime) -> None:
    publish(world, ASKED_MORE, at - DAY)
    finn = api("finn")
    draft = finn.post("/api/applications/", {"size": SERVED, "answers": {"country": "FR"}, "summary": "Soon."}).json()
    assert (draft["answers"], draft["summary"]) == ({"country": "FR"}, "Soon.")
    path = f"/api/applications/{draft['id']}/"
    changed = finn("PATCH", path, {"expected_version": draft["version"], "answers": {"storage": "A server"}}).json()
    assert changed["answers"] == {"country": "FR", "storage": "A server"}
    assert changed["summary"] == "Soon."
    back = finn("PATCH", path, {"expected_version": changed["version"], "answers": {"country": ""}}).json()
    assert back["answers"] == {"storage": "A server"}


def test_an_answer_that_cannot_be_kept_is_refused_at_its_field(api: Any, world: World) -> None:
    for given, field in (({"country": "ZZ"}, "answer_country"), ({"nothing": "x"}, "answer_nothing")):
        refused = api("finn").post("/api/applications/", {"size": SERVED, "answers": given})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, field)
    for wrong in ("x", ["x"], {"country": 7}, {"country": None}):
        assert api("finn").post("/api/applications/", {"size": SERVED, "answers": wrong}).status_code == 400


def test_the_checks_of_a_draft_say_what_would_fail_now_and_what_is_missing(api: Any, world: World) -> None:
    finn = api("finn")
    draft = finn.post("/api/applications/", {"size": SERVED, "purpose_code": "P15"}).json()
    checks = finn.get(f"/api/applications/{draft['id']}/checks/").json()
    assert (checks["outcome"], checks["is_preview"]) == ("refused", True)
    assert {line["code"] for line in checks["lines"]} == {"size_named", "purpose", *RULES} - {"country"}
    failing = [line for line in checks["lines"] if line["outcome"] == "not_met"]
    assert [line["code"] for line in failing] == ["purpose", "affiliation_given"]
    assert all(line["change"] for line in failing)
    assert {one["field"] for one in checks["missing"]} >= {"purpose", "affiliation", "functions"}


def test_what_was_handed_in_keeps_its_checks(api: Any, world: World, full: dict[str, Any], at: datetime) -> None:
    finn = api("finn")
    sent = finn.post("/api/applications/", full).json()
    publish(world, packaged_text("demo-research"), at)
    checks = finn.get(f"/api/applications/{sent['id']}/checks/").json()
    assert (checks["outcome"], checks["is_preview"], checks["missing"]) == ("a_person", False, [])
    assert checks["programme"] == sent["programme"] == preset("research").digest
    assert checks["evaluator"] == "1"


def test_a_rule_that_stands_in_the_way_is_named(api: Any, world: World, full: dict[str, Any]) -> None:
    refused = api("finn").post("/api/applications/", {**full, "purpose_code": "P15"})
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["param"]) == (409, "not_eligible", "purpose_code")
    assert error["change"]


def test_the_checks_are_the_applicants_alone(api: Any, world: World, full: dict[str, Any]) -> None:
    sent = api("finn").post("/api/applications/", full).json()
    path = f"/api/applications/{sent['id']}/checks/"
    assert api("lou").get(path).status_code == 404
    assert api("ivy").get(path).status_code == 404, "a token of a reviewer reviews nothing"
    assert api().get(path).status_code == 401
    assert api("finn", "generate").get(path).status_code == 403
