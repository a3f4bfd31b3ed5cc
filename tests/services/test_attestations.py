"""Attestations: named, asked by a single-use link, answered once; time never says yes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from release_portal.access.application_rules import Answers
from release_portal.access.applications import (
    answer_question,
    save_application,
    submit_application,
    withdraw_application,
)
from release_portal.access.attestations.answers import (
    confirm_attestation,
    decline_attestation,
    dispute_attestation,
    open_attestation,
)
from release_portal.access.attestations.facts import digest_now, signals_on
from release_portal.access.attestations.lookups import attestation_by_link, own_attestation, own_attestations
from release_portal.access.attestations.services import (
    Person,
    ask_again,
    cancel_attestation,
    name_attester,
    resend_link,
)
from release_portal.access.attestations.statements import Reply
from release_portal.access.attestations.sweeps import (
    end_attestations,
    expire_attestations,
    forget_attestations,
    remind_attesters,
)
from release_portal.access.completeness import missing_from
from release_portal.access.models import AgreementVersion, Application, Attestation, Seat
from release_portal.access.review_desk import desk_of, review_decision
from release_portal.access.review_notes import advise, claim_application
from release_portal.access.reviews import approve_application, ask_applicant, refuse_application
from release_portal.accounts.services import give_role
from release_portal.audit.models import AuditEvent
from release_portal.core.actors import ANONYMOUS
from release_portal.core.errors import Incomplete, InvalidInput, NotAllowed, NotFound, NotNow, StaleVersion, TooMuch
from release_portal.notices.models import MailOut, Notice
from release_portal.notices.services import mail_outsider, notify, send_due_mail
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from release_portal.tasks import SWEEPER, sweep_attestations
from tests.services.applying import PEOPLE, answers, conditions, submit, vouch
from tests.services.attesting import OTHER, asked, confirm, mailed, name, reply, swap, token_of, waiting
from tests.world import SERVED, World

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


@pytest.fixture(autouse=True)
def agreement(world: World, at: datetime) -> Iterator[AgreementVersion]:
    """The shipped agreement, in force for some time; nobody was mailed yet."""
    MailOut.objects.all().delete()
    yield write_agreement(DEMO, at=at - 100 * DAY)
    mail.outbox.clear()


def fresh(found: Attestation) -> Attestation:
    return Attestation.objects.select_related("application__applicant", "application__size").get(pk=found.pk)


def may(world: World, application: Application, at: datetime, who: str, command: str = "approve") -> str:
    """What stands in the way of a command, or nothing."""
    current = Application.objects.get(pk=application.pk)
    decision = review_decision(command, current, desk_of(world.actor(who)), at)
    return "" if decision else decision.code


def draft_of(world: World, at: datetime, who: str = "finn", **changes: Any) -> Application:
    given = answers(at, **{"purpose_code": "P05", **changes})
    return save_application(world.actor(who), SERVED, given, expected_version=0, at=at)


def events(application: Application) -> list[str]:
    found = AuditEvent.objects.about(f"application:{application.pk}").filter(kind__startswith="attestation.")
    return [event.kind.removeprefix("attestation.") for event in found.order_by("seq")]


# --- Named before sending --------------------------------------------------------------------------------------------


def test_an_application_of_tier_2_is_not_sent_before_a_referee_is_named(
    world: World, at: datetime, agreement: AgreementVersion
) -> None:
    draft = draft_of(world, at)
    assert [one.field for one in missing_from(draft, at=at)] == ["referee"]
    with pytest.raises(Incomplete) as caught:
        submit_application(
            world.actor("finn"), SERVED, draft.answers(), agreement_hash=agreement.sha256, expected_version=1, at=at
        )
    assert [field for field, _ in caught.value.problems] == ["referee"]
    assert Application.objects.get(pk=draft.pk).state == "draft"
    name(world, draft, at)
    assert missing_from(draft, at=at) == []


def test_an_application_of_tier_1_needs_nobody(world: World, at: datetime) -> None:
    draft = draft_of(world, at, purpose_code="P01")
    assert missing_from(draft, at=at) == []
    assert not submit(world, "lou", at).attestations.exists()


def test_weights_ask_for_an_officer_too(world: World, at: datetime) -> None:
    world.size.standing.stage = "partner"
    world.size.standing.save()
    draft = draft_of(world, at, purpose_code="P01", functions=("generate",))
    assert [one.field for one in missing_from(draft, at=at)] == ["referee", "institution"]


def test_naming_in_a_draft_mails_nobody_and_sending_mails_each_once(world: World, at: datetime) -> None:
    draft = draft_of(world, at)
    first = name(world, draft, at)
    again = name(world, draft, at, person=OTHER, version=first.version)
    assert (again.pk, again.name, again.state, again.version) == (first.pk, "Uma Other", "named", 2)
    assert not MailOut.objects.filter(is_outside=True).exists()
    with pytest.raises(StaleVersion):
        name(world, draft, at, version=1)
    sent = submit_application(
        world.actor("finn"), SERVED, draft.answers(), expected_version=1, at=at + DAY,
        agreement_hash=AgreementVersion.objects.get().sha256,
    )  # fmt: skip
    request = asked(sent)
    assert (request.state, request.asked_at, request.expires_at) == ("requested", at + DAY, at + 22 * DAY)
    assert [one.to for one in MailOut.objects.filter(is_outside=True)] == [OTHER.mail]
    assert events(sent) == ["named", "named", "requested"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "Win at https://x.example"}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"mail": "nobody"}, "mail"),
        ({"mail": "a@b.example\nBcc: c@d.example"}, "mail"),
        ({"relation": "legal"}, "relation"),
    ],
)
def test_a_person_who_cannot_be_read_is_refused_at_the_field(
    world: World, at: datetime, changes: dict[str, str], field: str
) -> None:
    draft = draft_of(world, at)
    with pytest.raises(InvalidInput) as caught:
        name(world, draft, at, person=replace(PEOPLE["referee"], **changes))
    assert caught.value.field == field
    assert not draft.attestations.exists()


# --- Who must not vouch ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["{0}@{1}", "{0}+x@{1}", "{2}@{1}", "f.{3}@{1}"])
def test_the_applicant_does_not_vouch_for_themselves_by_another_spelling(
    world: World, at: datetime, spelling: str
) -> None:
    local, _, domain = world.people["finn"].email.partition("@")
    address = spelling.format(local, domain, local.upper(), local.removeprefix("f"))
    with pytest.raises(InvalidInput) as caught:
        name(world, draft_of(world, at), at, person=replace(PEOPLE["referee"], mail=address))
    assert (caught.value.code, caught.value.field) == ("own_address", "mail")


def test_a_second_address_of_the_account_is_the_applicants_own(world: World, at: datetime) -> None:
    EmailAddress.objects.create(user=world.people["finn"], email="f.inn@second.example", verified=False)
    with pytest.raises(InvalidInput) as caught:
        name(world, draft_of(world, at), at, person=replace(PEOPLE["referee"], mail="finn@second.example"))
    assert caught.value.code == "own_address"


def test_one_person_is_not_referee_and_officer(world: World, at: datetime) -> None:
    draft = draft_of(world, at)
    name(world, draft, at, "institution")
    officer = replace(PEOPLE["referee"], mail="Otto+ref@office.institute.example")
    with pytest.raises(InvalidInput) as caught:
        name(world, draft, at, person=officer)
    assert caught.value.code == "same_person"
    assert name(world, draft, at).state == "named", "somebody else may"


def test_an_officer_names_the_domain_of_the_institution(world: World, at: datetime) -> None:
    draft = draft_of(world, at)
    for domain, mail_address, code, field in (
        ("gmail.com", "otto@gmail.com", "public_mail", "mail"),
        ("ac.uk", "otto@x.ac.uk", "no_domain", "domain"),
        ("institute.example", "otto@notinstitute.example", "other_domain", "mail"),
    ):
        person = replace(PEOPLE["institution"], domain=domain, mail=mail_address)
        with pytest.raises(InvalidInput) as caught:
            name(world, draft, at, "institution", person=person)
        assert (caught.value.code, caught.value.field) == (code, field)


def name_each_other(world: World, at: datetime) -> tuple[Application, Application]:
    """Finn's draft and lou's, each of which names the other; neither binds anybody."""
    people = {one: replace(PEOPLE["referee"], mail=world.people[one].email) for one in ("finn", "lou")}
    mine, theirs = draft_of(world, at), draft_of(world, at, "lou")
    assert name(world, mine, at, person=people["lou"]).state == "named"
    assert name(world, theirs, at, person=people["finn"]).state == "named"
    return mine, theirs


def send(world: World, draft: Application, at: datetime) -> Application:
    sha256 = AgreementVersion.objects.get().sha256
    actor = world.actor(draft.applicant.username)
    return submit_application(actor, SERVED, draft.answers(), expected_version=1, at=at, agreement_hash=sha256)


def test_of_two_drafts_that_name_each_other_one_is_sent(world: World, at: datetime) -> None:
    """Seen to fail with whom a draft names looked at only when they are named: both were sent."""
    mine, theirs = name_each_other(world, at)
    assert send(world, theirs, at).state == "submitted"
    with pytest.raises(Incomplete) as caught:
        send(world, mine, at)
    assert [field for field, _reason in caught.value.problems] == ["referee"]
    assert "vouch for each other" in caught.value.problems[0][1]
    name(world, mine, at, version=1)
    assert send(world, mine, at).state == "submitted"


def test_the_last_look_comes_after_the_head_of_the_record_is_locked(
    world: World, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two who send at the same moment both pass the first look; seen to fail without `may_ask` in `ask`."""
    mine, theirs = name_each_other(world, at)
    monkeypatch.setattr("release_portal.access.attestations.asking._tie", lambda *_: None)
    send(world, theirs, at)
    with CaptureQueriesContext(connection) as queries, pytest.raises(InvalidInput) as caught:
        send(world, mine, at)
    assert caught.value.code == "mutual"
    asked = [query["sql"] for query in queries]
    (look,) = [place for place, sql in enumerate(asked) if '"attestation"."mailbox" IN' in sql]
    assert any('"audit_head"' in sql for sql in asked[:look])
    assert Application.objects.get(pk=mine.pk).state == "draft"


