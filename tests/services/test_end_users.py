"""Whom a client asks for: a mark that says whether two requests were for the same, and nothing else."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
import redis
from django.test import Client

from inference.contract import FinishReason, Usage
from release_portal.accounts.own_data import export_own_data
from release_portal.generation.services import generate
from release_portal.jobs.end_users import end_user_mark
from release_portal.jobs.models import Job
from release_portal.jobs.own_data import erase_texts
from release_portal.jobs.settle import Settlement
from release_portal.misuse.filing import Filing, file_report
from release_portal.misuse.models import RecordMatch
from tests import fakes
from tests.world import SERVED, World

pytestmark = pytest.mark.django_db(transaction=True)


def made(world: World, at: datetime, end_user: str) -> Job:
    values = {"prompt": "The sea", "max_tokens": "4", "end_user": end_user}
    return generate(world.actors["cleo"], SERVED, values, at=at, interface="api")


def test_the_same_name_has_one_mark_within_an_account_and_another_elsewhere() -> None:
    assert end_user_mark(7, "u-1") == end_user_mark(7, "u-1")
    assert len({end_user_mark(*of) for of in ((7, "u-1"), (7, "u-2"), (8, "u-1"))}) == 3
    assert end_user_mark(7, "") == ""
    assert end_user_mark(7, "\ud800"), "JSON can carry what no encoding can"
    assert "u-1" not in end_user_mark(7, "u-1")
    assert len(end_user_mark(7, "x" * 512)) <= 60


def test_its_owner_reads_the_mark_and_it_goes_with_the_texts(world: World, service: redis.Redis, at: datetime) -> None:
    job = made(world, at, "u-1")
    assert job.end_user
    user = world.people["cleo"]
    assert job.end_user in json.dumps(export_own_data(world.actors["cleo"], user, at=at), default=str)
    fakes.finish(service, job.pk, FinishReason.LENGTH, usage=Usage(7, 1))
    Settlement(service).consume()
    assert erase_texts(user, at) >= 1
    job.refresh_from_db()
    assert (job.end_user, bytes(job.sealed_prompt)) == ("", b"")


def test_the_misuse_desk_sees_which_matches_were_for_the_same(world: World, service: redis.Redis, at: datetime) -> None:
    filing = Filing(what="A shop posts machine-made reviews.", evidence="Five stars!")
    report, _code = file_report(world.actor("anonymous"), filing, address="192.0.2.7", at=at)
    for name in ("u-1", "u-1", "u-2", ""):
        RecordMatch.objects.create(report=report, job=made(world, at, name), percent=50, found_at=at)
    desk = Client()
    desk.force_login(world.people["ben"])
    page = desk.get(f"/staff/reports/{report.pk}/").content.decode()
    assert page.count(end_user_mark(world.actors["cleo"].account_id, "u-1")) == 2
    assert page.count(end_user_mark(world.actors["cleo"].account_id, "u-2")) == 1
    assert "not named" in page
