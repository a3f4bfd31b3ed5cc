"""Terms, duties, close-out and rules of engagement on the pages: what is shown, sent, refused with its text kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.urls import reverse

from release_portal.access.engagements import Rules, agree_to_engagement, write_engagement
from release_portal.access.extra_terms import Term
from release_portal.access.models import Application, Grant, Obligation, TermsOffer
from release_portal.access.obligations.services import add_duties
from release_portal.access.offers import offer_for_grant, terms_of
from release_portal.accounts.looks import looks_at
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from release_portal.pages.forms.times import written
from tests.files import pdf
from tests.services.applying import submit
from tests.world import SERVED, World

DAY = timedelta(days=1)
ClientOf = Callable[[str], Any]


@pytest.fixture(autouse=True)
def agreement(world: World, at: datetime) -> None:
    write_agreement(DEMO, at=at - 100 * DAY)


def shown(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def grant(world: World, name: str = "cleo") -> Grant:
    return Grant.objects.get(pk=world.grants[name].pk)


def page(client_of: ClientOf, world: World, name: str, holder: str = "cleo") -> str:
    return shown(client_of(name).get(reverse("grant", args=[grant(world, holder).pk])))


def send(client: Any, name: str, args: list[Any], **data: str) -> Any:
    return client.post(reverse(name, args=args), data)


def test_a_reviewer_adds_terms_and_the_applicant_accepts_them(client_of: ClientOf, world: World, at: datetime) -> None:
    sent = submit(world, "finn", at)
    form = {
        "functions": ["generate"], "last_day": sent.requested_end.isoformat() if sent.requested_end else "",
        "tokens_per_day": "1000", "requests_per_minute": "10", "concurrent": "1", "expected_version": "1",
        "terms": ["Q01", "Q06"],
    }  # fmt: skip
    ivy = client_of("ivy")
    refused = ivy.post(reverse("review-command", args=[sent.pk, "approve"]), form)
    assert refused.status_code == 400
    assert "Q06 takes a number of months" in shown(refused)
    stray = ivy.post(reverse("review-command", args=[sent.pk, "approve"]), form | {"value_Q14": "2099-01-01"})
    assert "Q14 has a value but is not ticked" in shown(stray)
    done = ivy.post(reverse("review-command", args=[sent.pk, "approve"]), form | {"value_Q06": "6"})
    assert done.status_code == 303
    finn = client_of("finn")
    own = finn.get(reverse("application", args=[sent.pk]))
    assert "Results are published or reported within 6 months." in shown(own)
    assert "Terms to accept" in shown(finn.get(reverse("home")))
    digest = TermsOffer.objects.get(application=sent).digest
    version = str(Application.objects.get(pk=sent.pk).version)
    args = [sent.pk, "accept_terms"]
    unticked = send(finn, "application-command", args, digest=digest, expected_version=version)
    assert unticked.status_code == 400
    assert 'id="id_accept_terms_terms_error"' in unticked.content.decode()
    assert (
        send(finn, "application-command", args, terms="on", digest=digest, expected_version=version).status_code == 303
    )
    assert Application.objects.get(pk=sent.pk).state == "granted"
    made = Grant.objects.get(holder=world.people["finn"])
    assert "Terms of this grant" in shown(finn.get(reverse("grant", args=[made.pk])))


def test_other_terms_show_what_is_new_and_what_is_gone(client_of: ClientOf, world: World, at: datetime) -> None:
    ivy, cleo, pk = client_of("ivy"), client_of("cleo"), grant(world).pk
    assert send(ivy, "grant-terms", [pk, "offer"], terms="Q11", reason="").status_code == 400
    assert send(ivy, "grant-terms", [pk, "offer"], terms="Q11", reason="Needed.").status_code == 303
    answer = cleo.get(reverse("grant", args=[pk]))
    assert "<ins>Findings and derived data sets are given to the lab. Q11</ins>" in answer.content.decode()
    digest = TermsOffer.objects.get(grant=pk).digest
    assert send(cleo, "grant-terms", [pk, "accept"], digest=digest).status_code == 400
    assert send(ivy, "grant-terms", [pk, "accept"], digest=digest, terms="on").status_code == 403
    assert send(cleo, "grant-terms", [pk, "accept"], digest=digest, terms="on").status_code == 303
    assert terms_of(grant(world)) == (Term("Q11"),)
    offer_for_grant(world.actor("ivy"), pk, (), reason="No longer.", at=at)
    digest = TermsOffer.objects.waiting().get(grant=pk).digest
    assert send(cleo, "grant-terms", [pk, "decline"], digest=digest).status_code == 303
    assert send(cleo, "grant-terms", [pk, "explode"]).status_code == 404


def duty(world: World, at: datetime, days_ago: int) -> Obligation:
    with transaction.atomic():
        one = add_duties(grant(world), (Term("Q06", "1"),), at=at)[0]
    Obligation.objects.filter(pk=one.pk).update(due_at=at - days_ago * DAY)
    return one


def test_a_duty_is_handed_in_looked_at_and_given_back(client_of: ClientOf, world: World, at: datetime) -> None:
    one, pk = duty(world, at, 20), grant(world).pk
    cleo, ivy = client_of("cleo"), client_of("ivy")
    text = page(client_of, world, "cleo")
    assert "This grant is paused" in text
    assert "overdue" in text
    assert "Duty of a grant" in shown(cleo.get(reverse("home")))
    args = [pk, one.pk, "hand_in"]
    refused = send(cleo, "grant-duty", args, said="Kept text", link="javascript:x", expected_version="1")
    assert refused.status_code == 400
    assert "Kept text" in refused.content.decode()
    assert f'id="id_duty_{one.pk}_hand_in_link_error"' in refused.content.decode()
    assert send(cleo, "grant-duty", args, said="<b>Done</b>", expected_version="1").status_code == 303
    assert "This grant is paused" not in page(client_of, world, "cleo")
    assert "&lt;b&gt;Done&lt;/b&gt;" in ivy.get(reverse("grant", args=[pk])).content.decode()
    assert "Duty to look at" in shown(ivy.get(reverse("home")))
    assert send(ivy, "grant-duty", [pk, one.pk, "give_back"], note="More.", expected_version="2").status_code == 303
    assert "What is missing: More." in page(client_of, world, "cleo")
    stale = send(cleo, "grant-duty", args, said="Again", expected_version="2")
    assert stale.status_code == 409
    assert 'name="expected_version" value="3"' in stale.content.decode()
    assert send(cleo, "grant-duty", args, said="Again", expected_version="3").status_code == 303
    assert send(ivy, "grant-duty", [pk, one.pk, "accept"], expected_version="4").status_code == 303
    assert send(ivy, "grant-duty", [pk, 10**6, "accept"], expected_version="4").status_code == 404


def test_T25_a_duty_rests_with_a_reason_and_an_end(client_of: ClientOf, world: World, at: datetime) -> None:
    one, pk = duty(world, at, 20), grant(world).pk
    args, ivy = [pk, one.pk, "waive"], client_of("ivy")
    until = written(at + 10 * DAY)
    assert send(ivy, "grant-duty", args, reason="", until=until, expected_version="1").status_code == 400
    assert send(ivy, "grant-duty", args, reason="Ill.", until="", expected_version="1").status_code == 400
    assert send(ivy, "grant-duty", args, reason="Ill.", until=until, expected_version="1").status_code == 303
    assert "ivy lets it rest until" in page(client_of, world, "cleo")


def test_a_grant_that_has_ended_is_reported_on_and_closed(client_of: ClientOf, world: World) -> None:
    dan, ivy, pk = client_of("dan"), client_of("ivy"), grant(world, "dan").pk
    assert "Its holder has not reported yet." in page(client_of, world, "ivy", "dan")
    said = {"report": "Two papers.", "disposal": "deleted", "statement": "All of it."}
    version = str(grant(world, "dan").version)
    refused = send(dan, "grant-closing", [pk, "report"], **{**said, "disposal": ""}, expected_version=version)
    assert refused.status_code == 400
    assert "Two papers." in refused.content.decode()
    assert send(dan, "grant-closing", [pk, "report"], **said, expected_version=version).status_code == 303
    version = str(grant(world, "dan").version)
    assert send(dan, "grant-closing", [pk, "close"], expected_version=version).status_code == 403
    assert send(ivy, "grant-closing", [pk, "close"], expected_version=version).status_code == 303
    assert "closed" in page(client_of, world, "dan", "dan")


def test_reviewers_see_the_report_that_never_came(client_of: ClientOf, world: World, at: datetime) -> None:
    Grant.objects.filter(pk=grant(world, "dan").pk).update(ends_at=at - 91 * DAY, ended_at=at - 91 * DAY)
    sent = submit(world, "dan", at)
    assert "has not reported what came of it" in shown(client_of("ivy").get(reverse("review", args=[sent.pk])))


@pytest.mark.usefixtures("portal_redis")
def test_T44_the_page_of_a_duty_officer_says_that_an_act_lies_inside_the_rules(
    client_of: ClientOf, world: World, at: datetime
) -> None:
    pk, ivy, ben = grant(world).pk, client_of("ivy"), client_of("ben")
    form = {
        "targets": SERVED, "categories": "EXTREM", "tokens_per_day": "1000", "keep_inside": "Our server.",
        "ends_at": written(at + 30 * DAY),
    }  # fmt: skip
    refused = send(ivy, "grant-engagement", [pk, "engage"], **{**form, "tokens_per_day": "many"})
    assert refused.status_code == 400
    assert send(ivy, "grant-engagement", [pk, "engage"], **form).status_code == 303
    assert "You wrote these rules" not in page(client_of, world, "cleo")
    assert send(ivy, "grant-engagement", [pk, "agree"]).status_code == 403
    assert send(ben, "grant-engagement", [pk, "agree"]).status_code == 303
    assert "This grant is a safe harbour" in page(client_of, world, "cleo")
    act = {"reason": "Reported.", "expected_version": "1", "category": "EXTREM", "size": SERVED}
    inside = send(client_of("olu"), "grant-command", [pk, "suspend"], **act)
    assert inside.status_code == 400
    assert "The act lies inside the rules of engagement (E2" in shown(inside)
    assert "Reported." in inside.content.decode()
    assert send(client_of("olu"), "grant-command", [pk, "suspend"], **act, further="It leaked.").status_code == 303
    assert "It leaked." in page(client_of, world, "ivy")


def test_a_file_is_handed_in_with_a_duty_and_downloaded_by_whoever_looks_at_it(
    client_of: ClientOf, world: World, at: datetime
) -> None:
    one, pk, cleo = duty(world, at, 0), grant(world).pk, client_of("cleo")
    form = cleo.get(reverse("grant", args=[pk])).content.decode()
    assert 'enctype="multipart/form-data"' in form
    send_in = reverse("grant-duty", args=[pk, one.pk, "hand_in"])
    values = {"said": "The report.", "link": "", "expected_version": "1"}
    wrong = SimpleUploadedFile("report.pdf", b"no pdf", "application/pdf")
    refused = cleo.post(send_in, {**values, "file": wrong})
    assert refused.status_code == 400
    assert f'id="id_duty_{one.pk}_hand_in_file_error"' in refused.content.decode()
    assert "The report." in refused.content.decode(), "what was written is kept"
    good = SimpleUploadedFile("report.pdf", pdf(), "application/pdf")
    assert cleo.post(send_in, {**values, "file": good}).status_code == 303
    address = reverse("grant-duty-file", args=[pk, one.pk, one.files.get().pk])
    assert address in client_of("ivy").get(reverse("grant", args=[pk])).content.decode()
    answer = client_of("ivy").get(address)
    assert (answer.status_code, answer.content) == (200, pdf())
    assert answer["Content-Disposition"].startswith("attachment")
    assert "sandbox" in answer["Content-Security-Policy"]
    assert [look.by_name for look in looks_at(world.people["cleo"]).filter(what="file")] == ["ivy"]
    assert client_of("finn").get(address).status_code == 404
    assert client_of("anonymous").get(address).status_code == 401


def test_rules_end_on_the_page(client_of: ClientOf, world: World, at: datetime) -> None:
    pk = grant(world).pk
    made = Rules((SERVED,), ("EXTREM",), 10, "Here.", at + DAY)
    write_engagement(world.actor("ivy"), pk, made, at=at)
    agree_to_engagement(world.actor("ben"), pk, at=at)
    assert send(client_of("ben"), "grant-engagement", [pk, "disengage"], reason="").status_code == 400
    assert send(client_of("ben"), "grant-engagement", [pk, "disengage"], reason="Over.").status_code == 303
    assert "safe harbour" not in page(client_of, world, "cleo")


@pytest.mark.parametrize("name", ["grant-terms", "grant-closing", "grant-engagement"])
def test_T1_acts_on_a_grant_of_another_are_not_there(client_of: ClientOf, world: World, name: str) -> None:
    act = {"grant-terms": "accept", "grant-closing": "report", "grant-engagement": "engage"}[name]
    assert send(client_of("finn"), name, [grant(world).pk, act]).status_code == 404
    assert client_of("cleo").get(reverse(name, args=[grant(world).pk, act])).status_code == 303