def test_two_people_do_not_vouch_for_each_other(world: World, at: datetime) -> None:
    """Also when one of them is named by another spelling; a draft binds nobody."""
    lou = replace(PEOPLE["referee"], mail=world.people["lou"].email)
    finn = replace(PEOPLE["referee"], mail=f"Finn+x@{world.people['finn'].email.partition('@')[2]}")
    theirs = draft_of(world, at, "lou")
    name(world, theirs, at, person=finn)
    mine = draft_of(world, at)
    assert name(world, mine, at, person=lou).state == "named"
    submit_application(
        world.actor("lou"), SERVED, theirs.answers(), expected_version=1, at=at,
        agreement_hash=AgreementVersion.objects.get().sha256,
    )  # fmt: skip
    with pytest.raises(InvalidInput) as caught:
        name(world, mine, at, person=lou, version=1)
    assert caught.value.code == "mutual"


def test_who_is_on_the_team_does_not_vouch_and_who_joins_it_later_no_longer_counts(world: World, at: datetime) -> None:
    draft = draft_of(world, at)
    seat = {"invited_by_id": "1", "invited_by_name": "finn", "invited_at": at}
    Seat.objects.create(application=draft, mail="rae@referees.example", ends_at=at + 21 * DAY, **seat)
    with pytest.raises(InvalidInput) as caught:
        name(world, draft, at, person=replace(PEOPLE["referee"], mail="R.ae+x@referees.example"))
    assert (caught.value.code, caught.value.field) == ("team_member", "mail")
    sent = waiting(world, at, "lou")
    confirm(token_of(sent, at), at)
    assert may(world, sent, at, "ivy") == ""
    Seat.objects.create(application=sent, mail="rae@referees.example", ends_at=at + 21 * DAY, **seat)
    assert may(world, sent, at, "ivy") == "attestation_missing"


