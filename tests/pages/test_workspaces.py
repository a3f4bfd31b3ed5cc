"""The workspace of an external reviewer: terms, case, report, votes, in this order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from release_portal.releases.assessments import gate_of
from release_portal.releases.external_reviews import invite_reviewer
from release_portal.releases.models import ExternalReview, Hold, Proposal
from release_portal.releases.proposals import submit_proposal
from tests.governance import adopt, answer_checklist, fresh, lock, propose, small_policy, supply, vote
from tests.world import World

Clients = Callable[[str], Any]


@pytest.fixture
def invited(world: World) -> Proposal:
    adopt(world, small_policy())
    opened = propose(world, world.size, "public_hosted", at=world.at)
    invite_reviewer(
        world.actor("jo"),
        opened.pk,
        reviewer=world.people["gia"],
        terms="Read the case.",
        fee="none",
        edit_rights="Nobody edits the report.",
        due_at=world.at + timedelta(days=20),
        at=world.at,
    )
    return opened


def url_of(proposal: Proposal) -> str:
    return reverse("workspace", args=[proposal.pk])


def page(client: Any, proposal: Proposal) -> str:
    return str(client.get(url_of(proposal)).content.decode())


def accept(client: Any, proposal: Proposal) -> Any:
    return client.post(reverse("workspace-accept", args=[proposal.pk]))


def deposit(client: Any, proposal: Proposal, **changes: str) -> Any:
    version = ExternalReview.objects.get().version
    data = {"report": "I looked at it all.", "finding": "supports", "expected_version": str(version), **changes}
    return client.post(url_of(proposal), data)


def test_terms_come_first_then_the_case_then_the_report(invited: Proposal, client_of: Clients) -> None:
    gia = client_of("gia")
    first = page(gia, invited)
    for text in ("Read the case.", "Nobody edits the report.", "Accept the terms"):
        assert text in first
    assert "Researchers asked for it." not in first
    assert deposit(gia, invited, report="Too early.").status_code == 409
    assert accept(gia, invited).status_code == 303
    assert accept(gia, invited).status_code == 409
    second = page(gia, invited)
    assert "Researchers asked for it." in second
    assert "Deposit the report" in second
    assert deposit(gia, invited).status_code == 303
    assert "Your report is deposited." in page(gia, invited)
    assert "I looked at it all." in client_of("anonymous").get(reverse("proposal", args=[invited.pk])).content.decode()
    assert deposit(gia, invited, report="Another one.").status_code == 409


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"report": " "}, 400),
        ({"finding": ""}, 400),
        ({"finding": "wonderful"}, 400),
        ({"expected_version": "1"}, 409),
        ({"expected_version": "x"}, 400),
        ({"report": "x" * 50_001}, 400),
    ],
)
def test_a_report_that_lacks_something_is_refused_and_kept(
    invited: Proposal, client_of: Clients, changes: dict[str, str], status: int
) -> None:
    gia = client_of("gia")
    accept(gia, invited)
    sent = deposit(gia, invited, **changes)
    assert sent.status_code == status
    assert changes.get("report", "I looked at it all.")[:50].strip() in sent.content.decode()
    assert ExternalReview.objects.get().deposited_at is None


def test_votes_are_hidden_until_the_report_is_deposited(invited: Proposal, world: World, client_of: Clients) -> None:
    gia = client_of("gia")
    accept(gia, invited)
    supply(world, world.size, gate_of(invited), at=world.at)
    answer_checklist(world, invited, at=world.at)
    lock(world, invited, at=world.at)
    submit_proposal(world.actor("jo"), invited.pk, expected_version=fresh(invited).version, at=world.at)
    vote(world, invited, "ben", "safety_reviewer", at=world.at)
    before = page(gia, invited)
    assert "Read it all." not in before
    assert "Votes are shown once your report is deposited." in before
    deposit(gia, invited)
    assert "Read it all." in page(gia, invited)


def test_an_adverse_report_holds_the_size_and_the_page_says_so_beforehand(
    invited: Proposal, world: World, client_of: Clients
) -> None:
    gia = client_of("gia")
    accept(gia, invited)
    assert "holds the size" in page(gia, invited)
    deposit(gia, invited, finding="adverse")
    assert Hold.objects.open().filter(size=world.size).exists()


def test_who_is_not_invited_finds_nothing(invited: Proposal, client_of: Clients) -> None:
    ExternalReview.objects.all().delete()
    assert client_of("gia").get(url_of(invited)).status_code == 404
    assert client_of("gia").post(url_of(invited), {}).status_code == 404
    assert [client_of(name).get(url_of(invited)).status_code for name in ("anonymous", "jo", "cleo")] == [401, 403, 403]
