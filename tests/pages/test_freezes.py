"""The calendar of freezes through its page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from release_portal.registry.models import ModelFamily
from release_portal.releases.freezes import raise_freeze
from release_portal.releases.models import Freeze, Standing
from tests.governance import adopt, small_policy
from tests.world import SERVED, World

Clients = Callable[[str], Any]
URL = "/freezes/"


def typed(world: World, **changes: str) -> dict[str, str]:
    return {
        "family": "",
        "starts_at": f"{world.at:%Y-%m-%dT%H:%M}",
        "ends_at": f"{world.at + timedelta(days=10):%Y-%m-%dT%H:%M}",
        "reason": "An election week.",
        **changes,
    }


def page(client: Any) -> str:
    return str(client.get(URL).content.decode())


def test_a_freeze_is_raised_shown_by_month_and_lifted_by_another_person(world: World, client_of: Clients) -> None:
    ben, jo = client_of("ben"), client_of("jo")
    assert "Freezes appear here." in page(ben)
    assert ben.post(URL, typed(world, family=world.size.family.slug)).status_code == 303
    shown = page(ben)
    for text in ("An election week.", "Frozen", "You raised this freeze", f"{world.at:%B %Y}"):
        assert text in shown
    one = Freeze.objects.get()
    lift = reverse("freeze-lift", args=[one.pk])
    assert lift in page(jo)
    assert ben.post(lift, {"reason": "x", "expected_version": one.version}).status_code == 403
    assert jo.post(lift, {"reason": " ", "expected_version": one.version}).status_code == 400
    stale = jo.post(lift, {"reason": "My own words.", "expected_version": one.version + 1})
    assert stale.status_code == 409
    assert "My own words." in stale.content.decode()
    assert jo.post(lift, {"reason": "It is over.", "expected_version": one.version}).status_code == 303
    assert "lifted by jo" in page(ben)
    gone = jo.post(lift, {"reason": "Again.", "expected_version": one.version + 1})
    assert gone.status_code == 409
    assert "This freeze is lifted." in gone.content.decode()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"family": "nobody"}, "family"),
        ({"starts_at": ""}, "starts_at"),
        ({"ends_at": "later"}, "ends_at"),
        ({"ends_at": "2020-01-01T00:00"}, "ends_at"),
        ({"reason": ""}, "reason"),
    ],
)
def test_a_freeze_that_makes_no_sense_is_refused_at_its_field(
    world: World, client_of: Clients, changes: dict[str, str], field: str
) -> None:
    sent = client_of("jo").post(URL, typed(world, **changes))
    assert sent.status_code == 400
    assert f'id="id_{field}_error"' in sent.content.decode()
    assert not Freeze.objects.exists()


def test_staff_read_it_and_those_who_may_not_raise_read_why(world: World, client_of: Clients) -> None:
    names = ("anonymous", "cleo", "gia", "ivy")
    assert [client_of(name).get(URL).status_code for name in names] == [401, 403, 403, 200]
    assert "Raise the freeze" not in page(client_of("ivy"))
    sent = client_of("ivy").post(URL, typed(world))
    assert sent.status_code == 403
    assert "An election week." in sent.content.decode()


def test_reviews_that_are_due_are_listed_with_their_day(world: World, client_of: Clients) -> None:
    adopt(world, small_policy())
    Standing.objects.filter(size=world.size).update(stage="partner", since=world.at - timedelta(days=200))
    shown = page(client_of("jo"))
    assert "overdue" in shown
    assert f"Review due: {world.size.name}" in shown


def test_one_that_nobody_knows_is_not_found(world: World, client_of: Clients) -> None:
    jo = client_of("jo")
    assert jo.get(reverse("freeze-lift", args=[10**6])).status_code == 303
    assert jo.post(reverse("freeze-lift", args=[10**6]), {}).status_code == 404


def test_what_is_to_come_is_not_in_force(world: World, client_of: Clients) -> None:
    start = world.at + timedelta(days=3)
    end = start + timedelta(days=3)
    raise_freeze(world.actor("ben"), family=None, starts_at=start, ends_at=end, reason="Holidays.", at=world.at)
    shown = page(client_of("jo"))
    assert "to come" in shown
    assert "Every family" in shown


def test_the_timeline_of_a_size_shows_the_freezes_of_its_family_and_of_all_and_no_others(
    world: World, client_of: Clients
) -> None:
    start, end = world.at + timedelta(days=1), world.at + timedelta(days=2)
    other = ModelFamily.objects.exclude(pk=world.size.family_id).first()
    said = ((world.size.family, "An election."), (None, "Holidays."), (other, "Elsewhere."))
    for family, reason in said:
        raise_freeze(world.actor("ben"), family=family, starts_at=start, ends_at=end, reason=reason, at=world.at)
    shown = client_of("anonymous").get(reverse("size-timeline", args=SERVED.split("/"))).content.decode()
    assert ["An election." in shown, "Holidays." in shown, "Elsewhere." in shown] == [True, True, False]