def test_who_declined_or_disputed_is_not_asked_again(world: World, at: datetime) -> None:
    sent = waiting(world, at)
    decline_attestation(ANONYMOUS, token_of(sent, at), at=at)
    with pytest.raises(InvalidInput) as caught:
        swap(world, sent, at, replace(OTHER, mail="r.ae@referees.example"))
    assert caught.value.code == "said_no"


def test_T2_T4_nobody_names_for_somebody_elses_application(world: World, at: datetime) -> None:
    sent, foreign = waiting(world, at), waiting(world, at, "lou")
    for who in ("lou", "ivy", "ada", "anonymous"):
        with pytest.raises(NotFound):
            name_attester(world.actor(who), sent.pk, "referee", OTHER, expected_version=0, at=at)
    with pytest.raises(NotFound):
        cancel_attestation(world.actor("finn"), sent.pk, asked(foreign).pk, expected_version=2, at=at)
    with pytest.raises(NotFound):
        own_attestations(world.actor("lou"), sent.pk)
    with pytest.raises(NotFound):
        own_attestation(world.actor("finn"), sent.pk, asked(foreign).pk)


# --- The link --------------------------------------------------------------------------------------------------------


def test_the_person_says_who_they_are_and_confirms(world: World, at: datetime) -> None:
    sent = waiting(world, at)
    token = token_of(sent, at)
    opened = open_attestation(ANONYMOUS, token, at=at + DAY)
    assert (opened.state, opened.opened_at) == ("opened", at + DAY)
    done = fresh(confirm(token, at + 2 * DAY, words="Careful with data."))
    assert (done.state, done.relation, done.since, done.words) == (
        "confirmed", "supervisor", 2019, "Careful with data.",
    )  # fmt: skip
    assert done.valid_until == at + 2 * DAY + timedelta(days=365)
    assert done.statement_digest == hashlib.sha256(done.statement.encode()).hexdigest()
    assert "How short can a text be" in done.statement
    assert events(sent) == ["named", "requested", "opened", "confirmed"]
    assert AuditEvent.objects.get(kind="attestation.confirmed").actor_name == "anonymous visitor"


def test_before_this_is_me_nothing_can_be_confirmed(world: World, at: datetime) -> None:
    token = token_of(waiting(world, at), at)
    found = attestation_by_link(ANONYMOUS, token, at)
    with pytest.raises(NotNow):
        confirm_attestation(ANONYMOUS, token, reply(found), seen=digest_now(found), at=at)


def test_an_incomplete_answer_does_not_use_the_link_up(world: World, at: datetime) -> None:
    token = token_of(waiting(world, at), at)
    for changes in ({"relation": "x"}, {"since": "soon"}, {"confirmed": ("knows",)}, {"words": "x" * 2001}):
        with pytest.raises(Incomplete):
            confirm(token, at, **changes)
    with pytest.raises(InvalidInput):
        decline_attestation(ANONYMOUS, token, words="x" * 2001, at=at)
    assert confirm(token, at).state == "confirmed"


def test_what_changed_while_the_page_was_open_is_read_again(world: World, at: datetime) -> None:
    sent = waiting(world, at)
    token = token_of(sent, at)
    opened = open_attestation(ANONYMOUS, token, at=at)
    seen = digest_now(opened)
    Application.objects.filter(pk=sent.pk).update(purpose="Something else")
    with pytest.raises(StaleVersion):
        confirm_attestation(ANONYMOUS, token, reply(opened), seen=seen, at=at)
    assert asked(sent).state == "opened"


def test_the_applicant_does_not_answer_with_the_link(world: World, at: datetime) -> None:
    token = token_of(waiting(world, at), at)
    with pytest.raises(NotAllowed) as caught:
        open_attestation(world.actor("finn"), token, at=at)
    assert caught.value.code == "own_request"
    assert open_attestation(world.actor("lou"), token, at=at).state == "opened"


