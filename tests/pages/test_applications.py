"""Applying, deciding and being told, on the pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse

from release_portal.access.agreements.services import agreement_in_force
from release_portal.access.models import AgreementVersion, Application, Grant
from release_portal.access.reviews import ask_applicant, refuse_application
from release_portal.notices.models import MailOut, Notice
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from release_portal.releases.models import Standing
from tests.services.agreeing import next_version
from tests.services.applying import submit
from tests.world import World

HERE = ["huggingfacetb", "smollm2-135m-instruct"]
APPLY, SIZE, PLAYGROUND = (reverse(name, args=HERE) for name in ("apply", "size", "playground"))
QUEUE = reverse("review-queue")
DAY = timedelta(days=1)
EVIL = "<script>alert('x')</script>"
REVIEWERS = {"ivy", "hal", "ben"}
ClientOf = Callable[[str], Any]


@pytest.fixture(autouse=True)
def agreement(world: World, at: datetime) -> AgreementVersion:
    """The shipped agreement, in force."""
    return write_agreement(DEMO, at=at - 10 * DAY)


def shown(response: Any) -> str:
    """What a reader sees, without tags and doubled spaces."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def hidden(response: Any, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', response.content.decode())
    assert found, name
    return found[1]


def form_of(world: World, at: datetime, **changes: Any) -> dict[str, Any]:
    values = {
        "purpose_code": "P01",
        "purpose": "How short can a text be?",
        "affiliation": "An institute",
        "intended_use": "Counted.",
        "functions": ["generate"],
        "requested_end": (at + 100 * DAY).date().isoformat(),
        "agreement": "on",
        "agreement_hash": agreement_in_force(at).sha256,
        "expected_version": "0",
        "renews": "",
        "act": "submit",
    }
    return values | changes


def test_a_researcher_applies_is_asked_answers_and_is_approved(client_of: ClientOf, world: World, at: datetime) -> None:
    lou, ivy = client_of("lou"), client_of("ivy")
    assert APPLY in lou.get(SIZE).content.decode()
    sent = lou.post(APPLY, form_of(world, at, functions=["generate", "detect"]))
    application = Application.objects.get(applicant=world.people["lou"])
    assert (sent.status_code, sent.headers["Location"]) == (303, reverse("application", args=[application.pk]))
    assert "5 working days left" in shown(lou.get(sent.headers["Location"]))

    review = reverse("review", args=[application.pk])
    assert review in ivy.get(QUEUE).content.decode()
    page = ivy.get(review)
    asked = {"question": "Who sees it?", "expected_version": hidden(page, "expected_version")}
    ivy.post(reverse("review-command", args=[application.pk, "ask"]), asked)
    page = lou.get(reverse("application", args=[application.pk]))
    assert "Who sees it?" in shown(page)
    answer = {"answer": "We two.", "expected_version": hidden(page, "expected_version")}
    lou.post(reverse("application-command", args=[application.pk, "answer"]), answer)

    page = ivy.get(review)
    assert "We two." in shown(page)
    given = {
        "functions": ["generate", "detect"],
        "last_day": (at + 50 * DAY).date().isoformat(),
        "tokens_per_day": "5,000",
        "requests_per_minute": "10",
        "concurrent": "1",
        "note": "Welcome.",
        "expected_version": hidden(page, "expected_version"),
    }
    done = ivy.post(reverse("review-command", args=[application.pk, "approve"]), given)
    assert (done.status_code, done.headers["Location"]) == (303, QUEUE)
    grant = Grant.objects.get(holder=world.people["lou"])
    assert grant.tokens_per_day == 5_000
    page = lou.get(reverse("application", args=[application.pk]))
    assert grant.pk in shown(page)
    assert "Welcome." in shown(page)
    assert APPLY not in lou.get(SIZE).content.decode(), "nothing is left to apply for"


def test_a_draft_is_saved_found_again_and_says_what_is_missing(client_of: ClientOf, world: World, at: datetime) -> None:
    lou = client_of("lou")
    begun = {"purpose": "Only begun", "expected_version": "0", "agreement_hash": "", "act": "save"}
    assert lou.post(APPLY, begun).headers["Location"] == APPLY
    saved = lou.get(APPLY)
    assert "What is still missing" in shown(saved)
    assert "Say where you work" in shown(saved)
    assert "Only begun" in saved.content.decode()
    again = lou.post(APPLY, form_of(world, at, expected_version=hidden(saved, "expected_version")))
    assert again.status_code == 303
    assert Application.objects.get(applicant=world.people["lou"]).state == "submitted"


