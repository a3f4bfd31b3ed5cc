"""Apply and report by token; follow what came of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from release_portal.access.models import Application
from release_portal.misuse.models import MisuseReport

SERVED = "huggingfacetb/smollm2-135m-instruct"
REPORT = {"what": "Somebody posts invented reviews.", "evidence": "Best shop ever, I am a real person."}


@pytest.fixture
def answers(world: Any) -> dict[str, Any]:
    """A complete application."""
    return {
        "size": SERVED,
        "purpose_code": "P01",
        "purpose": "Which passages give a model away?",
        "affiliation": "A university",
        "intended_use": "Scored by us, not published.",
        "functions": ["generate"],
        "requested_end": (world.at + timedelta(days=90)).date().isoformat(),
    }


@pytest.fixture
def accepted(api: Any, agreement: Any) -> str:
    """Hash of the agreement in force."""
    found: str = api().get("/api/agreement/").json()["sha256"]
    return found


@pytest.fixture
def agreement(world: Any) -> Any:
    """A version in force, published when the world has none."""
    from release_portal.access.agreements.services import FIRST_TEXT, publish_agreement
    from release_portal.access.models import AgreementVersion
    from release_portal.core.actors import system_actor

    text = FIRST_TEXT.read_text(encoding="utf-8")
    return AgreementVersion.objects.in_force(world.at) or publish_agreement(
        system_actor("tests"), text, effective_from=world.at, at=world.at
    )


def test_a_draft_is_started_changed_and_handed_in(api: Any, answers: Any, accepted: str) -> None:
    finn = api("finn")
    draft = finn.post("/api/applications/", {"size": SERVED, "purpose": "A first thought"})
    assert (draft.status_code, draft.json()["state"]) == (201, "draft")
    path = draft["Location"]
    change = {name: value for name, value in answers.items() if name != "size"}
    changed = finn("PATCH", path, {**change, "expected_version": draft.json()["version"]}).json()
    assert changed["purpose"] == answers["purpose"]
    sent = finn.post(path + "submit/", {"expected_version": changed["version"], "agreement_hash": accepted})
    assert (sent.status_code, sent.json()["state"]) == (200, "submitted")
    assert sent.json()["due_at"]
    gone = finn.post(path + "withdraw/", {"expected_version": sent.json()["version"]})
    assert gone.json()["state"] == "withdrawn"


def test_what_is_left_out_of_a_change_stays(api: Any, answers: Any) -> None:
    finn = api("finn")
    draft = finn.post("/api/applications/", answers).json()
    path = f"/api/applications/{draft['id']}/"
    changed = finn("PATCH", path, {"expected_version": draft["version"], "affiliation": "Another"}).json()
    assert changed["affiliation"] == "Another"
    assert changed["purpose"] == answers["purpose"]
    stale = finn("PATCH", path, {"expected_version": draft["version"], "affiliation": "Third"})
    assert (stale.status_code, stale.json()["error"]["code"]) == (409, "stale_version")


def test_an_incomplete_application_names_what_is_missing(api: Any, accepted: str) -> None:
    body = {"size": SERVED, "purpose": "A first thought", "submit": True, "agreement_hash": accepted}
    response = api("finn").post("/api/applications/", body)
    assert (response.status_code, response.json()["error"]["code"]) == (409, "incomplete")
    assert {"affiliation", "functions"} <= {one["param"] for one in response.json()["error"]["problems"]}
    assert not Application.objects.filter(applicant__username="finn").exists()


def test_handed_in_at_once_and_only_once(api: Any, answers: Any, accepted: str) -> None:
    body = {**answers, "submit": True, "agreement_hash": accepted}
    assert api("finn").post("/api/applications/", body).json()["state"] == "submitted"
    again = api("finn").post("/api/applications/", body)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "open_application")


def test_a_change_of_an_ended_application_does_not_reach_a_later_one(api: Any, answers: Any) -> None:
    finn = api("finn")
    first = finn.post("/api/applications/", answers).json()
    path = f"/api/applications/{first['id']}/"
    finn.post(path + "withdraw/", {"expected_version": first["version"]})
    second = finn.post("/api/applications/", answers).json()
    refused = finn("PATCH", path, {"expected_version": second["version"], "purpose": "Changed"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "state")
    assert finn.get(f"/api/applications/{second['id']}/").json()["purpose"] == answers["purpose"]


def test_applications_are_ones_own_and_no_token_decides(api: Any, answers: Any) -> None:
    made = api("finn").post("/api/applications/", answers).json()
    assert api("ivy").get("/api/applications/").json()["count"] == 0
    for command in ("", "withdraw/", "submit/", "answer/"):
        body = {"expected_version": made["version"]}
        body |= {"agreement_hash": "x"} if command == "submit/" else {"answer": "x"} if command == "answer/" else {}
        method = "POST" if command else "PATCH"
        assert api("ivy")(method, f"/api/applications/{made['id']}/{command}", body).status_code == 404


def test_a_visitor_reports_and_follows_by_code(api: Any) -> None:
    filed = api().post("/api/reports/", REPORT)
    assert (filed.status_code, filed.json()["state"]) == (201, "received")
    code = filed.json()["code"]
    assert api().post("/api/reports/status/", {"code": code.lower()}).json()["state"] == "received"
    written = api().post("/api/reports/messages/", {"code": code, "text": "One more thing."})
    assert [one["text"] for one in written.json()["messages"]] == ["One more thing."]
    assert api().post("/api/reports/status/", {"code": "WRONG"}).status_code == 404


def test_a_token_that_is_sent_needs_the_scope(api: Any) -> None:
    assert api("finn", "reports:write").post("/api/reports/", REPORT).status_code == 201
    refused = api("finn", "catalogue:read").post("/api/reports/", REPORT)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "scope")


def test_a_wrong_contact_is_named_and_nothing_is_stored(api: Any) -> None:
    before = MisuseReport.objects.count()
    response = api().post("/api/reports/", {**REPORT, "contact": "nobody"})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "contact")
    assert MisuseReport.objects.count() == before


def test_a_network_files_so_many_a_day(api: Any) -> None:
    answers = [api().post("/api/reports/", {**REPORT, "what": f"Number {number}"}) for number in range(21)]
    assert [one.status_code for one in answers] == [201] * 20 + [429]
    assert int(answers[-1]["Retry-After"]) > 0


def test_questions_at_fields_are_answered_and_followed_by_token(
    api: Any, answers: Any, accepted: str, world: Any
) -> None:
    from release_portal.access.reviews import ask_applicant

    finn = api("finn")
    sent = finn.post("/api/applications/", {**answers, "submit": True, "agreement_hash": accepted}).json()
    path = f"/api/applications/{sent['id']}/"
    status = finn.get(path + "status/").json()
    assert (status["owner"], status["next_act"], status["place"], status["expected"]) == (
        "access_lead",
        "review",
        1,
        None,
    )
    assert [one["code"] for one in status["steps"]] == ["write", "review", "decision"]
    assert api("ivy").get(path + "status/").status_code == 404
    questions = {"affiliation": "Which group?", "functions": "Is detection enough?"}
    ask_applicant(world.actor("ivy"), sent["id"], at_fields=questions, expected_version=sent["version"], at=world.at)
    asked = finn.get(path).json()
    assert [one["field"] for one in asked["questions"]] == ["affiliation", "functions"]
    assert finn.get(path + "status/").json()["is_paused"] is True
    body = {"expected_version": asked["version"], "answers": [{"field": "affiliation", "answer": "The second."}]}
    missing = finn.post(path + "answer/", body)
    assert (missing.status_code, missing.json()["error"]["param"]) == (400, "reply_functions")
    foreign = finn.post(path + "answer/", {**body, "changes": {"purpose": "Another"}})
    assert (foreign.status_code, foreign.json()["error"]["param"]) == (400, "purpose")
    done = finn.post(path + "answer/", {**body, "changes": {"functions": ["detect"]}})
    assert (done.status_code, done.json()["state"], done.json()["functions"]) == (200, "submitted", ["detect"])
    (change,) = done.json()["questions"][1]["changes"]
    assert (change["field"], change["old"], change["new"]) == ("functions", "generate", "detect")
