"""The whole walk of a misuse report through the pages, and every way in which it is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse

from release_portal.access.engagements import Rules, agree_to_engagement, end_engagement, write_engagement
from release_portal.access.models import Grant
from release_portal.misuse.filing import FILINGS_A_DAY, LONGEST_TEXT, Filing, file_report
from release_portal.misuse.models import MisuseReport
from release_portal.ops.demo_reports import write_reports
from release_portal.releases.models import Hold
from tests.services.test_misuse import SERVED_TEXT, served
from tests.world import SERVED, World

DAY = timedelta(days=1)
Clients = Callable[[str], Any]
HTML = "<script>alert(1)</script><b>bold</b>\"'&"
FORM = {"what": "A shop posts machine-made reviews.", "evidence": "Five stars!", "contact": "", "link": ""}
LAB, NAME = SERVED.split("/")
HOLD_PAGE = f"/sizes/{LAB}/{NAME}/hold/"


def file(client: Any, **changes: str) -> Any:
    return client.post(reverse("report-misuse"), {**FORM, "category": "", "size": "", **changes})


def code_on(response: Any) -> str:
    found = re.search(r'<pre id="code"[^>]*>([0-9A-Z-]+)</pre>', response.content.decode())
    assert found is not None
    return found[1]


def newest() -> MisuseReport:
    return MisuseReport.objects.latest("pk")


def send(client: Any, name: str, **data: Any) -> Any:
    report = newest()
    given = {"expected_version": report.version, **data}
    return client.post(reverse("report-command", args=[report.pk, name]), given)


def accept(client: Any, **changes: Any) -> Any:
    return send(
        client, "triage", **{"verdict": "accept", "severity": "2", "category": "FRAUD", "size": SERVED, **changes}
    )


def page_of(client: Any) -> str:
    return str(client.get(reverse("report-triage", args=[newest().pk])).content.decode())


def status_of(client: Any, code: str) -> str:
    return str(client.post(reverse("report-status"), {"code": code}).content.decode())


# --- The walk --------------------------------------------------------------------------------------------------------


def test_from_filing_to_outcome_a_report_leads_to_the_suspension_of_the_matched_grant(
    world: World, client_of: Clients
) -> None:
    job, grant = served(world), world.grants["cleo"]
    visitor, ben = client_of("anonymous"), client_of("ben")
    filed = file(visitor, evidence=SERVED_TEXT, contact="a@example.net", category="FRAUD", size=SERVED)
    assert filed.status_code == 201
    code = code_on(filed)
    assert "A person has not looked yet." in status_of(visitor, code)

    assert f"Report {newest().pk}" in ben.get(reverse("report-queue")).content.decode()
    shown = page_of(ben)
    for text in (job.pk, grant.pk, "Research, hosted", "a@example.net", SERVED_TEXT[:40]):
        assert text in shown

    assert accept(ben).status_code == 303
    acted = send(
        ben,
        "act",
        kind="suspend_grant",
        target=grant.pk,
        target_version=grant.version,
        job_id=job.pk,
        reason="Reviews.",
    )
    assert acted.status_code == 303
    assert Grant.objects.get(pk=grant.pk).state == "suspended"
    assert "Reviews." in client_of("cleo").get(reverse("grant", args=[grant.pk])).content.decode()

    assert send(ben, "message", message="Thank you, we found it.").status_code == 303
    done = send(ben, "close", outcome_code="CONFIRMED_OURS", outcome="The access was suspended.")
    assert done.status_code == 303
    told = status_of(visitor, code)
    for text in (
        "Confirmed: it came from a model served here.",
        "The access was suspended.",
        "Thank you, we found it.",
    ):
        assert text in told


def engage(world: World, at: datetime) -> None:
    """Cleo's study of fraud is agreed on by two people."""
    rules = Rules((SERVED,), ("FRAUD",), 1_000, "Our own server.", at + 20 * DAY)
    write_engagement(world.actor("ivy"), world.grants["cleo"].pk, rules, at=at - DAY)
    agree_to_engagement(world.actor("ben"), world.grants["cleo"].pk, at=at - DAY)