def test_an_incomplete_form_comes_back_with_its_text_and_an_error_at_each_field(
    client_of: ClientOf, world: World, at: datetime
) -> None:
    answer = client_of("lou").post(APPLY, form_of(world, at, affiliation="", agreement=""))
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "How short can a text be?" in page
    assert 'id="id_affiliation_error"' in page
    assert 'id="id_agreement_error"' in page
    assert 'id="id_purpose_error"' not in page
    assert not Application.objects.filter(applicant=world.people["lou"]).exists()


@pytest.mark.parametrize("day", ["yesterday", "2026-02-31", "99999-01-01"])
def test_a_date_that_is_none_is_said_at_its_field(client_of: ClientOf, world: World, at: datetime, day: str) -> None:
    for act in ("save", "submit"):
        answer = client_of("lou").post(APPLY, form_of(world, at, requested_end=day, act=act))
        assert answer.status_code == 400
        assert 'id="id_requested_end_error"' in answer.content.decode()


def test_an_agreement_that_changed_is_shown_with_what_changed_and_the_text_is_kept(
    client_of: ClientOf, world: World, at: datetime, agreement: AgreementVersion
) -> None:
    lou, form = client_of("lou"), form_of(world, at)
    text = agreement.text.replace("It is short so that you can read all of it; please do.", "It grew.")
    newer = next_version(world, text, at=at)
    answer = lou.post(APPLY, form)
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "What changed in the agreement" in page
    assert re.search(r"<ins>[^<]*It grew\.", page)
    assert re.search(r"<del>[^<]*please do\.", page)
    assert "How short can a text be?" in page
    assert hidden(answer, "agreement_hash") == newer.sha256
    assert not re.search(r'name="agreement"[^>]*checked', page), "another text must be accepted anew"
    assert lou.post(APPLY, form_of(world, at)).status_code == 303
    assert Application.objects.get(applicant=world.people["lou"]).agreement == newer


def test_a_second_application_is_refused_with_a_link_to_the_first(
    client_of: ClientOf, world: World, at: datetime
) -> None:
    lou = client_of("lou")
    lou.post(APPLY, form_of(world, at))
    first = Application.objects.get(applicant=world.people["lou"])
    answer = lou.post(APPLY, form_of(world, at, purpose="Another"))
    assert answer.status_code == 409
    assert reverse("application", args=[first.pk]) in answer.content.decode()
    assert "Another" in answer.content.decode()
    assert lou.get(APPLY).headers["Location"] == reverse("application", args=[first.pk])


def test_a_refused_person_starts_from_what_they_wrote(client_of: ClientOf, world: World, at: datetime) -> None:
    sent = submit(world, "lou", at)
    refuse_application(
        world.actor("ivy"), sent.pk, code="purpose_unclear", text="Which?", expected_version=sent.version, at=at
    )
    lou = client_of("lou")
    page = shown(lou.get(reverse("application", args=[sent.pk])))
    for words in ("not clear enough", "Which?", "What would change it", "Apply again"):
        assert words in page
    form = lou.get(APPLY)
    assert sent.purpose in form.content.decode()
    assert hidden(form, "expected_version") == "0"


@pytest.mark.parametrize(
    ("stage", "status"), [("registered", 404), ("disclosed", 403), ("partner", 200), ("public_hosted", 403)]
)
def test_a_size_is_open_to_applications_at_its_stage_only(
    client_of: ClientOf, world: World, at: datetime, stage: str, status: int
) -> None:
    Standing.objects.filter(size=world.size).update(stage=stage)
    lou = client_of("lou")
    assert lou.get(APPLY).status_code == status
    size = lou.get(SIZE)
    assert (APPLY in size.content.decode()) == (status == 200)
    saved = lou.post(APPLY, form_of(world, at, act="save"))
    assert saved.status_code == (303 if status == 200 else status)


def test_refusals_lead_to_the_application_where_a_grant_would_help(client_of: ClientOf, world: World) -> None:
    for name, leads in (("finn", True), ("dan", True), ("cleo", False), ("eve", False), ("anonymous", False)):
        for address in (SIZE, PLAYGROUND):
            assert (APPLY in client_of(name).get(address).content.decode()) == leads, (name, address)


