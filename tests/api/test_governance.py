"""Gates, excuses, standings, evidence, proposals and decisions as JSON: all read, tokens attach, none decides."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from release_portal.api.urls import urlpatterns
from release_portal.evidence.models import Evidence
from release_portal.registry.models import ModelFamily, ModelSize
from release_portal.releases.assessments import gate_of, next_assessments
from release_portal.releases.consultations import add_comment, open_window
from release_portal.releases.excuses import excuses_for
from release_portal.releases.hold_services import raise_hold
from release_portal.releases.models import ExternalReview, PolicyVersion, Proposal, Standing
from release_portal.releases.policy_services import adopt_policy
from release_portal.releases.waivers import ask_waiver
from tests import governance
from tests.api.test_error_shape import error_of
from tests.world import SERVED, World, stored_digest

SIZE = f"/api/sizes/{SERVED}/"
GATE, EXCUSES, EVIDENCE, AS_OF = SIZE + "gate/", SIZE + "excuses/", SIZE + "evidence/", SIZE + "as_of/"
READ, WRITE = "catalogue:read", "evidence:write"
CAST = ("", "finn", "cleo", "ben", "jo")


@pytest.fixture
def small(world: World) -> str:
    """A policy with six criteria, in force for everything; its digest."""
    return governance.adopt(world, governance.small_policy())


@pytest.fixture
def proposal(world: World, small: str) -> Proposal:
    """The served size, on its way to the public; nothing is supplied yet."""
    return governance.propose(world, world.size, "public_hosted", at=world.at)


@pytest.fixture
def in_review(world: World, proposal: Proposal) -> Proposal:
    """Locked, submitted, and approved by a release manager, not yet by a safety reviewer."""
    governance.supply(world, proposal.size, gate_of(proposal), at=world.at)
    governance.answer_checklist(world, proposal, at=world.at)
    governance.lock(world, proposal, at=world.at)
    version = governance.fresh(proposal).version
    governance.submit_proposal(world.actor("jo"), proposal.pk, expected_version=version, at=world.at)
    governance.vote(world, proposal, "ada", "release_manager", at=world.at)
    return governance.fresh(proposal)


@pytest.fixture
def draft(at: datetime) -> dict[str, Any]:
    """A measurement that can be attached."""
    return {
        "criterion": "C07",
        "kind": "measured",
        "summary": "Found 71 of 100 texts.",
        "measured_at": at.isoformat(),
        "value": "0.71",
        "ci_low": "0.62",
        "ci_high": "0.79",
        "n": 100,
        "harness": "harness 1",
        "dataset": "texts 1",
        "subject_digest": stored_digest(),
        "params": {"top_k": 40, "temperature": "0.7", "greedy": False},
        "expected_newest": 0,
    }


def one_of(response: Any) -> dict[str, Any]:
    """The only row of a list."""
    (row,) = response.json()["results"]
    found: dict[str, Any] = row
    return found


def as_token(api: Any, name: str, *scopes: str) -> Any:
    """A caller without a name is nobody."""
    return api(name, *scopes) if name else api()


# --- Policies --------------------------------------------------------------------------------------------------------


def test_every_policy_is_public_and_known_by_its_digest(api: Any, world: World, small: str) -> None:
    listed = {row["name"]: row for row in api().get("/api/policies/").json()["results"]}
    assert {"preset", "demo-fast", "small"} <= set(listed)
    assert [one["adopted_by"] for one in listed["small"]["adoptions"]] == ["ada"]
    policy = api().get(f"/api/policies/{small}/").json()
    assert policy["text"] == PolicyVersion.objects.get(digest=small).text
    gate = policy["rules"]["gates"][0]
    assert (gate["stage_from"], gate["stage_to"], gate["cool_off_days"]) == ("registered", "disclosed", 1)
    criterion = {one["id"]: one for one in gate["criteria"]}["C07"]
    assert (criterion["comparator"], criterion["threshold"], criterion["max_age_days"]) == (">=", "0.5", 30)
    assert policy["rules"]["review_every"] == [{"stage": "partner", "days": 180}]


def test_a_policy_goes_by_its_name_too_and_an_unknown_one_is_404(api: Any, small: str) -> None:
    assert api().get("/api/policies/small/").json()["digest"] == small
    assert api().get(f"/api/policies/{'0' * 64}/").status_code == 404


def test_an_adoption_for_a_family_that_is_hidden_is_not_shown(api: Any, world: World, small: str) -> None:
    family = ModelFamily.objects.get(pk=world.size.family_id)
    adopt_policy(world.actor("ada"), small, family=family, reason="This family only.", at=world.at)
    path = f"/api/policies/{small}/"
    assert family.slug in {one["family"] for one in api().get(path).json()["adoptions"]}
    Standing.objects.filter(size__family=family).update(stage="registered")
    assert {one["family"] for one in api().get(path).json()["adoptions"]} == {None}


# --- Gates and excuses -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CAST)
def test_everybody_reads_the_gate_as_the_engine_computes_it(api: Any, world: World, small: str, name: str) -> None:
    found = as_token(api, name).get(GATE).json()
    expected = next_assessments([world.size], world.at)[world.size.pk]
    assert (found["policy"], found["proposal"], found["may_advance"]) == (small, None, False)
    assert (found["gate"]["stage_from"], found["gate"]["stage_to"]) == ("research_hosted", "public_hosted")
    assert [(one["criterion"], one["outcome"], one["need"]) for one in found["results"]] == [
        (one.criterion.id, one.outcome.value, one.need) for one in expected.results
    ]
    missing = next(one for one in found["results"] if one["criterion"] == "C07")
    assert (missing["outcome"], missing["owner"], missing["is_met"]) == ("not_run", "safety_reviewer", False)
    assert missing["change"]


def test_the_gate_names_the_open_proposal(api: Any, proposal: Proposal) -> None:
    assert api().get(GATE).json()["proposal"] == {"id": proposal.pk, "state": "collecting"}
    assert api().get(EXCUSES).json()["proposal"] == {"id": proposal.pk, "state": "collecting"}


def test_a_size_on_the_widest_stage_has_no_gate(api: Any, world: World) -> None:
    Standing.objects.filter(size=world.size).update(stage="open_science", granted="open_science")
    found = api().get(GATE).json()
    assert (found["gate"], found["results"], found["may_advance"]) == (None, [], False)
    assert api().get(EXCUSES).json()["target"] is None


@pytest.mark.parametrize("name", CAST)
def test_excuses_are_the_lines_of_the_engine(api: Any, world: World, small: str, name: str) -> None:
    lines = as_token(api, name).get(EXCUSES).json()["lines"]
    expected = excuses_for([world.size], world.at)[world.size.pk].lines
    assert lines == [vars(line) for line in expected]
    assert {"proposal", "C07"} <= {line["code"] for line in lines}


def test_the_list_of_excuses_has_every_visible_size_with_its_lines(api: Any, world: World, small: str) -> None:
    rows = {row["size"]: row for row in api().get("/api/excuses/?per_page=100").json()["results"]}
    assert len(rows) == ModelSize.objects.exclude(standing__stage="registered").count()
    assert rows[SERVED] == api().get(EXCUSES).json()


def test_excuses_are_filtered_by_owner_and_by_family(api: Any, world: World, small: str) -> None:
    found = api().get("/api/excuses/?owner=safety_reviewer&per_page=100").json()
    assert {line["owner"] for row in found["results"] for line in row["lines"]} == {"safety_reviewer"}
    assert SERVED in {row["size"] for row in found["results"]}
    assert api().get("/api/excuses/?owner=board").json()["count"] == 0
    family = world.size.family.slug
    assert {row["family"] for row in api().get(f"/api/excuses/?family={family}").json()["results"]} == {family}
    assert error_of(api().get("/api/excuses/?owner=nobody"), 400)["param"] == "owner"


# --- Standings -------------------------------------------------------------------------------------------------------


def board_line(caller: Any, query: str = "") -> dict[str, Any]:
    """The line of the served size."""
    rows = caller.get(f"/api/board/?per_page=100{query}").json()["results"]
    return next(row for row in rows if row["size"] == SERVED)


def test_the_board_has_stages_holds_and_restrictions(api: Any, world: World) -> None:
    hold = raise_hold(world.actor("ben"), world.size, reason="Too much at once.", level="R1", percent=50, at=world.at)
    line = board_line(api())
    assert (line["stage"], line["granted"]) == ("research_hosted", "research_hosted")
    assert line["holds"] == [{"id": hold.pk, "level": "R1"}]
    assert line["restrictions"] == ["R1"]


def test_the_board_and_a_size_as_of_an_earlier_time_come_from_the_record(api: Any, world: World) -> None:
    later = world.at + timedelta(seconds=5)
    hold = raise_hold(world.actor("ben"), world.size, reason="Look closer.", at=later)
    before, after = (f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in (later - timedelta(seconds=1), later))
    for query, holds in ((before, []), (after, [{"id": hold.pk, "level": "hold"}])):
        assert board_line(api(), f"&as_of={query}")["holds"] == holds
        then = api().get(f"{AS_OF}?at={query}").json()
        assert (then["stage"], then["holds"]) == ("research_hosted", holds)
    assert api().get(f"{AS_OF}?at=1980-01-01T00:00:00Z").json()["stage"] is None
    assert board_line(api(), "&as_of=1980-01-01T00:00:00Z")["since"] is None


def test_a_size_as_of_a_time_names_its_proposals(api: Any, world: World, proposal: Proposal) -> None:
    then = api().get(AS_OF).json()
    assert then["proposals"] == [{"id": proposal.pk, "state": "collecting"}]
    assert then["events"] >= 2


@pytest.mark.parametrize("moment", ["yesterday", "2026-01-01", "2026-01-01T00:00:00", "0001-01-01T00:00:00Z", ""])
def test_a_time_that_is_none_or_has_no_zone_is_400_at_its_field(api: Any, moment: str) -> None:
    assert error_of(api().get(f"{AS_OF}?at={moment}"), 400)["param"] == "at"
    assert error_of(api().get(f"/api/board/?as_of={moment}"), 400)["param"] == "as_of"


# --- Evidence --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ben", "jo"])
def test_staff_attach_evidence_by_token(api: Any, draft: dict[str, Any], name: str) -> None:
    made = api(name, READ, WRITE).post(EVIDENCE, draft)
    assert made.status_code == 201
    said = made.json()
    assert (said["value"], said["ci_low"], said["n"], said["signer"]) == ("0.71", "0.62", 100, name)
    assert said["params"] == draft["params"]
    assert (said["review_state"], said["review"], said["superseded_by"]) == ("waiting", None, None)
    assert one_of(api().get(EVIDENCE + "?criterion=C07")) == said


def test_evidence_is_public_newest_first_and_filtered(api: Any, world: World, draft: dict[str, Any]) -> None:
    ben = api("ben", READ, WRITE)
    first = ben.post(EVIDENCE, draft).json()["id"]
    second = ben.post(EVIDENCE, {**draft, "expected_newest": first}).json()["id"]
    governance.accept(world, Evidence.objects.get(pk=second), at=world.at, by="jo")
    rows = api().get(EVIDENCE + "?criterion=C07").json()["results"]
    assert [(row["id"], row["supersedes"], row["superseded_by"]) for row in rows] == [
        (second, first, None),
        (first, None, second),
    ]
    assert (rows[0]["review"]["verdict"], rows[0]["review"]["reviewer"]) == ("accepted", "jo")
    assert api().get(EVIDENCE + "?criterion=C01").json()["count"] == 0


def test_evidence_over_what_somebody_else_attached_meanwhile_is_409(api: Any, draft: dict[str, Any]) -> None:
    api("jo", READ, WRITE).post(EVIDENCE, draft)
    refused = error_of(api("ben", READ, WRITE).post(EVIDENCE, draft), 409)
    assert refused["code"] == "stale_version"
    assert "jo" in refused["message"]
    assert refused["change"]
    assert Evidence.objects.filter(criterion="C07").count() == 1


def test_the_same_key_attaches_once(api: Any, draft: dict[str, Any]) -> None:
    ben = api("ben", READ, WRITE)
    first, again = (ben.post(EVIDENCE, draft, key="one-measurement") for _ in range(2))
    assert (first.json(), again.status_code, again["Idempotent-Replay"]) == (again.json(), 201, "true")
    assert Evidence.objects.filter(criterion="C07").count() == 1


@pytest.mark.parametrize(
    ("name", "scopes", "status", "code"),
    [
        ("", (), 401, "token_missing"),
        ("finn", (READ,), 403, "scope"),
        ("cleo", (READ, "generate"), 403, "scope"),
        ("ben", (READ,), 403, "scope"),
        ("ben", (READ, "staff:read"), 403, "scope"),
        ("ben", (WRITE,), 403, "scope"),  # who may not read the size does not write to it
        ("jo", ("staff:read",), 403, "scope"),
    ],
)
def test_without_token_or_scope_nothing_is_attached(
    api: Any, draft: dict[str, Any], name: str, scopes: tuple[str, ...], status: int, code: str
) -> None:
    refused = error_of(as_token(api, name, *scopes).post(EVIDENCE, draft), status)
    assert refused["code"] == code
    assert refused["change"]
    assert not Evidence.objects.filter(criterion="C07").exists()


def test_a_session_attaches_nothing_here(client_of: Any, draft: dict[str, Any]) -> None:
    response = client_of("ben").post(EVIDENCE, draft, content_type="application/json")
    assert error_of(response, 401)["code"] == "token_missing"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("value", "NaN"),
        ("value", "Infinity"),
        ("value", "0,71"),
        ("value", 0.71),
        ("value", "0.9"),  # outside its interval
        ("ci_low", "0.95"),  # above the upper end
        ("ci_high", None),
        ("n", 0),
        ("n", 10**13),
        ("n", 1.5),
        ("subject_digest", "f" * 64),
        ("subject_digest", "not a digest"),
        ("measured_at", "2999-01-01T00:00:00Z"),
        ("measured_at", "2026-01-01T00:00:00"),
        ("measured_at", 5),
        ("kind", "rumour"),
        ("assurance", "certain"),
        ("criterion", "c 7"),
        ("link", "javascript:alert(1)"),
        ("ttl_days", 0),
        ("summary", " "),
        ("params", {"temperature": 0.7}),
        ("params", {"deep": {"er": 1}}),
        ("items", ["one", "one"]),
        ("expected_newest", -1),
        ("expected_newest", None),
        ("signer", "kim"),
    ],
)
def test_impossible_evidence_is_400_at_its_field(api: Any, draft: dict[str, Any], field: str, value: Any) -> None:
    refused = error_of(api("ben", READ, WRITE).post(EVIDENCE, {**draft, field: value}), 400)
    assert field in {problem["param"].partition(".")[0] for problem in refused["problems"]}
    assert not Evidence.objects.filter(criterion="C07").exists()


def test_other_weights_are_answered_with_the_right_ones(api: Any, draft: dict[str, Any]) -> None:
    refused = error_of(api("ben", READ, WRITE).post(EVIDENCE, {**draft, "subject_digest": "f" * 64}), 400)
    assert refused["code"] == "unfit_evidence"
    assert stored_digest() in refused["change"]


# --- Proposals and decisions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CAST)
def test_everybody_reads_a_proposal_and_no_token_its_votes_before_the_decision(
    api: Any, in_review: Proposal, name: str
) -> None:
    found = as_token(api, name).get(f"/api/proposals/{in_review.pk}/").json()
    lock = in_review.current_lock
    assert lock is not None
    assert (found["state"], found["lock_digest"], found["lock"]["digest"]) == ("in_review", lock.digest, lock.digest)
    assert found["results"] == lock.results
    assert (found["votes"], found["quorum"]) == (None, None)
    assert found["votes_reason"]
    assert found["votes_change"]
    assert "'ada'" not in str(found)
    assert one_of(as_token(api, name).get("/api/proposals/?state=in_review"))["id"] == in_review.pk


def test_an_external_reviewers_token_reads_the_votes_once_the_report_is_deposited(
    api: Any, world: World, in_review: Proposal
) -> None:
    path, gia = f"/api/proposals/{in_review.pk}/", api("gia", READ)
    review = ExternalReview.objects.create(
        proposal=in_review, reviewer_id=world.actor("gia").id, reviewer="gia", terms="Twenty days.", fee="none",
        edit_rights="none", invited_by="jo", invited_at=world.at, due_at=world.at + timedelta(days=30),
    )  # fmt: skip
    assert gia.get(path).json()["votes"] is None
    ExternalReview.objects.filter(pk=review.pk).update(
        deposited_at=world.at, finding="concerns", report_digest="d" * 64
    )
    found = gia.get(path).json()
    assert [(one["person"], one["lock"]) for one in found["votes"]] == [("ada", 1)]
    assert [(one["reviewer"], one["report_digest"]) for one in found["external_reviews"]] == [("gia", "d" * 64)]
    assert "finding" not in found["external_reviews"][0]


def test_before_there_is_a_lock_a_proposal_shows_how_it_stands_now(api: Any, proposal: Proposal) -> None:
    found = api().get(f"/api/proposals/{proposal.pk}/").json()
    assert (found["lock"], found["lock_digest"]) == (None, None)
    assert {one["criterion"]: one["outcome"] for one in found["results"]}["C07"] == "not_run"


def test_waivers_and_windows_stand_with_the_proposal(api: Any, world: World, proposal: Proposal) -> None:
    jo, ends = world.actor("jo"), world.at + timedelta(days=10)
    ask_waiver(jo, proposal.pk, criterion="C07", reason="It is being measured.", ends_at=ends, at=world.at)
    open_window(jo, proposal.pk, kind="comment", text="What should we know?", closes_at=ends, at=world.at)
    cleo = world.actor("cleo")
    add_comment(cleo, proposal.pk, name="", text="It lies.", is_objection=True, at=world.at)
    add_comment(cleo, proposal.pk, name="", text="It helps.", is_objection=False, at=world.at)
    found = api().get(f"/api/proposals/{proposal.pk}/").json()
    assert [(one["criterion"], one["granted_at"], one["agreed"]) for one in found["waivers"]] == [("C07", None, [])]
    assert [(one["kind"], one["comments"], one["open_objections"]) for one in found["windows"]] == [("comment", 2, 1)]


def test_the_record_of_a_decision_is_public_with_every_vote(api: Any, world: World, in_review: Proposal) -> None:
    path = f"/api/decisions/{in_review.pk}/"
    assert error_of(api("jo").get(path), 404)["change"]  # not decided yet
    governance.vote(world, in_review, "ben", "safety_reviewer", "veto", at=world.at)
    record = api().get(path).json()
    assert record["state"] == "rejected"
    assert {(one["person"], one["verdict"]) for one in record["votes"]} == {("ada", "approve"), ("ben", "veto")}
    assert {place["role"]: place["is_filled"] for place in record["quorum"]} == {
        "release_manager": True,
        "safety_reviewer": False,
    }
    assert len(record["locks"]) == 1
    assert record["results"] == governance.fresh(in_review).locks.get().results
    assert api().get(f"/api/proposals/{in_review.pk}/").json()["votes"] is not None


def test_an_executed_decision_says_who_carried_it_out(api: Any, world: World, in_review: Proposal) -> None:
    governance.vote(world, in_review, "ben", "safety_reviewer", at=world.at)
    done = governance.carry_out(world, in_review, at=world.at)
    record = api().get(f"/api/decisions/{done.pk}/").json()
    assert (record["state"], record["executed_by"]) == ("observing", "jo")
    assert all(place["is_filled"] for place in record["quorum"])


@pytest.mark.parametrize("number", ["0", "999999", "x", "9" * 30, "1.5", "-1"])
def test_a_proposal_that_is_not_there_is_404(api: Any, number: str) -> None:
    assert api().get(f"/api/proposals/{number}/").status_code == 404
    assert api().get(f"/api/decisions/{number}/").status_code == 404


def test_a_hidden_size_hides_all_that_belongs_to_it(api: Any, world: World, in_review: Proposal) -> None:
    Standing.objects.filter(size=world.size).update(stage="registered")
    draft = {"criterion": "C03", "kind": "document", "summary": "x", "measured_at": world.at.isoformat()}
    for who in (api(), api("ben", READ, WRITE, "staff:read")):  # a token carries no role
        for path in (GATE, EXCUSES, AS_OF, EVIDENCE, f"/api/proposals/{in_review.pk}/"):
            assert who.get(path).status_code == 404
        for path in ("/api/excuses/", "/api/board/", "/api/proposals/"):
            assert SERVED not in [row["size"] for row in who.get(path + "?per_page=100").json()["results"]]
    refused = api("ben", READ, WRITE).post(EVIDENCE, {**draft, "statement": "x", "expected_newest": 0})
    assert refused.status_code == 404


def test_nothing_here_votes_executes_or_reviews(api: Any, in_review: Proposal) -> None:
    """The only address of the gates that takes a POST is that of evidence."""
    gates = {"api-policies", "api-policy", "api-excuses", "api-board", "api-proposals", "api-proposal", "api-decision"}
    gates |= {f"api-size-{name}" for name in ("gate", "excuses", "as-of", "evidence")}
    views = {pattern.name: pattern.callback.view_class for pattern in urlpatterns if pattern.name in gates}  # type: ignore[union-attr]
    assert set(views) == gates
    taking = {name for name, view in views.items() for method in ("post", "patch") if hasattr(view, method)}
    assert taking == {"api-size-evidence"}
    for name in ("vote", "votes", "execute", "lock", "submit"):
        assert api("ada").post(f"/api/proposals/{in_review.pk}/{name}/").status_code == 404


@pytest.mark.parametrize(
    "path", [GATE, EXCUSES, EVIDENCE, AS_OF, "/api/excuses/", "/api/board/", "/api/policies/", "/api/proposals/"]
)
def test_a_token_that_is_sent_needs_the_scope_to_read(api: Any, path: str) -> None:
    assert error_of(api("ben", "staff:read").get(path), 403)["code"] == "scope"
    assert api("ben", READ).get(path).status_code == 200


# --- Cost ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def queries(api: Any) -> Callable[[str], int]:
    """Return a function from an address to how many queries its answer takes."""
    caller = api()

    def count(path: str) -> int:
        with CaptureQueriesContext(
            connection,
        ) as found:
            assert caller.get(path).status_code == 200
        return len(found)

    return count


@pytest.mark.parametrize(
    "path", ["/api/excuses/?", "/api/board/?", "/api/board/?as_of=2026-11-01T00:00:00Z&", "/api/policies/?"]
)
def test_a_long_page_takes_as_many_queries_as_a_short_one(
    world: World, small: str, queries: Callable[[str], int], path: str
) -> None:
    queries(path + "per_page=1")  # what is read once per process
    assert queries(path + "per_page=100") == queries(path + "per_page=2")


def test_evidence_and_proposals_take_as_many_queries_however_many_there_are(
    world: World, in_review: Proposal, queries: Callable[[str], int]
) -> None:
    evidence = EVIDENCE + "?per_page="
    assert queries(evidence + "100") == queries(evidence + "1")
    before = queries("/api/proposals/")
    for size in ModelSize.objects.filter(standing__stage="research_hosted").exclude(pk=world.size.pk)[:3]:
        governance.propose(world, size, "public_hosted", at=world.at)
    other = ModelSize.objects.exclude(pk=world.size.pk).exclude(standing__stage="registered").first()
    Proposal.objects.create(
        size=other, source="disclosed", target="partner", policy=in_review.policy, state="aborted", rationale="x",
        opened_by_id="1", opened_by="jo", opened_at=world.at,
    )  # fmt: skip
    assert Proposal.objects.count() > 1
    assert queries("/api/proposals/") == before


def test_all_excuses_of_an_owner_take_no_more_queries_than_one_size(
    world: World, small: str, queries: Callable[[str], int]
) -> None:
    queries("/api/excuses/?owner=safety_reviewer")
    family = world.size.family.slug
    assert queries("/api/excuses/?owner=safety_reviewer") == queries(
        f"/api/excuses/?owner=safety_reviewer&family={family}"
    )


# --- The reference ---------------------------------------------------------------------------------------------------


def test_the_examples_in_the_reference_are_as_the_document_says(client: Any, db: None) -> None:
    document = client.get("/api/schema/").json()
    seen = 0
    for item in document["paths"].values():
        for operation in item.values():
            bodies = [
                *operation["responses"].values(),
                *([operation["requestBody"]] if "requestBody" in operation else []),
            ]
            for body in bodies:
                content = body["content"].get("application/json", {})  # a file has no example
                for example in content.get("examples", {}).values():
                    fits(example["value"], content["schema"], document)
                    seen += 1
    assert seen >= 12


def fits(value: Any, schema: dict[str, Any], document: dict[str, Any]) -> None:
    """Fail where an example has other fields or other kinds of values than the document says."""
    for part in [schema, *schema.get("allOf", [])]:
        if "$ref" in part:
            fits_whole(value, document["components"]["schemas"][part["$ref"].rpartition("/")[2]], document, schema)
    fits_whole(value, schema, document, schema)


def fits_whole(value: Any, schema: dict[str, Any], document: dict[str, Any], outer: dict[str, Any]) -> None:
    """Compare one level, then what lies below."""
    if value is None:
        assert outer.get("nullable") or schema.get("nullable") or "type" not in schema, schema
        return
    if "enum" in schema:
        assert value in schema["enum"]
    if "properties" in schema:
        assert set(value) == set(schema["properties"])
        for name, inner in schema["properties"].items():
            fits(value[name], inner, document)
    if schema.get("type") == "array":
        for one in value:
            fits(one, schema["items"], document)
    kinds = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict}
    if schema.get("type") in kinds:
        assert isinstance(value, kinds[schema["type"]]), (value, schema)
