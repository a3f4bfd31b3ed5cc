"""The safety checklist of a proposal through its page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

from release_portal.evidence.checklist import ITEMS
from release_portal.evidence.models import ChecklistVersion
from release_portal.releases.models import Proposal
from release_portal.releases.proposals import abort_proposal
from tests.governance import adopt, fresh, propose, small_policy
from tests.world import World

Clients = Callable[[str], Any]


@pytest.fixture
def opened(world: World) -> Proposal:
    adopt(world, small_policy())
    return propose(world, world.size, "public_hosted", at=world.at)


def answers(number: int = 0, **changes: str) -> dict[str, str]:
    """What somebody types who answers everything."""
    said = {f"answer_{item.id}": "yes" for item in ITEMS}
    said |= {f"reason_{item.id}": f"Reason of item {item.id}." for item in ITEMS}
    return {**said, "expected_number": str(number), **changes}


def url_of(proposal: Proposal) -> str:
    return reverse("checklist", args=[proposal.pk])


def test_a_draft_may_have_gaps_and_says_which(opened: Proposal, client_of: Clients) -> None:
    jo, url = client_of("jo"), url_of(opened)
    assert f"{len(ITEMS)} of {len(ITEMS)} items are not answered." in jo.get(url).content.decode()
    assert jo.post(url, answers(reason_3="", answer_7="")).status_code == 303
    shown = jo.get(url).content.decode()
    assert f"2 of {len(ITEMS)} items are not answered." in shown
    assert "Reason of item 4." in shown
    assert jo.post(url, answers(1)).status_code == 303
    assert "Every item is answered." in jo.get(url).content.decode()


def test_each_version_is_signed_and_the_newest_is_compared(opened: Proposal, client_of: Clients) -> None:
    url = url_of(opened)
    client_of("jo").post(url, answers())
    client_of("ben").post(url, answers(1, reason_5="A detector was measured in June."))
    shown = client_of("anonymous").get(url).content.decode()
    for text in ("What the newest version changed", "A detector was measured in June.", "Reason of item 5.", ">ben<"):
        assert text in shown
    assert "<textarea" not in shown, "visitors read"


def test_a_version_that_came_meanwhile_is_named_and_nothing_is_lost(opened: Proposal, client_of: Clients) -> None:
    url = url_of(opened)
    client_of("jo").post(url, answers())
    sent = client_of("ben").post(url, answers(reason_1="My own words."))
    assert sent.status_code == 409
    shown = sent.content.decode()
    assert "jo signed version 1" in shown
    assert "My own words." in shown
    assert 'name="expected_number" value="1"' in shown
    assert ChecklistVersion.objects.count() == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"answer_2": "maybe"},
        {"evidence_2": "999999"},
        {"reason_2": "x" * 5_001},
    ],
)
def test_an_answer_that_cannot_be_kept_is_refused_at_its_item(
    opened: Proposal, client_of: Clients, changes: dict[str, str]
) -> None:
    sent = client_of("jo").post(url_of(opened), answers(**changes))
    assert sent.status_code == 400
    assert 'id="id_reason_2_error"' in sent.content.decode()
    assert not ChecklistVersion.objects.exists()


def test_only_staff_sign(opened: Proposal, client_of: Clients) -> None:
    url = url_of(opened)
    for name in ("anonymous", "cleo", "gia"):
        sent = client_of(name).post(url, answers(reason_1="My own words."))
        assert sent.status_code == 403
        assert "My own words." in sent.content.decode()
    assert not ChecklistVersion.objects.exists()


def test_when_the_proposal_has_ended_the_checklist_is_read(opened: Proposal, world: World, client_of: Clients) -> None:
    abort_proposal(world.actor("jo"), opened.pk, reason="Over.", expected_version=fresh(opened).version, at=world.at)
    assert "<textarea" not in client_of("jo").get(url_of(opened)).content.decode()
    sent = client_of("jo").post(url_of(opened), answers(reason_1="My own words."))
    assert sent.status_code == 409
    assert "My own words." in sent.content.decode()
    assert not ChecklistVersion.objects.exists()
