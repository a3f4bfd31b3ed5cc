"""Partner reports: deposited under a partner grant, never edited; an adverse one holds the size and is answered."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest

from release_portal.access.models import Grant
from release_portal.audit.models import AuditEvent
from release_portal.core.errors import InvalidInput, NotAllowed, NotFound, NotNow
from release_portal.moves.partner_reports import answer_partner_report, deposit_partner_report, reports_for
from release_portal.releases.hold_services import release_hold
from release_portal.releases.models import Hold, PartnerReport
from tests.world import World

DAY = timedelta(days=1)


@pytest.fixture
def partner(world: World) -> Grant:
    made = Grant.objects.create(
        holder=world.people["finn"], kind="partner", purpose="x", starts_at=world.at - DAY, ends_at=world.at + DAY,
        tokens_per_day=10, requests_per_minute=10, concurrent=1, created_at=world.at,
    )  # fmt: skip
    made.sizes.add(world.size)
    return made


def deposited(world: World, name: str = "finn", *, adverse: bool = False, text: str = " We found. ") -> PartnerReport:
    return deposit_partner_report(world.actor(name), world.size, report=text, is_adverse=adverse, at=world.at)


def test_a_partner_deposits_a_report_that_its_digest_binds(world: World, partner: Grant) -> None:
    report = deposited(world)
    assert (report.partner, report.grant_id, report.report) == ("finn", partner.pk, "We found.")
    assert report.report_digest == hashlib.sha256(b"We found.").hexdigest()
    event = AuditEvent.objects.get(kind="partner_report.deposited")
    assert event.data["digest"] == report.report_digest
    assert "We found." not in str(event.data)
    assert not Hold.objects.exists()


def test_nobody_without_an_active_partner_grant_deposits_one(world: World, partner: Grant) -> None:
    for name in ("cleo", "hal", "ada", "anonymous"):
        with pytest.raises(NotAllowed):
            deposited(world, name)
    Grant.objects.filter(pk=partner.pk).update(ends_at=world.at)
    with pytest.raises(NotAllowed):
        deposited(world)
    assert not PartnerReport.objects.exists()


def test_an_empty_report_and_one_beyond_all_measure_are_refused(world: World, partner: Grant) -> None:
    for text in (" \n", "x" * 50_001):
        with pytest.raises(InvalidInput) as refused:
            deposited(world, text=text)
        assert refused.value.field == "report"


def test_an_adverse_report_holds_the_size_by_rule_until_a_person_releases_it(world: World, partner: Grant) -> None:
    deposited(world, adverse=True)
    hold = Hold.objects.get()
    assert (hold.level, hold.raised_by, hold.lapses_at) == ("hold", "system: release rule", None)
    release_hold(world.actor("jo"), hold.pk, reason="Answered.", at=world.at)


def test_staff_answer_a_report_once(world: World, partner: Grant) -> None:
    report = deposited(world, adverse=True)
    for name in ("finn", "ivy", "kim"):
        with pytest.raises(NotAllowed):
            answer_partner_report(world.actor(name), report.pk, answer="x", at=world.at)
    with pytest.raises(InvalidInput):
        answer_partner_report(world.actor("hal"), report.pk, answer="", at=world.at)
    answered = answer_partner_report(world.actor("hal"), report.pk, answer="We filter it now.", at=world.at)
    assert (answered.answer, answered.answered_by) == ("We filter it now.", "hal")
    with pytest.raises(NotNow):
        answer_partner_report(world.actor("ada"), report.pk, answer="again", at=world.at)
    with pytest.raises(NotFound):
        answer_partner_report(world.actor("ada"), 10**6, answer="x", at=world.at)


def test_a_report_is_read_by_its_author_and_by_those_who_answer(world: World, partner: Grant) -> None:
    report = deposited(world)
    for name in ("finn", "hal", "ada", "ben"):
        assert reports_for(world.actor(name), world.size) == [report]
    for name in ("cleo", "ivy", "anonymous"):
        assert reports_for(world.actor(name), world.size) == []