def test_T44_the_desk_reads_who_works_under_rules_of_engagement_with_which_scope_until_when(
    world: World, client_of: Clients, at: datetime
) -> None:
    engage(world, at)
    job, ben = served(world), client_of("ben")
    file(client_of("anonymous"), evidence=SERVED_TEXT)
    page = page_of(ben)
    assert f"{world.people['cleo'].name} works under rules of engagement" in page
    for text in (job.pk, SERVED, "FRAUD", "1,000", "Our own server.", f"{at + 20 * DAY:%d %B %Y}"):
        assert text in page
    assert "They held when these matched generations were made" in page
    assert "is for you to judge" in page
    accept(ben)
    assert "suspend" in page_of(ben).lower(), "nothing is taken from the desk by it"


def test_rules_that_ended_before_the_text_was_made_are_not_shown(
    world: World, client_of: Clients, at: datetime
) -> None:
    engage(world, at)
    end_engagement(world.actor("ben"), world.grants["cleo"].pk, reason="Over.", at=at - DAY / 2)
    served(world)
    file(client_of("anonymous"), evidence=SERVED_TEXT)
    assert "rules of engagement" not in page_of(client_of("ben"))


def test_an_officer_who_names_a_grant_reads_its_rules_beside_it(world: World, client_of: Clients, at: datetime) -> None:
    engage(world, at)
    file(client_of("anonymous"), evidence="Nothing of ours.")
    ben, address = client_of("ben"), reverse("report-triage", args=[newest().pk])
    assert "rules of engagement" not in page_of(ben)
    page = ben.get(address, {"grant": world.grants["cleo"].pk}).content.decode()
    assert "No matched generation was made while they held." in page
    assert ben.get(address, {"grant": "g-none"}).status_code == 404


@pytest.mark.parametrize(("kind", "mark"), [("hold_size", "Held"), ("stop_size", "Restricted R5")])
def test_a_report_leads_to_a_hold_or_a_stop_that_the_public_page_of_the_size_shows(
    world: World, client_of: Clients, kind: str, mark: str
) -> None:
    visitor, ben = client_of("anonymous"), client_of("ben")
    file(visitor)
    accept(ben)
    assert mark not in visitor.get(f"/sizes/{LAB}/{NAME}/").content.decode()
    send(ben, "act", kind=kind, target=SERVED, reason="Under review.", finding="Three reports, one pattern.")
    assert mark in visitor.get(f"/sizes/{LAB}/{NAME}/").content.decode()


def test_a_severe_case_holds_its_size_until_it_is_closed_with_that_said(world: World, client_of: Clients) -> None:
    ben = client_of("ben")
    file(client_of("anonymous"))
    accept(ben, severity="3")
    assert "This case holds" in page_of(ben)
    silent = send(ben, "close", outcome_code="NO_BREACH", outcome="Nothing found.")
    assert silent.status_code == 400
    assert "closing it releases the hold" in silent.content.decode()
    assert "Nothing found." in silent.content.decode()
    said = send(ben, "close", outcome_code="NO_BREACH", outcome="Nothing found.", releases_hold="on")
    assert said.status_code == 303
    assert not Hold.objects.open().exists()


def test_a_question_goes_to_the_reporter_and_the_answer_comes_back(world: World, client_of: Clients) -> None:
    visitor, ben = client_of("anonymous"), client_of("ben")
    code = code_on(file(visitor))
    send(ben, "message", message="Since when?", is_question="on")
    assert "Since when?" in status_of(visitor, code)
    answered = visitor.post(reverse("report-message"), {"code": code, "message": "Since May."})
    assert answered.status_code == 200
    assert "Your message has arrived." in answered.content.decode()
    assert "Since May." in page_of(ben)
    assert newest().state == "received"


def test_the_code_is_shown_once_in_no_address_and_in_no_cache(world: World, client_of: Clients) -> None:
    visitor = client_of("anonymous")
    filed = file(visitor)
    code = code_on(filed)
    shown = visitor.post(reverse("report-status"), {"code": code})
    for response in (filed, shown, visitor.get(reverse("report-misuse"))):
        assert "no-store" in response["Cache-Control"]
    assert code not in page_of(client_of("ben"))
    assert code not in visitor.get(reverse("report-status")).content.decode()
    in_address = visitor.get(reverse("report-status"), {"code": code}).content.decode()
    assert "Enter the code" in in_address  # a code in an address opens nothing


# --- Refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ada", "jo", "ivy", "hal", "gia", "kim", "cleo", "lou"])
def test_the_desk_is_closed_to_everybody_else(world: World, client_of: Clients, name: str) -> None:
    file(client_of("anonymous"))
    client, pk = client_of(name), newest().pk
    assert client.get(reverse("report-queue")).status_code == 403
    assert client.get(reverse("report-triage", args=[pk])).status_code == 403
    assert send(client, "triage", verdict="decline", decline_code="NOT_OURS").status_code == 403
    assert newest().state == "received"


