"""The pages of teams: name people, ask for a cohort, invite, join by link, leave, suspend one member."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import structlog
from django.urls import reverse

from release_portal.access.models import AgreementVersion, Application, Cohort, Grant, Seat
from release_portal.access.people.cohort_rules import LAB, Wish
from release_portal.access.people.cohorts import ask_for_cohort
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from tests.services.applying import submit
from tests.services.teaming import cohort_grant, cohort_now, draft, link_of, mail_of, seat_of, team_grant
from tests.world import World

DAY = timedelta(days=1)
EVIL = "<script>alert('x')</script>"
ClientOf = Callable[[str], Any]


@pytest.fixture(autouse=True)
def agreement(world: World, at: datetime) -> AgreementVersion:
    """The shipped agreement, in force."""
    return write_agreement(DEMO, at=at - 100 * DAY)


def shown(response: Any) -> str:
    """What a reader sees, without tags and doubled spaces."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def followed(client: Any, answer: Any) -> str:
    assert answer.status_code == 303, (answer.status_code, shown(answer))
    return shown(client.get(answer.headers["Location"]))


def on_grant(client: Any, grant: Grant, name: str, **values: Any) -> Any:
    return client.post(reverse("grant-team-command", args=[grant.pk, name]), values)


def on_seat(client: Any, seat: Seat, name: str, **values: Any) -> Any:
    fresh = Seat.objects.get(pk=seat.pk)
    address = reverse("grant-seat-command", args=[fresh.grant_id, seat.pk, name])
    return client.post(address, {"expected_version": fresh.version, **values})


def on_cohort(client: Any, grant: Grant, name: str, **values: Any) -> Any:
    return on_grant(client, grant, name, expected_version=cohort_now(grant).version, **values)


# --- On a draft ------------------------------------------------------------------------------------------------------


def test_people_are_named_on_a_draft_and_the_apply_page_says_so(
    client_of: ClientOf, world: World, at: datetime
) -> None:
    finn, application = client_of("finn"), draft(world, "finn", at)
    lab, name = application.size.slug.split("/")
    page = finn.get(reverse("apply", args=[lab, name]))
    team = reverse("application-team", args=[application.pk])
    assert team in page.content.decode()
    assert "Members appear here." in shown(finn.get(team))
    address = reverse("application-team-command", args=[application.pk, "invite"])
    page = followed(finn, finn.post(address, {"mails": "one@lab.example, two@lab.example"}))
    assert "The invitations are on their way" in page
    assert "3 of 11 seats are taken" in page
    assert "one@lab.example" in shown(finn.get(reverse("apply", args=[lab, name])))
    refused = finn.post(address, {"mails": f"three@lab.example {EVIL}"})
    assert refused.status_code == 400
    assert EVIL not in refused.content.decode()
    assert "three@lab.example" in shown(refused), "the text is kept"
    seat = Seat.objects.get(mail="one@lab.example")
    undo = reverse("application-seat-command", args=[application.pk, seat.pk, "undo"])
    assert "taken back" in followed(finn, finn.post(undo, {"expected_version": seat.version}))
    assert client_of("lou").get(team).status_code == 404


def test_a_cohort_is_asked_for_changed_and_dropped(client_of: ClientOf, world: World, at: datetime) -> None:
    finn, application = client_of("finn"), draft(world, "finn", at)
    ask = reverse("application-team-command", args=[application.pk, "ask"])
    values = {"kind": "class", "seats": "12", "last_day": (at + 30 * DAY).date().isoformat(), "expected_version": "0"}
    for field, bad in (("seats", "many"), ("seats", "1"), ("last_day", "someday"), ("kind", "")):
        refused = finn.post(ask, {**values, field: bad})
        assert refused.status_code == 400, field
        assert f'id="id_wish_{field}_error"' in refused.content.decode(), field
    assert "12 seats" in followed(finn, finn.post(ask, values))
    stale = finn.post(ask, values)
    assert stale.status_code == 409
    assert "12" in shown(stale)
    submit(world, "finn", at, version=application.version)
    review = shown(client_of("ivy").get(reverse("review", args=[application.pk])))
    assert "A cohort is asked for" in review
    assert finn.post(ask, values).status_code in (409, 403)


