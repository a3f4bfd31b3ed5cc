"""Extra terms, duties, close-out and safe harbour: what people do, what is refused, what rests a grant."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import redis
from django.db import IntegrityError, transaction

from release_portal.access.activation import accept_terms
from release_portal.access.applications import lapse_applications, withdraw_application
from release_portal.access.closing import (
    ask_for_reports,
    close_grant,
    close_out_of,
    ended_without_report,
    report_closing,
)
from release_portal.access.conditions import Conditions
from release_portal.access.engagement_rules import Act
from release_portal.access.engagements import (
    Rules,
    agree_to_engagement,
    end_engagement,
    engagement_in_force,
    verdict_on,
    write_engagement,
)
from release_portal.access.extra_terms import Term
from release_portal.access.lookups import size_for, sizes_for
from release_portal.access.models import Application, Engagement, Grant, Obligation, TermsOffer
from release_portal.access.obligations.lookups import obligation_of, obligations_to_look_at
from release_portal.access.obligations.reminders import remind_of_obligations
from release_portal.access.obligations.services import accept_duty, add_duties, give_back_duty, hand_in, waive_duty
from release_portal.access.offers import answer_offer, lapse_offers, offer_for_grant, terms_of, waiting_offer
from release_portal.access.pausing import state_of
from release_portal.access.policy import Action
from release_portal.access.quota import Limits
from release_portal.access.reviews import approve_application
from release_portal.access.services import expire_grants, suspend_grant
from release_portal.audit.models import AuditEvent
from release_portal.core.actors import Actor, system_actor
from release_portal.core.errors import Incomplete, InvalidInput, NotAllowed, NotFound, NotNow, StaleVersion
from release_portal.notices.models import Notice
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from release_portal.releases.models import Standing
from tests.services.agreeing import next_version
from tests.services.applying import conditions, submit
from tests.world import SERVED, World

SWEEPER = system_actor("sweeper")
DAY = timedelta(days=1)
REPORT, MONTHS = Term("Q06", "1"), (Term("Q01"), Term("Q06", "1"))


@pytest.fixture(autouse=True)
def agreement(world: World, at: datetime) -> None:
    write_agreement(DEMO, at=at - 100 * DAY)


def fresh(world: World, name: str = "cleo") -> Grant:
    return Grant.objects.get(pk=world.grants[name].pk)


def may(world: World, name: str, at: datetime) -> bool:
    listed = sizes_for(world.actor(name), Action.GENERATE, at=at).filter(slug=SERVED).exists()
    try:
        size_for(world.actor(name), SERVED, Action.GENERATE, at=at)
    except (NotNow, NotAllowed):
        assert not listed
        return False
    return listed


def offered(world: World, at: datetime, terms: tuple[Term, ...] = MONTHS, name: str = "finn") -> Application:
    """An application of finn's that ivy approved under terms."""
    sent = submit(world, name, at)
    given = conditions(sent, terms=terms)
    assert approve_application(world.actor("ivy"), sent.pk, given, expected_version=sent.version, at=at) is None
    sent.refresh_from_db()
    return sent


def accept(world: World, sent: Application, at: datetime, name: str = "finn", digest: str = "") -> Grant:
    digest = digest or TermsOffer.objects.get(application=sent).digest
    return accept_terms(world.actor(name), sent.pk, digest, expected_version=sent.version, at=at)


# --- Terms with an approval ------------------------------------------------------------------------------------------


def test_an_approval_under_terms_gives_nothing_before_they_are_accepted(world: World, at: datetime) -> None:
    """Seen to fail with `_grant` making the grant at once."""
    sent = offered(world, at)
    assert (sent.state, sent.grant) == ("pending_terms", None)
    assert not may(world, "finn", at)
    assert Notice.objects.get(recipient=world.people["finn"], kind="application_terms").body.count("- ") == 2
    grant = accept(world, sent, at + DAY)
    sent.refresh_from_db()
    assert (sent.state, sent.grant, grant.starts_at) == ("granted", grant, at + DAY)
    assert terms_of(grant) == MONTHS
    assert may(world, "finn", at + DAY)
    duty = grant.obligations.get()
    assert (duty.code, duty.state) == ("Q06", "open")


