"""Sending an application back with questions at fields: what may change, what stays on record, whose review counts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from release_portal.access.application_rules import APPLICATION
from release_portal.access.applications import answer_question, answer_questions
from release_portal.access.attestations.rules import REFEREE
from release_portal.access.attestations.services import name_attester
from release_portal.access.models import AgreementVersion, AnswerChange, Application, Grant, Question, ReviewVote
from release_portal.access.questions.fields import content_of, fields_of
from release_portal.access.review_desk import desk_of, review_decision
from release_portal.access.reviews import approve_application, ask_applicant
from release_portal.audit.models import AuditEvent
from release_portal.core.errors import InvalidInput, NotAllowed, NotNow, StaleVersion
from release_portal.core.workdays import add_working_time, working_days
from release_portal.notices.models import Notice
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from tests.services.applying import PEOPLE, conditions, submit, vouch
from tests.world import World

DAY = timedelta(days=1)
AT_TWO = {"affiliation": "Which group?", "intended_use": "Who sees them?"}


@pytest.fixture(autouse=True)
def agreement(world: World, at: datetime) -> AgreementVersion:
    """The shipped agreement, in force for some time."""
    return write_agreement(DEMO, at=at - 100 * DAY)


def fresh(application: Application) -> Application:
    return Application.objects.get(pk=application.pk)


def ask(world: World, application: Application, at: datetime, name: str = "ivy", **questions: Any) -> Application:
    version = fresh(application).version
    return ask_applicant(world.actor(name), application.pk, expected_version=version, at=at, **questions)


def answer(
    world: World,
    application: Application,
    at: datetime,
    replies: dict[str, str],
    changes: dict[str, Any] | None = None,
    *,
    name: str = "finn",
) -> Application:
    version = fresh(application).version
    given = {"replies": replies, "changes": changes or {}}
    return answer_questions(world.actor(name), application.pk, expected_version=version, at=at, **given)


def approve(world: World, application: Application, at: datetime, name: str) -> Grant | None:
    now = fresh(application)
    return approve_application(world.actor(name), now.pk, conditions(now), expected_version=now.version, at=at)


# --- Asking ----------------------------------------------------------------------------------------------------------


def test_questions_are_bound_to_fields_and_one_notice_tells_them_all(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at)
    asked = ask(world, sent, at, question="Anything else?", at_fields=AT_TWO)
    assert asked.state == "needs_info"
    assert {one.field: one.text for one in asked.questions.all()} == {"": "Anything else?", **AT_TWO}
    notice = Notice.objects.get(kind="application_question")
    assert notice.recipient == world.people["finn"], "T23: the applicant and nobody else"
    for text in ("Anything else?", "Affiliation: Which group?", "The outputs: Who sees them?"):
        assert text in notice.body
    event = AuditEvent.objects.get(kind="application.asked", subject=f"application:{sent.pk}")
    assert event.data == {"fields": ["affiliation", "intended_use"]}


@pytest.mark.parametrize(
    ("questions", "field"),
    [
        ({}, "question"),
        ({"question": " ", "at_fields": {"purpose": "  "}}, "question"),
        ({"at_fields": {"salary": "How much?"}}, "question_salary"),
        ({"at_fields": {"purpose": "x" * 5_001}}, "question_purpose"),
        ({"question": "a\x00b"}, "question"),
    ],
)
def test_a_question_about_nothing_or_about_no_field_is_refused(
    world: World, at: datetime, questions: dict[str, Any], field: str
) -> None:
    sent = submit(world, "finn", at)
    with pytest.raises(InvalidInput) as caught:
        ask(world, sent, at, **questions)
    assert caught.value.field == field
    assert (fresh(sent).state, Question.objects.count()) == ("submitted", 0)


def test_the_database_keeps_one_open_question_for_each_field(world: World, at: datetime) -> None:
    sent = ask(world, submit(world, "finn", at), at, at_fields=AT_TWO)
    first = sent.questions.first()
    assert first is not None
    with pytest.raises(IntegrityError), transaction.atomic():
        Question.objects.create(application=sent, field=first.field, text="Again?", asked_at=at)


# --- Answering -------------------------------------------------------------------------------------------------------


def test_on_answering_what_changed_is_kept_as_old_and_new(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at)
    due, asked = sent.due_at, ask(world, sent, at, at_fields=AT_TWO)
    back = answer(world, asked, at + 14 * DAY, {"affiliation": "The second one."}, {"intended_use": "Only we."})
    assert (back.state, back.intended_use, back.affiliation) == ("submitted", "Only we.", "An institute")
    assert back.due_at == add_working_time(at + 14 * DAY, working_days(5))
    assert back.due_at != due
    change = AnswerChange.objects.get()
    assert (change.field, change.label) == ("intended_use", "The outputs")
    assert (change.old, change.new) == ("Counted, and kept for a year.", "Only we.")
    assert change.question.text == "Who sees them?"
    event = AuditEvent.objects.get(kind="application.answered")
    assert event.data == {"changed": ["intended_use"]}, "what was written stays out of the record"


def test_exactly_the_fields_that_were_asked_about_may_change(world: World, at: datetime) -> None:
    asked = ask(world, submit(world, "finn", at), at, at_fields={"affiliation": "Which group?"})
    for changes in ({"purpose": "Another"}, {"affiliation": "A", "functions": ("weights",)}, {"nothing": "x"}):
        with pytest.raises(InvalidInput) as caught:
            answer(world, asked, at, {"affiliation": "This one."}, changes)
        assert caught.value.reason == "Only what was asked about can be changed now."
    now = fresh(asked)
    assert (now.state, now.purpose, now.affiliation) == ("needs_info", submit_text(), "An institute")
    assert not AnswerChange.objects.exists()


def submit_text() -> str:
    return "How short can a text be before detection fails?"


def test_a_question_about_the_whole_changes_nothing(world: World, at: datetime) -> None:
    asked = ask(world, submit(world, "finn", at), at, question="Why?")
    with pytest.raises(InvalidInput):
        answer(world, asked, at, {"": "So."}, {"purpose": "Another"})
    back = answer_question(world.actor("finn"), asked.pk, answer="So.", expected_version=asked.version, at=at)
    assert back.questions.get().answer == "So."


def test_every_question_needs_an_answer_or_a_change(world: World, at: datetime) -> None:
    asked = ask(world, submit(world, "finn", at), at, question="Why?", at_fields=AT_TWO)
    attempts: list[tuple[dict[str, str], dict[str, Any], str]] = [
        ({"": "So.", "affiliation": "B"}, {}, "reply_intended_use"),
        ({"": " ", "affiliation": "B", "intended_use": "C"}, {}, "answer"),
        ({"": "So.", "affiliation": "B"}, {"intended_use": "Counted, and kept for a year."}, "reply_intended_use"),
        ({"": "So.", "affiliation": "B", "intended_use": "x" * 5_001}, {}, "reply_intended_use"),
        ({"": "So.", "affiliation": "B", "intended_use": "C", "purpose": "D"}, {}, "reply_purpose"),
    ]
    for replies, changes, field in attempts:
        with pytest.raises(InvalidInput) as caught:
            answer(world, asked, at, replies, changes)
        assert caught.value.field == field
    assert fresh(asked).state == "needs_info"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("affiliation", " "),
        ("affiliation", "x" * 201),
        ("intended_use", "a\x00b"),
        ("functions", ()),
        ("functions", ("weights",)),
        ("functions", ("fly",)),
        ("purpose_code", "P99"),
        ("requested_end", None),
        ("requested_end", datetime(2020, 1, 1).date()),  # noqa: DTZ001 - a day
    ],
)
def test_a_change_that_could_not_have_been_sent_is_refused_at_its_field(
    world: World, at: datetime, key: str, value: Any
) -> None:
    asked = ask(world, submit(world, "finn", at), at, at_fields={key: "Sure?"})
    before = fields_of(asked)
    with pytest.raises(InvalidInput) as caught:
        answer(world, asked, at, {key: "Yes."}, {key: value})
    assert caught.value.field == key
    assert (fresh(asked).state, fields_of(fresh(asked))) == ("needs_info", before)


def test_every_field_of_an_application_can_be_asked_about_and_changed(world: World, at: datetime) -> None:
    day = (at + 20 * DAY).date()
    values = {
        "purpose_code": "P02", "purpose": "B", "affiliation": "C", "intended_use": "D", "functions": ("detect",),
        "requested_end": day,
    }  # fmt: skip
    sent = submit(world, "finn", at)
    assert values.keys() <= fields_of(sent).keys()
    asked = ask(world, sent, at, at_fields=dict.fromkeys(values, "Sure?"))
    back = fresh(answer(world, asked, at, {}, values))
    assert (back.purpose_code, back.purpose, back.affiliation, back.intended_use) == ("P02", "B", "C", "D")
    assert (back.functions, back.requested_end) == (["detect"], day)
    assert {one.field for one in back.changes.all()} == values.keys()


def test_T4_only_the_applicant_answers_and_only_what_they_saw(world: World, at: datetime) -> None:
    asked = ask(world, submit(world, "finn", at), at, at_fields=AT_TWO)
    for name in ("cleo", "ivy", "ben", "anonymous"):
        with pytest.raises(NotAllowed):
            answer(world, asked, at, dict.fromkeys(AT_TWO, "x"), name=name)
    given: dict[str, Any] = {"replies": dict.fromkeys(AT_TWO, "x"), "changes": {}, "at": at}
    with pytest.raises(StaleVersion):
        answer_questions(world.actor("finn"), asked.pk, expected_version=asked.version - 1, **given)
    answer(world, asked, at, dict.fromkeys(AT_TWO, "x"))
    with pytest.raises(NotNow):
        answer(world, asked, at, dict.fromkeys(AT_TWO, "x"))


def test_T4_no_change_of_a_field_reaches_state_decision_or_clock(world: World, at: datetime) -> None:
    asked = ask(world, submit(world, "finn", at), at, question="Why?", at_fields=AT_TWO)
    for key in ("state", "decided_by", "due_at", "tier", "version", "grant", "applicant"):
        with pytest.raises(InvalidInput):
            answer(world, asked, at, {"": "So.", **dict.fromkeys(AT_TWO, "x")}, {key: "granted"})
    assert fresh(asked).state == "needs_info"


# --- Whose review counts ---------------------------------------------------------------------------------------------


def test_T7_a_review_that_was_given_before_a_change_counts_no_more(world: World, at: datetime) -> None:
    sent, grants = submit(world, "finn", at, purpose_code="P05"), Grant.objects.count()
    assert approve(world, sent, at, "ivy") is None
    asked = ask(world, sent, at, "ben", at_fields={"intended_use": "Who sees them?"})
    answer(world, asked, at, {}, {"intended_use": "Everybody, at once."})
    vouch(fresh(sent), at)
    assert approve(world, sent, at, "ben") is None, "it is the first on what stands there now"
    assert (fresh(sent).state, Grant.objects.count()) == ("second_review", grants)
    assert approve(world, sent, at, "ivy"), "whoever reviewed before may review what stands there now"
    voters = [one.voter_name.lower() for one in ReviewVote.objects.order_by("at", "pk")]
    assert len(voters) == 3, "the first one stays on record"


def test_T7_what_two_people_agree_on_is_the_same_content(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at, purpose_code="P05")
    approve(world, sent, at, "ivy")
    Application.objects.filter(pk=sent.pk).update(intended_use="Changed by no command at all.")
    vouch(fresh(sent), at)
    assert approve(world, sent, at, "ben") is None, "whatever changed it, the reviews are on two contents"
    first, second = ReviewVote.objects.order_by("pk")
    assert first.content != second.content
    assert second.content == content_of(fresh(sent))


def test_an_answer_without_a_change_is_something_new_to_read_as_well(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at, purpose_code="P05")
    approve(world, sent, at, "ivy")
    asked = ask(world, sent, at, "hal", question="Who sees them?")
    answer(world, asked, at, {"": "Everybody, at once."})
    assert fresh(sent).state == "submitted"
    assert approve(world, sent, at, "hal") is None


def test_T3_a_question_is_asked_while_a_second_is_awaited_and_by_nobody_else(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at, purpose_code="P05")
    approve(world, sent, at, "ivy")
    table = APPLICATION.command("ask")
    for name in world.people:
        may = review_decision("ask", fresh(sent), desk_of(world.actor(name)), at)
        assert bool(may) == bool(table.by & world.actor(name).roles and "second_review" in table.sources), name


def test_a_change_moves_the_tier_with_it(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at)
    asked = ask(world, sent, at, at_fields={"functions": "Sure?"})
    answer(world, asked, at, {}, {"functions": ("detect",)})
    assert (sent.tier, fresh(sent).tier) == (1, 0)


def test_an_answer_that_raises_the_tier_is_taken_and_who_must_vouch_is_named_afterwards(
    world: World, at: datetime
) -> None:
    """Seen to fail with the list of a draft: "save the draft, then name a referee", where there is no draft."""
    sent = submit(world, "finn", at)
    asked = ask(world, sent, at, at_fields={"purpose_code": "Sure?"})
    answered = answer(world, asked, at, {}, {"purpose_code": "P05"})
    assert (answered.state, fresh(sent).tier, fresh(sent).purpose_code) == ("submitted", 2, "P05")
    decision = review_decision("approve", fresh(sent), desk_of(world.actor("ivy")), at)
    assert (decision.code, "No referee was asked yet." in decision.reason) == ("attestation_missing", True)
    finn = world.actor("finn")
    named = name_attester(finn, sent.pk, REFEREE, PEOPLE[REFEREE], expected_version=0, at=at)
    assert named.state == "requested", "mailed at once"
    vouch(fresh(sent), at)
    assert review_decision("approve", fresh(sent), desk_of(world.actor("ivy")), at)
