"""Teams by token: name, invite, take back, ask for a cohort, lead it; join, decline, leave."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from release_portal.access.models import AgreementVersion, Seat
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from tests.services.applying import submit
from tests.services.teaming import approved, cohort_grant, cohort_now, draft, link_of, mail_of, seat_of, team_grant
from tests.world import World

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def agreement(world: World, at: datetime) -> AgreementVersion:
    """The shipped agreement, in force."""
    return write_agreement(DEMO, at=at - 100 * DAY)


def code(answer: Any) -> str:
    found: str = answer.json()["error"]["code"]
    return found


def test_a_team_is_named_joins_and_uses_the_grant(api: Any, world: World, at: datetime) -> None:
    finn, lou, application = api("finn"), api("lou"), draft(world, "finn", at)
    path = f"/api/applications/{application.pk}/team/"
    made = finn.post(path, {"mails": [mail_of(world, "lou"), "two@lab.example"]}, key="one")
    assert made.status_code == 201
    assert (made.json()["used"], made.json()["seats"]) == (3, 11)
    assert finn.post(path, {"mails": [mail_of(world, "lou"), "two@lab.example"]}, key="one").json() == made.json()
    assert [one["state"] for one in made.json()["members"]] == ["invited", "invited"]
    assert "link" not in made.content.decode(), "T18: the link is in the mail alone"
    assert code(finn.post(path, {"mails": ["no address"]})) == "invalid_input"
    assert lou.get(path).status_code == 404

    seat = Seat.objects.get(mail=world.people["lou"].email)
    link, sha256 = link_of(seat, at), AgreementVersion.objects.get().sha256
    facts = lou.post("/api/invitations/", {"link": link}).json()
    assert (facts["may_join"], facts["mail"]) == (True, seat.mail)
    assert api("dan").post("/api/invitations/", {"link": link}).json()["may_join"] is False
    joined = lou.post("/api/invitations/join/", {"link": link, "agreement_hash": sha256, "affiliation": "Here"})
    assert (joined.status_code, joined.json()["state"], joined.json()["grant"]) == (201, "joined", None)
    again = lou.post("/api/invitations/join/", {"link": link, "agreement_hash": sha256, "affiliation": "x"})
    assert again.status_code == 404
    other = Seat.objects.get(mail="two@lab.example")
    undone = finn.post(f"{path}{other.pk}/undo/", {"expected_version": other.version})
    assert undone.json()["used"] == 2

    submit(world, "finn", at, version=application.version)
    grant = approved(world, application, at)
    assert lou.get("/api/seats/").json()["results"][0]["grant"] == grant.pk
    assert [one["id"] for one in lou.get("/api/grants/").json()["results"]] == [grant.pk]
    left = lou.post(joined["Location"] + "leave/", {"expected_version": seat_of(grant, world, "lou").version})
    assert left.json()["state"] == "left"
    assert lou.get("/api/grants/").json()["results"] == []


def test_a_seat_is_taken_back_and_a_foreign_one_is_not_there(api: Any, world: World, at: datetime) -> None:
    """T2."""
    mine, other = team_grant(world, at, "lou"), team_grant(world, at, "eve", lead="dan")
    finn, seat, foreign = api("finn"), seat_of(mine, world, "lou"), seat_of(other, world, "eve")
    body = {"expected_version": seat.version, "reason": "Over."}
    assert finn.post(f"/api/grants/{mine.pk}/team/{foreign.pk}/remove/", body).status_code == 404
    assert finn.post(f"/api/grants/{other.pk}/team/{foreign.pk}/remove/", body).status_code == 404
    removed = finn.post(f"/api/grants/{mine.pk}/team/{seat.pk}/remove/", body)
    assert [one["state"] for one in removed.json()["members"]] == ["removed"]
    again = finn.post(f"/api/grants/{mine.pk}/team/", {"mails": [mail_of(world, "lou")], "until": "2020-01-01"})
    assert again.status_code == 400
    again = finn.post(f"/api/grants/{mine.pk}/team/", {"mails": [mail_of(world, "lou")]})
    assert again.status_code == 201
    seat = Seat.objects.filter(grant=mine).latest("pk")
    undone = finn.post(f"/api/grants/{mine.pk}/team/{seat.pk}/undo/", {"expected_version": seat.version})
    assert undone.status_code == 200
    assert api("dan").get(f"/api/seats/{seat.pk}/").status_code == 404


def test_a_named_member_is_removed_from_a_draft(api: Any, world: World, at: datetime) -> None:
    from release_portal.access.people.invitations import invite_to_application
    from tests.services.teaming import join

    application = draft(world, "finn", at)
    (seat,) = invite_to_application(world.actor("finn"), application.pk, mail_of(world, "lou"), at=at)
    joined = join(world, "lou", seat, at)
    body = {"expected_version": joined.version, "reason": "Over."}
    answer = api("finn").post(f"/api/applications/{application.pk}/team/{seat.pk}/remove/", body)
    assert answer.json()["members"][0]["state"] == "removed"


def test_a_cohort_is_asked_for_and_dropped(api: Any, world: World, at: datetime) -> None:
    finn, application = api("finn"), draft(world, "finn", at)
    path = f"/api/applications/{application.pk}/cohort/"
    body = {"expected_version": 0, "kind": "lab", "seats": 4, "last_day": (at + 30 * DAY).date().isoformat()}
    assert finn.post(path, body | {"seats": 1}).status_code == 400
    asked = finn.post(path, body).json()["cohort"]
    assert (asked["state"], asked["seats"]) == ("proposed", 4)
    assert finn.post(path, {"expected_version": asked["version"], "kind": None}).json()["cohort"] is None


def test_a_cohort_is_led_by_token(api: Any, world: World, at: datetime) -> None:
    grant = cohort_grant(world, at, 3, "lou")
    finn, lou, seat = api("finn"), api("lou"), seat_of(grant, world, "lou")
    path = f"/api/grants/{grant.pk}/"
    full = finn.post(path + "team/", {"mails": ["a@lab.example", "b@lab.example"]})
    assert (full.status_code, code(full)) == (409, "no_seat")
    assert finn.get(path + "team/").json()["cohort"]["lead"] == "finn"

    def version() -> int:
        return cohort_now(grant).version

    named = finn.post(path + "cohort/deputy/", {"seat": seat.pk, "expected_version": version()})
    assert named.json()["cohort"]["deputy"] == "lou"
    early = lou.post(path + "cohort/take-over/", {"expected_version": version()})
    assert (early.status_code, code(early)) == (409, "has_lead")
    left = finn.post(path + "cohort/hand-over/", {"reason": "I move.", "expected_version": version()})
    assert left.json()["cohort"]["lead"] is None
    assert left.json()["cohort"]["pauses_at"]
    taken = lou.post(path + "cohort/take-over/", {"expected_version": version()})
    assert taken.json()["cohort"]["lead"] == "lou"
    closed = lou.post(path + "cohort/close/", {"reason": "Done.", "expected_version": version()})
    assert closed.status_code == 200
    assert closed.json()["cohort"] is None


def test_an_invitation_is_declined_by_token_and_a_wrong_link_says_nothing(api: Any, world: World, at: datetime) -> None:
    from release_portal.access.people.invitations import invite_to_application

    application = draft(world, "finn", at)
    (seat,) = invite_to_application(world.actor("finn"), application.pk, mail_of(world, "lou"), at=at)
    link, lou = link_of(seat, at), api("lou")
    assert lou.post("/api/invitations/decline/", {"link": "wrong"}).status_code == 404
    assert lou.post("/api/invitations/decline/", {"link": link}).json()["state"] == "declined"
    assert lou.post("/api/invitations/", {"link": link}).status_code == 404


def test_T24_a_token_without_the_scope_reads_no_team_and_none_decides(api: Any, world: World, at: datetime) -> None:
    grant = team_grant(world, at, "lou")
    assert code(api("finn", "generate").get(f"/api/grants/{grant.pk}/team/")) == "scope"
    assert api("ben").get(f"/api/grants/{grant.pk}/team/").status_code == 404, "a token has no roles"
    assert api("lou").get(f"/api/grants/{grant.pk}/team/").status_code == 404