def test_a_reviewer_gives_fewer_seats_than_were_asked_for(client_of: ClientOf, world: World, at: datetime) -> None:
    application, ivy = draft(world, "finn", at), client_of("ivy")
    wish = Wish(LAB, 12, None, (at + 30 * DAY).date())
    ask_for_cohort(world.actor("finn"), application.pk, wish, expected_version=0, at=at)
    sent = submit(world, "finn", at, version=application.version)
    page = ivy.get(reverse("review", args=[sent.pk])).content.decode()
    assert "A cohort of 12 people is asked for" in page
    assert re.search(r'name="seats" value="12"', page)
    form = {
        "functions": "generate", "last_day": str(sent.requested_end), "tokens_per_day": "1000", "note": "",
        "requests_per_minute": "10", "concurrent": "1", "expected_version": str(sent.version),
    }  # fmt: skip
    approve = reverse("review-command", args=[sent.pk, "approve"])
    for wrong in ("13", "some", ""):
        refused = ivy.post(approve, {**form, "seats": wrong})
        assert refused.status_code == 400
        assert 'id="id_approve_seats_error"' in refused.content.decode()
    assert ivy.post(approve, {**form, "seats": "5"}).status_code == 303
    assert Cohort.objects.get(application=application).seats == 5


def test_a_wish_is_dropped_again(client_of: ClientOf, world: World, at: datetime) -> None:
    finn, application = client_of("finn"), draft(world, "finn", at)
    values = {"kind": "lab", "seats": "4", "last_day": (at + 30 * DAY).date().isoformat(), "expected_version": "0"}
    finn.post(reverse("application-team-command", args=[application.pk, "ask"]), values)
    drop = reverse("application-team-command", args=[application.pk, "drop"])
    assert "asks for no cohort" in followed(finn, finn.post(drop, {"expected_version": "1"}))
    assert Cohort.objects.get(application=application).state == "closed"


def test_reviewers_read_who_is_named(client_of: ClientOf, world: World, at: datetime) -> None:
    finn, application = client_of("finn"), draft(world, "finn", at)
    address = reverse("application-team-command", args=[application.pk, "invite"])
    finn.post(address, {"mails": "one@lab.example"})
    submit(world, "finn", at, version=application.version)
    assert "one@lab.example" in shown(client_of("ivy").get(reverse("review", args=[application.pk])))


# --- The invitation --------------------------------------------------------------------------------------------------


def invitation(world: World, at: datetime) -> tuple[Seat, str]:
    from release_portal.access.people.invitations import invite_to_application

    application = Application.objects.filter(applicant=world.people["finn"]).first() or draft(world, "finn", at)
    (seat,) = invite_to_application(world.actor("finn"), application.pk, mail_of(world, "lou"), at=at)
    return seat, reverse("invitation", args=[link_of(seat, at)])


def test_without_an_account_the_invitation_says_to_sign_up_with_that_address_first(
    client_of: ClientOf, world: World, at: datetime
) -> None:
    seat, address = invitation(world, at)
    visitor = client_of("anonymous")
    page = visitor.get(address)
    assert page.status_code == 200
    assert "To join you need an account of your own" in shown(page)
    assert f"Use the address {seat.mail} and verify it" in shown(page)
    assert reverse("account_signup") in page.content.decode()
    assert "Sign and join" not in shown(page)
    assert page["Cache-Control"].count("no-cache") == 1
    refused = visitor.post(address, {"act": "join", "affiliation": "x", "agreement": "on"})
    assert refused.status_code == 403
    gone = visitor.post(address, {"act": "decline"})
    assert "You do not join" in shown(gone)
    assert visitor.get(address).status_code == 404