def test_a_holder_asks_for_a_renewal_from_the_grant(client_of: ClientOf, world: World, at: datetime) -> None:
    grant = world.grants["cleo"]
    cleo = client_of("cleo")
    link = f"{APPLY}?renews={grant.pk}"
    assert link in cleo.get(reverse("grant", args=[grant.pk])).content.decode()
    assert link not in client_of("ivy").get(reverse("grant", args=[grant.pk])).content.decode()
    form = cleo.get(link)
    assert hidden(form, "renews") == grant.pk
    cleo.post(APPLY, form_of(world, at, renews=grant.pk))
    assert Application.objects.get(applicant=world.people["cleo"]).renews == grant
    foreign = client_of("finn").get(link)
    assert grant.pk not in foreign.content.decode()


def test_T21_html_in_every_field_is_shown_as_text_everywhere(client_of: ClientOf, world: World, at: datetime) -> None:
    """T21."""
    evil = dict.fromkeys(("purpose", "affiliation", "intended_use"), EVIL)
    lou, ivy = client_of("lou"), client_of("ivy")
    lou.post(APPLY, form_of(world, at, **evil))
    application = Application.objects.get(applicant=world.people["lou"])
    ask_applicant(world.actor("ivy"), application.pk, question=EVIL, expected_version=application.version, at=at)
    own, review = reverse("application", args=[application.pk]), reverse("review", args=[application.pk])
    pages = [lou.get(own), ivy.get(review), ivy.get(QUEUE), lou.get(reverse("notices"))]
    for page in pages:
        assert page.status_code == 200
        assert EVIL not in page.content.decode()
    assert all("&lt;script&gt;" in page.content.decode() for page in (*pages[:2], pages[3]))


def test_staff_addresses_are_closed_to_everyone_else(client_of: ClientOf, world: World, at: datetime) -> None:
    sent = submit(world, "lou", at)
    review = reverse("review", args=[sent.pk])
    commands = [reverse("review-command", args=[sent.pk, name]) for name in ("approve", "refuse", "ask")]
    for name in world.people:
        client = client_of(name)
        expected = 200 if name in REVIEWERS else 403
        assert [client.get(QUEUE).status_code, client.get(review).status_code] == [expected] * 2, name
        if name != "ivy":
            form = {
                "expected_version": str(sent.version),
                "code": "purpose_unclear",
                "explanation": "No.",
                "question": "?",
            }
            assert [client.post(address, form).status_code for address in commands] == [403] * 3, name
    assert client_of("anonymous").get(QUEUE).status_code == 401
    sent.refresh_from_db()
    assert sent.state == "submitted"


def test_a_reviewer_who_may_not_decide_reads_why(client_of: ClientOf, world: World, at: datetime) -> None:
    sent = submit(world, "lou", at)
    page = client_of("ben").get(reverse("review", args=[sent.pk])).content.decode()
    assert "Your account may not approve an application." in page
    assert reverse("review-command", args=[sent.pk, "approve"]) not in page
    own = submit(world, "ivy", at)
    page = client_of("ivy").get(reverse("review", args=[own.pk])).content.decode()
    assert "This is your own application." in page
    assert reverse("review-command", args=[own.pk, "approve"]) not in page


def test_T1_T2_foreign_applications_are_not_there(client_of: ClientOf, world: World, at: datetime) -> None:
    """T1, T2: whoever asks, reviewers too, on the applicant's own addresses."""
    sent = submit(world, "lou", at)
    own, withdraw = reverse("application", args=[sent.pk]), reverse("application-command", args=[sent.pk, "withdraw"])
    for name in ("finn", "cleo", "ivy", "ada"):
        client = client_of(name)
        assert client.get(own).status_code == 404
        assert client.post(withdraw, {"expected_version": str(sent.version)}).status_code == 404
    assert client_of("lou").post(withdraw, {"expected_version": str(sent.version)}).status_code == 303
    assert client_of("lou").get(reverse("applications")).status_code == 200


def test_a_wrong_condition_comes_back_at_its_field_with_the_rest_kept(
    client_of: ClientOf, world: World, at: datetime
) -> None:
    sent = submit(world, "lou", at)
    given = {
        "functions": ["generate"],
        "last_day": sent.requested_end.isoformat(),
        "tokens_per_day": "many",
        "requests_per_minute": "10",
        "concurrent": "1",
        "note": "Keep this note.",
        "expected_version": str(sent.version),
    }
    answer = client_of("ivy").post(reverse("review-command", args=[sent.pk, "approve"]), given)
    assert answer.status_code == 400
    assert 'id="id_approve_tokens_per_day_error"' in answer.content.decode()
    assert "Keep this note." in answer.content.decode()
    assert not Grant.objects.filter(holder=world.people["lou"]).exists()


