"""Reviewing with care: two people from tier 2, leases, advice, and who must not decide."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from release_portal.access.application_rules import due_after, end_of
from release_portal.access.applications import (
    answer_question,
    save_application,
    submit_application,
    withdraw_application,
)
from release_portal.access.models import Advice, AgreementVersion, Application, Grant, ReviewVote
from release_portal.access.queue.loads import next_for
from release_portal.access.queue.search import WAITING, Search, applications_found
from release_portal.access.quota import Limits
from release_portal.access.review_desk import desk_of, lease_on, place_in_queue, review_decision
from release_portal.access.review_notes import advise, claim_application
from release_portal.access.review_rules import LEASE
from release_portal.access.reviews import approve_application, ask_applicant, refuse_application
from release_portal.accounts.models import User
from release_portal.accounts.services import give_role, take_role
from release_portal.audit.models import AuditEvent
from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput, NotAllowed, NotNow, PortalError, StaleVersion
from release_portal.notices.models import Notice
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from tests.services.agreeing import next_version
from tests.services.applying import answers, conditions, submit, vouch
from tests.world import SERVED, World

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def agreement(world: World, at: datetime) -> AgreementVersion:
    """The shipped agreement, in force for some time."""
    return write_agreement(DEMO, at=at - 100 * DAY)


def risky(world: World, at: datetime, name: str = "finn", **changes: Any) -> Application:
    """An application of tier 2: a study of misuse."""
    return submit(world, name, at, purpose_code="P05", **changes)


def fresh(application: Application) -> Application:
    return Application.objects.get(pk=application.pk)


def approve(world: World, application: Application, at: datetime, name: str, **changes: Any) -> Grant | None:
    now = fresh(application)
    given = conditions(now, **changes)
    return approve_application(world.actor(name), now.pk, given, expected_version=now.version, at=at)


def refuse(world: World, application: Application, at: datetime, name: str) -> Application:
    now = fresh(application)
    why: dict[str, Any] = {"code": "safeguards_missing", "text": "Too little is said.", "at": at}
    return refuse_application(world.actor(name), now.pk, expected_version=now.version, **why)


def may(world: World, application: Application, at: datetime, name: str, command: str = "approve") -> str:
    """What stands in the way of a command, or nothing."""
    decision = review_decision(command, fresh(application), desk_of(world.actor(name)), at)
    return "" if decision else decision.code


# --- Two people ------------------------------------------------------------------------------------------------------


def test_T7_two_approvers_make_the_grant_and_one_alone_does_not(world: World, at: datetime) -> None:
    sent, grants = risky(world, at), Grant.objects.count()
    assert sent.due_at == due_after(at, 2)
    assert approve(world, sent, at, "ben", functions=("detect",), limits=Limits(900, 9, 2)) is None
    assert (fresh(sent).state, Grant.objects.count()) == ("second_review", grants)
    grant = approve(world, sent, at + DAY, "ivy", last_day=(at + 9 * DAY).date())
    assert grant is not None
    assert [one.name for one in grant.functions.all()] == ["detect"], "what both give is given"
    assert (grant.tokens_per_day, grant.ends_at) == (900, end_of((at + 9 * DAY).date()))
    done = fresh(sent)
    assert (done.state, done.decided_by) == ("granted", world.people["ivy"])
    assert "ben (safety reviewer)" in done.decided_by_name
    assert "ivy (access lead)" in done.decided_by_name


@pytest.mark.parametrize("order", [("hal", "ben"), ("ben", "hal")])
def test_T7_T11_a_renewal_of_higher_risk_is_given_by_two_reviewers_in_every_order(
    world: World, at: datetime, order: tuple[str, str]
) -> None:
    """Seen to fail while a safety reviewer might give the last voice and not the renewal that it leads to."""
    grant = world.grants["cleo"]
    sent = risky(world, at, "cleo", renews=grant.pk)
    assert approve(world, sent, at, order[0]) is None
    renewed = approve(world, sent, at, order[1])
    assert renewed == grant
    assert renewed.ends_at > grant.ends_at


def test_T7_two_approvers_are_two_people_in_every_order(world: World, at: datetime) -> None:
    sent = risky(world, at)
    approve(world, sent, at, "ivy")
    for attempt in (approve, refuse):
        with pytest.raises(NotNow) as caught:
            attempt(world, sent, at, "ivy")
        assert caught.value.code == "voted"
    assert fresh(sent).state == "second_review"
    assert approve(world, sent, at, "hal")


def test_T7_the_database_refuses_a_second_voice_of_one_person(world: World, at: datetime) -> None:
    sent = risky(world, at)
    approve(world, sent, at, "ivy")
    first = ReviewVote.objects.get()
    with pytest.raises(IntegrityError), transaction.atomic():
        ReviewVote.objects.create(
            application=sent,
            voter=first.voter,
            role="access_lead",
            verdict="approve",
            at=at,
            review_round=1,
            content=first.content,
        )


def test_approvals_without_a_function_in_common_give_nothing(world: World, at: datetime) -> None:
    sent = risky(world, at)
    approve(world, sent, at, "ivy", functions=("detect",))
    with pytest.raises(InvalidInput) as caught:
        approve(world, sent, at, "ben", functions=("generate",))
    assert caught.value.field == "functions"
    assert (fresh(sent).state, ReviewVote.objects.count()) == ("second_review", 1)


def test_two_refusals_refuse_and_one_alone_does_not(world: World, at: datetime) -> None:
    sent = risky(world, at)
    assert refuse(world, sent, at, "hal").state == "second_review"
    assert refuse(world, sent, at, "ben").state == "refused"
    assert risky(world, at + DAY), "T17: who is refused may ask again"


@pytest.mark.parametrize(("last", "state"), [(approve, "granted"), (refuse, "refused")])
def test_when_two_disagree_the_third_decides(
    world: World, at: datetime, last: Callable[..., object], state: str
) -> None:
    sent = risky(world, at)
    approve(world, sent, at, "ivy")
    assert refuse(world, sent, at, "ben").state == "second_review"
    last(world, sent, at, "hal")
    assert fresh(sent).state == state


def test_the_others_are_told_that_a_second_is_needed_and_nobody_else(world: World, at: datetime) -> None:
    """T23."""
    sent = risky(world, at)
    assert told("application_arrived") == {"ivy", "hal", "ben"}
    approve(world, sent, at, "ben")
    assert told("application_second_review") == {"ivy", "hal"}
    event = AuditEvent.objects.get(kind="application.voted")
    assert event.data == {"role": "safety_reviewer"}, "what was said stays with the voice until the others spoke"


def told(kind: str) -> set[str]:
    return set(Notice.objects.filter(kind=kind).values_list("recipient__username", flat=True))


def test_below_tier_2_one_owner_decides_and_the_others_do_not(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at)
    assert {name: may(world, sent, at, name) for name in ("ivy", "hal", "ben")} == {
        "ivy": "",
        "hal": "role",
        "ben": "role",
    }
    assert approve(world, sent, at, "ivy")


def test_T4_the_applicant_withdraws_while_a_second_is_awaited_and_does_nothing_else(world: World, at: datetime) -> None:
    sent = risky(world, at)
    approve(world, sent, at, "ivy")
    for attempt in (approve, refuse):
        with pytest.raises(NotAllowed):
            attempt(world, sent, at, "finn")
    now = fresh(sent)
    withdraw_application(world.actor("finn"), now.pk, expected_version=now.version, at=at)
    with pytest.raises(NotNow):
        approve(world, sent, at, "ben")


def test_silence_of_the_second_person_gives_nothing(world: World, at: datetime) -> None:
    """T41."""
    sent, grants = risky(world, at), Grant.objects.count()
    approve(world, sent, at, "ivy")
    assert (fresh(sent).state, Grant.objects.count()) == ("second_review", grants)
    assert "system" not in {one.voter_name for one in ReviewVote.objects.all()}


# --- Who must not decide ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["approve", "refuse", "claim", "advise", "ask"])
def test_T6_nobody_reviews_their_own_application_after_a_role_change_either(
    world: World, at: datetime, name: str
) -> None:
    sent = risky(world, at)
    give_role(world.actor("ada"), world.people["finn"], "safety_reviewer", reason="new post", at=at)
    assert may(world, sent, at, "finn", name) == "own_application"


def test_T6_nobody_decides_on_their_own_lab_but_may_advise(world: World, at: datetime) -> None:
    User.objects.filter(username="ivy").update(email="ivy@text-lab.edu")
    User.objects.filter(username="finn").update(email="finn@text-lab.edu")
    sent = risky(world, at)
    for command in ("approve", "refuse", "claim"):
        assert may(world, sent, at, "ivy", command) == "same_lab"
    with pytest.raises(NotAllowed) as caught:
        approve(world, sent, at, "ivy")
    assert caught.value.code == "same_lab"
    assert may(world, sent, at, "ivy", "advise") == ""
    assert may(world, sent, at, "ben") == ""


def test_T6_an_affiliation_that_a_reviewer_named_ties_them_to_it(world: World, at: datetime) -> None:
    submit(world, "ivy", at - 9 * DAY, affiliation="Text  laboratory")
    sent = submit(world, "finn", at, affiliation="text laboratory.")
    assert may(world, sent, at, "ivy") == "same_lab"
    assert next_for(desk_of(world.actor("ivy")), at) is None


def test_T6_a_voice_of_somebody_who_loses_the_role_stays_on_record_and_counts_no_more(
    world: World, at: datetime
) -> None:
    sent = risky(world, at)
    approve(world, sent, at, "ben")
    claim_application(world.actor("hal"), sent.pk, at=at)
    for name, role in (("ben", "safety_reviewer"), ("hal", "partner_lead")):
        take_role(world.actor("ada"), world.people[name], role, reason="moved on", at=at)
    assert may(world, sent, at, "ben") == may(world, sent, at, "hal") == "role"
    assert lease_on(fresh(sent), desk_of(world.actor("ivy")), at) is None, "the lease ends with the role"
    assert approve(world, sent, at, "ivy") is None, "it is the first voice that counts"
    give_role(world.actor("ada"), world.people["jo"], "safety_reviewer", reason="new post", at=at)
    assert approve(world, sent, at, "jo")
    assert ReviewVote.objects.filter(application=sent).count() == 3
    assert "ben" not in fresh(sent).decided_by_name


def test_a_token_neither_claims_nor_advises(world: World, at: datetime) -> None:
    """T24."""
    sent, ivy = risky(world, at), world.actor("ivy")
    token = Actor(ivy.kind, ivy.id, ivy.name, ivy.roles, frozenset({"staff:read"}))
    with pytest.raises(NotAllowed):
        claim_application(token, sent.pk, at=at)
    with pytest.raises(NotAllowed):
        advise(token, sent.pk, text="Yes.", at=at)


# --- Leases and the queue --------------------------------------------------------------------------------------------


def test_a_lease_keeps_others_from_deciding_until_it_ends(world: World, at: datetime) -> None:
    sent = risky(world, at)
    claim_application(world.actor("ivy"), sent.pk, at=at)
    assert {may(world, sent, at, "ben", name) for name in ("approve", "refuse", "ask", "claim")} == {"claimed"}
    assert may(world, sent, at, "ben", "advise") == ""
    assert may(world, sent, at, "ivy") == ""
    assert may(world, sent, at + LEASE, "ben") == ""
    claim_application(world.actor("ivy"), sent.pk, at=at + LEASE / 2)
    assert may(world, sent, at + LEASE, "ben") == "claimed", "it was renewed"


def test_a_lease_is_taken_over_with_a_reason_and_ends_with_the_decision(world: World, at: datetime) -> None:
    sent = risky(world, at)
    claim_application(world.actor("ivy"), sent.pk, at=at)
    with pytest.raises(NotNow):
        claim_application(world.actor("ben"), sent.pk, reason="  ", at=at)
    claim_application(world.actor("ben"), sent.pk, reason="Ivy is away.", at=at)
    event = AuditEvent.objects.filter(kind="application.claimed").last()
    assert event is not None
    assert event.data["why"] == "Ivy is away."
    approve(world, sent, at, "ben")
    assert fresh(sent).claimed_until is None
    assert may(world, sent, at, "ivy") == ""


def test_claiming_changes_no_version_so_that_no_form_grows_old(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at)
    claim_application(world.actor("ivy"), sent.pk, at=at)
    assert fresh(sent).version == sent.version


def test_the_database_refuses_a_lease_of_the_applicant(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at)
    with pytest.raises(IntegrityError), transaction.atomic():
        Application.objects.filter(pk=sent.pk).update(claimed_by=sent.applicant)


def queue_of(world: World, name: str, at: datetime) -> list[Application]:
    return list(applications_found(world.actor(name), Search(state=WAITING), at=at))


def test_next_for_me_is_the_oldest_promise_that_i_may_decide_and_nobody_looks_at(world: World, at: datetime) -> None:
    own = submit(world, "ivy", at - 6 * DAY, affiliation="This house")
    taken, free = submit(world, "finn", at - 4 * DAY), submit(world, "lou", at - DAY)
    claim_application(world.actor("ivy"), taken.pk, at=at)

    def next_of(name: str, when: datetime) -> Application | None:
        return next_for(desk_of(world.actor(name)), when)

    assert [one.pk for one in queue_of(world, "ivy", at)] == [own.pk, taken.pk, free.pk]
    assert next_of("ivy", at) == free
    assert next_of("ivy", at + LEASE) == taken
    assert next_of("ben", at) is None, "nothing of tier 2 waits"
    assert [place_in_queue(one) for one in (own, taken, free)] == [1, 2, 3]


def test_the_queue_is_read_in_the_same_number_of_queries_however_long_it_is(
    world: World, at: datetime, django_assert_num_queries: Any
) -> None:
    ivy = world.actor("ivy")

    def read() -> None:
        desk, waiting = desk_of(ivy), applications_found(ivy, Search(state=WAITING), at=at)
        assert [review_decision("approve", one, desk, at).code for one in waiting]

    risky(world, at, "lou")
    with django_assert_num_queries(13):
        read()
    for name in ("finn", "gia", "kim", "jo"):
        risky(world, at, name)
    with django_assert_num_queries(13):
        read()


# --- Advice ----------------------------------------------------------------------------------------------------------


def test_advice_is_kept_and_counts_for_nothing(world: World, at: datetime) -> None:
    sent = risky(world, at)
    for name in ("ben", "hal", "ivy"):
        advise(world.actor(name), sent.pk, text="Looks sound to me.", at=at)
    now = fresh(sent)
    assert (now.state, now.version, Advice.objects.count()) == ("submitted", sent.version, 3)
    assert approve(world, sent, at, "ivy") is None, "one approval and three notes are one approval"


@pytest.mark.parametrize("name", ["finn", "cleo", "ada", "gia", "anonymous"])
def test_others_do_not_advise(world: World, at: datetime, name: str) -> None:
    sent = risky(world, at)
    with pytest.raises(NotAllowed):
        advise(world.actor(name), sent.pk, text="Do it.", at=at)


def test_empty_advice_is_refused_at_its_field(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at)
    for text in (" ", "a\x00b", "x" * 5_001):
        with pytest.raises(InvalidInput) as caught:
            advise(world.actor("ben"), sent.pk, text=text, at=at)
        assert caught.value.field == "advice"


# --- What changes meanwhile ------------------------------------------------------------------------------------------


def test_T16_a_size_that_narrows_while_an_application_waits_asks_for_two_people(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at)
    assert may(world, sent, at, "ben") == "role"
    world.size.standing.stage = "partner"
    world.size.standing.save()
    assert may(world, sent, at, "ben") == "attestation_missing", "it is of tier 2 now"
    vouch(sent, at, "referee", "institution")
    assert approve(world, sent, at, "ben") is None
    assert fresh(sent).state == "second_review"
    world.size.standing.stage = "research_hosted"
    world.size.standing.save()
    assert approve(world, sent, at, "hal"), "once a second is awaited, a lower tier changes nothing"


def test_T16_terms_that_change_while_it_waits_leave_what_was_signed(
    world: World, at: datetime, agreement: AgreementVersion
) -> None:
    sent = risky(world, at)
    next_version(world, "New terms.", at=at)
    approve(world, sent, at, "ivy")
    approve(world, sent, at, "ben")
    assert fresh(sent).agreement_hash == agreement.sha256


def test_T17_a_typo_is_mended_by_an_answer_or_by_asking_again(world: World, at: datetime) -> None:
    sent = risky(world, at)
    asked = ask_applicant(world.actor("ben"), sent.pk, question="Which?", expected_version=sent.version, at=at)
    answer_question(world.actor("finn"), sent.pk, answer="This one.", expected_version=asked.version, at=at)
    refuse(world, sent, at, "ivy")
    refuse(world, sent, at, "ben")
    mended = answers(at, purpose_code="P01")
    draft = save_application(world.actor("finn"), SERVED, mended, expected_version=0, at=at)
    again = submit_application(
        world.actor("finn"), SERVED, mended, agreement_hash=sent.agreement_hash, expected_version=draft.version, at=at
    )
    assert approve(world, again, at, "ivy"), "voices on the first one do not count here"


# --- T7 under a race -------------------------------------------------------------------------------------------------


def together(*works: Callable[[], Any]) -> list[Any]:
    """Run all at once, each on a connection of its own; return what each answered or raised."""
    barrier, results = threading.Barrier(len(works)), []

    def run(work: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            results.append(work())
        except Exception as error:  # noqa: BLE001 - looked at by the test
            results.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("second", ["ivy", "ben"])
def test_T7_two_approvers_are_distinct_under_a_race(world: World, at: datetime, second: str) -> None:
    """A double click gives one voice; two people at once see that the first one came in between."""
    sent, grants = risky(world, at), Grant.objects.count()
    actors, given = {name: world.actor(name) for name in ("ivy", second)}, conditions(sent)

    def vote(name: str) -> Any:
        return approve_application(actors[name], sent.pk, given, expected_version=sent.version, at=at)

    results = together(lambda: vote("ivy"), lambda: vote(second))
    refused = [one for one in results if isinstance(one, Exception)]
    assert [isinstance(one, PortalError) for one in refused] == [True], refused
    assert (ReviewVote.objects.count(), Grant.objects.count()) == (1, grants)
    assert fresh(sent).state == "second_review"


@pytest.mark.django_db(transaction=True)
def test_T7_of_two_second_approvals_at_once_one_makes_the_grant(world: World, at: datetime) -> None:
    sent, grants = risky(world, at), Grant.objects.count()
    approve(world, sent, at, "ivy")
    now = fresh(sent)
    actors, given = {name: world.actor(name) for name in ("hal", "ben")}, conditions(now)

    def vote(name: str) -> Any:
        return approve_application(actors[name], now.pk, given, expected_version=now.version, at=at)

    results = together(lambda: vote("hal"), lambda: vote("ben"))
    refused = [one for one in results if isinstance(one, Exception)]
    assert [isinstance(one, StaleVersion | NotNow) for one in refused] == [True], refused
    assert Grant.objects.count() == grants + 1
    voters = set(ReviewVote.objects.values_list("voter__username", flat=True))
    assert len(voters) == 2
    assert "ivy" in voters
