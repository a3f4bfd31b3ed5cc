"""Programmes: stored, published, bound to applications, and what they ask of applicants and reviewers."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from release_portal.access.activation import accept_terms
from release_portal.access.application_rules import Answers, end_of
from release_portal.access.applications import save_application, submit_application, withdraw_application
from release_portal.access.completeness import missing_from
from release_portal.access.conditions import USUAL
from release_portal.access.extra_terms import Term
from release_portal.access.lookups import size_for
from release_portal.access.models import (
    AgreementVersion,
    Application,
    EligibilityTrace,
    Grant,
    ProgrammePublication,
    ProgrammeVersion,
    TermsOffer,
)
from release_portal.access.policy import Action
from release_portal.access.programmes import duties
from release_portal.access.programmes.applying import offered, preview
from release_portal.access.programmes.eligibility import A_PERSON, REFUSED
from release_portal.access.programmes.programme_files import packaged_text, preset
from release_portal.access.programmes.services import (
    programme_facing,
    programme_in_force,
    programme_of,
    publish_programme,
    store_programme,
    stored_programme,
)
from release_portal.access.queue.batch import Item, Order, preview_batch
from release_portal.access.reviews import approve_application, ask_applicant, refuse_application
from release_portal.audit.models import AuditEvent
from release_portal.core.actors import Actor
from release_portal.core.errors import Incomplete, InvalidInput, NotAllowed, NotFound, NotNow, StaleVersion
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from release_portal.ops.demo_programmes import write_programmes
from release_portal.registry.models import ModelSize
from tests.services.applying import answers, conditions, submit
from tests.world import SERVED, World, put_at_stage

DAY = timedelta(days=1)
STAGE = "research_hosted"
# A file of the family's own: small, so that a test changes one line.
TEXT = packaged_text("research").replace("name: research\n", "name: ours\n")
ASKED_MORE = TEXT.replace("version: 1", "version: 2").replace(
    "\nsummary: asked",
    """
  - key: storage
    kind: text
    label: Where are outputs kept?
    why: We compare it with the agreement.
    readers: [access_lead]
    required: true

