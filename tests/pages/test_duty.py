"""The duty roster through its page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from release_portal.accounts.models import DutyShift
from tests.world import World

Clients = Callable[[str], Any]
URL = "/duty/"


@pytest.fixture
def empty(world: World) -> World:
    DutyShift.objects.all().delete()
    return world


def typed(world: World, **changes: str) -> dict[str, str]:
    return {
        "user": str(world.people["ben"].pk),
        "starts_at": f"{world.at:%Y-%m-%dT%H:%M}",
        "ends_at": f"{world.at + timedelta(days=2):%Y-%m-%dT%H:%M}",
        **changes,
    }


def page(client: Any) -> str:
    return str(client.get(URL).content.decode())


def test_the_page_says_whether_enough_people_are_there(empty: World, client_of: Clients) -> None:
    jo = client_of("jo")
    assert "0 of 2 people are on duty: widening is blocked" in page(jo)
    assert jo.post(URL, typed(empty)).status_code == 303
    assert "1 of 2 people are on duty: widening is blocked" in page(jo)
    assert jo.post(URL, typed(empty, user=str(empty.people["olu"].pk))).status_code == 303
    shown = page(jo)
    assert "2 of 2 people are on duty: widening is possible." in shown
    assert "Ben, Olu" in shown


def test_a_shift_is_ended_or_removed(empty: World, client_of: Clients) -> None:
    olu = client_of("olu")
    olu.post(URL, typed(empty))
    one = DutyShift.objects.get()
    url = reverse("duty-remove", args=[one.pk])
    assert olu.get(url).status_code == 303
    assert olu.post(url).status_code == 303
    assert "Shifts appear here." in page(olu)
    assert olu.post(url).status_code == 409
    assert olu.post(reverse("duty-remove", args=[10**6])).status_code == 404


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"user": ""}, 400),
        ({"user": "x"}, 400),
        ({"starts_at": "now"}, 400),
        ({"ends_at": ""}, 400),
        ({"ends_at": "2020-01-01T00:00"}, 400),
    ],
)
def test_a_shift_that_makes_no_sense_is_refused_at_its_field(
    empty: World, client_of: Clients, changes: dict[str, str], status: int
) -> None:
    sent = client_of("ada").post(URL, typed(empty, **changes))
    assert sent.status_code == status
    assert f'id="id_{next(iter(changes))}_error"' in sent.content.decode()
    assert not DutyShift.objects.exists()


def test_nobody_is_on_the_roster_twice_at_a_time(empty: World, client_of: Clients) -> None:
    jo = client_of("jo")
    jo.post(URL, typed(empty))
    assert jo.post(URL, typed(empty)).status_code == 409


def test_officers_read_and_planners_change(empty: World, client_of: Clients) -> None:
    names = ("anonymous", "cleo", "kim", "ben", "olu")
    assert [client_of(name).get(URL).status_code for name in names] == [401, 403, 403, 200, 200]
    assert "Add the shift" not in page(client_of("ben"))
    refused = client_of("ben").post(URL, typed(empty))
    assert refused.status_code == 403
    assert "The roster is planned by" in refused.content.decode()
    assert client_of("ben").post(reverse("duty-remove", args=[1])).status_code == 403