def test_T18_only_a_digest_of_the_link_is_kept_and_the_mail_to_the_person_alone_holds_it(
    world: World, at: datetime
) -> None:
    """Every byte of the database is searched; while the mail waits the link is sealed."""
    sent = waiting(world, at)
    row = MailOut.objects.get(is_outside=True)
    assert row.sealed_tail is not None
    assert "/attestations/link/" not in row.body
    token = token_of(sent, at)
    assert len(token) >= 43, "256 bits"
    assert asked(sent).link_digest == hashlib.sha256(token.encode()).hexdigest()
    assert token not in everything()
    assert [one.to for one in mail.outbox if token in str(one.body)] == [["rae@referees.example"]]
    confirm(token, at)
    assert asked(sent).link_digest == ""
    assert token not in everything()


def everything() -> str:
    """Every value of every row, as text."""
    with connection.cursor() as cursor:
        found = []
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            found.extend(repr(row) for row in cursor.fetchall())
    return "\n".join(found)


def dead_tokens(world: World, at: datetime) -> dict[str, tuple[str, datetime]]:
    """A token that is dead, by why it is, with the time at which it is tried."""
    people = ("finn", "lou", "gia", "kim", "jo")
    sent = {who: waiting(world, at, who) for who in people}
    tokens = {}
    for who in people:
        row = asked(sent[who])
        row.mail = f"{who}@referees.example"
        row.resent, row.mailed_at = 0, at - 2 * DAY
        row.save()
        resend_link(world.actor(who), sent[who].pk, row.pk, expected_version=row.version, at=at)
        tokens[who] = mailed(row.mail, at)
    confirm(tokens["finn"], at)
    row = asked(sent["lou"])
    cancel_attestation(world.actor("lou"), sent["lou"].pk, row.pk, expected_version=row.version, at=at)
    withdraw_application(world.actor("kim"), sent["kim"].pk, expected_version=sent["kim"].version, at=at)
    row = asked(sent["jo"])
    resend_link(world.actor("jo"), sent["jo"].pk, row.pk, expected_version=row.version, at=at + DAY)
    return {
        "wrong": ("nonsense", at),
        "very long": ("x" * 5000, at),
        "used": (tokens["finn"], at),
        "cancelled": (tokens["lou"], at),
        "expired, nobody wrote it down": (tokens["gia"], at + 21 * DAY),
        "application withdrawn": (tokens["kim"], at),
        "replaced by a newer mail": (tokens["jo"], at + DAY),
    }


def test_T18_T19_a_link_that_is_wrong_used_expired_or_cancelled_has_one_answer_at_one_cost(
    world: World, at: datetime
) -> None:
    """Also the same count of mails: none. Seen to fail with a state asked for after the look-up."""
    dead = dead_tokens(world, at)
    mails, notices = MailOut.objects.count(), Notice.objects.count()
    seen = set()
    for why, (token, moment) in dead.items():
        for act in (
            lambda t, m: attestation_by_link(ANONYMOUS, t, m),
            lambda t, m: open_attestation(ANONYMOUS, t, at=m),
            lambda t, m: confirm_attestation(ANONYMOUS, t, Reply("supervisor", "2019", ()), seen="", at=m),
            lambda t, m: decline_attestation(ANONYMOUS, t, at=m),
            lambda t, m: dispute_attestation(ANONYMOUS, t, at=m),
        ):
            with CaptureQueriesContext(connection) as asked_for, pytest.raises(NotFound) as caught:
                act(token, moment)
            selects = sum("SELECT" in one["sql"] and "attestation" in one["sql"] for one in asked_for)
            seen.add((caught.value.status, caught.value.code, caught.value.reason, caught.value.change, selects))
        assert len(seen) == 1, why
    assert (MailOut.objects.count(), Notice.objects.count()) == (mails, notices)


def test_T18_the_newest_mail_holds_the_only_link_that_works(world: World, at: datetime) -> None:
    sent = waiting(world, at)
    first = token_of(sent, at)
    assert remind_attesters(SWEEPER, at=at + 7 * DAY) == 1
    second = token_of(sent, at + 7 * DAY)
    assert first != second
    with pytest.raises(NotFound):
        attestation_by_link(ANONYMOUS, first, at + 7 * DAY)
    assert attestation_by_link(ANONYMOUS, second, at + 7 * DAY)


# --- Answers and who is told -----------------------------------------------------------------------------------------


def told_since(before: int) -> list[tuple[str, str]]:
    found = Notice.objects.filter(pk__gt=before).order_by("pk")
    return sorted((one.recipient.username, one.kind) for one in found)


def last_notice() -> int:
    newest = Notice.objects.order_by("-pk").first()
    return newest.pk if newest else 0


@pytest.mark.parametrize("answer", ["confirm", "decline"])
def test_T23_an_answer_is_told_to_the_applicant_alone_and_without_the_words(
    world: World, at: datetime, answer: str
) -> None:
    token, before = token_of(waiting(world, at), at), last_notice()
    if answer == "confirm":
        confirm(token, at, words="secret words")
    else:
        decline_attestation(ANONYMOUS, token, words="secret words", at=at)
    assert told_since(before) == [("finn", "attestation_answered")]
    told = Notice.objects.get(pk__gt=before)
    assert "secret words" not in told.body + told.subject + MailOut.objects.order_by("-pk")[0].body


