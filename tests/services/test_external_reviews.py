"""External reviews: terms first, then a report that never changes; an adverse one holds the size."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

import pytest

from release_portal.accounts.own_data import export_own_data
from release_portal.audit.models import AuditEvent
from release_portal.core.errors import InvalidInput, NotAllowed, NotFound, NotNow, StaleVersion
from release_portal.notices.models import Notice
from release_portal.releases.external_reviews import accept_terms, deposit_review, invite_reviewer, review_of
from release_portal.releases.hold_services import release_hold
from release_portal.releases.models import ExternalReview, Hold, Proposal
from tests.services.proposing import person_with, proposal
from tests.world import World

DAY = timedelta(days=1)
REPORT = "I read the register and repeated two measurements.\n"


@pytest.fixture
def prepared(world: World) -> Proposal:
    return proposal(world)


def invited(world: World, prepared: Proposal, *, by: str = "jo", **changes: Any) -> ExternalReview:
    asked = {
        "reviewer": world.people["gia"],
        "terms": "Thirty hours.",
        "fee": "None.",
        "edit_rights": "The lab changes no word.",
        "due_at": world.at + 40 * DAY,
        **changes,
    }
    return invite_reviewer(world.actor(by), prepared.pk, at=world.at, **asked)


def deposited(
    world: World, prepared: Proposal, finding: str = "supports", *, at: datetime | None = None
) -> ExternalReview:
    return deposit_review(
        world.actor("gia"), prepared.pk, report=REPORT, finding=finding, expected_version=2, at=at or world.at
    )


def test_a_review_goes_from_invitation_through_terms_to_a_report(world: World, prepared: Proposal) -> None:
    review = invited(world, prepared)
    assert (review.reviewer, review.fee, review.version) == ("gia", "None.", 1)
    assert accept_terms(world.actor("gia"), prepared.pk, at=world.at).accepted_at == world.at
    review = deposited(world, prepared)
    assert review.report == REPORT
    assert review.report_digest == hashlib.sha256(REPORT.encode()).hexdigest()
    events = AuditEvent.objects.filter(data__review=review.pk).order_by("seq")
    assert list(events.values_list("kind", flat=True)) == [
        "review.invited", "review.terms_accepted", "review.deposited",
    ]  # fmt: skip
    assert not Hold.objects.open().exists()


def test_the_reviewer_is_told_of_the_invitation_and_the_proposer_of_the_report(
    world: World, prepared: Proposal
) -> None:
    Notice.objects.all().delete()
    invited(world, prepared)
    accept_terms(world.actor("gia"), prepared.pk, at=world.at)
    deposited(world, prepared, "concerns")
    told = {notice.recipient.username: notice for notice in Notice.objects.select_related("recipient")}
    assert {name: notice.kind for name, notice in told.items()} == {"gia": "review_invited", "jo": "review_deposited"}
    assert "concerns" in told["jo"].body
    assert told["jo"].path == f"/proposals/{prepared.pk}/"
    assert told["gia"].path == f"/proposals/{prepared.pk}/review/"


@pytest.mark.parametrize("name", ["ben", "kim", "gia", "finn", "anonymous"])
def test_only_release_managers_invite(world: World, prepared: Proposal, name: str) -> None:
    with pytest.raises(NotAllowed):
        invited(world, prepared, by=name)


def test_only_an_external_reviewer_is_invited_and_once(world: World, prepared: Proposal) -> None:
    with pytest.raises(NotNow, match="no external reviewer"):
        invited(world, prepared, reviewer=world.people["finn"])
    gone = person_with(world, "lea", "external_reviewer")
    gone.is_active = False
    with pytest.raises(NotNow, match="no external reviewer"):
        invited(world, prepared, reviewer=gone)
    invited(world, prepared)
    with pytest.raises(NotNow, match="already"):
        invited(world, prepared)
    assert invited(world, prepared, reviewer=person_with(world, "max", "external_reviewer"))


@pytest.mark.parametrize(
    ("field", "value"),
    [("terms", ""), ("fee", " "), ("fee", "x" * 201), ("edit_rights", ""), ("edit_rights", "x" * 301)],
)
def test_terms_fee_and_edit_rights_are_stated(world: World, prepared: Proposal, field: str, value: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        invited(world, prepared, **{field: value})
    assert refused.value.field == field


def test_a_reviewer_has_at_least_the_working_days_of_the_policy(world: World, prepared: Proposal) -> None:
    with pytest.raises(InvalidInput, match="20 working days") as refused:
        invited(world, prepared, due_at=world.at + 20 * DAY)
    assert refused.value.field == "due_at"
    assert invited(world, prepared, due_at=world.at + 30 * DAY)


def test_without_waits_a_report_may_be_due_at_once(world: World) -> None:
    fast = proposal(world, policy="demo-fast")
    assert invited(world, fast, due_at=world.at)


@pytest.mark.parametrize("state", ["locked", "in_review", "completed", "aborted"])
def test_nobody_is_invited_after_the_lock(world: World, prepared: Proposal, state: str) -> None:
    Proposal.objects.filter(pk=prepared.pk).update(state=state)
    with pytest.raises(NotNow):
        invited(world, prepared)


def test_no_report_without_the_terms_and_none_twice(world: World, prepared: Proposal) -> None:
    invited(world, prepared)
    with pytest.raises(NotNow):
        deposited(world, prepared)
    accept_terms(world.actor("gia"), prepared.pk, at=world.at)
    with pytest.raises(NotNow):
        accept_terms(world.actor("gia"), prepared.pk, at=world.at)
    first = deposited(world, prepared)
    with pytest.raises(NotNow):
        deposit_review(
            world.actor("gia"), prepared.pk, report="Other.", finding="adverse", expected_version=3, at=world.at
        )
    first.refresh_from_db()
    assert (first.report, first.finding) == (REPORT, "supports")


def test_nobody_else_accepts_or_deposits(world: World, prepared: Proposal) -> None:
    invited(world, prepared)
    person_with(world, "lea", "external_reviewer")
    for name in ("lea", "jo", "ada", "finn", "anonymous"):
        with pytest.raises(NotFound):
            accept_terms(world.actor(name), prepared.pk, at=world.at)
        with pytest.raises(NotFound):
            deposit_review(
                world.actor(name), prepared.pk, report="x", finding="supports", expected_version=1, at=world.at
            )


def test_who_is_no_external_reviewer_any_more_deposits_nothing(world: World, prepared: Proposal) -> None:
    invited(world, prepared)
    world.people["gia"].role_assignments.all().delete()
    with pytest.raises(NotAllowed):
        accept_terms(world.actor("gia"), prepared.pk, at=world.at)


def test_a_report_is_a_text_with_a_finding_and_needs_the_version_that_was_shown(
    world: World, prepared: Proposal
) -> None:
    invited(world, prepared)
    accept_terms(world.actor("gia"), prepared.pk, at=world.at)
    gia = world.actor("gia")

    def deposit(report: str = REPORT, finding: str = "supports", version: int = 2) -> ExternalReview:
        return deposit_review(gia, prepared.pk, report=report, finding=finding, expected_version=version, at=world.at)

    for report in ("", " ", "x" * 50_001, "a\x00"):
        with pytest.raises(InvalidInput) as refused:
            deposit(report)
        assert refused.value.field == "report"
    with pytest.raises(InvalidInput) as unknown:
        deposit(finding="fine")
    assert unknown.value.field == "finding"
    with pytest.raises(StaleVersion):
        deposit(version=1)
    assert deposit("x" * 50_000).deposited_at


def test_an_adverse_report_holds_the_size_until_a_person_releases_it(world: World, prepared: Proposal) -> None:
    invited(world, prepared)
    accept_terms(world.actor("gia"), prepared.pk, at=world.at)
    deposited(world, prepared, "adverse")
    hold = Hold.objects.open().get(size=world.size)
    assert hold.level == "hold", "use goes on"
    assert "gia" in hold.reason
    release_hold(world.actor("jo"), hold.pk, reason="The report is answered.", at=world.at)
    assert not Hold.objects.open().exists()


def test_a_late_report_is_still_taken(world: World, prepared: Proposal) -> None:
    review = invited(world, prepared)
    accept_terms(world.actor("gia"), prepared.pk, at=world.at)
    assert deposited(world, prepared, at=review.due_at + DAY).deposited_at


def test_a_reviewer_finds_the_own_review_and_nobody_else_does(world: World, prepared: Proposal) -> None:
    review = invited(world, prepared)
    assert review_of(world.actor("gia"), prepared) == review
    for name in ("jo", "ben", "finn", "anonymous"):
        assert review_of(world.actor(name), prepared) is None


def test_a_review_is_in_the_own_data_of_its_reviewer(world: World, prepared: Proposal) -> None:
    review = invited(world, prepared)
    held = export_own_data(world.actor("gia"), world.people["gia"], at=world.at)["holdings"]["external_reviews"]
    assert [row["id"] for row in held] == [review.pk]
