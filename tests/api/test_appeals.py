"""Appeals by token: what can be appealed, filing, following, answering; the same rules as on the pages."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from release_portal.access.reviews import refuse_application
from release_portal.appeals.models import Appeal
from release_portal.appeals.services import accept_appeal, ask_appellant, assign_appeal
from release_portal.audit.models import AuditEvent
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from tests.api.conftest import Caller
from tests.services.applying import DAY, submit
from tests.world import World

WORDS = "The question is as clear as it can be."


@pytest.fixture
def decision(world: World, at: datetime) -> str:
    """A refusal of finn's application, by ivy."""
    write_agreement(DEMO, at=at - 10 * DAY)
    sent = submit(world, "finn", at)
    refuse_application(
        world.actor("ivy"), sent.pk, code="purpose_unclear", text="No.", expected_version=sent.version, at=at
    )
    return f"application:{sent.pk}"


@pytest.fixture
def finn(api: Any) -> Caller:
    """Finn's token."""
    found: Caller = api("finn", "appeals:write")
    return found


def file(caller: Caller, decision: str, grounds: str = WORDS, **more: Any) -> Any:
    """Appeal."""
    return caller.post("/api/appeals/", {"decision": decision, "grounds": grounds}, **more)


def test_a_decision_is_found_appealed_and_followed(finn: Caller, decision: str) -> None:
    (open_one,) = finn.get("/api/appealable/").json()["results"]
    assert (open_one["decision"], open_one["kind"]) == (decision, "refusal")
    filed = file(finn, decision)
    assert (filed.status_code, filed.json()["state"], filed.json()["grounds"]) == (201, "filed", WORDS)
    assert finn.get(filed["Location"]).json() == filed.json()
    assert [one["id"] for one in finn.get("/api/appeals/").json()["results"]] == [filed.json()["id"]]
    assert finn.get("/api/appeals/?state=closed").json()["count"] == 0
    assert finn.get("/api/appealable/").json()["results"] == []
    assert AuditEvent.objects.get(kind="appeal.filed").actor_name == "finn"


def test_a_question_is_answered_once_and_a_stale_version_is_told(
    world: World, finn: Caller, decision: str, at: datetime
) -> None:
    filed = file(finn, decision).json()
    path = f"/api/appeals/{filed['id']}/answer/"
    early = finn.post(path, {"answer": "Here.", "expected_version": filed["version"]})
    assert early.status_code == 409
    ben = world.actor("ben")
    taken = accept_appeal(ben, filed["id"], expected_version=filed["version"], at=at)
    given = assign_appeal(ben, filed["id"], to="ben", expected_version=taken.version, at=at)
    asked = ask_appellant(ben, filed["id"], question="Which question?", expected_version=given.version, at=at)
    stale = finn.post(path, {"answer": "This one.", "expected_version": filed["version"]})
    assert (stale.status_code, stale.json()["error"]["code"]) == (409, "stale_version")
    body = {"answer": "This one.", "expected_version": asked.version}
    first, second = (finn.post(path, body, key="answer-1") for _ in range(2))
    assert (first.status_code, first.json()) == (200, second.json())
    assert second["Idempotent-Replay"] == "true"
    assert first.json()["questions"][0]["answer"] == "This one."


def test_the_same_key_files_once_and_no_key_is_told_that_it_was_appealed(finn: Caller, decision: str) -> None:
    first, second = (file(finn, decision, key="appeal-1") for _ in range(2))
    assert first.json() == second.json()
    assert Appeal.objects.count() == 1
    third = file(finn, decision)
    assert (third.status_code, third.json()["error"]["code"]) == (409, "appealed")


@pytest.mark.parametrize("who", ["lou", "ivy", "ada", "cleo"])
def test_T2_T24_nobody_appeals_reads_or_answers_for_another(api: Any, finn: Caller, decision: str, who: str) -> None:
    """Seen to fail with `decision_to_appeal` asking only whether the decision exists."""
    other = api(who)
    assert file(other, decision).status_code == 404
    filed = file(finn, decision).json()
    path = f"/api/appeals/{filed['id']}/"
    assert other.get(path).status_code == 404
    assert other.post(path + "answer/", {"answer": "x", "expected_version": 1}).status_code == 404
    assert other.get("/api/appeals/").json()["count"] == 0
    assert other.get("/api/appealable/").json()["results"] == []


def test_T24_a_token_without_the_scope_sees_and_files_nothing(api: Any, decision: str) -> None:
    blind = api("finn", "applications:write")
    answers = [blind.get("/api/appeals/"), blind.get("/api/appealable/"), file(blind, decision)]
    assert {one.status_code for one in answers} == {403}
    assert {one.json()["error"]["code"] for one in answers} == {"scope"}
    assert not Appeal.objects.exists()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"decision": "grant:nobodys:suspension:1", "grounds": "x"}, 404),
        ({"decision": "nonsense", "grounds": "x"}, 404),
        ({"decision": "application:x", "grounds": ""}, 400),
        ({"decision": "application:x", "grounds": "x" * 5_001}, 400),
        ({"grounds": "x"}, 400),
        ({"decision": "application:x", "grounds": "x", "verdict": "overturn"}, 400),
    ],
)
def test_what_cannot_be_appealed_is_said(finn: Caller, decision: str, body: dict[str, str], status: int) -> None:
    assert finn.post("/api/appeals/", body).status_code == status