def test_an_outdated_decision_is_refused_and_can_be_sent_again(client_of: ClientOf, world: World, at: datetime) -> None:
    sent = submit(world, "lou", at)
    address = reverse("review-command", args=[sent.pk, "refuse"])
    form = {"code": "purpose_unclear", "explanation": "Which question?", "expected_version": "1"}
    answer = client_of("ivy").post(address, form | {"expected_version": str(sent.version + 5)})
    assert answer.status_code == 409
    assert "Which question?" in answer.content.decode()
    assert client_of("ivy").post(address, form | {"expected_version": str(sent.version)}).status_code == 303


# --- The agreement ---------------------------------------------------------------------------------------------------


def test_everyone_reads_the_agreement_with_its_hash(client_of: ClientOf, agreement: AgreementVersion) -> None:
    page = client_of("anonymous").get(reverse("agreement", args=[1]))
    assert page.status_code == 200
    assert agreement.sha256 in page.content.decode()
    assert "Nobody decides on their own application." in shown(page)
    assert client_of("anonymous").get(reverse("agreement", args=[2])).status_code == 404


def test_a_text_that_was_tampered_with_says_so(client_of: ClientOf, agreement: AgreementVersion) -> None:
    address = reverse("agreement", args=[1])
    warning = "not the one that was published"
    assert warning not in shown(client_of("anonymous").get(address))
    AgreementVersion.objects.update(text=agreement.text + "And more.")
    assert warning in shown(client_of("anonymous").get(address))


# --- Notices and mail ------------------------------------------------------------------------------------------------


def test_the_bell_counts_what_is_unread_until_it_is_marked(client_of: ClientOf, world: World, at: datetime) -> None:
    Notice.objects.all().delete()
    submit(world, "lou", at)
    lou = client_of("lou")
    page = lou.get(reverse("notices"))
    assert page.context["unread_notices"] == 1
    assert "has arrived" in shown(page)
    notice = Notice.objects.get(recipient=world.people["lou"])
    assert lou.get(reverse("notice-read", args=[notice.pk])).status_code == 303
    assert lou.get(reverse("notices")).context["unread_notices"] == 1, "looking changes nothing"
    assert client_of("finn").post(reverse("notice-read", args=[notice.pk])).status_code == 404
    lou.post(reverse("notice-read", args=[notice.pk]))
    assert lou.get(reverse("notices")).context["unread_notices"] == 0
    assert client_of("anonymous").get(reverse("notices")).status_code == 401


def test_all_notices_are_marked_at_once(client_of: ClientOf, world: World, at: datetime) -> None:
    submit(world, "lou", at)
    lou = client_of("lou")
    lou.post(reverse("notices-read"))
    assert not Notice.objects.filter(recipient=world.people["lou"]).unread().exists()
    assert Notice.objects.filter(recipient=world.people["ivy"]).unread().exists()


def test_operators_see_failed_mail_without_its_text_and_try_it_again(
    client_of: ClientOf, world: World, at: datetime
) -> None:
    MailOut.objects.all().delete()
    submit(world, "lou", at)
    failed = MailOut.objects.get(to="lou@example.org")
    MailOut.objects.filter(pk=failed.pk).update(state="failed", attempts=8, last_error="hung up", body="SECRET TEXT")
    olu, again = client_of("olu"), reverse("mail-again", args=[failed.pk])
    page = olu.get(reverse("staff-mail") + "?state=failed").content.decode()
    assert "hung up" in page
    assert again in page
    assert "SECRET TEXT" not in page
    assert olu.post(again).status_code == 303
    failed.refresh_from_db()
    assert (failed.state, failed.attempts) == ("waiting", 0)
    assert olu.post(again).status_code == 409


def test_mail_is_for_operators(client_of: ClientOf, world: World, at: datetime) -> None:
    submit(world, "lou", at)
    again = reverse("mail-again", args=[MailOut.objects.all()[0].pk])
    for name in ("ada", "ivy", "lou"):
        assert client_of(name).get(reverse("staff-mail")).status_code == 403
        assert client_of(name).post(again).status_code == 403