def test_without_terms_nothing_changes(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at)
    assert approve_application(
        world.actor("ivy"), sent.pk, conditions(sent), expected_version=sent.version, at=at
    ) == Grant.objects.get(holder=world.people["finn"])


def test_the_acceptance_is_bound_to_the_digest_of_what_was_shown(world: World, at: datetime) -> None:
    sent = offered(world, at)
    for digest, error in (("d" * 64, NotNow), (" ", NotNow)):
        with pytest.raises(error):
            accept(world, sent, at, digest=digest)
    with pytest.raises(InvalidInput):
        accept_terms(world.actor("finn"), sent.pk, "", expected_version=sent.version, at=at)
    TermsOffer.objects.update(terms=[["Q01", ""]])
    with pytest.raises(NotNow, match="not those"):
        accept(world, sent, at)


@pytest.mark.parametrize("name", ["ivy", "ada", "cleo", "anonymous"])
def test_T4_nobody_accepts_for_another(world: World, at: datetime, name: str) -> None:
    sent = offered(world, at)
    with pytest.raises(NotAllowed):
        accept(world, sent, at, name=name)
    assert not Grant.objects.filter(holder=world.people["finn"]).exists()


def test_T16_everything_is_checked_again_when_terms_are_accepted(world: World, at: datetime) -> None:
    """The stage closed, the agreement changed, the last day passed: nothing is given."""
    sent = offered(world, at)
    Standing.objects.filter(size=world.size).update(stage="disclosed")
    with pytest.raises(NotNow) as caught:
        accept(world, sent, at)
    assert caught.value.code == "stage_closed"
    Standing.objects.filter(size=world.size).update(stage="research_hosted")
    next_version(world, "Other terms.", at=at)
    with pytest.raises(NotNow) as caught:
        accept(world, sent, at + 30 * DAY)
    assert caught.value.code == "terms_lapsed"
    with pytest.raises(InvalidInput):
        accept(world, sent, at + 200 * DAY)
    assert accept(world, sent, at + 10 * DAY)


def test_T41_terms_that_nobody_accepts_lapse_after_30_days_and_give_nothing(world: World, at: datetime) -> None:
    sent = offered(world, at)
    assert lapse_applications(SWEEPER, at=at + 29 * DAY) == 0
    lapse_applications(SWEEPER, at=at + 30 * DAY)
    sent.refresh_from_db()
    assert sent.state == "lapsed"
    with pytest.raises(NotNow):
        accept(world, sent, at + 30 * DAY)
    assert not may(world, "finn", at + 30 * DAY)


def test_terms_can_be_declined_by_withdrawing(world: World, at: datetime) -> None:
    sent = offered(world, at)
    withdraw_application(world.actor("finn"), sent.pk, expected_version=sent.version, at=at)
    assert TermsOffer.objects.get(application=sent).end_reason == "application withdrawn"


def test_terms_that_make_no_sense_are_refused_at_their_field(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at)
    for terms in ((Term("Q06", "soon"),), (Term("Q99"),)):
        with pytest.raises(InvalidInput) as caught:
            approve_application(
                world.actor("ivy"), sent.pk, conditions(sent, terms=terms), expected_version=sent.version, at=at
            )
        assert caught.value.field == "terms"


def test_a_renewal_keeps_the_terms_and_moves_the_end_when_they_are_accepted(world: World, at: datetime) -> None:
    grant = accept(world, offered(world, at), at)
    again = submit(world, "finn", at + DAY, renews=grant.pk)
    given = Conditions(("generate",), again.requested_end, Limits(1000, 10, 1))
    assert approve_application(world.actor("ivy"), again.pk, given, expected_version=1, at=at + DAY) is None
    again.refresh_from_db()
    end = grant.ends_at
    renewed = accept(world, again, at + 2 * DAY)
    assert renewed.pk == grant.pk
    assert renewed.ends_at > end
    assert terms_of(renewed) == MONTHS
    assert renewed.obligations.count() == 1, "the same duty is not written twice"


# --- Other terms for a running grant ---------------------------------------------------------------------------------


def offer(world: World, at: datetime, *terms: Term) -> TermsOffer:
    return offer_for_grant(world.actor("ivy"), fresh(world).pk, terms, reason="Findings are needed.", at=at)