def test_a_visitor_is_asked_to_sign_in_at_the_desk(world: World, client_of: Clients) -> None:
    file(client_of("anonymous"))
    assert client_of("anonymous").get(reverse("report-queue")).status_code == 401
    assert send(client_of("anonymous"), "close").status_code == 401


def test_an_officer_who_filed_the_report_reads_why_they_cannot_decide(world: World, client_of: Clients) -> None:
    ben = client_of("ben")
    file(ben)
    assert "You filed this report yourself." in page_of(ben)
    assert accept(ben).status_code == 403
    assert accept(client_of("olu")).status_code == 303


def test_a_stale_form_is_refused_with_the_text_kept_and_the_new_version_in_it(world: World, client_of: Clients) -> None:
    file(client_of("anonymous"))
    accept(client_of("olu"))
    refused = accept(client_of("ben"), expected_version=1, note="my long note", severity="4")
    text = refused.content.decode()
    assert refused.status_code == 409
    assert "changed while this form was open" in text
    assert "my long note" in text
    assert f'name="expected_version" value="{newest().version}"' in text
    assert newest().severity == 2


def test_declining_without_a_reason_is_refused_at_the_field(world: World, client_of: Clients) -> None:
    file(client_of("anonymous"))
    refused = send(client_of("ben"), "triage", verdict="decline")
    assert refused.status_code == 400
    assert 'id="id_triage_decline_code_error"' in refused.content.decode()
    assert newest().state == "received"


def test_a_report_cannot_be_its_own_duplicate(world: World, client_of: Clients) -> None:
    file(client_of("anonymous"))
    refused = send(client_of("ben"), "triage", verdict="merge", duplicate_of=str(newest().pk))
    assert refused.status_code == 409
    assert "no duplicate of itself" in refused.content.decode()


def test_an_action_without_ground_is_refused_at_its_own_form(world: World, client_of: Clients) -> None:
    file(client_of("anonymous"))
    ben, grant = client_of("ben"), world.grants["cleo"]
    accept(ben)
    refused = send(ben, "act", kind="hold_size", target=SERVED, reason="Detector: 0.99")
    assert refused.status_code == 400
    assert "A detector score alone is no ground" in refused.content.decode()
    shown = ben.get(reverse("report-triage", args=[newest().pk]), {"grant": grant.pk}).content.decode()
    assert f"Suspend the grant {grant.pk}" in shown


def test_a_grant_that_cannot_be_suspended_shows_the_reason_in_place_of_the_form(
    world: World, client_of: Clients
) -> None:
    file(client_of("anonymous"))
    ben = client_of("ben")
    accept(ben)
    eve = Grant.objects.get(holder=world.people["eve"])
    shown = ben.get(reverse("report-triage", args=[newest().pk]), {"grant": eve.pk}).content.decode()
    assert "This grant is suspended." in shown
    assert f'value="{eve.pk}" id="id_suspend_grant' not in shown


@pytest.mark.parametrize("code", ["", "ABCD-EFGH", "é" * 50, "\x00"])
def test_an_unknown_code_gets_one_answer(world: World, client_of: Clients, code: str) -> None:
    for name in ("report-status", "report-message"):
        refused = client_of("anonymous").post(reverse(name), {"code": code, "message": "hello"})
        assert refused.status_code == 404
        assert "There is no report with this code." in refused.content.decode()


@pytest.mark.parametrize("field", ["what", "evidence", "link"])
def test_20001_characters_are_refused_at_the_field_and_kept_in_it(world: World, client_of: Clients, field: str) -> None:
    refused = file(client_of("anonymous"), **{field: "x" * (LONGEST_TEXT + 1)})
    text = refused.content.decode()
    assert refused.status_code == 400
    assert f'id="id_{field}_error"' in text
    assert "x" * (LONGEST_TEXT + 1) in text
    assert not MisuseReport.objects.exists()


def test_a_body_of_5_megabytes_is_refused_before_it_is_read(world: World, client_of: Clients) -> None:
    refused = file(client_of("anonymous"), what="x" * 5_000_000)
    assert refused.status_code == 413
    assert not MisuseReport.objects.exists()


