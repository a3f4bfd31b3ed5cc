"""Home says to each person what waits for them, with the demo's applications and reports in place."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest
from django.test import Client

from release_portal.access.models import Grant
from release_portal.access.services import suspend_grant
from release_portal.ops.demo import CAST, DEMO, DEMO_SIZE
from release_portal.ops.demo_applications import write_applications
from release_portal.ops.demo_reports import write_reports
from tests.world import World

pytestmark = pytest.mark.django_db
ClientOf = Callable[[str], Client]


@pytest.fixture
def full_world(world: World, at: datetime) -> World:
    write_applications(DEMO, DEMO_SIZE, at=at)
    write_reports(at=at)
    return world


def home(client_of: ClientOf, name: str) -> str:
    answer = client_of(name).get("/home/")
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize("name", [person.name for person in CAST])
def test_home_opens_for_everybody(full_world: World, client_of: ClientOf, name: str) -> None:
    home(client_of, name)


def test_the_access_lead_sees_applications_and_the_duty_officer_reports(full_world: World, client_of: ClientOf) -> None:
    assert "Application to decide" in home(client_of, "ivy")
    assert "Misuse report" not in home(client_of, "ivy")
    assert "Misuse report" in home(client_of, "ben")
    assert "Nothing waits for you" in home(client_of, "jo")


def test_a_suspension_waits_for_another_officer_than_the_one_who_made_it(
    full_world: World, client_of: ClientOf, at: datetime
) -> None:
    grant = Grant.objects.get(holder__username="cleo", state="active")
    suspend_grant(full_world.actor("ben"), grant.pk, reason="a drill", expected_version=grant.version, at=at)
    assert "Suspension to confirm" in home(client_of, "olu")
    assert "Suspension to confirm" not in home(client_of, "ben")


def test_an_applicant_sees_the_question_that_waits_for_an_answer(full_world: World, client_of: ClientOf) -> None:
    assert "Question to answer" in home(client_of, "gia")
