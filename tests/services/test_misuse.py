"""Misuse reports: filed by anyone, triaged by officers, followed by code, leading to action."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from release_portal.access.lookups import grant_for
from release_portal.access.models import Grant
from release_portal.audit.models import AuditEvent
from release_portal.audit.services import verify_chain
from release_portal.core.actors import ANONYMOUS
from release_portal.core.errors import (
    InvalidInput,
    NotAllowed,
    NotFound,
    NotNow,
    PortalError,
    StaleVersion,
    TooMuch,
)
from release_portal.core.keys import seal
from release_portal.epochs.services import grant_key, numbers_of, size_key
from release_portal.jobs.models import Job
from release_portal.misuse.codes import code_digest, write_code
from release_portal.misuse.filing import (
    FILINGS_A_DAY,
    LONGEST_TEXT,
    MESSAGES_A_DAY,
    Filing,
    file_report,
    read_by_code,
    write_by_code,
)
from release_portal.misuse.lookups import report_for, reports_for
from release_portal.misuse.measures import possible_measures
from release_portal.misuse.models import FilingCount, MisuseReport, ReportAction, ReportMessage
from release_portal.misuse.report_rules import DECLINE_REASONS, OUTCOMES
from release_portal.misuse.services import (
    Measure,
    Triage,
    act,
    case_holds,
    close_report,
    look_up_text,
    triage,
    write_to_reporter,
)
from release_portal.ops.demo_reports import write_reports
from release_portal.provenance.services import write_fingerprints
from release_portal.releases.hold_services import release_hold
from release_portal.releases.models import Hold
from tests.world import SERVED, World

CONTACT = "whistle@example.net"
SECRETS = ("xylophone-what", "xylophone-evidence", "xylophone-link", CONTACT)
FILING = Filing(
    what="xylophone-what: reviews by a machine",
    evidence="xylophone-evidence: this kettle changed my mornings",
    contact=CONTACT,
    link="https://shop.example/xylophone-link",
    category="FRAUD",
    size=SERVED,
)
SERVED_TEXT = " ".join(
    f"the {colour} {animal} crossed the {place} before anyone had counted the silver coins in drawer {number}"
    for number, (colour, animal, place) in enumerate(
        [
            ("grey", "heron", "river"),
            ("red", "fox", "orchard"),
            ("black", "cat", "courtyard"),
            ("white", "owl", "attic"),
        ]
    )
)
STAFF_NOT_AT_THE_DESK = ("ada", "jo", "ivy", "hal", "gia", "kim", "cleo", "anonymous")


def filed(world: World, by: str = "anonymous", **changes: Any) -> tuple[MisuseReport, str]:
    filing = replace(FILING, **changes)
    return file_report(world.actor(by), filing, address="192.0.2.7", at=world.at)


def served(world: World, holder: str = "cleo", text: str = SERVED_TEXT) -> Job:
    """A settled generation of that holder, fingerprinted as settlement does it."""
    job = Job.objects.create(
        account=world.people[holder],
        size=world.size,
        grant=world.grants.get(holder),
        function="generate",
        interface="web",
        state="done",
        finish_reason="stop",
        stage="research_hosted",
        policy_version="1",
        weights_digest="0" * 64,
        sealed_prompt=seal("p"),
        quota_holder="tests",
        quota_day=world.at.date(),
        created_at=world.at,
        permit_ends_at=world.at,
        ended_at=world.at,
    )
    write_fingerprints(job, [{"text": text, "tokens": 1, "finish": "stop"}], world.at)
    return job


def accepted(world: World, report: MisuseReport, by: str = "ben", **changes: Any) -> MisuseReport:
    found = Triage(**{"verdict": "accept", "severity": 2, "category": "FRAUD", "size": SERVED, **changes})
    report.refresh_from_db()
    return triage(world.actor(by), report.pk, found, expected_version=report.version, at=world.at)


def declined(world: World, report: MisuseReport, code: str = "NOT_OURS", by: str = "ben") -> MisuseReport:
    found = Triage("decline", decline_code=code)
    return triage(world.actor(by), report.pk, found, expected_version=report.version, at=world.at)


def merged(world: World, report: MisuseReport, target: MisuseReport, by: str = "ben") -> MisuseReport:
    found = Triage("merge", duplicate_of=target.pk)
    return triage(world.actor(by), report.pk, found, expected_version=report.version, at=world.at)


def closed(world: World, report: MisuseReport, by: str = "ben", *, releases_hold: bool = False) -> MisuseReport:
    return close_report(
        world.actor(by),
        report.pk,
        outcome_code="CONFIRMED_OURS",
        outcome="The account is suspended.",
        releases_hold=releases_hold,
        expected_version=report.version,
        at=world.at,
    )


def acted(world: World, report: MisuseReport, measure: Measure, by: str = "ben") -> ReportAction:
    report.refresh_from_db()
    return act(world.actor(by), report.pk, measure, expected_version=report.version, at=world.at)


def suspend_of(grant: Grant, **changes: Any) -> Measure:
    grant.refresh_from_db()
    measure = Measure("suspend_grant", grant.pk, "False reviews.", finding="Seen.", target_version=grant.version)
    return replace(measure, **changes)


def events(report: MisuseReport) -> list[AuditEvent]:
    return list(AuditEvent.objects.about(f"report:{report.pk}"))


# --- Filing ----------------------------------------------------------------------------------------------------------


def test_a_visitor_without_an_account_files_and_gets_a_code_that_opens_the_report(world: World) -> None:
    report, code = filed(world)
    assert (report.state, report.version, report.severity) == ("received", 1, None)
    assert len(code.replace("-", "")) == 26
    assert read_by_code(code.lower()).state == "received"


def test_T18_neither_the_code_nor_anything_the_reporter_wrote_is_stored_in_clear(world: World) -> None:
    _report, code = filed(world)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM misuse_report")
        row = b"|".join(
            bytes(one) if isinstance(one, bytes | memoryview) else str(one).encode() for one in cursor.fetchone()
        )
    for secret in (*SECRETS, code, code.replace("-", "")):
        assert secret.encode() not in row


def test_two_reports_have_two_codes(world: World) -> None:
    (one, first), (two, second) = filed(world), filed(world)
    assert first != second
    assert MisuseReport.objects.get(code_digest=code_digest(first)).pk == one.pk
    assert MisuseReport.objects.get(code_digest=code_digest(second)).pk == two.pk


@pytest.mark.parametrize("code", ["", "0000-0000", write_code(17), "x" * 10_000, "\x00", "é🦉"])
def test_T19_every_unknown_code_gets_the_same_answer(world: World, code: str) -> None:
    filed(world)
    with pytest.raises(NotFound) as refused:
        read_by_code(code)
    with pytest.raises(NotFound) as other:
        write_by_code(code, "hello", at=world.at)
    assert (refused.value.reason, refused.value.change) == (other.value.reason, other.value.change)
    assert refused.value.reason == "There is no report with this code."


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("what", ""),
        ("what", "x" * (LONGEST_TEXT + 1)),
        ("evidence", " \n"),
        ("evidence", "x" * (LONGEST_TEXT + 1)),
        ("link", "x" * (LONGEST_TEXT + 1)),
        ("contact", "no address"),
        ("contact", "a" * 300 + "@example.org"),
        ("category", "NONSENSE"),
        ("size", "nobody/nothing"),
        ("size", "a\x00b"),
        ("what", "a\x00b"),
    ],
)
def test_what_is_missing_or_too_long_is_said_at_its_field_and_nothing_is_filed(
    world: World, field: str, value: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        filed(world, **{field: value})
    assert refused.value.field == field
    assert not MisuseReport.objects.exists()
    assert not FilingCount.objects.exists()


def test_a_text_of_exactly_the_limit_is_taken(world: World) -> None:
    report, _code = filed(world, what="x" * LONGEST_TEXT)
    assert len(report.what) == LONGEST_TEXT


def test_a_size_that_the_public_may_not_know_of_does_not_exist_for_a_reporter(world: World) -> None:
    world.size.standing.__class__.objects.filter(size=world.size).update(stage="registered")
    with pytest.raises(InvalidInput):
        filed(world)


def test_category_and_size_may_be_left_out(world: World) -> None:
    report, _code = filed(world, category="", size="", link="", contact="")
    assert (report.category_guess, report.size_guess, report.contact, report.urgency) == ("", None, "", 2)


def test_one_network_files_so_many_a_day_and_another_one_is_not_held_up(world: World) -> None:
    for _ in range(FILINGS_A_DAY):
        filed(world)
    with pytest.raises(TooMuch) as refused:
        filed(world)
    midnight = datetime.combine(world.at.date() + timedelta(days=1), time.min, UTC)
    assert refused.value.retry_at == midnight
    assert file_report(ANONYMOUS, FILING, address="192.0.2.8", at=world.at)
    assert file_report(ANONYMOUS, FILING, address="192.0.2.7", at=midnight)


def test_an_ipv6_household_counts_as_one_network(world: World) -> None:
    for number in (1, 2):
        file_report(ANONYMOUS, FILING, address=f"2001:db8::{number}", at=world.at)
    file_report(ANONYMOUS, FILING, address="2001:db8:0:1::1", at=world.at)
    assert sorted(FilingCount.objects.values_list("count", flat=True)) == [1, 2]


def test_no_address_is_stored_and_its_mark_is_another_one_tomorrow(world: World) -> None:
    filed(world)
    today = FilingCount.objects.get().mark
    file_report(ANONYMOUS, FILING, address="192.0.2.7", at=world.at + timedelta(days=1))
    tomorrow = FilingCount.objects.get()
    assert "192.0.2.7" not in today
    assert tomorrow.mark != today
    assert tomorrow.count == 1


# --- Who reports -----------------------------------------------------------------------------------------------------


def everything_recorded(report: MisuseReport) -> str:
    rows = AuditEvent.objects.values("kind", "actor_kind", "actor_id", "actor_name", "subject", "reason", "data")
    return json.dumps([row for row in rows if row["subject"] == f"report:{report.pk}"])


def test_the_record_names_neither_reporter_nor_content_though_they_were_signed_in(world: World) -> None:
    report, code = filed(world, by="finn")
    write_by_code(code, "xylophone-message", at=world.at)
    report = accepted(world, report, note="xylophone-note")
    write_to_reporter(
        world.actor("ben"),
        report.pk,
        "xylophone-answer",
        is_question=False,
        expected_version=report.version,
        at=world.at,
    )
    report.refresh_from_db()
    closed(world, report)
    text = everything_recorded(report)
    for secret in (*SECRETS, "finn", "xylophone", code):
        assert secret not in text
    first = events(report)[0]
    assert (first.kind, first.actor_kind, first.actor_id) == ("report.received", "anonymous", "")
    assert verify_chain().is_intact


def test_the_row_does_not_say_which_account_filed_it(world: World) -> None:
    report, _code = filed(world, by="finn")
    row = MisuseReport.objects.filter(pk=report.pk).values().get()
    assert all(str(world.people["finn"].pk) != str(value) for name, value in row.items() if "filer" in name)
    assert report.filer_mark
    assert not filed(world)[0].filer_mark


def test_the_suspended_holder_learns_the_reason_and_not_the_reporter(world: World) -> None:
    report, _code = filed(world)
    accepted(world, report)
    acted(world, report, suspend_of(world.grants["cleo"]))
    shown = grant_for(world.actor("cleo"), world.grants["cleo"].pk)
    texts = json.dumps(
        [suspension.reason for suspension in shown.suspensions.all()]
        + list(AuditEvent.objects.about(f"grant:{shown.pk}").values_list("reason", flat=True))
    )
    assert "False reviews." in texts
    assert not any(secret in texts for secret in SECRETS)


def test_an_officer_who_pastes_the_reporters_address_is_stopped(world: World) -> None:
    report, _code = filed(world)
    accepted(world, report)
    with pytest.raises(InvalidInput) as refused:
        acted(world, report, suspend_of(world.grants["cleo"], reason=f"Reported by {CONTACT.upper()}"))
    assert refused.value.field == "reason"
    assert Grant.objects.get(pk=world.grants["cleo"].pk).state == "active"


# --- The desk --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STAFF_NOT_AT_THE_DESK)
def test_nobody_but_the_desk_lists_reads_or_triages_reports(world: World, name: str) -> None:
    report, _code = filed(world)
    assert not reports_for(world.actor(name)).exists()
    with pytest.raises(NotFound):
        report_for(world.actor(name), report.pk)
    with pytest.raises(NotAllowed):
        declined(world, report, by=name)


def test_a_token_of_an_officer_neither_reads_nor_decides(world: World) -> None:
    report, _code = filed(world)
    token = replace(world.actor("ben"), scopes=frozenset({"reports:write", "staff:read"}))
    assert not reports_for(token).exists()
    with pytest.raises(NotAllowed):
        triage(token, report.pk, Triage("decline", decline_code="NOT_OURS"), expected_version=1, at=world.at)


def test_the_queue_is_ordered_by_severity_then_clock(world: World) -> None:
    order = ["CHILD", "INFLUENCE", "FRAUD", "SPAM"]
    made = {category: filed(world, category=category)[0].pk for category in reversed(order)}
    earlier = file_report(
        ANONYMOUS, replace(FILING, category="INFLUENCE"), address="192.0.2.9", at=world.at - timedelta(hours=2)
    )[0].pk
    listed = list(reports_for(world.actor("ben")).open().most_urgent_first().values_list("pk", flat=True))
    assert listed == [made["CHILD"], earlier, made["INFLUENCE"], made["FRAUD"], made["SPAM"]]


def test_accepting_writes_severity_category_and_size_and_sets_the_clock(world: World) -> None:
    report, _code = filed(world, category="")
    report = accepted(world, report, severity=1, category="SPAM")
    assert (report.state, report.severity, report.category, report.size) == ("triaged", 1, "SPAM", world.size)
    assert report.due_at is not None
    assert report.due_at > world.at + timedelta(days=20)
    assert events(report)[-1].data["severity"] == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"severity": None}, "severity"),
        ({"severity": 5}, "severity"),
        ({"category": ""}, "category"),
        ({"size": "nobody/nothing"}, "size"),
        ({"verdict": "ignore"}, "verdict"),
        ({"verdict": "decline"}, "decline_code"),
        ({"verdict": "decline", "decline_code": "BECAUSE"}, "decline_code"),
        ({"verdict": "merge"}, "duplicate_of"),
        ({"verdict": "merge", "duplicate_of": 999_999}, "duplicate_of"),
        ({"note": "x" * (LONGEST_TEXT + 1)}, "note"),
    ],
)
def test_an_incomplete_verdict_changes_nothing(world: World, changes: dict[str, Any], field: str) -> None:
    report, _code = filed(world)
    with pytest.raises(InvalidInput) as refused:
        accepted(world, report, **changes)
    assert refused.value.field == field
    report.refresh_from_db()
    assert (report.state, report.version) == ("received", 1)
    assert len(events(report)) == 1


def test_nobody_triages_a_report_that_they_filed_and_a_colleague_does(world: World) -> None:
    report, _code = filed(world, by="ben")
    with pytest.raises(NotAllowed) as refused:
        declined(world, report)
    assert refused.value.code == "own_report"
    assert declined(world, report, by="olu").state == "declined"


def test_an_officer_neither_sees_nor_triages_a_report_about_their_own_generation(world: World) -> None:
    served(world, holder="ben")
    report, _code = filed(world, evidence=SERVED_TEXT)
    assert not reports_for(world.actor("ben")).exists()
    with pytest.raises(NotAllowed):
        report_for(world.actor("ben"), report.pk)
    with pytest.raises(NotAllowed) as refused:
        declined(world, report)
    assert refused.value.code == "subject"
    assert report_for(world.actor("olu"), report.pk).pk == report.pk


def test_the_second_of_two_verdicts_on_the_same_form_is_stale(world: World) -> None:
    report, _code = filed(world)
    accepted(world, report)
    with pytest.raises(StaleVersion):
        triage(
            world.actor("olu"),
            report.pk,
            Triage("accept", 4, "CHILD"),
            expected_version=1,
            at=world.at,
        )
    report.refresh_from_db()
    assert report.severity == 2


def test_a_declined_report_tells_its_reporter_why_and_is_over(world: World) -> None:
    report, code = filed(world)
    declined(world, report, "ALLOWED_USE")
    shown = read_by_code(code)
    assert (shown.state, shown.outcome, shown.may_write) == ("declined", DECLINE_REASONS["ALLOWED_USE"], False)
    with pytest.raises(NotNow):
        accepted(world, report)
    with pytest.raises(NotNow):
        write_by_code(code, "but", at=world.at)


# --- Duplicates ------------------------------------------------------------------------------------------------------


def test_the_reporter_of_a_duplicate_follows_the_other_report(world: World) -> None:
    (first, _), (second, code) = filed(world), filed(world)
    merged(world, second, first)
    first = accepted(world, first)
    assert read_by_code(code).state == "triaged"
    closed(world, first)
    shown = read_by_code(code)
    assert (shown.state, shown.is_merged, shown.outcome) == ("closed", True, OUTCOMES["CONFIRMED_OURS"])
    assert shown.words == "The account is suspended."


def test_duplicates_form_neither_loops_nor_chains(world: World) -> None:
    (first, _), (second, _), (third, code) = filed(world), filed(world), filed(world)
    merged(world, third, second)
    for target in (second, third):  # itself, and one that points to it
        with pytest.raises(NotNow):
            merged(world, second, target)
    merged(world, second, first)
    third.refresh_from_db()
    assert third.duplicate_of_id == first.pk
    with pytest.raises(NotNow):
        merged(world, first, second)
    accepted(world, first)
    assert read_by_code(code).state == "triaged"


def test_the_database_itself_refuses_a_report_that_is_its_own_duplicate(world: World) -> None:
    report, _code = filed(world)
    with pytest.raises(IntegrityError), transaction.atomic():
        MisuseReport.objects.filter(pk=report.pk).update(duplicate_of=report.pk)


# --- Messages --------------------------------------------------------------------------------------------------------


def test_a_question_pauses_the_clock_and_the_answer_starts_it_again(world: World) -> None:
    report, code = filed(world)
    write_to_reporter(
        world.actor("ben"), report.pk, "Where?", is_question=True, expected_version=report.version, at=world.at
    )
    report.refresh_from_db()
    assert (report.state, report.due_at) == ("needs_info", None)
    write_by_code(code, "On the forum.", at=world.at + timedelta(days=3))
    report.refresh_from_db()
    assert report.state == "received"
    assert report.due_at is not None
    assert report.due_at > world.at + timedelta(days=3)
    assert [(one.is_from_staff, one.text) for one in read_by_code(code).messages] == [
        (True, "Where?"),
        (False, "On the forum."),
    ]


def test_the_reporter_is_not_told_which_officer_wrote(world: World) -> None:
    report, code = filed(world)
    write_to_reporter(
        world.actor("ben"), report.pk, "Thank you.", is_question=False, expected_version=report.version, at=world.at
    )
    assert "ben" not in str(read_by_code(code))


def test_the_same_message_sent_twice_is_kept_once(world: World) -> None:
    _report, code = filed(world)
    for _ in range(3):
        write_by_code(code, "Hello", at=world.at)
    assert ReportMessage.objects.count() == 1


def test_messages_have_a_limit_a_day_and_a_length(world: World) -> None:
    _report, code = filed(world)
    with pytest.raises(InvalidInput):
        write_by_code(code, "x" * (LONGEST_TEXT + 1), at=world.at)
    with pytest.raises(InvalidInput):
        write_by_code(code, " ", at=world.at)
    for number in range(MESSAGES_A_DAY):
        write_by_code(code, f"message {number}", at=world.at)
    with pytest.raises(TooMuch) as refused:
        write_by_code(code, "one more", at=world.at)
    assert refused.value.retry_at == world.at + timedelta(days=1)
    assert write_by_code(code, "one more", at=world.at + timedelta(days=1, seconds=1))


# --- The record, and action ------------------------------------------------------------------------------------------


def test_the_record_is_asked_at_filing_and_leads_to_job_and_grant(world: World) -> None:
    job = served(world)
    served(world, holder="dan", text="something else entirely " * 30)
    report, _code = filed(world, evidence=f"Look at this: {SERVED_TEXT}")
    match = report.matches.get()
    assert (match.job_id, match.job.grant_id) == (job.pk, world.grants["cleo"].pk)
    assert 50 < match.percent <= 100
    assert events(report)[0].data["matches"] == 1


def test_a_text_found_later_is_looked_up_by_the_desk_and_the_question_is_recorded(world: World) -> None:
    job = served(world)
    report, _code = filed(world, evidence="https://shop.example/page")
    assert not report.matches.exists()
    count = look_up_text(world.actor("ben"), report.pk, SERVED_TEXT, expected_version=report.version, at=world.at)
    assert (count, report.matches.get().job_id) == (1, job.pk)
    assert events(report)[-1].kind == "report.matched"
    assert events(report)[-1].actor_name == "ben"


def test_a_suspension_on_a_match_is_written_with_its_ground_in_one_transaction(world: World) -> None:
    job, grant = served(world), world.grants["cleo"]
    report, _code = filed(world, evidence=SERVED_TEXT)
    accepted(world, report)
    before = numbers_of([grant_key(grant.pk)])[grant_key(grant.pk)]
    action = acted(world, report, suspend_of(grant, finding="", job_id=job.pk))
    grant.refresh_from_db()
    assert (grant.state, action.job_id, action.grant_id) == ("suspended", job.pk, grant.pk)
    assert numbers_of([grant_key(grant.pk)])[grant_key(grant.pk)] == before + 1
    kinds = [event.kind for event in AuditEvent.objects.order_by("-seq")[:3]]
    assert kinds == ["report.acted", "receipt.completed", "grant.suspended"]
    assert events(report)[-1].data["ground"] == "record"


@pytest.mark.parametrize(("kind", "stops_use"), [("hold_size", False), ("stop_size", True)])
def test_a_size_is_held_or_stopped_because_of_a_report(world: World, kind: str, stops_use: bool) -> None:
    report, _code = filed(world)
    accepted(world, report)
    before = numbers_of([size_key(SERVED)])[size_key(SERVED)]
    action = acted(world, report, Measure(kind, SERVED, "Under review.", finding="A pattern in three reports."))
    assert action.hold is not None
    assert (action.hold.stops_use, action.hold.raised_by, action.hold.case) == (stops_use, "ben", "")
    assert numbers_of([size_key(SERVED)])[size_key(SERVED)] == before + stops_use


def test_a_detector_score_alone_is_no_ground(world: World) -> None:
    report, _code = filed(world)
    accepted(world, report)
    for kind, target in (("suspend_grant", world.grants["cleo"].pk), ("hold_size", SERVED), ("stop_size", SERVED)):
        with pytest.raises(InvalidInput) as refused:
            acted(world, report, Measure(kind, target, "Detector says 0.99", target_version=1))
        assert (refused.value.code, refused.value.field) == ("no_ground", "finding")
    assert not ReportAction.objects.exists()
    assert not Hold.objects.exists()


def test_the_database_itself_refuses_an_action_without_ground(world: World) -> None:
    report, _code = filed(world)
    with pytest.raises(IntegrityError), transaction.atomic():
        ReportAction.objects.create(
            report=report,
            kind="suspend_grant",
            grant=world.grants["cleo"],
            reason="x",
            by_id="1",
            by_name="x",
            at=world.at,
        )


def test_a_generation_that_does_not_match_the_report_is_no_ground(world: World) -> None:
    job = served(world)
    report, _code = filed(world)
    accepted(world, report)
    with pytest.raises(InvalidInput) as refused:
        acted(world, report, suspend_of(world.grants["cleo"], job_id=job.pk))
    assert refused.value.field == "finding"


@pytest.mark.parametrize(
    ("measure", "field"),
    [
        (Measure("suspend_grant", "g-x", "", finding="Seen."), "reason"),
        (Measure("hold_size", SERVED, " ", finding="Seen."), "reason"),
        (Measure("hold_size", "", "Why", finding="Seen."), "target"),
        (Measure("hold_size", "nobody/nothing", "Why", finding="Seen."), "size"),
        (Measure("delete_model", SERVED, "Why", finding="Seen."), "kind"),
    ],
)
def test_an_incomplete_action_changes_nothing(world: World, measure: Measure, field: str) -> None:
    report, _code = filed(world)
    accepted(world, report)
    with pytest.raises(InvalidInput) as refused:
        acted(world, report, measure)
    assert refused.value.field == field
    assert not ReportAction.objects.exists()


def test_when_the_measure_is_refused_the_report_is_unchanged_as_well(world: World) -> None:
    report, _code = filed(world)
    report = accepted(world, report)
    eve = Grant.objects.get(holder=world.people["eve"])
    with pytest.raises(NotNow):
        acted(world, report, suspend_of(eve))  # suspended already
    with pytest.raises(StaleVersion):
        acted(world, report, suspend_of(world.grants["cleo"], target_version=99))
    with pytest.raises(NotFound):
        acted(world, report, suspend_of(world.grants["cleo"], target="g-unknown"))
    version = report.version
    report.refresh_from_db()
    assert report.version == version
    assert not ReportAction.objects.exists()


def test_nothing_is_done_before_the_report_is_accepted(world: World) -> None:
    report, _code = filed(world)
    with pytest.raises(NotNow):
        acted(world, report, suspend_of(world.grants["cleo"]))
    assert Grant.objects.get(pk=world.grants["cleo"].pk).state == "active"


def test_what_the_page_offers_is_what_the_service_does(world: World) -> None:
    served(world)
    report, _code = filed(world, evidence=SERVED_TEXT)
    report = accepted(world, report)
    ben = world.actor("ben")
    offered = possible_measures(ben, report, grant_id=Grant.objects.get(holder=world.people["eve"]).pk)
    kinds = [(one.kind.value, bool(one.decision)) for one in offered]
    assert sorted(kinds) == [
        ("hold_size", True), ("stop_size", True), ("suspend_grant", False), ("suspend_grant", True),
    ]  # fmt: skip
    for one in offered:
        measure = Measure(one.kind, one.target, "Why.", one.job_id, "Seen.", one.version)
        assert bool(one.decision) is does(world, report, measure)


def does(world: World, report: MisuseReport, measure: Measure) -> bool:
    try:
        acted(world, report, measure)
    except PortalError:
        return False
    return True


# --- What a case does to its size ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("severity", "is_held"), [(2, False), (3, True), (4, True)])
def test_an_accepted_severe_report_holds_the_size_that_it_names(world: World, severity: int, is_held: bool) -> None:
    report, _code = filed(world)
    accepted(world, report, severity=severity)
    holds = list(Hold.objects.open().filter(size=world.size))
    assert bool(holds) is is_held
    assert [(hold.raised_by, hold.stops_use) for hold in holds] == [("system: misuse rule", False)] * is_held


def test_a_severe_report_that_names_no_size_holds_none(world: World) -> None:
    report, _code = filed(world)
    accepted(world, report, severity=4, size="")
    assert not Hold.objects.exists()


def test_a_case_holds_its_size_once_however_often_it_is_triaged(world: World) -> None:
    report, _code = filed(world)
    for severity in (2, 3, 4, 3):
        report = accepted(world, report, severity=severity)
    assert len(case_holds(report)) == 1


def test_the_hold_of_a_case_ends_only_when_it_is_closed_with_that_said(world: World) -> None:
    report, _code = filed(world)
    report = accepted(world, report, severity=3)
    hold = Hold.objects.get()
    with pytest.raises(NotNow) as early:
        release_hold(world.actor("jo"), hold.pk, reason="I want to advance.", at=world.at)
    assert early.value.code == "case"
    with pytest.raises(InvalidInput) as silent:
        closed(world, report)
    assert silent.value.field == "releases_hold"
    assert MisuseReport.objects.get(pk=report.pk).state == "triaged"
    closed(world, report, releases_hold=True)
    hold.refresh_from_db()
    assert (hold.state, hold.released_by) == ("released", "ben")


def test_closing_a_case_leaves_another_cases_hold_and_an_officers_own(world: World) -> None:
    (one, _), (two, _) = filed(world), filed(world)
    one, two = accepted(world, one, severity=3), accepted(world, two, severity=3)
    acted(world, one, Measure("hold_size", SERVED, "Mine.", finding="Seen."))
    one.refresh_from_db()
    closed(world, one, releases_hold=True)
    assert sorted(Hold.objects.open().values_list("raised_by", flat=True)) == ["ben", "system: misuse rule"]
    assert len(case_holds(two)) == 1


def test_a_closed_report_tells_its_outcome_by_code_and_nothing_more_happens(world: World) -> None:
    report, code = filed(world)
    report = closed(world, accepted(world, report))
    shown = read_by_code(code)
    assert (shown.state, shown.outcome, shown.words) == (
        "closed",
        OUTCOMES["CONFIRMED_OURS"],
        "The account is suspended.",
    )
    for again in (lambda: closed(world, report), lambda: accepted(world, report)):
        with pytest.raises(NotNow):
            again()


def test_closing_needs_an_outcome_and_words_for_the_reporter(world: World) -> None:
    report, _code = filed(world)
    report = accepted(world, report)
    for code, words, field in (("", "x", "outcome_code"), ("FINE", "x", "outcome_code"), ("NO_BREACH", "", "outcome")):
        with pytest.raises(InvalidInput) as refused:
            close_report(
                world.actor("ben"),
                report.pk,
                outcome_code=code,
                outcome=words,
                releases_hold=True,
                expected_version=report.version,
                at=world.at,
            )
        assert refused.value.field == field


# --- Demo ------------------------------------------------------------------------------------------------------------


def test_the_demo_has_reports_in_every_state_but_a_question_and_writing_them_twice_adds_none(world: World) -> None:
    write_reports(at=world.at)
    count = MisuseReport.objects.count()
    write_reports(at=world.at)
    assert MisuseReport.objects.count() == count
    states = set(MisuseReport.objects.values_list("state", flat=True))
    assert states == {"received", "triaged", "declined", "duplicate", "closed"}
    assert not Hold.objects.exists()
    assert verify_chain().is_intact
