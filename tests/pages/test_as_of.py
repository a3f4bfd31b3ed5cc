"""Looking back: where it stood then, on the board and on the timeline, read from the record alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.test import Client

from release_portal.audit.models import AuditEvent
from release_portal.releases.history import standing_as_of
from release_portal.releases.hold_services import raise_hold
from release_portal.releases.models import Standing
from release_portal.releases.narrowings import roll_back
from tests.world import SERVED, World

pytestmark = pytest.mark.django_db
ClientOf = Callable[[str], Client]
TIMELINE = f"/sizes/{SERVED}/timeline/"


def written(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}"


@pytest.fixture
def moved(world: World, at: datetime) -> World:
    """The served size was held an hour ago and rolled back half an hour ago."""
    hour = timedelta(hours=1)
    raise_hold(world.actor("ben"), world.size, reason="Odd output.", level="hold", at=at - hour)
    version = Standing.objects.get(size=world.size).version
    roll_back(world.actor("olu"), world.size, "partner", reason="A flaw.", expected_version=version, at=at - hour / 2)
    AuditEvent.objects.filter(subject=f"size:{SERVED}", kind="stage.set").update(at=at - 9 * hour)
    return world


def test_the_timeline_says_where_the_size_stood_and_leaves_out_what_came_later(
    moved: World, client_of: ClientOf, at: datetime
) -> None:
    before = client_of("anonymous").get(TIMELINE, {"as_of": written(at - timedelta(minutes=45))}).content.decode()
    assert "Where it stood on" in before
    assert "Research, hosted" in before
    assert "Odd output." in before
    assert "A flaw." not in before
    after = client_of("anonymous").get(TIMELINE, {"as_of": written(at - timedelta(minutes=15))}).content.decode()
    assert "A flaw." in after


def test_the_page_says_what_the_fold_of_the_record_says(moved: World, client_of: ClientOf, at: datetime) -> None:
    for minutes in (90, 45, 15):
        moment = at - timedelta(minutes=minutes)
        then = standing_as_of(SERVED, moment)
        page = client_of("anonymous").get(TIMELINE, {"as_of": written(moment)})
        assert page.context["then"]["stage"] == then.place
        assert bool(page.context["then"]["marks"]) == bool(then.holds)


def test_the_board_shows_the_stage_and_the_holds_of_then(moved: World, client_of: ClientOf, at: datetime) -> None:
    def place(minutes: int) -> tuple[str, list[str]]:
        query = {"as_of": written(at - timedelta(minutes=minutes))}
        groups = client_of("anonymous").get("/board/", query).context["groups"]
        found = next(one for group in groups for one in group["places"] if one.size.slug == SERVED)
        return found.stage.slug, [mark["slug"] for mark in found.marks]

    assert place(90) == ("research_hosted", [])
    assert place(45) == ("research_hosted", ["held"])
    assert place(15) == ("partner", ["held"])


def test_before_the_record_a_size_stands_nowhere(world: World, client_of: ClientOf) -> None:
    page = client_of("anonymous").get(TIMELINE, {"as_of": "1999-01-01T00:00"}).content.decode()
    assert "The record did not know this size yet." in page
    assert "not in the record yet" in client_of("anonymous").get("/board/?as_of=1999-01-01T00:00").content.decode()


@pytest.mark.parametrize("address", ["/board/", TIMELINE])
@pytest.mark.parametrize("written", ["yesterday", "2026-13-01T00:00", "2999-01-01T00:00", "0001-01-01T00:00+23:59"])
def test_a_time_that_is_none_is_refused_at_its_field_and_kept(
    world: World, client_of: ClientOf, address: str, written: str
) -> None:
    answer = client_of("anonymous").get(address, {"as_of": written})
    page = answer.content.decode()
    assert answer.status_code == 400
    assert 'id="id_as_of_error"' in page
    assert f'value="{written}"' in page
    assert 'type="text" name="as_of"' in page
    assert "SmolLM2 135M" in page


@pytest.mark.parametrize("address", ["/board/", TIMELINE])
def test_an_empty_time_is_now(world: World, client_of: ClientOf, address: str) -> None:
    answer = client_of("anonymous").get(address, {"as_of": " "})
    assert answer.status_code == 200
    assert answer.context["asked"] is None