def test_the_invited_person_reads_signs_and_joins(client_of: ClientOf, world: World, at: datetime) -> None:
    seat, address = invitation(world, at)
    mail_of(world, "dan")
    assert "another address" in shown(client_of("dan").get(address))
    lou = client_of("lou")
    sha256 = AgreementVersion.objects.get().sha256
    empty = lou.post(address, {"act": "join", "agreement_hash": sha256, "affiliation": "A university"})
    assert empty.status_code == 400
    assert "nobody can sign for you" in shown(empty)
    assert "A university" in empty.content.decode()
    values = {"act": "join", "agreement_hash": sha256, "affiliation": "A university", "agreement": "on"}
    page = followed(lou, lou.post(address, values))
    assert "You have joined" in page
    assert "not decided yet" in page
    assert Seat.objects.get(pk=seat.pk).person == world.people["lou"]
    assert lou.get(address).status_code == 404, "once"
    assert "Application of" in shown(lou.get(reverse("grants")))


def test_T18_the_invitation_stands_in_no_line_of_the_log(client_of: ClientOf, world: World, at: datetime) -> None:
    with structlog.testing.capture_logs() as lines:
        client_of("anonymous").get("/invitations/link/a-secret-of-the-mail/")
    assert [line["path"] for line in lines if line["event"] == "request"] == ["/invitations/link/.../"]


# --- On a grant ------------------------------------------------------------------------------------------------------


def test_the_holder_sees_who_joined_and_takes_a_seat_back_with_a_reason(
    client_of: ClientOf, world: World, at: datetime
) -> None:
    grant = team_grant(world, at, "lou")
    finn, seat = client_of("finn"), seat_of(grant, world, "lou")
    assert "2 of 2 seats are taken" in shown(finn.get(reverse("grant", args=[grant.pk])))
    page = shown(finn.get(reverse("grant-team", args=[grant.pk])))
    assert "joined" in page
    assert "Institute of lou" in page
    empty = on_seat(finn, seat, "remove", reason=" ")
    assert empty.status_code == 400
    assert "the member reads it" in shown(empty)
    assert "The seat is taken back" in followed(finn, on_seat(finn, seat, "remove", reason="Over."))
    stale = finn.post(
        reverse("grant-seat-command", args=[grant.pk, seat.pk, "remove"]), {"expected_version": "1", "reason": "x"}
    )
    assert stale.status_code == 409


def test_the_member_finds_the_grant_and_leaves(client_of: ClientOf, world: World, at: datetime) -> None:
    grant = team_grant(world, at, "lou")
    lou, seat = client_of("lou"), seat_of(grant, world, "lou")
    page = shown(lou.get(reverse("grants")))
    assert "Your seats on the grants of others" in page
    assert "Held by Finn" in page.replace("finn", "Finn")
    assert lou.get(reverse("grant", args=[grant.pk])).status_code == 200
    assert lou.get(reverse("grant-team", args=[grant.pk])).status_code == 404, "a member reads no names"
    own = reverse("seat", args=[seat.pk])
    assert "shared by everybody on the grant" in shown(lou.get(own))
    assert client_of("finn").get(own).status_code == 404
    answer = lou.post(reverse("seat-leave", args=[seat.pk]), {"expected_version": seat.version})
    assert "You have left" in followed(lou, answer)
    again = lou.post(reverse("seat-leave", args=[seat.pk]), {"expected_version": seat.version})
    assert again.status_code == 409


def test_T2_a_seat_of_another_grant_is_not_there(client_of: ClientOf, world: World, at: datetime) -> None:
    mine, other = team_grant(world, at, "lou"), team_grant(world, at, "eve", lead="dan")
    foreign = seat_of(other, world, "eve")
    address = reverse("grant-seat-command", args=[mine.pk, foreign.pk, "remove"])
    answer = client_of("finn").post(address, {"expected_version": foreign.version, "reason": "x"})
    assert answer.status_code == 404
    assert seat_of(other, world, "eve").state == "joined"


