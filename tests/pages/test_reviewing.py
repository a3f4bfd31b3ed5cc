"""The reviewers' pages: the tier as signals, two people, leases, advice, and the next for me."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse

from release_portal.access.models import Advice, AgreementVersion, Application, Grant
from release_portal.access.programmes.programme_files import preset
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from tests.services.applying import submit
from tests.world import World

QUEUE = reverse("review-queue")
DAY = timedelta(days=1)
EVIL = "<script>alert('x')</script>"
ClientOf = Callable[[str], Any]


@pytest.fixture(autouse=True)
def agreement(world: World, at: datetime) -> AgreementVersion:
    """The shipped agreement, in force."""
    return write_agreement(DEMO, at=at - 10 * DAY)


def shown(response: Any) -> str:
    """What a reader sees, without tags and doubled spaces."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def send(client: Any, application: Application, name: str, **values: Any) -> Any:
    version = Application.objects.get(pk=application.pk).version
    address = reverse("review-command", args=[application.pk, name])
    answer = client.post(address, {"expected_version": str(version), **values})
    return client.get(answer.headers["Location"]) if answer.status_code == 303 else answer


def approval(application: Application, **changes: Any) -> dict[str, Any]:
    values = {
        "functions": ["generate", "detect"],
        "last_day": application.requested_end.isoformat() if application.requested_end else "",
        "tokens_per_day": "5,000",
        "requests_per_minute": "10",
        "concurrent": "1",
        "note": "A note of the first.",
    }
    return values | changes


def test_T7_two_approvers_meet_on_the_pages_and_the_second_reads_no_verdict_before(
    client_of: ClientOf, world: World, at: datetime
) -> None:
    ben, ivy, finn = client_of("ben"), client_of("ivy"), client_of("finn")
    sent = submit(world, "finn", at, purpose_code="P05")
    review, own = reverse("review", args=[sent.pk]), reverse("application", args=[sent.pk])
    page = shown(ben.get(review))
    assert "Risk: tier 2" in page
    assert "The purpose can hurt people when results leave the study: Study of misuse." in page
    assert "Two people must agree" in page
    assert "two of: access lead, partner lead, safety reviewer" in shown(finn.get(own))

    assert "Another person must agree" in shown(send(ben, sent, "approve", **approval(sent)))
    assert not Grant.objects.filter(holder=world.people["finn"]).exists()
    page = shown(ivy.get(review))
    assert "What the others decided is shown once you have reviewed it yourself." in page
    assert "A note of the first." not in page
    assert "A note of the first." in shown(ben.get(review))
    assert "You have reviewed this application already." in shown(ben.get(review))
    page = shown(finn.get(own))
    assert "waits for a second reviewer" in page
    assert "A note of the first." not in page
    assert "Place in the queue 1" in page

    assert "the applicant holds the grant" in shown(send(ivy, sent, "approve", **approval(sent)))
    assert Grant.objects.filter(holder=world.people["finn"]).count() == 1


def test_the_queue_says_tier_who_looks_and_what_is_next_for_me(client_of: ClientOf, world: World, at: datetime) -> None:
    ivy, ben = client_of("ivy"), client_of("ben")
    ordinary = submit(world, "lou", at - DAY)
    risky = submit(world, "finn", at, purpose_code="P05")
    page = ivy.get(QUEUE)
    assert "tier 1" in shown(page)
    assert "tier 2" in shown(page)
    assert "Next for me: lou" in shown(page).replace("Lou", "lou")
    assert "Next for me: finn" in shown(ben.get(QUEUE)).replace("Finn", "finn"), "ben owns nothing of tier 1"

    assert "You are looking at it for 30 minutes" in shown(send(ivy, risky, "claim"))
    page = shown(ben.get(QUEUE))
    assert "being looked at by ivy" in page.replace("Ivy", "ivy")
    assert "Nothing here is for you to take now" in page
    refused = send(ben, risky, "claim")
    assert refused.status_code == 409
    assert "or take it with a reason" in shown(refused)
    assert "You are looking at it" in shown(send(ben, risky, "claim", reason="Ivy is away."))
    assert reverse("review", args=[ordinary.pk]) in ivy.get(QUEUE).content.decode()


def test_advice_is_read_by_reviewers_as_text_and_never_by_the_applicant(
    client_of: ClientOf, world: World, at: datetime
) -> None:
    sent = submit(world, "finn", at)
    assert "Your note is kept" in shown(send(client_of("ben"), sent, "advise", advice=EVIL))
    page = client_of("ivy").get(reverse("review", args=[sent.pk])).content.decode()
    assert EVIL not in page
    assert "&lt;script&gt;" in page
    assert "&lt;script&gt;" not in client_of("finn").get(reverse("application", args=[sent.pk])).content.decode()
    empty = send(client_of("ben"), sent, "advise", advice=" ")
    assert empty.status_code == 400
    assert Advice.objects.count() == 1


def test_who_belongs_to_the_applicants_lab_reads_why_they_do_not_decide(
    client_of: ClientOf, world: World, at: datetime
) -> None:
    """T6."""
    for name in ("ivy", "finn"):
        world.people[name].email = f"{name}@text-lab.edu"
        world.people[name].save()
    sent = submit(world, "finn", at)
    page = shown(client_of("ivy").get(reverse("review", args=[sent.pk])))
    assert "You and the applicant, or their team, seem to belong together" in page
    assert "Approve and give the grant" not in page
    assert send(client_of("ivy"), sent, "approve", **approval(sent)).status_code == 403


def test_the_tier_is_shown_as_lines_to_the_applicant_too(client_of: ClientOf, world: World, at: datetime) -> None:
    sent = submit(world, "lou", at)
    page = shown(client_of("lou").get(reverse("application", args=[sent.pk])))
    assert "Why it is reviewed at tier 1" in page
    assert "Generation is asked for: new text comes into being." in page
    assert "Who acts next an access lead" in page
    assert "People who must agree 1" in page


def test_a_reviewer_reads_which_rule_does_not_hold_any_more_in_place_of_the_approval(
    client_of: ClientOf, world: World, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    ivy, sent = client_of("ivy"), submit(world, "finn", at)
    review = reverse("review", args=[sent.pk])
    assert "Approve and give the grant" in shown(ivy.get(review))
    strict = replace(preset("research"), eligibility={**preset("research").eligibility, "mail_confirmed": "refuse"})
    monkeypatch.setattr("release_portal.access.programmes.applying.programme_facing", lambda _application: strict)
    page = shown(ivy.get(review))
    assert "A rule of the programme does not hold now." in page
    assert "Nobody has confirmed yet that your mail address is yours." in page
    assert "Checks now: an approval rests on these" in page
    assert "Approve and give the grant" not in page
    assert send(ivy, sent, "approve", **approval(sent)).status_code == 409