def test_other_terms_never_come_silently(world: World, at: datetime) -> None:
    made = offer(world, at, Term("Q11"), Term("Q15"))
    assert terms_of(fresh(world)) == ()
    assert may(world, "cleo", at), "the offer changes nothing"
    with pytest.raises(NotNow) as caught:
        offer(world, at, Term("Q01"))
    assert caught.value.code == "offer_waits"
    answer_offer(world.actor("cleo"), fresh(world).pk, made.digest, is_accepted=True, at=at)
    assert terms_of(fresh(world)) == (Term("Q11"), Term("Q15"))
    assert fresh(world).obligations.get().code == "Q11"
    with pytest.raises(InvalidInput, match="accepted already"):
        offer(world, at, Term("Q15"), Term("Q11"))


def test_declining_or_silence_leaves_what_was_accepted(world: World, at: datetime) -> None:
    made = offer(world, at, Term("Q11"))
    answer_offer(world.actor("cleo"), fresh(world).pk, made.digest, is_accepted=False, at=at)
    made = offer(world, at, Term("Q15"))
    with pytest.raises(NotFound):
        answer_offer(world.actor("cleo"), fresh(world).pk, made.digest, is_accepted=True, at=at + 30 * DAY)
    assert lapse_offers(SWEEPER, at=at + 30 * DAY) == 1
    assert terms_of(fresh(world)) == ()
    assert waiting_offer(fresh(world)) is None


@pytest.mark.parametrize("name", ["ada", "jo", "ben", "hal", "olu", "cleo", "finn", "anonymous"])
def test_only_a_lead_offers_and_only_the_holder_answers(world: World, at: datetime, name: str) -> None:
    if name != "hal":
        with pytest.raises(NotAllowed):
            offer_for_grant(world.actor(name), fresh(world).pk, (Term("Q11"),), reason="x", at=at)
    made = offer(world, at, Term("Q11"))
    if name != "cleo":
        with pytest.raises(NotAllowed):
            answer_offer(world.actor(name), fresh(world).pk, made.digest, is_accepted=True, at=at)


# --- Duties ----------------------------------------------------------------------------------------------------------


def duty(world: World, at: datetime, *terms: Term) -> Obligation:
    """A report of cleo's that is due in one month."""
    with transaction.atomic():
        grant = fresh(world)
        Grant.objects.filter(pk=grant.pk).update(starts_at=at)
        grant.refresh_from_db()
        return add_duties(grant, terms or (REPORT,), at=at)[0]


def test_T9_an_overdue_duty_rests_the_grant_after_14_days_and_handing_in_ends_it(world: World, at: datetime) -> None:
    """Nobody sweeps in between. Seen to fail with `resting` left out of `_granted` or of `_facts`."""
    one = duty(world, at)
    assert one.due_at is not None
    late = one.due_at + 14 * DAY
    assert may(world, "cleo", late - DAY)
    assert not may(world, "cleo", late)
    assert state_of(fresh(world), late) == "paused"
    assert fresh(world).state == "active", "paused is never written, and nothing is revoked"
    with pytest.raises(NotNow) as caught:
        size_for(world.actor("cleo"), SERVED, Action.GENERATE, at=late)
    assert caught.value.code == "obligation_overdue"
    hand_in(world.actor("cleo"), one.pk, said="The report.", expected_version=1, at=late)
    assert may(world, "cleo", late)


def test_a_lead_accepts_or_gives_back_and_never_their_own(world: World, at: datetime) -> None:
    one = duty(world, at)
    cleo, ivy = world.actor("cleo"), world.actor("ivy")
    hand_in(cleo, one.pk, said="Short.", link="https://example.org/x", expected_version=1, at=at + 40 * DAY)
    assert list(obligations_to_look_at(ivy)) == [one]
    back = give_back_duty(ivy, one.pk, note="The figures.", expected_version=2, at=at + 50 * DAY)
    assert (back.state, back.due_at) == ("returned", at + 50 * DAY)
    assert may(world, "cleo", at + 63 * DAY)
    assert not may(world, "cleo", at + 64 * DAY)
    hand_in(cleo, one.pk, said="Long.", expected_version=3, at=at + 70 * DAY)
    for name in ("cleo", "hal", "ada", "ben", "anonymous"):
        with pytest.raises(NotAllowed):
            accept_duty(world.actor(name), one.pk, expected_version=4, at=at)
    with pytest.raises(StaleVersion):
        accept_duty(ivy, one.pk, expected_version=3, at=at)
    assert accept_duty(ivy, one.pk, expected_version=4, at=at + 71 * DAY).state == "met"
    kinds = AuditEvent.objects.filter(kind__startswith="obligation.").values_list("kind", flat=True).order_by("seq")
    assert [kind.split(".")[1] for kind in kinds] == ["handed_in", "returned", "handed_in", "met"]