def test_an_officer_suspends_one_member_and_another_lifts(client_of: ClientOf, world: World, at: datetime) -> None:
    grant = team_grant(world, at, "lou")
    ben, olu, seat = client_of("ben"), client_of("olu"), seat_of(grant, world, "lou")
    assert "Suspend this member" in shown(ben.get(reverse("grant-team", args=[grant.pk])))
    assert "Suspend this member" not in shown(client_of("finn").get(reverse("grant-team", args=[grant.pk])))
    assert "The member is suspended" in followed(ben, on_seat(ben, seat, "suspend", reason="Volume."))
    page = shown(ben.get(reverse("grant-team", args=[grant.pk])))
    assert "You suspended this seat; another officer must" in page
    assert "may not invite" not in page, "who does not look after a team is offered nothing"
    assert "Suspension of a member to confirm" in shown(olu.get(reverse("home")))
    assert "Suspension of a member to confirm" not in shown(ben.get(reverse("home")))
    own = shown(client_of("lou").get(reverse("seat", args=[seat.pk])))
    assert "Volume." in own
    assert "Appeal: Suspension of your seat" in own
    assert on_seat(client_of("finn"), seat, "lift", reason="x").status_code == 403
    assert "no longer lapses" in followed(olu, on_seat(olu, seat, "confirm", reason=""))
    assert "The seat works again" in followed(olu, on_seat(olu, seat, "lift", reason="Clear."))


# --- Cohorts ---------------------------------------------------------------------------------------------------------


def test_a_lead_invites_up_to_the_seats_and_reads_why_not_more(client_of: ClientOf, world: World, at: datetime) -> None:
    grant = cohort_grant(world, at, 3)
    finn = client_of("finn")
    page = shown(finn.get(reverse("grant-team", args=[grant.pk])))
    assert "1 of 3 seats are taken" in page
    refused = on_grant(finn, grant, "invite", mails="a@lab.example b@lab.example c@lab.example")
    assert refused.status_code == 409
    assert "1 of 3 seats are taken; 3 more were asked for, 2 are free." in shown(refused)
    assert "3 of 3" in followed(finn, on_grant(finn, grant, "invite", mails="a@lab.example b@lab.example"))
    page = shown(finn.get(reverse("grant-team", args=[grant.pk])))
    assert "Invite fewer people, or take a seat back" in page, "the reason stands in place of the form"
    bad = on_grant(finn, grant, "invite", mails="c@lab.example", until="never")
    assert bad.status_code in (400, 409)
    assert on_grant(client_of("ivy"), grant, "invite", mails="c@lab.example").status_code == 403


def test_a_lead_names_a_deputy_and_leaves_and_the_deputy_takes_over(
    client_of: ClientOf, world: World, at: datetime
) -> None:
    grant = cohort_grant(world, at, 4, "lou")
    finn, lou, seat = client_of("finn"), client_of("lou"), seat_of(grant, world, "lou")
    assert on_cohort(finn, grant, "name", deputy="").status_code == 409
    assert "The deputy is named" in followed(finn, on_cohort(finn, grant, "name", deputy=str(seat.pk)))
    assert "Take the cohort over" not in shown(lou.get(reverse("grant-team", args=[grant.pk])))
    assert on_cohort(finn, grant, "hand", reason="").status_code == 400
    assert "You have left" in followed(finn, on_cohort(finn, grant, "hand", reason="I move."))
    page = shown(lou.get(reverse("grant-team", args=[grant.pk])))
    assert "Nobody leads this cohort" in page
    assert "You lead this cohort now" in followed(lou, on_cohort(lou, grant, "take"))
    assert Grant.objects.get(pk=grant.pk).holder == world.people["lou"]
    assert "The cohort is closed" in followed(lou, on_cohort(lou, grant, "close", reason="Done."))


def test_what_is_no_command_is_not_there(client_of: ClientOf, world: World, at: datetime) -> None:
    grant, finn = team_grant(world, at, "lou"), client_of("finn")
    seat = seat_of(grant, world, "lou")
    for name in ("explode", "hand", "ask"):
        assert on_grant(finn, grant, name).status_code == 404, name
    assert on_seat(finn, seat, "explode").status_code == 404
    assert finn.get(reverse("grant-team-command", args=[grant.pk, "invite"])).status_code == 303
    assert finn.get(reverse("grant-seat-command", args=[grant.pk, seat.pk, "remove"])).status_code == 303
    assert finn.get(reverse("seat-leave", args=[seat.pk])).status_code == 404