def test_T23_not_me_is_told_to_the_applicant_and_to_everybody_who_may_review(world: World, at: datetime) -> None:
    """Not to the applicant as a reviewer, and not to whoever was named."""
    sent = waiting(world, at)
    row = asked(sent)
    row.mail = world.people["hal"].email
    row.mailbox = row.mail
    row.save()
    give_role(world.actor("ada"), world.people["finn"], "safety_reviewer", reason="x", at=at)
    token, before = mailed("rae@referees.example", at), last_notice()
    dispute_attestation(ANONYMOUS, token, at=at)
    assert told_since(before) == [
        ("ben", "attestation_disputed"), ("finn", "attestation_answered"), ("ivy", "attestation_disputed"),
    ]  # fmt: skip
    assert token not in "".join(one.body + one.subject for one in Notice.objects.all())


def test_T23_asking_somebody_goes_to_that_address_and_to_nobody_else(world: World, at: datetime) -> None:
    sent = waiting(world, at)
    send_due_mail(at=at)
    outside = MailOut.objects.filter(is_outside=True)
    assert [(one.to, one.recipient_name, one.state) for one in outside] == [
        ("rae@referees.example", "Rae Referee", "sent")
    ]
    message = next(one for one in mail.outbox if one.to == ["rae@referees.example"])
    assert (message.cc, message.bcc) == ([], [])
    assert "Finn" in str(message.body) or "finn" in str(message.body)
    assert sent.pk not in str(message.body), "a stranger needs no number of ours"


def test_not_me_decides_nothing_and_is_a_signal_for_reviewers(world: World, at: datetime) -> None:
    sent = waiting(world, at)
    dispute_attestation(ANONYMOUS, token_of(sent, at), at=at)
    assert Application.objects.get(pk=sent.pk).state == "submitted"
    assert [one.code for one in signals_on(fresh(asked(sent)))] == ["integrity_check"]
    swap(world, sent, at)
    confirm(token_of(sent, at), at)
    assert may(world, sent, at, "ivy") == "", "reviewers decide what it means"


# --- What a decision needs -------------------------------------------------------------------------------------------


def test_without_a_confirmation_it_is_not_approved_but_asked_about_and_refused(world: World, at: datetime) -> None:
    sent = waiting(world, at)
    with pytest.raises(NotNow) as caught:
        approve_application(world.actor("ivy"), sent.pk, conditions(sent), expected_version=sent.version, at=at)
    assert (caught.value.code, caught.value.status) == ("attestation_missing", 409)
    assert "has not answered yet" in caught.value.reason
    assert "until" in caught.value.change
    asked_about = ask_applicant(
        world.actor("ivy"), sent.pk, question="Who is this?", expected_version=sent.version, at=at
    )
    back = answer_question(world.actor("finn"), sent.pk, answer="My head.", expected_version=asked_about.version, at=at)
    claim_application(world.actor("ben"), sent.pk, at=at)
    voted = refuse_application(
        world.actor("ben"), sent.pk, code="purpose_unclear", text="No.", expected_version=back.version, at=at
    )
    assert voted.state == "second_review"
    done = refuse_application(
        world.actor("ivy"), sent.pk, code="purpose_unclear", text="No.", expected_version=voted.version, at=at
    )
    assert done.state == "refused"


def test_with_a_confirmation_two_people_approve(world: World, at: datetime) -> None:
    sent = waiting(world, at)
    assert may(world, sent, at, "ivy") == "attestation_missing"
    confirm(token_of(sent, at), at)
    for who in ("ivy", "ben"):
        version = Application.objects.get(pk=sent.pk).version
        given = approve_application(world.actor(who), sent.pk, conditions(sent), expected_version=version, at=at)
    assert given is not None


def test_answers_that_change_after_the_confirmation_need_it_anew_from_the_same_person(
    world: World, at: datetime
) -> None:
    sent = waiting(world, at)
    done = confirm(token_of(sent, at), at)
    with pytest.raises(NotNow) as caught:
        ask_again(world.actor("finn"), sent.pk, done.pk, expected_version=done.version, at=at)
    assert caught.value.code == "counts"
    Application.objects.filter(pk=sent.pk).update(intended_use="Published as it comes.")
    assert may(world, sent, at, "ivy") == "attestation_missing"
    assert [one.code for one in signals_on(fresh(done))] == ["changed"]
    again = ask_again(world.actor("finn"), sent.pk, done.pk, expected_version=done.version, at=at)
    assert (again.mail, again.swap_number, fresh(done).state) == (done.mail, 0, "confirmed")
    confirm(token_of(sent, at), at)
    assert may(world, sent, at, "ivy") == ""


def test_a_confirmation_that_ran_out_no_longer_counts(world: World, at: datetime) -> None:
    sent = waiting(world, at)
    confirm(token_of(sent, at), at)
    assert may(world, sent, at + timedelta(days=365) - SECOND, "ivy") == ""
    assert may(world, sent, at + timedelta(days=365), "ivy") == "attestation_missing"