def test_T25_a_waiver_needs_a_reason_and_an_end_and_ends_by_itself(world: World, at: datetime) -> None:
    one = duty(world, at)
    ivy, late = world.actor("ivy"), at + 60 * DAY
    for reason, until, field in (
        (" ", late + DAY, "reason"),
        ("Ill.", late, "until"),
        ("Ill.", late + 999 * DAY, "until"),
    ):
        with pytest.raises(InvalidInput) as caught:
            waive_duty(ivy, one.pk, reason=reason, until=until, expected_version=1, at=late)
        assert caught.value.field == field
    assert not may(world, "cleo", late)
    waive_duty(ivy, one.pk, reason="Ill.", until=late + 10 * DAY, expected_version=1, at=late)
    assert may(world, "cleo", late + 9 * DAY)
    assert not may(world, "cleo", late + 10 * DAY)
    with pytest.raises(IntegrityError), transaction.atomic():
        Obligation.objects.filter(pk=one.pk).update(waiver_reason="")


def test_T2_a_duty_of_another_grant_is_not_there(world: World, at: datetime) -> None:
    one = duty(world, at)
    assert obligation_of(world.actor("cleo"), fresh(world).pk, one.pk) == one
    for name, grant in (("cleo", "eve"), ("eve", "cleo"), ("ivy", "eve")):
        with pytest.raises(NotFound):
            obligation_of(world.actor(name), fresh(world, grant).pk, one.pk)