summary: asked""",
)


@pytest.fixture(autouse=True)
def agreement(world: World, at: datetime) -> AgreementVersion:
    """The shipped agreement, in force for some time."""
    return write_agreement(DEMO, at=at - 100 * DAY)


def publish(world: World, text: str, at: datetime, *, who: str = "ivy", stage: str = STAGE) -> ProgrammeVersion:
    version = store_programme(world.actor(who), text, at=at)
    publish_programme(world.actor(who), version.digest, family=world.size.family, stage=stage, reason="ours", at=at)
    return version


def changed(old: str, new: str, text: str = TEXT) -> str:
    assert old in text
    return text.replace(old, new, 1)


def save(world: World, given: Answers, at: datetime, *, version: int = 0, who: str = "finn") -> Application:
    return save_application(world.actor(who), SERVED, given, expected_version=version, at=at)


# --- Publishing ------------------------------------------------------------------------------------------------------


def test_where_nothing_is_published_the_preset_applies(world: World, at: datetime) -> None:
    assert programme_in_force(world.size, at) is preset("research")
    application = submit(world, "finn", at)
    assert application.programme_id == preset("research").digest
    assert ProgrammeVersion.objects.get().stored_by == "the portal"


def test_a_lead_publishes_for_a_family_at_a_stage_and_from_then_on_it_applies(world: World, at: datetime) -> None:
    version = publish(world, TEXT, at)
    assert programme_in_force(world.size, at).digest == version.digest
    assert programme_in_force(world.size, at - DAY) is preset("research"), "before that day the preset applied"
    other = ModelSize.objects.exclude(family=world.size.family).filter(standing__stage=STAGE).first()
    if other is not None:
        assert programme_in_force(other, at) is preset("research")
    events = AuditEvent.objects.about("programme:ours").order_by("seq")
    assert [event.kind for event in events] == ["programme.stored", "programme.published"]


def test_the_same_file_again_is_the_same_version(world: World, at: datetime) -> None:
    first = store_programme(world.actor("ivy"), TEXT, at=at)
    again = store_programme(world.actor("ivy"), TEXT.replace("\n", "\r\n"), at=at)
    assert first == again
    assert stored_programme("ours") == stored_programme(first.digest) == first


def test_another_file_with_that_name_and_version_is_refused(world: World, at: datetime) -> None:
    store_programme(world.actor("ivy"), TEXT, at=at)
    with pytest.raises(InvalidInput, match="says something else"):
        store_programme(world.actor("ivy"), TEXT + "# another\n", at=at)


def test_the_portals_own_name_is_not_taken(world: World, at: datetime) -> None:
    with pytest.raises(InvalidInput, match="the portal's own file"):
        store_programme(world.actor("ivy"), changed("name: ours", "name: research") + "# changed\n", at=at)


def test_a_bad_file_is_refused_with_its_line(world: World, at: datetime) -> None:
    with pytest.raises(InvalidInput, match=r"^Line 3: version is 0") as caught:
        store_programme(world.actor("ivy"), changed("version: 1", "version: 0"), at=at)
    assert caught.value.field == "file"
    assert not ProgrammeVersion.objects.exists()


@pytest.mark.parametrize("who", ["hal", "ben", "ada", "jo", "finn", "anonymous"])
def test_only_the_access_lead_keeps_programmes_for_research(world: World, at: datetime, who: str) -> None:
    with pytest.raises(NotAllowed):
        store_programme(world.actor(who), TEXT, at=at)
    version = store_programme(world.actor("ivy"), TEXT, at=at)
    with pytest.raises(NotAllowed):
        publish_programme(world.actor(who), version.digest, family=world.size.family, stage=STAGE, reason="mine", at=at)


def test_a_token_of_the_access_lead_publishes_nothing(world: World, at: datetime) -> None:
    ivy = world.actor("ivy")
    token = Actor(kind=ivy.kind, id=ivy.id, name=ivy.name, roles=ivy.roles, scopes=frozenset({"read"}))
    with pytest.raises(NotAllowed):
        store_programme(token, TEXT, at=at)


def test_the_partner_lead_keeps_those_for_partners(world: World, at: datetime) -> None:
    text = packaged_text("partner").replace("name: partner", "name: allies")
    with pytest.raises(NotAllowed):
        store_programme(world.actor("ivy"), text, at=at)
    assert publish(world, text, at, who="hal", stage="partner").kind == "partner"


@pytest.mark.parametrize(
    ("stage", "words"),
    [("partner", "partner grants are given"), ("open_weights", "no grants are given"), ("nowhere", "no grants")],
)
def test_a_programme_is_published_only_where_its_kind_of_grant_is_given(
    world: World, at: datetime, stage: str, words: str
) -> None:
    with pytest.raises(InvalidInput, match=words) as caught:
        publish(world, TEXT, at, stage=stage)
    assert caught.value.field == "stage"


def test_publishing_needs_a_reason_a_file_and_a_change(world: World, at: datetime) -> None:
    version, ivy = publish(world, TEXT, at), world.actor("ivy")
    given: dict[str, Any] = {"family": world.size.family, "stage": STAGE, "at": at}
    with pytest.raises(NotNow, match="applies already"):
        publish_programme(ivy, version.digest, reason="again", **given)
    with pytest.raises(InvalidInput):
        publish_programme(ivy, version.digest, reason="  ", **given)
    with pytest.raises(NotFound):
        publish_programme(ivy, "d" * 64, reason="x", **given)
    with pytest.raises(NotFound):
        stored_programme("nothing")


def test_an_older_version_can_be_published_again(world: World, at: datetime) -> None:
    first = publish(world, TEXT, at - 2 * DAY)
    publish(world, ASKED_MORE, at - DAY)
    publish(world, TEXT, at)
    assert programme_in_force(world.size, at).digest == first.digest


def test_what_is_stored_can_never_be_changed(world: World, at: datetime) -> None:
    submit(world, "finn", at)
    publish(world, TEXT, at)
    for model, change in (
        (ProgrammeVersion, {"text": "another"}),
        (ProgrammePublication, {"stage": "partner"}),
        (EligibilityTrace, {"outcome": "allow"}),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            model.objects.update(**change)


# --- Forms -----------------------------------------------------------------------------------------------------------


def test_answers_are_kept_in_a_draft_and_stay_when_they_are_left_out(world: World, at: datetime) -> None:
    publish(world, ASKED_MORE, at)
    draft = save(world, Answers(more={"country": "FR", "storage": "A server"}), at)
    assert draft.form_answers == {"country": "FR", "storage": "A server"}
    again = save(world, Answers(more={"storage": ""}), at, version=draft.version)
    assert again.form_answers == {"country": "FR"}


def test_an_answer_that_cannot_be_kept_is_refused_at_its_field(world: World, at: datetime) -> None:
    for more, field in (({"country": "ZZ"}, "answer_country"), ({"nothing": "x"}, "answer_nothing")):
        with pytest.raises(InvalidInput) as caught:
            save(world, Answers(more=more), at)
        assert caught.value.field == field
    assert not Application.objects.filter(applicant=world.people["finn"]).exists()


def test_a_required_answer_is_missing_on_the_list_and_on_sending_alike(world: World, at: datetime) -> None:
    publish(world, ASKED_MORE, at)
    draft = save(world, answers(at), at)
    assert [one.field for one in missing_from(draft, at=at)] == ["answer_storage"]
    with pytest.raises(Incomplete) as caught:
        submit(world, "finn", at, version=draft.version)
    assert [field for field, _ in caught.value.problems] == ["answer_storage"]
    sent = submit(world, "finn", at, version=draft.version, more={"storage": "A server"})
    assert sent.form_answers == {"storage": "A server"}


def test_an_answer_to_a_question_that_this_purpose_is_not_asked_is_not_handed_in(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at, more={"ethics_board": "Board 7", "country": "FR"})
    assert sent.form_answers == {"country": "FR"}


def test_a_programme_may_require_the_summary(world: World, at: datetime) -> None:
    publish(world, changed("summary: asked", "summary: required"), at)
    with pytest.raises(Incomplete) as caught:
        submit(world, "finn", at)
    assert [field for field, _ in caught.value.problems] == ["summary"]
    words = "We study how short a text may be and still be recognised."
    assert submit(world, "finn", at, summary=words, summary_withheld="An embargo.").summary == words


def test_the_longest_end_of_the_programme_holds_for_applicants_and_reviewers(world: World, at: datetime) -> None:
    publish(world, changed("default: 180, longest: 366", "default: 30, longest: 90"), at)
    with pytest.raises(Incomplete) as caught:
        submit(world, "finn", at)
    assert [field for field, _ in caught.value.problems] == ["requested_end"]
    sent = submit(world, "finn", at, requested_end=(at + 89 * DAY).date())
    assert offered(sent, at).last_day == (at + 29 * DAY).date()
    ivy, given = world.actor("ivy"), conditions(sent)
    grant = approve_application(ivy, sent.pk, given, expected_version=sent.version, at=at)
    assert grant is not None
    assert grant.ends_at == end_of((at + 89 * DAY).date())


def test_reviewers_cannot_give_more_days_than_the_programme(world: World, at: datetime) -> None:
    publish(world, changed("default: 180, longest: 366", "default: 30, longest: 90"), at)
    sent = submit(world, "finn", at, requested_end=(at + 80 * DAY).date())
    Application.objects.filter(pk=sent.pk).update(requested_end=(at + 200 * DAY).date())
    given = conditions(sent, last_day=(at + 100 * DAY).date())
    with pytest.raises(InvalidInput) as caught:
        approve_application(world.actor("ivy"), sent.pk, given, expected_version=sent.version, at=at)
    assert caught.value.field == "last_day"


def test_reviewers_are_offered_the_programmes_quota(world: World, at: datetime) -> None:
    assert offered(submit(world, "finn", at), at).limits == USUAL
    publish(world, changed("tokens_per_day: 50000", "tokens_per_day: 700"), at)
    other = submit(world, "lou", at)
    assert offered(other, at).limits.tokens_per_day == 700
    assert offered(other, at).last_day == other.requested_end, "asked for less than usual: that is offered"


# --- T16: the form changed while pending -----------------------------------------------------------------------------


def test_T16_a_draft_moves_to_the_newer_form_with_its_answers_kept(world: World, at: datetime) -> None:
    first = publish(world, TEXT, at)
    draft = save(world, answers(at, more={"country": "FR"}), at)
    assert draft.programme_id == first.digest
    assert missing_from(draft, at=at) == []
    second = publish(world, ASKED_MORE, at + DAY)
    assert [one.field for one in missing_from(draft, at=at + DAY)] == ["answer_storage"], "only what is new"
    draft.refresh_from_db()
    assert draft.programme_id == first.digest, "nothing moves by looking at it"
    saved = save(world, draft.answers(), at + DAY, version=draft.version)
    assert (saved.programme_id, saved.form_answers) == (second.digest, {"country": "FR"})


def test_T16_what_was_handed_in_keeps_its_form_to_the_decision(world: World, at: datetime) -> None:
    first = publish(world, TEXT, at)
    sent = submit(world, "finn", at, more={"country": "FR"})
    publish(world, changed("longest: 366", "longest: 200", ASKED_MORE), at + DAY)
    asked = ask_applicant(
        world.actor("ivy"), sent.pk, question="Who sees it?", expected_version=sent.version, at=at + DAY
    )
    assert (asked.programme_id, programme_facing(asked).digest) == (first.digest, first.digest)
    assert missing_from(asked, at=at + DAY) == []
    given = conditions(asked)
    Application.objects.filter(pk=asked.pk).update(state="submitted")
    approve_application(world.actor("ivy"), asked.pk, given, expected_version=asked.version, at=at + DAY)
    sent.refresh_from_db()
    assert (sent.state, sent.programme_id) == ("granted", first.digest)


def test_T16_a_form_that_was_open_meanwhile_is_asked_for_what_is_new_and_loses_nothing(
    world: World, at: datetime
) -> None:
    publish(world, TEXT, at)
    draft = save(world, answers(at, more={"country": "FR"}), at)
    publish(world, ASKED_MORE, at + DAY)
    with pytest.raises(Incomplete) as caught:
        submit(world, "finn", at + DAY, version=draft.version)
    assert [field for field, _ in caught.value.problems] == ["answer_storage"]
    sent = submit(world, "finn", at + DAY, version=draft.version, more={"storage": "A server"})
    assert sent.form_answers == {"country": "FR", "storage": "A server"}


def test_two_windows_do_not_overwrite_each_other(world: World, at: datetime) -> None:
    draft = save(world, Answers(more={"country": "FR"}), at)
    save(world, Answers(more={"country": "DE"}), at, version=draft.version)
    with pytest.raises(StaleVersion):
        save(world, Answers(more={"country": "IT"}), at, version=draft.version)
    assert Application.objects.get(pk=draft.pk).form_answers == {"country": "DE"}


# --- Who may ask -----------------------------------------------------------------------------------------------------


def test_the_trace_is_kept_with_the_submission_under_its_programme(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at, purpose_code="P05")
    trace = EligibilityTrace.objects.get(application=sent)
    assert (trace.programme_id, trace.outcome, trace.at) == (sent.programme_id, A_PERSON, at)
    assert {line["code"]: line["outcome"] for line in trace.lines} == {
        "size_named": "met", "purpose": "needs_person", "mail_confirmed": "needs_person", "affiliation_given": "met",
        "cool_down": "met", "not_held": "met", "duties_done": "met",
    }  # fmt: skip
    event = AuditEvent.objects.about(f"application:{sent.pk}").get(kind="application.submitted")
    assert (event.data["programme"], event.data["checks"]) == (sent.programme_id, A_PERSON)


def test_what_the_preview_says_is_what_sending_does(world: World, at: datetime) -> None:
    finn, programme = world.people["finn"], programme_in_force(world.size, at)
    given = answers(at, purpose_code="P15")
    trace = preview(finn, world.size, given, programme, at)
    assert (trace.outcome, [one.code for one in trace.failing]) == (REFUSED, ["purpose"])
    with pytest.raises(NotNow) as caught:
        submit(world, "finn", at, purpose_code="P15")
    error = caught.value
    assert (error.code, error.field, error.reason) == ("not_eligible", "purpose_code", trace.failing[0].reason)
    assert error.change == trace.failing[0].change
    assert not EligibilityTrace.objects.exists(), "nothing is kept of what was not sent"
    assert not Application.objects.filter(applicant=finn).exists()


def test_a_confirmed_mail_address_is_seen(world: World, at: datetime) -> None:
    finn = world.people["finn"]
    EmailAddress.objects.create(user=finn, email=finn.email.upper(), verified=True, primary=True)
    trace = EligibilityTrace.objects.get(application=submit(world, "finn", at))
    assert {line["outcome"] for line in trace.lines if line["code"] == "mail_confirmed"} == {"met"}


def test_overdue_duties_stand_in_the_way_where_the_programme_says_so(
    world: World, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duties, "_COUNTERS", {})
    duties.register("tests", lambda user, _at: 2 * (user.username == "finn"))
    publish(world, changed("duties_done: person", "duties_done: refuse"), at)
    with pytest.raises(NotNow, match="2 duties are overdue"):
        submit(world, "finn", at)
    assert submit(world, "lou", at).state == "submitted"


@pytest.fixture
def overdue(world: World, at: datetime, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """A programme that refuses whoever has a duty overdue; who is put into the set has one."""
    who: set[str] = set()
    monkeypatch.setattr(duties, "_COUNTERS", {})
    duties.register("tests", lambda user, _at: int(user.username in who))
    publish(world, changed("duties_done: person", "duties_done: refuse"), at)
    return who


def test_what_made_an_applicant_eligible_must_still_hold_when_access_is_decided(
    world: World, at: datetime, overdue: set[str]
) -> None:
    sent, ivy = submit(world, "finn", at), world.actor("ivy")
    overdue.add("finn")
    with pytest.raises(NotNow, match="1 duty is overdue") as caught:
        approve_application(ivy, sent.pk, conditions(sent), expected_version=sent.version, at=at)
    assert caught.value.code == "not_eligible"
    assert "Hand in what is overdue" in caught.value.change
    assert not Grant.objects.filter(holder=world.people["finn"]).exists()
    overdue.clear()
    assert approve_application(ivy, sent.pk, conditions(sent), expected_version=sent.version, at=at)


def test_who_is_no_longer_eligible_can_still_be_asked_and_refused(
    world: World, at: datetime, overdue: set[str]
) -> None:
    asked, refused = submit(world, "finn", at), submit(world, "lou", at)
    overdue.update(("finn", "lou"))
    ivy = world.actor("ivy")
    back = ask_applicant(ivy, asked.pk, question="Why?", expected_version=asked.version, at=at)
    assert back.state == "needs_info"
    given: dict[str, Any] = {"code": "purpose_unclear", "text": "No.", "expected_version": refused.version, "at": at}
    assert refuse_application(ivy, refused.pk, **given).state == "refused"


def test_the_preview_of_a_batch_names_the_rule_that_does_not_hold_any_more(
    world: World, at: datetime, overdue: set[str]
) -> None:
    sent = [submit(world, name, at) for name in ("finn", "lou")]
    overdue.add("lou")
    items = [Item(one.pk, one.version) for one in sent]
    well, badly = preview_batch(world.actor("ivy"), items, Order("approve"), at=at)
    assert well.is_done
    assert badly.error is not None
    assert (badly.error.status, badly.error.code) == (409, "not_eligible")


def test_terms_are_not_accepted_by_somebody_who_is_no_longer_eligible(
    world: World, at: datetime, overdue: set[str]
) -> None:
    sent = submit(world, "finn", at)
    given = conditions(sent, terms=(Term("Q02"),))
    approve_application(world.actor("ivy"), sent.pk, given, expected_version=sent.version, at=at)
    digest, finn = TermsOffer.objects.get(application=sent).digest, world.actor("finn")
    overdue.add("finn")
    version = Application.objects.get(pk=sent.pk).version
    with pytest.raises(NotNow, match="does not hold now"):
        accept_terms(finn, sent.pk, digest, expected_version=version, at=at)
    overdue.clear()
    assert accept_terms(finn, sent.pk, digest, expected_version=version, at=at)


def test_who_holds_a_grant_for_the_size_is_looked_at_unless_it_is_a_renewal(world: World, at: datetime) -> None:
    anew = EligibilityTrace.objects.get(application=submit(world, "cleo", at))
    assert {line["code"] for line in anew.lines if line["outcome"] != "met"} >= {"not_held"}
    withdraw_application(world.actor("cleo"), anew.application_id, expected_version=1, at=at)
    renewal = submit(world, "cleo", at, renews=world.grants["cleo"].pk)
    lines = EligibilityTrace.objects.get(application=renewal).lines
    assert {line["outcome"] for line in lines if line["code"] == "not_held"} == {"met"}


def refused_with(world: World, code: str, at: datetime) -> None:
    sent = submit(world, "finn", at)
    refuse_application(
        world.actor("ivy"), sent.pk, code=code, text="As it stands, no.", expected_version=sent.version, at=at
    )


def test_T17_a_refused_person_mends_a_typo_and_asks_again_at_once(world: World, at: datetime) -> None:
    refused_with(world, "affiliation_unconfirmed", at)
    again = submit(world, "finn", at, affiliation="An institute, spelled right")
    assert again.state == "submitted"


def test_T17_a_breach_waits_as_the_programme_says_and_no_longer(world: World, at: datetime) -> None:
    refused_with(world, "open_breach", at)
    with pytest.raises(NotNow, match="You may ask again from") as caught:
        submit(world, "finn", at + 89 * DAY)
    assert caught.value.code == "not_eligible"
    assert submit(world, "finn", at + 90 * DAY).state == "submitted"


def test_T15_a_grant_opens_the_size_that_it_names_and_a_larger_one_asks_anew(world: World, at: datetime) -> None:
    larger = ModelSize.objects.filter(family=world.size.family, parameters__gt=world.size.parameters).first()
    assert larger is not None
    put_at_stage(larger, STAGE, at)
    sent = submit(world, "finn", at)
    grant = approve_application(world.actor("ivy"), sent.pk, conditions(sent), expected_version=sent.version, at=at)
    assert grant is not None
    assert [size.slug for size in grant.sizes.all()] == [SERVED]
    finn = world.actor("finn")
    size_for(finn, SERVED, Action.GENERATE, at=at)
    with pytest.raises(NotAllowed) as caught:
        size_for(finn, larger.slug, Action.GENERATE, at=at)
    assert caught.value.code in ("grant_scope", "no_grant")
    anew = submit_application(
        finn,
        larger.slug,
        answers(at),
        agreement_hash=sent.agreement_hash,
        expected_version=0,
        at=at,
    )
    trace = EligibilityTrace.objects.get(application=anew)
    assert larger.name in trace.lines[0]["reason"]
    assert {line["outcome"] for line in trace.lines if line["code"] == "not_held"} == {"met"}
    assert list(Grant.objects.filter(holder=world.people["finn"])) == [grant], "asking gives nothing"


# --- Review steps ----------------------------------------------------------------------------------------------------


def approve(world: World, sent: Application, name: str, at: datetime) -> Grant | None:
    sent.refresh_from_db()
    return approve_application(world.actor(name), sent.pk, conditions(sent), expected_version=sent.version, at=at)


def test_a_programme_may_ask_for_two_people_where_the_house_asks_for_one(world: World, at: datetime) -> None:
    old, new = "1: {people: 1, roles: [access_lead]}", "1: {people: 2, roles: [access_lead, safety_reviewer]}"
    publish(world, changed(old, new), at)
    sent = submit(world, "finn", at)
    with pytest.raises(NotAllowed):
        approve(world, sent, "hal", at)
    assert approve(world, sent, "ivy", at) is None
    with pytest.raises(NotNow):
        approve(world, sent, "ivy", at)
    with pytest.raises(NotAllowed):
        approve(world, sent, "hal", at)
    assert approve(world, sent, "ben", at) is not None


def test_a_programme_may_ask_for_three_people(world: World, at: datetime) -> None:
    publish(world, changed("2: {people: 2,", "2: {people: 3,"), at)
    sent = submit(world, "finn", at, purpose_code="P05")
    assert approve(world, sent, "ivy", at) is None
    assert approve(world, sent, "hal", at) is None
    assert approve(world, sent, "ben", at) is not None


def test_a_purpose_that_asks_for_care_is_decided_by_two_people(world: World, at: datetime) -> None:
    plain = submit(world, "lou", at, purpose_code="P11")
    assert approve(world, plain, "ivy", at) is not None
    text = changed("care: [P04, P05, P06]", "care: [P04, P05, P06, P11]").replace("P10, P11, P12", "P10, P12")
    publish(world, text, at)
    careful = submit(world, "finn", at, purpose_code="P11")
    assert approve(world, careful, "ivy", at) is None
    assert approve(world, careful, "ben", at) is not None


def test_a_file_is_read_by_its_digest_alone(world: World, at: datetime) -> None:
    version = store_programme(world.actor("ivy"), TEXT, at=at)
    assert programme_of(version.digest).text == TEXT


def test_the_command_stores_and_publishes_a_file(world: World, at: datetime, tmp_path: Path) -> None:
    file = tmp_path / "ours.yaml"
    file.write_text(TEXT, encoding="utf-8")
    given = ["--family", world.size.family.slug, "--stage", STAGE, "--by", "ivy", "--reason", "ours"]
    call_command("publish_programme", str(file), *given)
    assert ProgrammePublication.objects.get().programme.name == "ours"
    with pytest.raises(CommandError, match="applies already"):
        call_command("publish_programme", "ours", *given)
    file.write_text(TEXT.replace("version: 1", "version: none"), encoding="utf-8")
    with pytest.raises(CommandError, match="file: Line 3"):
        call_command("publish_programme", str(file), *given)
    with pytest.raises(CommandError, match="no family"):
        call_command("publish_programme", "ours", "--family", "nothing", *given[2:])
    file.write_bytes(b"\xff")
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("publish_programme", str(file), *given)


def test_the_demo_publishes_its_programmes_once(world: World, at: datetime) -> None:
    write_programmes(at=at)
    write_programmes(at=at + DAY)
    found = ProgrammePublication.objects.order_by("pk").values_list("programme__name", "family__slug", "stage")
    assert sorted(found) == [
        ("opt-research", "opt", "research_weights"),
        ("partner", "smollm2", "partner"),
        ("research", "smollm2", "research_hosted"),
    ]