def test_the_day_limit_of_a_network_is_a_429_with_its_end(world: World, client_of: Clients) -> None:
    visitor = client_of("anonymous")
    for _ in range(FILINGS_A_DAY):
        assert file(visitor).status_code == 201
    refused = file(visitor, what="one more, kept")
    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= 86_400
    assert "one more, kept" in refused.content.decode()


def test_html_is_shown_as_text_wherever_it_was_written(world: World, client_of: Clients) -> None:
    visitor, ben = client_of("anonymous"), client_of("ben")
    code = code_on(file(visitor, what=HTML, evidence=HTML, link=HTML))
    visitor.post(reverse("report-message"), {"code": code, "message": HTML})
    accept(ben, note=HTML)
    send(ben, "message", message=HTML)
    send(ben, "act", kind="hold_size", target=SERVED, reason=HTML, finding=HTML)
    pages = [page_of(ben), ben.get(HOLD_PAGE).content.decode(), visitor.get(f"/sizes/{LAB}/{NAME}/").content.decode()]
    send(ben, "close", outcome_code="NO_BREACH", outcome=HTML)
    pages += [page_of(ben), status_of(visitor, code), ben.get(reverse("report-queue")).content.decode()]
    refused = file(visitor, what=HTML, evidence="", contact=HTML, category=HTML, size=HTML, link=HTML)
    pages += [refused.content.decode(), visitor.post(reverse("report-status"), {"code": HTML}).content.decode()]
    for text in pages:
        assert "<script>alert" not in text
        assert "<b>bold" not in text
    assert pages[0].count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 7


def test_the_subject_of_a_report_finds_its_reporter_on_no_page(world: World, client_of: Clients) -> None:
    served(world)
    grant = world.grants["cleo"]
    code = code_on(file(client_of("finn"), evidence=SERVED_TEXT, contact="finn-reports@example.net"))
    ben, cleo = client_of("ben"), client_of("cleo")
    accept(ben, severity="3")
    send(
        ben, "act", kind="suspend_grant", target=grant.pk, target_version=grant.version, finding="Seen.", reason="Why."
    )
    addresses = (
        reverse("home"), reverse("grants"), reverse("grant", args=[grant.pk]), f"/sizes/{LAB}/{NAME}/",
        f"/sizes/{LAB}/{NAME}/timeline/", f"/sizes/{LAB}/{NAME}/playground/", reverse("generations"),
    )  # fmt: skip
    for address in addresses:
        text = cleo.get(address).content.decode()
        assert "finn" not in text, address
        assert code not in text
    assert "finn" not in ben.get(reverse("audit")).content.decode()


# --- The queue -------------------------------------------------------------------------------------------------------


def test_an_empty_queue_says_what_will_stand_here(world: World, client_of: Clients) -> None:
    assert "No report stands here." in client_of("ben").get(reverse("report-queue")).content.decode()


def test_the_queue_filters_by_state_and_leaves_out_what_is_over(world: World, client_of: Clients) -> None:
    write_reports(at=world.at)
    ben = client_of("ben")
    by_state = {
        state: len(ben.get(reverse("report-queue"), {"state": state}).context["rows"])
        for state in ("open", "every", "received", "triaged", "declined", "duplicate", "closed", "nonsense")
    }
    assert by_state == {
        "open": 4, "every": 7, "received": 2, "triaged": 2, "declined": 1, "duplicate": 1, "closed": 1, "nonsense": 4,
    }  # fmt: skip
    first = ben.get(reverse("report-queue")).context["rows"][0]
    assert first["severity"]["label"] == "SEV4 ?"


def test_a_long_queue_comes_in_pages(world: World, client_of: Clients) -> None:
    for number in range(30):
        file_report(world.actor("anonymous"), Filing(f"number {number}", "e"), address=f"10.0.0.{number}", at=world.at)
    ben = client_of("ben")
    sizes = [len(ben.get(reverse("report-queue"), {"page": page}).context["rows"]) for page in (1, 2)]
    assert sizes == [25, 5]


# --- Holds -----------------------------------------------------------------------------------------------------------


def raise_on(client: Any, kind: str, reason: str = "Odd output.", **more: Any) -> Any:
    return client.post(HOLD_PAGE, {"kind": kind, "reason": reason, "expected_version": "1", **more})


