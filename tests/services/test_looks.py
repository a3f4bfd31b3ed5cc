"""Who looked: one line for each person, thing and hour; none for one's own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from release_portal.access.engagements import Rules, agree_to_engagement, write_engagement
from release_portal.access.models import Application
from release_portal.access.reviews import refuse_application
from release_portal.accounts.looks import THINGS, looks_at, note_look
from release_portal.accounts.models import Look
from release_portal.accounts.own_data import export_own_data
from release_portal.appeals.services import file_appeal
from release_portal.audit.models import AuditEvent
from release_portal.core.actors import ANONYMOUS, system_actor
from release_portal.misuse.filing import Filing, file_report
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from tests.services.applying import DAY, submit
from tests.services.teaming import team_grant
from tests.world import SERVED, World

pytestmark = pytest.mark.django_db
ClientOf = Callable[[str], Any]
MINUTE = timedelta(minutes=1)


def look(world: World, by: str, at: datetime, what: str = "grant", subject: str = "grant:g-1") -> None:
    """Somebody opens something of cleo's."""
    note_look(world.actor(by), world.people["cleo"], what, subject, at=at)


def seen(world: World) -> list[tuple[str, str, str]]:
    """What cleo reads, oldest first."""
    return [(one.by_name, one.roles, one.subject) for one in looks_at(world.people["cleo"]).order_by("pk")]


def test_a_look_names_who_in_which_role_at_what(world: World, at: datetime) -> None:
    look(world, "ivy", at)
    assert seen(world) == [("ivy", "access lead", "grant:g-1")]


@pytest.mark.parametrize("hour", [0, 13])
def test_looks_within_an_hour_are_one(world: World, at: datetime, hour: int) -> None:
    """Seen to fail without the question for an earlier look: over the full hour there are two."""
    start = at.replace(hour=hour, minute=50)
    for minutes in (0, 1, 20, 59):
        look(world, "ivy", start + minutes * MINUTE)
    assert len(seen(world)) == 1
    look(world, "ivy", start + 61 * MINUTE)
    assert len(seen(world)) == 2


def test_another_person_and_another_thing_are_looks_of_their_own(world: World, at: datetime) -> None:
    look(world, "ivy", at)
    look(world, "hal", at)
    look(world, "ivy", at, "application", "application:a-1")
    assert len(seen(world)) == 3


def test_of_two_looks_at_once_the_database_keeps_one(world: World, at: datetime) -> None:
    look(world, "ivy", at)
    twin = Look.objects.get()
    twin.pk = None
    Look.objects.bulk_create([twin], ignore_conflicts=True)
    assert Look.objects.count() == 1


def test_ones_own_look_the_systems_and_a_strangers_are_none(world: World, at: datetime) -> None:
    look(world, "cleo", at)
    for actor in (ANONYMOUS, system_actor("sweeper")):
        note_look(actor, world.people["cleo"], "grant", "grant:g-1", at=at)
    assert seen(world) == []


def test_a_thing_that_is_not_in_the_list_is_an_error(world: World, at: datetime) -> None:
    with pytest.raises(KeyError):
        look(world, "ivy", at, "diary")


def test_what_staff_open_on_the_pages_is_written_and_read_by_whom_it_is_about(
    world: World, client_of: ClientOf, at: datetime
) -> None:
    write_agreement(DEMO, at=at - DAY)
    application: Application = submit(world, "lou", at)
    lou, grant = world.people["lou"], world.grants["cleo"]
    pages = {
        f"/staff/applications/{application.pk}/": ("ivy", "application"),
        f"/people/{lou.pk}/roles/": ("ada", "person"),
    }
    events = AuditEvent.objects.count()
    for path, (who, _) in pages.items():
        for _again in range(3):
            assert client_of(who).get(path).status_code == 200
    assert {(one.by_name, one.what) for one in looks_at(lou)} == set(pages.values())
    assert looks_at(lou).count() == len(pages)
    assert AuditEvent.objects.count() == events
    client_of("ben").get(f"/grants/{grant.pk}/")
    client_of("cleo").get(f"/grants/{grant.pk}/")
    assert [one.by_name for one in looks_at(world.people["cleo"])] == ["ben"]
    page = client_of("lou").get("/account/data/").content.decode()
    assert "ivy" in page
    assert THINGS["application"] in page
    exported = export_own_data(world.actor("lou"), lou, at=at)["holdings"]["looks"]
    assert {row["by_name"] for row in exported} == {"ivy", "ada"}


def test_whoever_is_refused_did_not_look(world: World, client_of: ClientOf, at: datetime) -> None:
    write_agreement(DEMO, at=at - DAY)
    application = submit(world, "lou", at)
    assert client_of("finn").get(f"/staff/applications/{application.pk}/").status_code == 403
    assert client_of("finn").get(f"/grants/{world.grants['cleo'].pk}/").status_code == 404
    assert not Look.objects.exists()


def test_a_team_opened_by_a_role_is_a_look_at_its_holder_and_at_each_member(
    world: World, client_of: ClientOf, at: datetime
) -> None:
    write_agreement(DEMO, at=at - DAY)
    grant = team_grant(world, at, "lou", "kim")
    for name in ("finn", "ben", "ben"):
        assert client_of(name).get(f"/grants/{grant.pk}/team/").status_code == 200
    assert client_of("dan").get(f"/grants/{grant.pk}/team/").status_code == 404
    looks = {(one.person.username, one.by_name, one.what) for one in Look.objects.all()}
    assert looks == {("finn", "ben", "grant"), ("lou", "ben", "seat"), ("kim", "ben", "seat")}


def test_an_appeal_opened_at_the_desk_is_a_look_at_the_appellants(
    world: World, client_of: ClientOf, at: datetime
) -> None:
    write_agreement(DEMO, at=at - DAY)
    sent = submit(world, "lou", at)
    refuse_application(world.actor("ivy"), sent.pk, code="purpose_unclear", text="No.", expected_version=1, at=at)
    appeal = file_appeal(world.actor("lou"), f"application:{sent.pk}", text="It is clear.", at=at)
    assert client_of("ben").get(f"/staff/appeals/{appeal.pk}/").status_code == 200
    assert client_of("lou").get(f"/appeals/{appeal.pk}/").status_code == 200
    assert [(one.by_name, one.what, one.subject) for one in looks_at(world.people["lou"])] == [
        ("ben", "appeal", f"appeal:{appeal.pk}")
    ]


def test_rules_of_engagement_on_a_report_are_a_look_at_the_holders_grant(
    world: World, client_of: ClientOf, at: datetime
) -> None:
    grant = world.grants["cleo"]
    rules = Rules((SERVED,), ("FRAUD",), 1_000, "Our own server.", at + 20 * DAY)
    write_engagement(world.actor("ivy"), grant.pk, rules, at=at - DAY)
    agree_to_engagement(world.actor("ben"), grant.pk, at=at - DAY)
    report, _ = file_report(ANONYMOUS, Filing("A shop.", "Five stars!"), address="192.0.2.1", at=at)
    page = f"/staff/reports/{report.pk}/"
    assert client_of("ben").get(page).status_code == 200
    assert not Look.objects.exists(), "nothing of anybody's is shown"
    assert client_of("ben").get(page, {"grant": grant.pk}).status_code == 200
    assert [(one.by_name, one.subject) for one in looks_at(world.people["cleo"])] == [("ben", f"grant:{grant.pk}")]