# --- T6: who vouches does not decide ---------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["claim", "vote", "approve", "refuse"])
def test_T6_a_reviewer_who_vouches_neither_claims_nor_decides(world: World, at: datetime, command: str) -> None:
    sent = vouch(waiting(world, at), at)
    assert may(world, sent, at, "ben", command) == ""
    local, _, domain = world.people["ben"].email.partition("@")
    sent.attestations.update(mailbox=f"{local}@{domain}")
    assert may(world, sent, at, "ben", command) == "attester"
    assert may(world, sent, at, "ben", "advise") == ""
    assert may(world, sent, at, "ivy", command) == "", "others may"


def test_T6_who_vouches_does_not_decide_with_a_role_that_came_later_or_by_another_address(
    world: World, at: datetime
) -> None:
    """Named by a second address of the account, in another spelling; the role is given afterwards."""
    EmailAddress.objects.create(user=world.people["lou"], email="lou@referees.example", verified=True)
    draft = draft_of(world, at)
    name(world, draft, at, person=Person("Lou", "L.ou+x@Referees.example", "colleague"))
    sent = submit_application(
        world.actor("finn"), SERVED, draft.answers(), expected_version=1, at=at,
        agreement_hash=AgreementVersion.objects.get().sha256,
    )  # fmt: skip
    vouch(sent, at)
    give_role(world.actor("ada"), world.people["lou"], "safety_reviewer", reason="x", at=at)
    lou = world.actor("lou")
    with pytest.raises(NotAllowed) as caught:
        approve_application(lou, sent.pk, conditions(sent), expected_version=sent.version, at=at)
    assert caught.value.code == "attester"
    with pytest.raises(NotAllowed):
        claim_application(lou, sent.pk, at=at)
    with pytest.raises(NotAllowed):
        refuse_application(lou, sent.pk, code="purpose_unclear", text="x", expected_version=sent.version, at=at)
    assert advise(lou, sent.pk, text="I know the work.", at=at)


def test_T6_a_person_who_was_swapped_out_or_said_not_me_may_decide(world: World, at: datetime) -> None:
    """Else an applicant could keep a reviewer away by naming them."""
    sent = waiting(world, at)
    asked(sent)
    sent.attestations.update(mailbox=world.people["ben"].email)
    assert may(world, sent, at, "ben", "refuse") == "attester"
    swap(world, sent, at)
    assert may(world, sent, at, "ben", "refuse") == ""


# --- Swap, cancel, mail again ----------------------------------------------------------------------------------------


def test_another_person_is_named_twice_and_the_link_of_the_first_dies(world: World, at: datetime) -> None:
    sent = waiting(world, at)
    first = token_of(sent, at)
    made = swap(world, sent, at)
    assert (made.state, made.swap_number, made.number) == ("requested", 1, 2)
    with pytest.raises(NotFound):
        attestation_by_link(ANONYMOUS, first, at)
    decline_attestation(ANONYMOUS, token_of(sent, at), at=at)
    swap(world, sent, at, Person("Vic", "vic@third.example", "teacher"))
    with pytest.raises(NotNow) as caught:
        swap(world, sent, at, Person("Wim", "wim@fourth.example", "teacher"))
    assert caught.value.code == "swaps_used"
    states = [one.state for one in sent.attestations.order_by("number")]
    assert states == ["cancelled", "declined", "requested"]


def test_the_database_refuses_a_third_swap_and_two_open_requests(world: World, at: datetime) -> None:
    sent = waiting(world, at)
    given = {"application": sent, "kind": "referee", "named_at": at, "number": 2}
    with pytest.raises(IntegrityError), transaction.atomic():
        Attestation.objects.create(**given, state="cancelled", swap_number=3)
    with pytest.raises(IntegrityError), transaction.atomic():
        Attestation.objects.create(**given)
    with pytest.raises(IntegrityError), transaction.atomic():
        Attestation.objects.filter(application=sent).update(state="confirmed", link_digest="")
    with pytest.raises(IntegrityError), transaction.atomic():
        Attestation.objects.filter(application=sent).update(state="cancelled")


def test_who_confirmed_is_not_swapped_or_cancelled(world: World, at: datetime) -> None:
    sent = waiting(world, at)
    done = confirm(token_of(sent, at), at)
    with pytest.raises(NotNow):
        swap(world, sent, at)
    with pytest.raises(NotNow):
        cancel_attestation(world.actor("finn"), sent.pk, done.pk, expected_version=done.version, at=at)


def test_a_cancelled_request_is_followed_by_another_person(world: World, at: datetime) -> None:
    sent = waiting(world, at)
    token, row = token_of(sent, at), asked(sent)
    with pytest.raises(StaleVersion):
        cancel_attestation(world.actor("finn"), sent.pk, row.pk, expected_version=row.version + 1, at=at)
    cancel_attestation(world.actor("finn"), sent.pk, row.pk, expected_version=row.version, at=at)
    with pytest.raises(NotFound):
        attestation_by_link(ANONYMOUS, token, at)
    assert may(world, sent, at, "ivy") == "attestation_missing"
    assert swap(world, sent, at).swap_number == 1


