"""Appeals: filed by session or link, decided by others, carried out in full; and grants revoked by two people."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import IntegrityError, transaction

from release_portal.access.lookups import size_for
from release_portal.access.models import Application, Grant, Revocation
from release_portal.access.policy import Action
from release_portal.access.reviews import approve_application, refuse_application
from release_portal.access.revocations import propose_revocation, revocation_subject, revoke_grant, suspension_subject
from release_portal.access.services import expire_grants, lapse_suspensions, lift_suspension
from release_portal.accounts.services import give_role
from release_portal.appeals import rules
from release_portal.appeals.lookups import (
    appeal_to_decide,
    appeals_to_decide,
    decision_by_link,
    free_deciders,
    own_appeal,
)
from release_portal.appeals.models import Appeal, AppealLink
from release_portal.appeals.services import (
    accept_appeal,
    answer_appeal,
    ask_appellant,
    assign_appeal,
    close_appeal,
    decide_appeal,
    dismiss_appeal,
    execute_appeal,
    file_appeal,
    file_appeal_by_link,
)
from release_portal.audit.models import AuditEvent
from release_portal.core.actors import system_actor
from release_portal.core.errors import InvalidInput, NotAllowed, NotFound, NotNow, PortalError, StaleVersion
from release_portal.core.link_tokens import digest_of
from release_portal.epochs.services import grant_key, numbers_of
from release_portal.notices.models import MailOut, Notice
from release_portal.notices.services import send_due_mail
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from tests.services.appealing import TEXT, assigned, decided, proposed, revoked, suspended, version
from tests.services.applying import conditions, submit
from tests.world import SERVED, World

SWEEPER = system_actor("sweeper")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def grant(world: World) -> Grant:
    """The grant of cleo."""
    return world.grants["cleo"]


def fresh(grant: Grant) -> Grant:
    return Grant.objects.get(pk=grant.pk)


def execute(world: World, appeal: Appeal, at: datetime, by: str = "ben") -> Appeal:
    return execute_appeal(world.actor(by), appeal.pk, expected_version=appeal.version, at=at)


def mailed_token(at: datetime) -> str:
    send_due_mail(at=at)
    found = [re.search(r"/appeals/link/([\w-]+)/", str(one.body)) for one in mail.outbox]
    return next(one[1] for one in reversed(found) if one)


# --- Revoking --------------------------------------------------------------------------------------------------------


def test_two_leads_revoke_and_the_holder_is_told_each_time(world: World, grant: Grant, at: datetime) -> None:
    key = grant_key(grant.pk)
    before = numbers_of([key])[key]
    revocation = proposed(world, grant, at)
    assert fresh(grant).state == "suspended", "nothing runs while the second person looks"
    revoke_grant(world.actor("hal"), grant.pk, reason="Checked.", expected_version=version(grant), at=at + HOUR)
    revocation.refresh_from_db()
    assert (fresh(grant).state, revocation.by_name, revocation.confirmed_by_name) == ("revoked", "ivy", "hal")
    assert numbers_of([key])[key] == before + 2
    with pytest.raises(NotAllowed):
        size_for(world.actor("cleo"), SERVED, Action.GENERATE, at=at + HOUR)
    told = Notice.objects.filter(recipient=grant.holder).order_by("pk").values_list("kind", flat=True)
    assert list(told) == ["grant_revocation_proposed", "grant_revoked"]


def test_who_proposed_does_not_confirm_and_the_database_agrees(world: World, grant: Grant, at: datetime) -> None:
    revocation = proposed(world, grant, at)
    with pytest.raises(NotAllowed) as caught:
        revoke_grant(world.actor("ivy"), grant.pk, reason="", expected_version=version(grant), at=at)
    assert caught.value.code == "same_person"
    with pytest.raises(IntegrityError), transaction.atomic():
        Revocation.objects.filter(pk=revocation.pk).update(confirmed_by_id=revocation.by_id)


def test_a_suspension_is_no_revocation(world: World, grant: Grant, at: datetime) -> None:
    suspended(world, grant, at)
    with pytest.raises(NotNow) as caught:
        revoke_grant(world.actor("ivy"), grant.pk, reason="", expected_version=version(grant), at=at)
    assert caught.value.code == "not_proposed"


def test_a_proposal_that_nobody_confirms_lapses_to_what_was_granted(world: World, grant: Grant, at: datetime) -> None:
    proposed(world, grant, at)
    assert lapse_suspensions(SWEEPER, at=at + 73 * HOUR) == 1
    assert fresh(grant).state == "active"
    with pytest.raises(NotNow):
        revoke_grant(world.actor("hal"), grant.pk, reason="", expected_version=version(grant), at=at + 74 * HOUR)


@pytest.mark.parametrize("name", ["ada", "jo", "ben", "olu", "kim", "cleo", "finn", "anonymous"])
def test_only_leads_propose_and_confirm(world: World, grant: Grant, at: datetime, name: str) -> None:
    with pytest.raises(NotAllowed):
        proposed(world, grant, at, by=name)
    proposed(world, grant, at)
    with pytest.raises(NotAllowed):
        revoke_grant(world.actor(name), grant.pk, reason="", expected_version=version(grant), at=at)


def test_a_lead_decides_nothing_about_their_own_grant(world: World, grant: Grant, at: datetime) -> None:
    give_role(world.actor("ada"), world.people["cleo"], "access_lead", reason="x", at=at)
    with pytest.raises(NotAllowed):
        proposed(world, grant, at, by="cleo")


@pytest.mark.parametrize(
    ("code", "text", "field"), [("", "x", "code"), ("nonsense", "x", "code"), ("misuse", " ", "explanation")]
)
def test_a_revocation_has_a_coded_reason_and_words(
    world: World, grant: Grant, at: datetime, code: str, text: str, field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        propose_revocation(world.actor("ivy"), grant.pk, code=code, text=text, expected_version=1, at=at)
    assert caught.value.field == field
    with pytest.raises(StaleVersion):
        propose_revocation(world.actor("ivy"), grant.pk, code="misuse", text="x", expected_version=7, at=at)


def test_a_second_proposal_waits_for_the_first(world: World, grant: Grant, at: datetime) -> None:
    proposed(world, grant, at)
    with pytest.raises(NotNow) as caught:
        proposed(world, grant, at, by="hal")
    assert caught.value.code == "proposed"


# --- T28: what an overturned appeal restores -------------------------------------------------------------------------


def test_T28_an_overturned_suspension_gives_the_grant_and_its_time_back(
    world: World, grant: Grant, at: datetime
) -> None:
    end = grant.ends_at
    subject = suspension_subject(suspended(world, grant, at))
    appeal = decided(world, "cleo", subject, "overturn", at + DAY)
    assert fresh(grant).state == "suspended", "deciding is one thing, carrying it out another"
    appeal = execute(world, appeal, at + 2 * DAY)
    back = fresh(grant)
    assert (appeal.state, back.state, back.ends_at) == ("executed", "active", end + 2 * DAY)
    assert size_for(world.actor("cleo"), SERVED, Action.GENERATE, at=at + 2 * DAY).grant == grant
    assert "active" in appeal.effect
    kinds = Notice.objects.filter(recipient=grant.holder).order_by("pk").values_list("kind", flat=True)
    assert list(kinds) == ["grant_suspended", "appeal_received", "appeal_overturned", "grant_reinstated"]


def test_T28_an_overturned_revocation_gives_the_grant_and_its_time_back(
    world: World, grant: Grant, at: datetime
) -> None:
    end = grant.ends_at
    subject = revocation_subject(revoked(world, grant, at))
    execute(world, decided(world, "cleo", subject, "overturn", at + DAY), at + 5 * DAY)
    assert (fresh(grant).state, fresh(grant).ends_at) == ("active", end + 5 * DAY)
    assert Notice.objects.filter(recipient=grant.holder, kind="grant_reinstated").count() == 1


def test_T28_what_is_changed_in_part_gives_access_but_no_time(world: World, grant: Grant, at: datetime) -> None:
    end = grant.ends_at
    subject = revocation_subject(revoked(world, grant, at))
    execute(world, decided(world, "cleo", subject, "partly", at + DAY), at + 5 * DAY)
    assert (fresh(grant).state, fresh(grant).ends_at) == ("active", end)


def test_T28_an_end_that_passed_meanwhile_does_not_eat_the_time(world: World, grant: Grant, at: datetime) -> None:
    left = grant.ends_at - at
    subject = suspension_subject(suspended(world, grant, at))
    later = grant.ends_at + DAY
    appeal = decided(world, "cleo", subject, "overturn", at + DAY)
    assert expire_grants(SWEEPER, at=later) >= 1
    execute(world, appeal, later)
    assert (fresh(grant).state, fresh(grant).ends_at) == ("active", later + left)


def test_T28_a_suspension_that_was_lifted_still_gives_its_time_back(world: World, grant: Grant, at: datetime) -> None:
    end = grant.ends_at
    subject = suspension_subject(suspended(world, grant, at))
    lift_suspension(world.actor("ben"), grant.pk, reason="x", expected_version=version(grant), at=at + DAY)
    execute(world, decided(world, "cleo", subject, "overturn", at + 3 * DAY, by="ivy"), at + 3 * DAY, by="ivy")
    assert (fresh(grant).state, fresh(grant).ends_at) == ("active", end + DAY)


def test_T28_an_upheld_appeal_changes_nothing_and_is_closed(world: World, grant: Grant, at: datetime) -> None:
    subject = suspension_subject(suspended(world, grant, at))
    appeal = decided(world, "cleo", subject, "uphold", at)
    with pytest.raises(NotNow):
        execute(world, appeal, at)
    assert fresh(grant).state == "suspended"
    assert Notice.objects.filter(recipient=grant.holder, kind="appeal_upheld").exists()
    closed = close_appeal(world.actor("ben"), appeal.pk, expected_version=appeal.version, at=at)
    assert (closed.state, closed.closed_at) == ("closed", at)


def test_T13_what_fails_to_be_carried_out_leaves_everything_as_it_was(
    world: World, grant: Grant, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **more: object) -> None:
        raise OSError("the side effect fails")

    subject = revocation_subject(revoked(world, grant, at))
    appeal = decided(world, "cleo", subject, "overturn", at)
    before, events = fresh(grant), AuditEvent.objects.count()
    monkeypatch.setattr("release_portal.access.restoring.notify_each", fail)
    with pytest.raises(OSError, match="side effect"), transaction.atomic():
        execute(world, appeal, at + DAY)
    appeal.refresh_from_db()
    after = fresh(grant)
    assert (after.state, after.ends_at, after.version) == (before.state, before.ends_at, before.version)
    assert (appeal.state, AuditEvent.objects.count()) == ("overturned", events)


# --- Refusals --------------------------------------------------------------------------------------------------------


@pytest.fixture
def refused(world: World, at: datetime) -> Application:
    """An application of finn that ivy refused."""
    write_agreement(DEMO, at=at - 100 * DAY)
    one = submit(world, "finn", at)
    given = {"code": "purpose_unclear", "text": "Which question?", "expected_version": one.version}
    refuse_application(world.actor("ivy"), one.pk, at=at, **given)  # type: ignore[arg-type]
    found = Application.objects.get(pk=one.pk)
    if found.state != "refused":  # from tier 2 on another person must agree
        given["expected_version"] = found.version
        refuse_application(world.actor("hal"), one.pk, at=at, **given)  # type: ignore[arg-type]
        found.refresh_from_db()
    assert found.state == "refused"
    return found


def test_T27_an_overturned_refusal_opens_the_application_again_and_keeps_what_stood_there(
    world: World, refused: Application, at: datetime
) -> None:
    appeal = decided(world, "finn", f"application:{refused.pk}", "overturn", at + DAY)
    appeal = execute(world, appeal, at + 2 * DAY)
    again = Application.objects.get(pk=refused.pk)
    assert (again.state, again.decided_at, again.decision_code) == ("submitted", None, "")
    assert again.due_at is not None
    assert again.due_at > at + 2 * DAY, "its clock begins anew"
    assert (appeal.before["code"], appeal.before["text"]) == ("purpose_unclear", "Which question?")
    kinds = AuditEvent.objects.about(f"application:{refused.pk}").values_list("kind", flat=True)
    assert {"application.refused", "application.reopened"} <= set(kinds)
    assert (
        not again.applicant.grants.filter(sizes=again.size)
        .exclude(pk__in=world.grants)
        .filter(created_at__gt=at)
        .exists()
    ), "nobody is given access by an appeal alone"


def test_who_refused_does_not_decide_on_what_was_opened_again(world: World, refused: Application, at: datetime) -> None:
    """A lead who took no part decides; the one who refused is told so."""
    appeal = decided(world, "finn", f"application:{refused.pk}", "overturn", at)
    execute(world, appeal, at)
    again = Application.objects.get(pk=refused.pk)
    with pytest.raises(NotAllowed) as caught:
        approve_application(world.actor("ivy"), again.pk, conditions(again), expected_version=again.version, at=at)
    assert caught.value.code == "decided_before"


def test_a_refusal_is_not_changed_in_part(world: World, refused: Application, at: datetime) -> None:
    with pytest.raises(InvalidInput, match="upheld or overturned"):
        decided(world, "finn", f"application:{refused.pk}", "partly", at)


def test_who_applied_again_appeals_no_more(world: World, refused: Application, at: datetime) -> None:
    submit(world, "finn", at + DAY)
    with pytest.raises(NotNow) as caught:
        file_appeal(world.actor("finn"), f"application:{refused.pk}", text=TEXT, at=at + DAY)
    assert caught.value.code == "applied_again"


def test_an_application_that_is_open_meanwhile_stands_in_the_way(
    world: World, refused: Application, at: datetime
) -> None:
    appeal = decided(world, "finn", f"application:{refused.pk}", "overturn", at)
    submit(world, "finn", at + DAY)
    with pytest.raises(NotNow) as caught:
        execute(world, appeal, at + DAY)
    assert caught.value.code == "open_application"


# --- Who decides -----------------------------------------------------------------------------------------------------


def test_T6_nobody_who_took_part_accepts_assigns_decides_or_is_assigned(
    world: World, grant: Grant, at: datetime
) -> None:
    """ben suspended it as duty officer; his review role does not let him judge himself."""
    subject = suspension_subject(suspended(world, grant, at, by="ben"))
    appeal = file_appeal(world.actor("cleo"), subject, text=TEXT, at=at)
    assert [user.username for user in free_deciders(appeal)] == ["ivy", "hal"]
    with pytest.raises(NotAllowed) as caught:
        accept_appeal(world.actor("ben"), appeal.pk, expected_version=1, at=at)
    assert caught.value.code == "took_part"
    appeal = accept_appeal(world.actor("ivy"), appeal.pk, expected_version=1, at=at)
    with pytest.raises(NotAllowed) as caught:
        assign_appeal(world.actor("ivy"), appeal.pk, to="ben", expected_version=appeal.version, at=at)
    assert caught.value.code == "not_free"
    appeal = assign_appeal(world.actor("ivy"), appeal.pk, to="hal", expected_version=appeal.version, at=at)
    for name in ("ivy", "ben", "ada", "cleo"):
        with pytest.raises(NotAllowed):
            decide_appeal(
                world.actor(name), appeal.pk, verdict="overturn", reason="x", expected_version=appeal.version, at=at
            )


def test_strangers_and_other_holders_see_no_appeal(world: World, grant: Grant, at: datetime) -> None:
    subject = suspension_subject(suspended(world, grant, at))
    for name in ("dan", "ivy", "anonymous"):
        with pytest.raises(NotFound):
            file_appeal(world.actor(name), subject, text=TEXT, at=at)
    appeal = file_appeal(world.actor("cleo"), subject, text=TEXT, at=at)
    assert own_appeal(world.actor("cleo"), appeal.pk) == appeal
    for name in ("dan", "ivy", "anonymous"):
        with pytest.raises(NotFound):
            own_appeal(world.actor(name), appeal.pk)
    for name in ("ada", "olu", "cleo", "anonymous"):
        assert not appeals_to_decide(world.actor(name)).exists()
    assert appeal_to_decide(world.actor("ivy"), appeal.pk) == appeal


def test_a_decision_is_appealed_once_and_an_inadmissible_appeal_may_be_filed_again(
    world: World, grant: Grant, at: datetime
) -> None:
    subject = suspension_subject(suspended(world, grant, at))
    appeal = file_appeal(world.actor("cleo"), subject, text=TEXT, at=at)
    with pytest.raises(NotNow) as caught:
        file_appeal(world.actor("cleo"), subject, text=TEXT, at=at)
    assert caught.value.code == "appealed"
    with pytest.raises(InvalidInput):
        dismiss_appeal(world.actor("ivy"), appeal.pk, code="", expected_version=1, at=at)
    gone = dismiss_appeal(world.actor("ivy"), appeal.pk, code="no_grounds", expected_version=1, at=at)
    assert gone.state == "inadmissible"
    assert file_appeal(world.actor("cleo"), subject, text=TEXT, at=at).pk != appeal.pk


def test_the_one_who_decides_asks_and_the_appellant_answers(world: World, grant: Grant, at: datetime) -> None:
    subject = suspension_subject(suspended(world, grant, at))
    appeal = assigned(world, file_appeal(world.actor("cleo"), subject, text=TEXT, at=at), at)
    appeal = ask_appellant(world.actor("ben"), appeal.pk, question="When?", expected_version=appeal.version, at=at)
    assert appeal.state == "info"
    with pytest.raises(NotAllowed):
        answer_appeal(world.actor("dan"), appeal.pk, answer="x", expected_version=appeal.version, at=at)
    with pytest.raises(InvalidInput):
        answer_appeal(world.actor("cleo"), appeal.pk, answer=" ", expected_version=appeal.version, at=at)
    appeal = answer_appeal(world.actor("cleo"), appeal.pk, answer="May.", expected_version=appeal.version, at=at)
    assert (appeal.state, appeal.questions.get().answer) == ("assigned", "May.")
    with pytest.raises(StaleVersion):
        decide_appeal(world.actor("ben"), appeal.pk, verdict="uphold", reason="x", expected_version=1, at=at)
    with pytest.raises(InvalidInput):
        decide_appeal(
            world.actor("ben"), appeal.pk, verdict="uphold", reason="", expected_version=appeal.version, at=at
        )


def test_T26_silence_decides_nothing_and_every_act_names_its_person(world: World, grant: Grant, at: datetime) -> None:
    subject = suspension_subject(suspended(world, grant, at))
    appeal = decided(world, "cleo", subject, "overturn", at)
    execute(world, appeal, at)
    events = AuditEvent.objects.about(f"appeal:{appeal.pk}")
    assert [event.kind for event in events.order_by("seq")] == [
        "appeal.filed", "appeal.accepted", "appeal.assigned", "appeal.decided", "appeal.executed",
    ]  # fmt: skip
    assert {event.actor_name for event in events} == {"cleo", "ben"}


def test_T29_when_everybody_took_part_somebody_with_a_new_role_decides(
    world: World, grant: Grant, at: datetime
) -> None:
    suspended(world, grant, at, by="ben")
    subject = revocation_subject(revoked(world, grant, at))
    appeal = file_appeal(world.actor("cleo"), subject, text=TEXT, at=at)
    assert free_deciders(appeal) == []
    give_role(world.actor("ada"), world.people["kim"], "safety_reviewer", reason="x", at=at)
    assert [user.username for user in free_deciders(appeal)] == ["kim"]


# --- T18, T19, T30: the mailed link ----------------------------------------------------------------------------------


def test_T30_the_mailed_link_files_an_appeal_without_signing_in_and_works_once(
    world: World, grant: Grant, at: datetime
) -> None:
    suspended(world, grant, at)
    token = mailed_token(at)
    appeal = file_appeal_by_link(token, text=TEXT, at=at + DAY)
    assert (appeal.appellant, appeal.is_by_link, appeal.state) == (grant.holder, True, "filed")
    with pytest.raises(NotFound):
        file_appeal_by_link(token, text=TEXT, at=at + DAY)
    event = AuditEvent.objects.about(f"appeal:{appeal.pk}").get()
    assert event.actor_name == "anonymous visitor", "who holds a link is not known to be the holder"


def test_T18_only_a_digest_of_the_link_is_kept(world: World, grant: Grant, at: datetime) -> None:
    suspended(world, grant, at)
    token = mailed_token(at)
    link = AppealLink.objects.get(account=grant.holder)
    assert link.digest == hashlib.sha256(token.encode()).hexdigest() == digest_of(token)
    assert len(token) >= 43, "256 bits"
    sent = MailOut.objects.get(dedupe_key=f"notice:{link.notice_id}")
    assert sent.sealed_tail is None
    assert token not in sent.body + Notice.objects.get(pk=link.notice_id).body
    assert not any(token in str(event.data) + event.reason for event in AuditEvent.objects.all())


def test_T19_a_link_that_is_wrong_used_or_too_late_has_one_answer(world: World, grant: Grant, at: datetime) -> None:
    subject = suspension_subject(suspended(world, grant, at))
    token = mailed_token(at)
    answers = set()
    for tried, moment in (("wrong", at), ("x" * 5000, at), (token, at + rules.WINDOW + DAY)):
        with pytest.raises(PortalError) as caught:
            decision_by_link(tried, moment)
        answers.add((caught.value.status, caught.value.reason, caught.value.change))
    file_appeal(world.actor("cleo"), subject, text=TEXT, at=at)
    with pytest.raises(PortalError) as caught:
        file_appeal_by_link(token, text=TEXT, at=at)
    answers.add((caught.value.status, caught.value.reason, caught.value.change))
    assert len(answers) == 1


def test_T19_a_wrong_link_costs_what_a_used_one_costs(
    world: World, grant: Grant, at: datetime, django_assert_num_queries: Any
) -> None:
    suspended(world, grant, at)
    token = mailed_token(at)
    file_appeal_by_link(token, text=TEXT, at=at)
    for tried in ("wrong", token):
        with django_assert_num_queries(1), pytest.raises(NotFound):
            decision_by_link(tried, at)


def test_an_appeal_without_words_does_not_use_the_link_up(world: World, grant: Grant, at: datetime) -> None:
    suspended(world, grant, at)
    token = mailed_token(at)
    for text in ("", " ", "a\x00b", "x" * 5001):
        with pytest.raises(InvalidInput):
            file_appeal_by_link(token, text=text, at=at)
    assert file_appeal_by_link(token, text=TEXT, at=at).text == TEXT


def test_T30_a_mail_that_bounced_starts_no_clock(world: World, grant: Grant, at: datetime) -> None:
    subject = suspension_subject(suspended(world, grant, at))
    MailOut.objects.all().update(state="failed")
    late = at + rules.WINDOW + 100 * DAY
    assert file_appeal(world.actor("cleo"), subject, text=TEXT, at=late).state == "filed"


def test_T30_reading_the_notice_starts_the_clock(world: World, grant: Grant, at: datetime) -> None:
    subject = suspension_subject(suspended(world, grant, at))
    Notice.objects.filter(recipient=grant.holder).update(read_at=at + 10 * DAY)
    with pytest.raises(NotNow) as caught:
        file_appeal(world.actor("cleo"), subject, text=TEXT, at=at + 10 * DAY + rules.WINDOW)
    assert caught.value.code == "too_late"
    assert file_appeal(world.actor("cleo"), subject, text=TEXT, at=at + 9 * DAY + rules.WINDOW)
