"""Applications: started, sent, asked about, decided; and what silence does."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from release_portal.access import reviews
from release_portal.access.application_lookups import (
    application_to_review,
    applications_to_review,
    own_application,
    own_applications,
)
from release_portal.access.application_rules import STATES, Answers, due_after, end_of
from release_portal.access.applications import (
    answer_question,
    lapse_applications,
    save_application,
    submit_application,
    withdraw_application,
)
from release_portal.access.conditions import USUAL
from release_portal.access.lookups import size_for
from release_portal.access.models import AgreementVersion, Application, Grant, Signature
from release_portal.access.policy import Action
from release_portal.access.quota import Limits
from release_portal.access.reviews import approve_application, ask_applicant, refuse_application
from release_portal.access.services import expire_grants, suspend_grant
from release_portal.accounts.services import give_role
from release_portal.audit.models import AuditEvent
from release_portal.core.actors import Actor, system_actor
from release_portal.core.errors import Incomplete, InvalidInput, NotAllowed, NotFound, NotNow, StaleVersion
from release_portal.core.workdays import add_working_time, working_days
from release_portal.epochs.services import grant_key, numbers_of
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement, write_applications
from release_portal.registry.models import ModelSize
from release_portal.releases.models import Standing
from tests.services.agreeing import next_version
from tests.services.applying import answers, conditions, submit
from tests.world import SERVED, World

SWEEPER = system_actor("sweeper")
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def agreement(world: World, at: datetime) -> AgreementVersion:
    """The shipped agreement, in force for some time."""
    return write_agreement(DEMO, at=at - 100 * DAY)


def save(world: World, name: str, given: Answers, at: datetime, *, version: int = 0, renews: str = "") -> Application:
    return save_application(world.actor(name), SERVED, given, expected_version=version, at=at, renews=renews)


def approve(world: World, application: Application, at: datetime, name: str = "ivy", **changes: Any) -> Grant:
    given = conditions(application, **changes)
    return approve_application(world.actor(name), application.pk, given, expected_version=application.version, at=at)


def kinds_about(application: Application) -> list[str]:
    found = AuditEvent.objects.about(f"application:{application.pk}").order_by("seq")
    return [event.kind.removeprefix("application.") for event in found]


# --- Drafts ----------------------------------------------------------------------------------------------------------


def test_a_draft_is_saved_complete_or_not(world: World, at: datetime) -> None:
    draft = save(world, "finn", Answers(purpose="Only begun"), at)
    assert (draft.state, draft.purpose, draft.version, draft.submitted_at) == ("draft", "Only begun", 1, None)
    again = save(world, "finn", answers(at), at + DAY, version=1)
    assert (again.pk, again.version, again.answers()) == (draft.pk, 2, answers(at, functions=("detect", "generate")))
    assert kinds_about(draft) == ["started"], "saving changes no state"


def test_a_draft_saved_in_another_window_is_not_overwritten_unseen(world: World, at: datetime) -> None:
    save(world, "finn", Answers(purpose="First window"), at)
    for seen in (0, 7):
        with pytest.raises(StaleVersion):
            save(world, "finn", Answers(purpose="Second window"), at, version=seen)
    assert Application.objects.get(applicant=world.people["finn"]).purpose == "First window"


def test_a_form_of_a_draft_that_is_gone_does_not_start_another_unseen(world: World, at: datetime) -> None:
    draft = save(world, "finn", Answers(), at)
    withdraw_application(world.actor("finn"), draft.pk, expected_version=draft.version, at=at)
    with pytest.raises(StaleVersion):
        save(world, "finn", answers(at), at, version=1)
    assert save(world, "finn", answers(at), at).pk != draft.pk


@pytest.mark.parametrize("field", ["purpose", "intended_use", "affiliation"])
def test_what_cannot_be_kept_is_refused_at_its_field(world: World, at: datetime, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        save(world, "finn", Answers(**{field: "a\x00b"}), at)
    assert caught.value.field == field
    assert not Application.objects.filter(applicant=world.people["finn"]).exists()


def test_html_is_kept_as_the_text_that_it_is(world: World, at: datetime) -> None:
    text = "<script>alert(1)</script> & <b>bold</b>"
    draft = save(world, "finn", Answers(purpose=text, affiliation=text, intended_use=text), at)
    draft.refresh_from_db()
    assert draft.purpose == draft.affiliation == draft.intended_use == text


# --- Which sizes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "code"),
    [("disclosed", "stage_closed"), ("public_hosted", "no_grant_needed"), ("open_weights", "no_grant_needed")],
)
def test_a_size_that_takes_no_applications_says_why(world: World, at: datetime, stage: str, code: str) -> None:
    Standing.objects.filter(size=world.size).update(stage=stage)
    with pytest.raises(NotAllowed) as caught:
        submit(world, "finn", at)
    assert caught.value.code == code
    assert not Application.objects.filter(applicant=world.people["finn"]).exists()


def test_an_undisclosed_size_is_not_there(world: World, at: datetime) -> None:
    Standing.objects.filter(size=world.size).update(stage="registered")
    for slug in (SERVED, "nobody/nothing"):
        with pytest.raises(NotFound):
            save_application(world.actor("finn"), slug, Answers(), expected_version=0, at=at)


def test_an_anonymous_visitor_is_asked_to_sign_in(world: World, at: datetime) -> None:
    with pytest.raises(NotAllowed) as caught:
        save(world, "anonymous", answers(at), at)
    assert caught.value.code == "sign_in"


# --- Submit ----------------------------------------------------------------------------------------------------------


def test_a_complete_application_starts_the_clock_and_is_signed(
    world: World, at: datetime, agreement: AgreementVersion
) -> None:
    sent = submit(world, "finn", at)
    sent.refresh_from_db()
    assert (sent.state, sent.submitted_at, sent.due_at) == ("submitted", at, due_after(at))
    assert (sent.agreement, sent.agreement_hash) == (agreement, agreement.sha256)
    assert Signature.objects.get(account=world.people["finn"]).sha256 == agreement.sha256
    assert kinds_about(sent) == ["started", "submitted"]


def test_an_incomplete_one_names_everything_and_writes_nothing(world: World, at: datetime) -> None:
    with pytest.raises(Incomplete) as caught:
        submit_application(world.actor("finn"), SERVED, Answers(), agreement_hash="", expected_version=0, at=at)
    fields = {field for field, _reason in caught.value.problems}
    assert fields == {
        "purpose_code", "purpose", "affiliation", "intended_use", "functions", "requested_end", "agreement",
    }  # fmt: skip
    assert not Application.objects.filter(applicant=world.people["finn"]).exists()
    assert not Signature.objects.filter(account=world.people["finn"]).exists()


@pytest.mark.parametrize("days", [-1, 0, 366, 10_000])
def test_an_end_in_the_past_or_beyond_the_policy_is_refused(world: World, at: datetime, days: int) -> None:
    with pytest.raises(Incomplete) as caught:
        submit(world, "finn", at, requested_end=(at + days * DAY).date())
    assert [field for field, _reason in caught.value.problems] == ["requested_end"]


def test_T16_an_agreement_that_changed_while_the_form_was_open_must_be_accepted_anew(
    world: World, at: datetime, agreement: AgreementVersion
) -> None:
    """T16: the text that was shown is what is signed, never another."""
    next_version(world, "New terms.", at=at)
    with pytest.raises(NotNow) as caught:
        submit_application(
            world.actor("finn"), SERVED, answers(at), agreement_hash=agreement.sha256, expected_version=0, at=at
        )
    assert (caught.value.code, caught.value.field) == ("agreement_changed", "agreement")
    assert not Signature.objects.filter(account=world.people["finn"]).exists()
    assert submit(world, "finn", at).agreement.number == 2


def test_a_second_open_application_for_the_same_size_is_refused_and_the_first_is_named(
    world: World, at: datetime
) -> None:
    first = submit(world, "finn", at)
    for attempt in (submit, lambda w, n, t: save(w, n, Answers(), t)):
        with pytest.raises(NotNow, match=first.pk) as caught:
            attempt(world, "finn", at)
        assert caught.value.code == "open_application"
    assert Application.objects.filter(applicant=world.people["finn"]).count() == 1


def test_the_database_keeps_it_to_one_open_application(world: World, at: datetime) -> None:
    first = submit(world, "finn", at)
    with pytest.raises(IntegrityError), transaction.atomic():
        Application.objects.create(applicant=first.applicant, size=first.size, created_at=at, saved_at=at)


def test_another_size_can_be_applied_for_at_the_same_time(world: World, at: datetime) -> None:
    other = ModelSize.objects.exclude(slug=SERVED).first()
    assert other is not None
    Standing.objects.filter(size=other).update(stage="research_hosted")
    submit(world, "finn", at)
    save_application(world.actor("finn"), other.slug, Answers(), expected_version=0, at=at)
    assert own_applications(world.actor("finn")).open().count() == 2


# --- Who reads -------------------------------------------------------------------------------------------------------


def test_a_draft_is_read_by_its_writer_only_and_what_is_sent_by_reviewers(world: World, at: datetime) -> None:
    draft = save(world, "finn", answers(at), at)
    readers = {name for name in world.people if applications_to_review(world.actor(name)).filter(pk=draft.pk)}
    assert readers == set()
    submit(world, "finn", at, version=draft.version)
    readers = {name for name in world.people if applications_to_review(world.actor(name)).filter(pk=draft.pk)}
    assert readers == {"ivy", "hal", "ben"}


def test_foreign_applications_are_not_there(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at)
    assert own_application(world.actor("finn"), sent.pk) == sent
    for name in ("cleo", "ivy", "ada", "anonymous"):
        with pytest.raises(NotFound):
            own_application(world.actor(name), sent.pk)
    for name in ("finn", "cleo", "ada", "gia", "anonymous"):
        with pytest.raises(NotFound):
            application_to_review(world.actor(name), sent.pk)


def test_a_token_reads_own_applications_with_its_scope_and_reviews_none(world: World, at: datetime) -> None:
    submit(world, "finn", at)
    finn, ivy = world.actor("finn"), world.actor("ivy")
    for scope, count in (("applications:write", 1), ("generate", 0)):
        token = Actor(finn.kind, finn.id, finn.name, frozenset(), frozenset({scope}))
        assert own_applications(token).count() == count
    token = Actor(ivy.kind, ivy.id, ivy.name, ivy.roles, frozenset({"staff:read"}))
    assert not applications_to_review(token).exists()


def test_the_queue_begins_with_the_oldest_promise(world: World, at: datetime) -> None:
    soon, late = submit(world, "lou", at), submit(world, "finn", at - 3 * DAY)
    assert list(applications_to_review(world.actor("ivy")).waiting()) == [late, soon]


# --- Decide ----------------------------------------------------------------------------------------------------------


def test_an_approval_makes_the_grant_that_it_describes(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at)
    with pytest.raises(NotAllowed):
        size_for(world.actor("finn"), SERVED, Action.GENERATE, at=at)
    limits, day = Limits(1_000, 10, 1), (at + 30 * DAY).date()
    grant = approve(world, sent, at + DAY, functions=("generate",), limits=limits, last_day=day)
    sent.refresh_from_db()
    assert (sent.state, sent.grant, sent.decided_by) == ("granted", grant, world.people["ivy"])
    assert (grant.holder, grant.kind, grant.state) == (world.people["finn"], "research", "active")
    assert (grant.starts_at, grant.ends_at) == (at + DAY, end_of(day))
    assert [one.name for one in grant.functions.all()] == ["generate"]
    assert (grant.tokens_per_day, grant.requests_per_minute, grant.concurrent) == (1_000, 10, 1)
    assert [size.slug for size in grant.sizes.all()] == [SERVED]
    assert size_for(world.actor("finn"), SERVED, Action.GENERATE, at=at + DAY).grant == grant
    with pytest.raises(NotAllowed):
        size_for(world.actor("finn"), SERVED, Action.DETECT, at=at + DAY)
    assert kinds_about(sent) == ["started", "submitted", "approved"]


def test_grant_and_decision_stand_or_fall_together(world: World, at: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    sent, grants = submit(world, "finn", at), Grant.objects.count()

    def fail(*_args: object, **_more: object) -> None:
        raise RuntimeError("after the grant was made")

    monkeypatch.setattr(reviews, "record", fail)
    with pytest.raises(RuntimeError, match="after"):
        approve(world, sent, at)
    sent.refresh_from_db()
    assert (sent.state, Grant.objects.count()) == ("submitted", grants)


@pytest.mark.parametrize("name", ["finn", "cleo", "ben", "hal", "ada", "jo", "olu", "kim", "gia", "anonymous"])
def test_only_the_access_lead_decides_on_research_access(world: World, at: datetime, name: str) -> None:
    sent = submit(world, "finn", at)
    given: dict[str, Any] = {"expected_version": sent.version, "at": at}
    attempts = (
        lambda actor: approve_application(actor, sent.pk, conditions(sent), **given),
        lambda actor: refuse_application(actor, sent.pk, code="purpose_unclear", text="No.", **given),
        lambda actor: ask_applicant(actor, sent.pk, question="Why?", **given),
    )
    for attempt in attempts:
        with pytest.raises(NotAllowed):
            attempt(world.actor(name))
    sent.refresh_from_db()
    assert sent.state == "submitted"


def test_T6_nobody_decides_on_their_own_application_even_with_a_role_that_came_later(
    world: World, at: datetime
) -> None:
    """T6."""
    sent = submit(world, "finn", at)
    give_role(world.actor("ada"), world.people["finn"], "access_lead", reason="new post", at=at)
    with pytest.raises(NotAllowed) as caught:
        approve(world, sent, at, "finn")
    assert caught.value.code == "own_application"
    with pytest.raises(NotAllowed):
        refuse_application(
            world.actor("finn"), sent.pk, code="purpose_unclear", text="No.", expected_version=sent.version, at=at
        )
    assert approve(world, sent, at)


def test_the_database_refuses_a_decision_by_the_applicant(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at)
    with pytest.raises(IntegrityError), transaction.atomic():
        Application.objects.filter(pk=sent.pk).update(decided_by=sent.applicant)


def test_two_people_decide_on_partner_access_and_the_grant_is_of_that_kind(world: World, at: datetime) -> None:
    Standing.objects.filter(size=world.size).update(stage="partner")
    sent = submit(world, "finn", at)
    assert approve(world, sent, at, "hal") is None, "partner access is of tier 2"
    sent.refresh_from_db()
    assert approve(world, sent, at, "ivy").kind == "partner"


def test_a_decision_on_an_outdated_view_is_refused(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at)
    seen = sent.version
    asked = ask_applicant(world.actor("ivy"), sent.pk, question="Why?", expected_version=seen, at=at)
    answer_question(world.actor("finn"), sent.pk, answer="So.", expected_version=asked.version, at=at)
    with pytest.raises(StaleVersion):
        approve(world, sent, at)


def test_a_second_decision_is_refused(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at)
    approve(world, sent, at)
    with pytest.raises(NotNow):
        refuse_application(
            world.actor("ivy"), sent.pk, code="purpose_unclear", text="No.", expected_version=sent.version, at=at
        )
    assert Grant.objects.filter(holder=world.people["finn"]).count() == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"functions": ("generate", "weights")}, "functions"),
        ({"functions": ()}, "functions"),
        ({"last_day": None}, "last_day"),
        ({"limits": Limits(0, 1, 1)}, "tokens_per_day"),
    ],
)
def test_conditions_wider_than_asked_are_refused_at_their_field(
    world: World, at: datetime, changes: dict[str, Any], field: str
) -> None:
    sent = submit(world, "finn", at)
    with pytest.raises(InvalidInput) as caught:
        approve(world, sent, at, **changes)
    assert caught.value.field == field
    assert not Grant.objects.filter(holder=world.people["finn"]).exists()


def test_a_size_that_moved_meanwhile_takes_no_grant(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at)
    Standing.objects.filter(size=world.size).update(stage="disclosed")
    with pytest.raises(NotNow) as caught:
        approve(world, sent, at)
    assert caught.value.code == "stage_closed"


def test_a_refusal_has_a_coded_reason_and_a_text(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at)
    given: dict[str, Any] = {"expected_version": sent.version, "at": at}
    for code, text, field in (("because", "No.", "code"), ("", "No.", "code"), ("purpose_unclear", " ", "explanation")):
        with pytest.raises(InvalidInput) as caught:
            refuse_application(world.actor("ivy"), sent.pk, code=code, text=text, **given)
        assert caught.value.field == field
    refused = refuse_application(world.actor("ivy"), sent.pk, code="purpose_unclear", text=" Which? ", **given)
    refused.refresh_from_db()
    assert (refused.state, refused.decision_code, refused.decision_text) == ("refused", "purpose_unclear", "Which?")
    assert (refused.decided_by, refused.grant) == (world.people["ivy"], None)


def test_T17_a_refused_person_corrects_it_and_asks_again(world: World, at: datetime) -> None:
    """T17."""
    sent = submit(world, "finn", at)
    refuse_application(
        world.actor("ivy"), sent.pk, code="purpose_unclear", text="A typo?", expected_version=sent.version, at=at
    )
    again = submit(world, "finn", at + DAY, purpose="Without the typo")
    assert again.pk != sent.pk
    assert approve(world, again, at + DAY)


# --- Questions -------------------------------------------------------------------------------------------------------


def test_a_question_rests_the_clock_until_it_is_answered(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at)
    due = sent.due_at
    asked = ask_applicant(world.actor("ivy"), sent.pk, question="Why?", expected_version=sent.version, at=at)
    assert asked.state == "needs_info"
    assert not applications_to_review(world.actor("ivy")).waiting().filter(pk=sent.pk).exists()
    answered_at = at + 14 * DAY
    back = answer_question(
        world.actor("finn"), sent.pk, answer=" Because. ", expected_version=asked.version, at=answered_at
    )
    assert (back.state, back.due_at) == ("submitted", add_working_time(answered_at, working_days(5)))
    assert back.due_at != due
    question = back.questions.get()
    assert (question.text, question.answer, question.answered_at) == ("Why?", "Because.", answered_at)


def test_only_the_applicant_answers_and_with_something(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at)
    asked = ask_applicant(world.actor("ivy"), sent.pk, question="Why?", expected_version=sent.version, at=at)
    for name in ("cleo", "ivy"):
        with pytest.raises(NotAllowed):
            answer_question(world.actor(name), sent.pk, answer="So.", expected_version=asked.version, at=at)
    with pytest.raises(InvalidInput) as caught:
        answer_question(world.actor("finn"), sent.pk, answer=" ", expected_version=asked.version, at=at)
    assert caught.value.field == "answer"


def test_while_it_waits_for_an_answer_nothing_is_decided(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at)
    asked = ask_applicant(world.actor("ivy"), sent.pk, question="Why?", expected_version=sent.version, at=at)
    with pytest.raises(NotNow):
        approve(world, asked, at)


# --- Withdraw, lapse, silence ----------------------------------------------------------------------------------------


def test_an_applicant_withdraws_and_nobody_else(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at)
    for name in ("cleo", "ivy"):
        with pytest.raises(NotAllowed):
            withdraw_application(world.actor(name), sent.pk, expected_version=sent.version, at=at)
    assert withdraw_application(world.actor("finn"), sent.pk, expected_version=sent.version, at=at).state == "withdrawn"
    with pytest.raises(NotNow):
        approve(world, Application.objects.get(pk=sent.pk), at)
    assert submit(world, "finn", at)


def test_T41_silence_of_ours_never_decides(world: World, at: datetime) -> None:
    """T41: 400 days with the sweeper on."""
    sent, grants = submit(world, "finn", at), Grant.objects.count()
    for days in range(0, 400, 25):
        lapse_applications(SWEEPER, at=at + days * DAY)
    sent.refresh_from_db()
    assert (sent.state, Grant.objects.count()) == ("submitted", grants)


def test_a_draft_that_lies_for_sixty_days_lapses_and_is_emptied(world: World, at: datetime) -> None:
    draft = save(world, "finn", answers(at), at)
    assert lapse_applications(SWEEPER, at=at + 60 * DAY - timedelta(seconds=1)) == 0
    assert lapse_applications(SWEEPER, at=at + 60 * DAY) == 1
    draft.refresh_from_db()
    assert (draft.state, draft.purpose, draft.affiliation, draft.intended_use) == ("lapsed", "", "", "")
    event = AuditEvent.objects.last()
    assert event is not None
    assert (event.kind, event.actor_kind) == ("application.lapsed", "system"), "T26: no person's name under it"
    assert lapse_applications(SWEEPER, at=at + 61 * DAY) == 0


def test_a_question_without_an_answer_lapses_after_thirty_days_and_keeps_its_text(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at)
    ask_applicant(world.actor("ivy"), sent.pk, question="Why?", expected_version=sent.version, at=at + DAY)
    assert lapse_applications(SWEEPER, at=at + 30 * DAY) == 0
    assert lapse_applications(SWEEPER, at=at + 31 * DAY) == 1
    sent.refresh_from_db()
    assert (sent.state, sent.purpose) == ("lapsed", answers(at).purpose)


# --- Renewal ---------------------------------------------------------------------------------------------------------


def test_T11_an_early_renewal_moves_the_old_end_by_the_approved_time(world: World, at: datetime) -> None:
    """T11: nothing is lost by asking early."""
    old = world.grants["cleo"]
    sent = submit(world, "cleo", at, renews=old.pk)
    assert sent.renews == old
    renewed = approve(world, sent, at + DAY, limits=Limits(7, 6, 5))
    assert renewed.pk == old.pk
    assert renewed.ends_at == old.ends_at + (end_of(sent.requested_end) - at)
    assert (renewed.tokens_per_day, renewed.requests_per_minute, renewed.concurrent) == (7, 6, 5)
    assert Grant.objects.filter(holder=old.holder).count() == 1
    sent.refresh_from_db()
    assert sent.grant == renewed
    event = AuditEvent.objects.filter(kind="grant.renewed").last()
    assert event is not None
    assert event.data["ends_at"] == renewed.ends_at.isoformat()


def test_a_renewal_that_takes_a_function_away_ends_permits_that_may_carry_it(world: World, at: datetime) -> None:
    old = world.grants["cleo"]
    before = numbers_of([grant_key(old.pk)])[grant_key(old.pk)]
    both = submit(world, "cleo", at, renews=old.pk)
    approve(world, both, at)
    assert numbers_of([grant_key(old.pk)])[grant_key(old.pk)] == before, "work goes on when nothing was taken"
    less = submit(world, "cleo", at, renews=old.pk)
    approve(world, less, at, functions=("detect",))
    assert numbers_of([grant_key(old.pk)])[grant_key(old.pk)] == before + 1
    with pytest.raises(NotAllowed):
        size_for(world.actor("cleo"), SERVED, Action.GENERATE, at=at)


@pytest.mark.parametrize("swept", [True, False])
def test_an_expired_grant_is_renewed_by_a_new_one_that_ends_as_approved(
    world: World, at: datetime, swept: bool
) -> None:
    old = world.grants["dan" if swept else "cleo"]
    when = at if swept else old.ends_at
    sent = submit(world, old.holder.username, when, renews=old.pk)
    grant = approve(world, sent, when)
    assert grant.pk != old.pk
    assert (grant.starts_at, grant.ends_at) == (when, end_of(sent.requested_end))


def test_a_grant_that_ends_between_asking_and_deciding_is_followed_by_a_new_one(world: World, at: datetime) -> None:
    old = world.grants["cleo"]
    asked_at = old.ends_at - DAY
    sent = submit(world, "cleo", asked_at, renews=old.pk)
    expire_grants(SWEEPER, at=old.ends_at)
    grant = approve(world, sent, old.ends_at + DAY)
    assert (grant.pk != old.pk, grant.ends_at) == (True, end_of(sent.requested_end))


def test_a_suspended_grant_is_not_renewed(world: World, at: datetime) -> None:
    with pytest.raises(NotNow):
        submit(world, "eve", at, renews=world.grants["eve"].pk)
    sent = submit(world, "cleo", at, renews=world.grants["cleo"].pk)
    grant = world.grants["cleo"]
    suspend_grant(world.actor("ben"), grant.pk, reason="Look.", expected_version=grant.version, at=at)
    with pytest.raises(NotNow):
        approve(world, sent, at)


def test_nobody_renews_the_grant_of_another(world: World, at: datetime) -> None:
    for grant_id in (world.grants["cleo"].pk, "g-none"):
        with pytest.raises(NotFound):
            submit(world, "finn", at, renews=grant_id)


# --- Demo ------------------------------------------------------------------------------------------------------------


def test_the_demo_shows_applications_in_several_states_and_writing_it_twice_changes_nothing(
    world: World, at: datetime
) -> None:
    write_applications(DEMO, SERVED, at=at)
    found = {(one.applicant.username, one.state) for one in Application.objects.select_related("applicant")}
    assert {("finn", "submitted"), ("gia", "needs_info"), ("gia", "refused"), ("dan", "submitted")} <= found
    assert {("kim", "draft"), ("cleo", "granted"), ("finn", "withdrawn")} <= found
    assert {state for _name, state in found} <= set(STATES)
    assert not Grant.objects.filter(holder=world.people["finn"]).exists()
    count, events = Application.objects.count(), AuditEvent.objects.count()
    write_applications(DEMO, SERVED, at=at + DAY)
    assert (Application.objects.count(), AuditEvent.objects.count()) == (count, events)


def test_the_usual_quota_lies_within_what_may_be_given(world: World, at: datetime) -> None:
    assert approve(world, submit(world, "finn", at), at, limits=USUAL).tokens_per_day == USUAL.tokens_per_day