def test_the_link_is_mailed_again_a_day_later_to_the_same_address(world: World, at: datetime) -> None:
    sent = waiting(world, at)
    row, finn = asked(sent), world.actor("finn")
    with pytest.raises(TooMuch) as caught:
        resend_link(finn, sent.pk, row.pk, expected_version=row.version, at=at + DAY - SECOND)
    assert caught.value.retry_at == at + DAY
    for day in (1, 2, 3):
        row = resend_link(finn, sent.pk, row.pk, expected_version=row.version, at=at + day * DAY)
    assert (row.expires_at, row.mails) == (at + 21 * DAY, 4)
    with pytest.raises(NotNow) as late:
        resend_link(finn, sent.pk, row.pk, expected_version=row.version, at=at + 9 * DAY)
    assert late.value.code == "resends_used"
    assert {one.to for one in MailOut.objects.filter(is_outside=True)} == {"rae@referees.example"}


def test_after_a_decision_nobody_is_named(world: World, at: datetime) -> None:
    sent = waiting(world, at)
    row = asked(sent)
    withdraw_application(world.actor("finn"), sent.pk, expected_version=sent.version, at=at)
    with pytest.raises(NotNow):
        resend_link(world.actor("finn"), sent.pk, row.pk, expected_version=row.version, at=at + 2 * DAY)
    with pytest.raises(NotNow):
        swap(world, sent, at)


# --- Time ------------------------------------------------------------------------------------------------------------


def test_reminders_come_after_7_and_14_days_each_once(world: World, at: datetime) -> None:
    sent = waiting(world, at)
    counts = [remind_attesters(SWEEPER, at=at + day * DAY) for day in (6, 7, 7, 8, 13, 14, 15, 20, 21, 22)]
    assert counts == [0, 1, 0, 0, 0, 1, 0, 0, 0, 0]
    keys = list(MailOut.objects.filter(is_outside=True).order_by("pk").values_list("dedupe_key", flat=True))
    assert keys == [f"outside:attestation:{asked(sent).pk}:{number}" for number in (1, 2, 3)]


def test_who_answered_is_not_reminded(world: World, at: datetime) -> None:
    confirm(token_of(waiting(world, at), at), at)
    decline_attestation(ANONYMOUS, token_of(waiting(world, at, "lou"), at), at=at)
    assert remind_attesters(SWEEPER, at=at + 8 * DAY) == 0
    assert expire_attestations(SWEEPER, at=at + 22 * DAY) == 0


def test_T26_after_21_days_it_expires_by_the_system_and_the_applicant_is_told_once(world: World, at: datetime) -> None:
    sent = waiting(world, at)
    before = last_notice()
    assert expire_attestations(SWEEPER, at=at + 21 * DAY - SECOND) == 0
    assert [expire_attestations(SWEEPER, at=at + 21 * DAY) for _ in range(2)] == [1, 0]
    assert told_since(before) == [("finn", "attestation_expired")]
    event = AuditEvent.objects.get(kind="attestation.expired")
    assert (event.actor_kind, event.actor_id) == ("system", "sweeper")
    assert "swaps that are left: 2" in Notice.objects.get(kind="attestation_expired").body
    assert swap(world, sent, at + 22 * DAY).state == "requested"


def test_T41_silence_of_those_who_vouch_never_leads_to_yes(world: World, at: datetime) -> None:
    sent = waiting(world, at)
    for day in range(0, 400, 7):
        moment = at + day * DAY
        remind_attesters(SWEEPER, at=moment)
        expire_attestations(SWEEPER, at=moment)
        end_attestations(SWEEPER, at=moment)
        forget_attestations(SWEEPER, at=moment)
        assert may(world, sent, moment, "ivy") == "attestation_missing"
    assert asked(sent).state == "expired"


def test_with_the_sweeper_off_a_late_request_has_expired_all_the_same(world: World, at: datetime) -> None:
    sent = waiting(world, at)
    token, late = token_of(sent, at), at + 21 * DAY
    with pytest.raises(NotFound):
        attestation_by_link(ANONYMOUS, token, late)
    row = asked(sent)
    with pytest.raises(NotNow):
        resend_link(world.actor("finn"), sent.pk, row.pk, expected_version=row.version, at=late)
    swap(world, sent, late)
    assert events(sent) == ["named", "requested", "expired", "swapped", "requested"]