@pytest.mark.parametrize("link", ["javascript:alert(1)", "example.org", "https://a b", "https://" + "x" * 500])
def test_a_link_is_the_address_of_a_page(world: World, at: datetime, link: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        hand_in(world.actor("cleo"), duty(world, at).pk, said="x", link=link, expected_version=1, at=at)
    assert caught.value.field == "link"


def test_holders_are_told_30_7_and_1_days_before_and_once_when_it_is_overdue(world: World, at: datetime) -> None:
    one = duty(world, at, Term("Q06", "2"))
    for day in range(90):
        for _ in range(2):
            remind_of_obligations(at=at + day * DAY)
    told = Notice.objects.filter(recipient=world.people["cleo"], kind__startswith="obligation_").order_by("pk")
    assert [one.kind for one in told] == ["obligation_due_soon"] * 3 + ["obligation_overdue"]
    assert one.due_at is not None


def test_a_renewal_waits_for_duties_that_are_due(world: World, at: datetime) -> None:
    one, late = duty(world, at), at + 40 * DAY
    with pytest.raises(Incomplete, match="still missing") as caught:
        submit(world, "cleo", late, renews=fresh(world).pk)
    assert "renews" in {field for field, _ in caught.value.problems}
    hand_in(world.actor("cleo"), one.pk, said="The report.", expected_version=1, at=late)
    sent = submit(world, "cleo", late, renews=fresh(world).pk)
    with pytest.raises(NotNow) as refused:
        approve_application(world.actor("ivy"), sent.pk, conditions(sent), expected_version=sent.version, at=late)
    assert refused.value.code == "obligations_open"
    accept_duty(world.actor("ivy"), one.pk, expected_version=2, at=late)
    assert approve_application(world.actor("ivy"), sent.pk, conditions(sent), expected_version=sent.version, at=late)


# --- Close-out -------------------------------------------------------------------------------------------------------

SAID = {"report": "Two papers.", "disposal": "deleted", "statement": "All of it."}


def test_a_grant_is_closed_after_the_report_and_a_look(world: World, at: datetime) -> None:
    dan, ivy = world.actor("dan"), world.actor("ivy")
    with pytest.raises(NotNow) as caught:
        close_grant(ivy, fresh(world, "dan").pk, expected_version=fresh(world, "dan").version, at=at)
    assert caught.value.code == "no_report"
    report = {**SAID, "disposal": "not_yet"}
    report_closing(dan, fresh(world, "dan").pk, **report, expected_version=fresh(world, "dan").version, at=at)
    with pytest.raises(NotNow) as caught:
        close_grant(ivy, fresh(world, "dan").pk, expected_version=fresh(world, "dan").version, at=at)
    assert caught.value.code == "not_deleted"
    report_closing(dan, fresh(world, "dan").pk, **SAID, expected_version=fresh(world, "dan").version, at=at)
    for name in ("dan", "hal", "ben", "ada"):
        with pytest.raises(NotAllowed):
            close_grant(world.actor(name), fresh(world, "dan").pk, expected_version=fresh(world, "dan").version, at=at)
    close_grant(ivy, fresh(world, "dan").pk, expected_version=fresh(world, "dan").version, at=at)
    assert fresh(world, "dan").state == "closed"
    given = close_out_of(fresh(world, "dan"))
    assert given is not None
    assert (given.report, given.looked_by) == ("Two papers.", "ivy")


def test_a_running_grant_is_not_reported_on(world: World, at: datetime) -> None:
    with pytest.raises(NotNow):
        report_closing(world.actor("cleo"), fresh(world).pk, **SAID, expected_version=fresh(world).version, at=at)


@pytest.mark.parametrize("field", ["report", "disposal", "statement"])
def test_a_report_says_everything(world: World, at: datetime, field: str) -> None:
    dan = fresh(world, "dan")
    with pytest.raises(InvalidInput) as caught:
        report_closing(world.actor("dan"), dan.pk, **{**SAID, field: " "}, expected_version=dan.version, at=at)
    assert caught.value.field == field


def test_holders_are_asked_and_reviewers_see_what_never_came(world: World, at: datetime) -> None:
    dan = world.people["dan"]
    end = fresh(world, "dan").ends_at
    for day in range(0, 200, 5):
        ask_for_reports(at=end + day * DAY)
    assert Notice.objects.filter(recipient=dan, kind="grant_report_due").count() == 4
    assert list(ended_without_report(dan.pk, end + 89 * DAY)) == []
    assert [one.pk for one in ended_without_report(dan.pk, end + 90 * DAY)] == [fresh(world, "dan").pk]
    version = fresh(world, "dan").version
    report_closing(world.actor("dan"), fresh(world, "dan").pk, **SAID, expected_version=version, at=at)
    assert list(ended_without_report(dan.pk, end + 90 * DAY)) == []


def test_the_close_out_counts_from_the_end_that_was(world: World, at: datetime) -> None:
    expire_grants(SWEEPER, at=fresh(world).ends_at + 5 * DAY)
    assert fresh(world).ended_at == fresh(world).ends_at


# --- Rules of engagement ---------------------------------------------------------------------------------------------


def rules(world: World, at: datetime, **changes: Any) -> Rules:
    full = {
        "targets": (SERVED,), "categories": ("EXTREM",), "tokens_per_day": 1000,
        "keep_inside": "Nothing leaves the group's server.", "ends_at": at + 30 * DAY,
    }  # fmt: skip
    return Rules(**(full | changes))


def engaged(world: World, at: datetime) -> Engagement:
    write_engagement(world.actor("ivy"), fresh(world).pk, rules(world, at), at=at)
    return agree_to_engagement(world.actor("ben"), fresh(world).pk, at=at)


def act(at: datetime, **changes: Any) -> Act:
    return Act(**({"size": SERVED, "category": "EXTREM", "tokens": 10, "has_left": False, "at": at} | changes))


def test_rules_hold_once_a_second_person_agrees(world: World, at: datetime) -> None:
    grant = fresh(world)
    write_engagement(world.actor("ivy"), grant.pk, rules(world, at), at=at)
    assert engagement_in_force(grant, at) is None
    assert verdict_on(grant, act(at)) is None
    for name in ("ivy", "ada", "cleo", "olu"):
        with pytest.raises(NotAllowed):
            agree_to_engagement(world.actor(name), grant.pk, at=at)
    agree_to_engagement(world.actor("ben"), grant.pk, at=at)
    verdict = verdict_on(grant, act(at))
    assert verdict is not None
    assert verdict.is_inside
    with pytest.raises(NotNow):
        agree_to_engagement(world.actor("ben"), grant.pk, at=at)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("targets", ()), ("targets", ("openai/gpt2-124m",)), ("categories", ()), ("categories", ("extrem",)),
        ("tokens_per_day", 0), ("tokens_per_day", 10**9), ("keep_inside", " "),
    ],
)  # fmt: skip
def test_rules_lie_within_the_grant(world: World, at: datetime, field: str, value: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        write_engagement(world.actor("ivy"), fresh(world).pk, rules(world, at, **{field: value}), at=at)
    assert caught.value.field == field
    with pytest.raises(InvalidInput):
        write_engagement(world.actor("ivy"), fresh(world).pk, rules(world, at, ends_at=at + 999 * DAY), at=at)


def suspend(world: World, at: datetime, done: Act | None, further: str = "") -> Any:
    given: dict[str, Any] = {"reason": "Reported.", "expected_version": fresh(world).version, "at": at}
    return suspend_grant(world.actor("olu"), fresh(world).pk, **given, act=done, further=further)


def test_T44_inside_the_rules_a_suspension_asks_for_a_further_reason_and_is_never_blocked(
    world: World, at: datetime, portal_redis: redis.Redis
) -> None:
    engaged(world, at)
    with pytest.raises(InvalidInput) as caught:
        suspend(world, at, act(at))
    assert (caught.value.field, caught.value.code) == ("further", "inside_engagement")
    assert fresh(world).state == "active"
    made = suspend(world, at, act(at), "Text of it is on a public page.")
    assert (made.engagement_clause, made.further_reason) == ("E2", "Text of it is on a public page.")
    event = AuditEvent.objects.filter(kind="grant.suspended").last()
    assert event is not None
    assert event.data["inside"] == "E2"


@pytest.mark.parametrize("changes", [{"category": "PHISH"}, {"has_left": True}, {"tokens": 1001}, None])
def test_T44_outside_the_rules_or_while_it_is_unclear_one_officer_suspends_at_once(
    world: World, at: datetime, portal_redis: redis.Redis, changes: dict[str, Any] | None
) -> None:
    engaged(world, at)
    made = suspend(world, at, None if changes is None else act(at, **changes))
    assert (made.engagement_clause, fresh(world).state) == ("", "suspended")


def test_rules_end_with_a_reason_and_what_was_done_inside_stays_inside(world: World, at: datetime) -> None:
    engaged(world, at)
    with pytest.raises(InvalidInput):
        end_engagement(world.actor("ben"), fresh(world).pk, reason=" ", at=at + DAY)
    end_engagement(world.actor("ben"), fresh(world).pk, reason="The study is over.", at=at + DAY)
    assert engagement_in_force(fresh(world), at + DAY) is None
    assert verdict_on(fresh(world), act(at)), "at its time it lay inside"


def test_T24_a_token_hands_in_and_accepts_but_never_looks_or_waives(world: World, at: datetime) -> None:
    def token(name: str, *scopes: str) -> Actor:
        person = world.actor(name)
        return Actor(person.kind, person.id, person.name, person.roles, frozenset(scopes))

    one = duty(world, at)
    with pytest.raises(NotAllowed):
        hand_in(token("cleo", "generate"), one.pk, said="x", expected_version=1, at=at)
    hand_in(token("cleo", "applications:write"), one.pk, said="x", expected_version=1, at=at)
    with pytest.raises(NotAllowed):
        accept_duty(token("ivy", "applications:write"), one.pk, expected_version=2, at=at)
    made = offer(world, at, Term("Q15"))
    answer_offer(token("cleo", "applications:write"), fresh(world).pk, made.digest, is_accepted=True, at=at)
    with pytest.raises(NotAllowed):
        write_engagement(token("ivy", "applications:write"), fresh(world).pk, rules(world, at), at=at)


def test_the_queue_of_what_was_handed_in_costs_one_query(
    world: World, at: datetime, django_assert_num_queries: Callable[[int], Any]
) -> None:
    hand_in(world.actor("cleo"), duty(world, at).pk, said="x", expected_version=1, at=at)
    ivy = world.actor("ivy")
    with django_assert_num_queries(1):
        assert [one.grant.holder.name for one in obligations_to_look_at(ivy)]