def test_an_officer_stops_use_another_confirms_and_a_manager_releases(world: World, client_of: Clients) -> None:
    ben, olu, jo = client_of("ben"), client_of("olu"), client_of("jo")
    assert raise_on(ben, "R5").status_code == 303
    hold = Hold.objects.get()
    assert hold.stops_use
    assert "You raised this hold; another officer must confirm it." in ben.get(HOLD_PAGE).content.decode()
    confirm, release = (reverse("hold-command", args=[hold.pk, name]) for name in ("confirm", "release"))
    assert ben.post(confirm, {"expected_version": "1"}).status_code == 403
    assert olu.post(confirm, {"reason": "", "expected_version": "1"}).status_code == 303
    assert jo.post(release, {"reason": "", "expected_version": "2"}).status_code == 400
    assert jo.post(release, {"reason": "Harmless.", "expected_version": "1"}).status_code == 409
    assert jo.post(release, {"reason": "Harmless.", "expected_version": "2"}).status_code == 303
    assert not Hold.objects.open().exists()
    assert "Harmless." in ben.get(HOLD_PAGE).content.decode()


def test_a_refused_hold_keeps_its_text(world: World, client_of: Clients) -> None:
    refused = raise_on(client_of("ben"), "hold", "")
    assert refused.status_code == 400
    assert 'id="id_hold_reason_error"' in refused.content.decode()
    stale = raise_on(client_of("ben"), "R5", "kept words", expected_version="9")
    assert stale.status_code == 409
    assert "kept words" in stale.content.decode()
    assert raise_on(client_of("ben"), "explode").status_code == 400
    assert not Hold.objects.exists()


@pytest.mark.parametrize(
    ("level", "terms", "shown"),
    [
        ("R1", {"percent": "50"}, "Restriction R1: every quota at 50 %"),
        ("R2", {"functions": ["detect"], "max_tokens": "8"}, "Restriction R2: off: detect; output of at most 8 tokens"),
        ("R3", {"cohort": "research"}, "Restriction R3: no use by the cohort: research"),
    ],
)
def test_an_officer_restricts_use_and_another_confirms_it(
    world: World, client_of: Clients, level: str, terms: dict[str, Any], shown: str
) -> None:
    ben, olu = client_of("ben"), client_of("olu")
    assert raise_on(ben, level, **terms).status_code == 303
    page = olu.get(HOLD_PAGE).content.decode()
    assert shown in page
    assert "Confirm the restriction" in page
    assert f"Restricted {level}" in client_of("anonymous").get(f"/sizes/{LAB}/{NAME}/").content.decode()
    confirm = reverse("hold-command", args=[Hold.objects.get().pk, "confirm"])
    assert olu.post(confirm, {"reason": "", "expected_version": "1"}).status_code == 303
    assert Hold.objects.get().state == "confirmed"


@pytest.mark.parametrize(
    ("level", "terms", "field"),
    [
        ("R1", {"percent": "half"}, "percent"),
        ("R1", {"percent": "100"}, "percent"),
        ("R2", {"max_tokens": ""}, "functions"),
        ("R3", {"cohort": ""}, "cohort"),
    ],
)
def test_a_restriction_without_its_terms_is_refused_at_the_field_and_keeps_its_text(
    world: World, client_of: Clients, level: str, terms: dict[str, Any], field: str
) -> None:
    refused = raise_on(client_of("ben"), level, "kept words", **terms)
    assert refused.status_code == 400
    assert f'id="id_{level}_{field}_error"' in refused.content.decode()
    assert "kept words" in refused.content.decode()
    assert not Hold.objects.exists()


def test_a_manager_reads_holds_but_does_not_raise_them(world: World, client_of: Clients) -> None:
    jo = client_of("jo")
    assert "A hold is raised by a duty officer or safety reviewer." in jo.get(HOLD_PAGE).content.decode()
    assert raise_on(jo, "hold").status_code == 403


@pytest.mark.parametrize("name", ["ivy", "kim", "cleo"])
def test_the_page_of_holds_is_closed_to_everybody_else(world: World, client_of: Clients, name: str) -> None:
    assert client_of(name).get(HOLD_PAGE).status_code == 403
    assert raise_on(client_of(name), "R5").status_code == 403
    assert HOLD_PAGE not in client_of(name).get(f"/sizes/{LAB}/{NAME}/").content.decode()


def test_the_rail_of_a_size_leads_officers_to_its_holds(world: World, client_of: Clients) -> None:
    assert HOLD_PAGE in client_of("ben").get(f"/sizes/{LAB}/{NAME}/").content.decode()
