"""Name those who vouch by token; the link and the words are in no answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from tests.services.attesting import asked, confirm, token_of, waiting

RAE = {"kind": "referee", "name": "Rae", "mail": "rae@referees.example", "relation": "colleague", "expected_version": 0}
UMA = {"name": "Uma", "mail": "uma@elsewhere.example", "relation": "colleague"}


@pytest.fixture(autouse=True)
def agreement(world: Any) -> Any:
    """The shipped agreement, in force for some time."""
    return write_agreement(DEMO, at=world.at - timedelta(days=100))


def path(application_id: str) -> str:
    return f"/api/applications/{application_id}/attestations/"


def error(response: Any) -> tuple[int, str, str]:
    found = response.json()["error"]
    return response.status_code, found["code"], found["param"] or ""


def draft(api: Any, world: Any) -> str:
    made = api("finn").post(
        "/api/applications/",
        {
            "size": "huggingfacetb/smollm2-135m-instruct",
            "purpose_code": "P05",
            "purpose": "x",
            "affiliation": "x",
            "intended_use": "x",
            "functions": ["detect"],
            "requested_end": (world.at + timedelta(days=50)).date().isoformat(),
        },
    )
    found: str = made.json()["id"]
    return found


def test_a_referee_is_named_and_the_application_handed_in(api: Any, world: Any, agreement: Any) -> None:
    finn, number = api("finn"), draft(api, world)
    submit = {"expected_version": 1, "agreement_hash": agreement.sha256}
    early = finn.post(f"/api/applications/{number}/submit/", submit)
    assert error(early) == (409, "incomplete", "referee")
    named = finn.post(path(number), RAE)
    assert (named.status_code, named.json()["state"], named.json()["swaps_left"]) == (200, "named", 2)
    assert finn.post(f"/api/applications/{number}/submit/", submit).json()["state"] == "submitted"
    listed = finn.get(path(number)).json()
    assert (listed["count"], listed["results"][0]["state"]) == (1, "requested")


def test_who_must_not_vouch_is_refused_with_a_code_at_the_field(api: Any, world: Any) -> None:
    finn, number = api("finn"), draft(api, world)
    own = {**RAE, "mail": f"  {world.people['finn'].email.upper()}"}
    assert error(finn.post(path(number), own)) == (400, "own_address", "mail")
    officer = {**RAE, "kind": "institution", "relation": "head", "mail": "o@gmail.com", "domain": "gmail.com"}
    assert error(finn.post(path(number), officer)) == (400, "public_mail", "mail")
    assert error(finn.post(path(number), {**RAE, "kind": "friend"}))[0] == 400
    assert error(finn.post(path(number), {**RAE, "relation": "legal"})) == (400, "invalid_input", "relation")


def test_a_request_is_swapped_cancelled_and_mailed_again(api: Any, world: Any) -> None:
    sent, finn = waiting(world, world.at), api("finn")
    row = asked(sent)
    early = finn.post(f"{path(sent.pk)}{row.pk}/resend/", {"expected_version": row.version})
    assert error(early)[:2] == (429, "mailed_lately")
    stale = finn.post(f"{path(sent.pk)}{row.pk}/cancel/", {"expected_version": 9})
    assert error(stale)[:2] == (409, "stale_version")
    body = {**UMA, "expected_version": row.version}
    made = finn.post(f"{path(sent.pk)}{row.pk}/swap/", body, key="one")
    again = finn.post(f"{path(sent.pk)}{row.pk}/swap/", body, key="one")
    assert made.json() == again.json(), "the same key asks nobody twice"
    assert (made.json()["state"], made.json()["swaps_left"]) == ("requested", 1)
    gone = finn.post(f"{path(sent.pk)}{made.json()['id']}/cancel/", {"expected_version": made.json()["version"]})
    assert gone.json()["state"] == "cancelled"
    assert sent.attestations.count() == 2


def test_who_confirmed_is_asked_again_only_when_it_no_longer_counts(api: Any, world: Any) -> None:
    sent, finn = waiting(world, world.at), api("finn")
    done = confirm(token_of(sent, world.at), world.at)
    address = f"{path(sent.pk)}{done.pk}/again/"
    assert finn.get(path(sent.pk)).json()["results"][0]["counts"] is True
    assert error(finn.post(address, {"expected_version": done.version}))[:2] == (409, "counts")
    type(sent).objects.filter(pk=sent.pk).update(purpose="Another question")
    made = finn.post(address, {"expected_version": done.version})
    assert (made.status_code, made.json()["state"], made.json()["mail"]) == (200, "requested", done.mail)


def test_T18_no_answer_holds_the_link_or_the_words(api: Any, world: Any) -> None:
    sent, finn = waiting(world, world.at), api("finn")
    token = token_of(sent, world.at)
    before = finn.get(path(sent.pk)).content.decode() + finn.get(f"/api/applications/{sent.pk}/").content.decode()
    confirm(token, world.at, words="secret words")
    after = finn.get(path(sent.pk)).content.decode()
    for secret in (token, "secret words", asked(sent).statement_digest, "link"):
        assert secret not in before + after


def test_T2_T24_a_token_of_somebody_else_or_without_the_scope_finds_nothing(api: Any, world: Any) -> None:
    sent, foreign = waiting(world, world.at), waiting(world, world.at, "lou")
    for who in ("lou", "ivy"):
        assert api(who).get(path(sent.pk)).status_code == 404
        assert api(who).post(path(sent.pk), RAE).status_code == 404
    assert api("finn", "generate").get(path(sent.pk)).status_code == 403
    other = asked(foreign)
    for command in ("cancel", "resend", "again"):
        answer = api("finn").post(f"{path(sent.pk)}{other.pk}/{command}/", {"expected_version": other.version})
        assert answer.status_code == 404
    swap = api("finn").post(f"{path(sent.pk)}{other.pk}/swap/", {**UMA, "expected_version": other.version})
    assert swap.status_code == 404