def test_the_task_of_every_minute_sweeps(world: World, at: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("release_portal.tasks.close_old_connections", lambda: None)
    sent = waiting(world, at)
    Attestation.objects.update(asked_at=at - 8 * DAY)
    sweep_attestations()
    assert asked(sent).reminded == 7
    Attestation.objects.update(expires_at=at - DAY)
    sweep_attestations()
    assert asked(sent).state == "expired"


def test_people_do_not_give_the_commands_of_time(world: World, at: datetime) -> None:
    waiting(world, at)
    for sweep in (remind_attesters, expire_attestations):
        for who in ("finn", "ada", "ivy", "anonymous"):
            with pytest.raises(NotAllowed):
                sweep(world.actor(who), at=at + (8 if sweep is remind_attesters else 22) * DAY)
    assert Attestation.objects.get().state == "requested"


def test_with_the_application_the_requests_end_and_a_reopened_one_names_anew_without_a_swap(
    world: World, at: datetime
) -> None:
    sent = waiting(world, at)
    token = token_of(sent, at)
    Application.objects.filter(pk=sent.pk).update(state="refused")
    with pytest.raises(NotFound):
        attestation_by_link(ANONYMOUS, token, at)
    assert [end_attestations(SWEEPER, at=at) for _ in range(2)] == [1, 0]
    Application.objects.filter(pk=sent.pk).update(state="submitted")
    made = swap(world, sent, at)
    assert (made.swap_number, made.state) == (0, "requested")


def test_a_year_after_the_end_name_address_and_words_are_forgotten(world: World, at: datetime) -> None:
    sent = waiting(world, at)
    confirm(token_of(sent, at), at, words="secret words")
    for who in ("ivy", "ben"):
        version = Application.objects.get(pk=sent.pk).version
        refuse_application(world.actor(who), sent.pk, code="purpose_unclear", text="x", expected_version=version, at=at)
    year = timedelta(days=365)
    assert forget_attestations(SWEEPER, at=at + 2 * year - SECOND) == 0, "the confirmation lived 12 months"
    assert [forget_attestations(SWEEPER, at=at + 2 * year) for _ in range(2)] == [1, 0]
    row = asked(sent)
    assert (row.name, row.mail, row.mailbox, row.words, row.statement) == ("", "", "", "", "")
    assert (row.state, bool(row.statement_digest)) == ("confirmed", True)


def test_an_application_that_waits_forgets_nothing(world: World, at: datetime) -> None:
    sent = waiting(world, at)
    decline_attestation(ANONYMOUS, token_of(sent, at), at=at)
    assert forget_attestations(SWEEPER, at=at + 5000 * DAY) == 0


# --- Renewal ---------------------------------------------------------------------------------------------------------


def granted(world: World, at: datetime) -> Application:
    sent = waiting(world, at)
    confirm(token_of(sent, at), at, words="Careful.")
    for who in ("ivy", "ben"):
        version = Application.objects.get(pk=sent.pk).version
        approve_application(world.actor(who), sent.pk, conditions(sent), expected_version=version, at=at)
    return Application.objects.get(pk=sent.pk)


def renew(world: World, old: Application, at: datetime, **changes: Any) -> Application:
    given: Answers = answers(at, **{"purpose_code": "P05", **changes})
    finn = world.actor("finn")
    assert old.grant_id
    draft = save_application(finn, SERVED, given, expected_version=0, at=at, renews=old.grant_id)
    accepted = AgreementVersion.objects.get().sha256
    return submit_application(finn, SERVED, given, agreement_hash=accepted, expected_version=draft.version, at=at)


def test_a_renewal_takes_over_a_confirmation_that_lives_and_says_the_same(world: World, at: datetime) -> None:
    old = granted(world, at)
    mails = MailOut.objects.filter(is_outside=True).count()
    later = renew(world, old, at + 50 * DAY)
    taken = asked(later)
    assert (taken.state, taken.reuses_id, taken.valid_until) == (
        "confirmed", asked(old).pk, at + timedelta(days=365),
    )  # fmt: skip
    assert may(world, later, at + 50 * DAY, "ivy") == ""
    assert [one.code for one in signals_on(fresh(taken))] == ["reused"]
    assert MailOut.objects.filter(is_outside=True).count() == mails, "nobody was asked again"


def test_a_renewal_with_other_answers_asks_anew(world: World, at: datetime) -> None:
    old = granted(world, at)
    for changes in ({"intended_use": "Sold."}, {"purpose": "Another question"}, {"functions": ("detect",)}):
        with pytest.raises(Incomplete) as caught:
            renew(world, old, at + 50 * DAY, **changes)
        assert [field for field, _ in caught.value.problems] == ["referee"]
        Application.objects.filter(state="draft").delete()


def test_a_renewal_after_12_months_asks_anew(world: World, at: datetime) -> None:
    old = granted(world, at)
    with pytest.raises(Incomplete):
        renew(world, old, at + timedelta(days=365))


def test_somebody_elses_confirmation_is_not_taken_over(world: World, at: datetime) -> None:
    old = granted(world, at)
    Application.objects.filter(pk=old.pk).update(applicant=world.people["lou"])
    with pytest.raises(Incomplete):
        renew(world, old, at + 50 * DAY)


# --- Mail to people without an account -------------------------------------------------------------------------------


def test_a_mail_to_an_outsider_is_written_once_and_only_of_its_kinds(world: World, at: datetime) -> None:
    context = {"applicant": "Finn", "size": "135M", "role": "referee", "until": "later"}
    given: dict[str, Any] = {"at": at, "dedupe_key": "x"}
    with transaction.atomic():
        made = mail_outsider("a@b.example", "A", "attestation_asked", context, **given, mail_only="a-secret")
        assert made is not None
        assert mail_outsider("a@b.example", "A", "attestation_asked", context, **given) is None
        with pytest.raises(ValueError, match="address alone"):
            mail_outsider("a@b.example", "A", "application_lapsed", {}, **given)
        with pytest.raises(ValueError, match="address alone"):
            notify(world.people["finn"], "attestation_asked", context, at=at)
    assert "a-secret" not in made.body
    assert send_due_mail(at=at) == 1
    assert send_due_mail(at=at + DAY) == 0
    assert str(mail.outbox[0].body).count("a-secret") == 1


def test_a_mail_that_cannot_be_sent_is_a_signal(world: World, at: datetime) -> None:
    sent = waiting(world, at)
    MailOut.objects.filter(is_outside=True).update(state="failed")
    assert [one.code for one in signals_on(fresh(asked(sent)))] == ["undelivered"]
