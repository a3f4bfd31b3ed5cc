"""The queue: who is expected to look at what, what silence of ours means, kept tiers, search, and the status."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from release_portal.access.application_rules import due_after
from release_portal.access.applications import answer_question, withdraw_application
from release_portal.access.models import AgreementVersion, Application, Grant, ReviewVote
from release_portal.access.queue.figures import figures_at
from release_portal.access.queue.load_rules import CAP, Load
from release_portal.access.queue.loads import balance_queue, loads_at, next_for
from release_portal.access.queue.promise_rules import moment_of
from release_portal.access.queue.promises import late_counts, tell_of_promises
from release_portal.access.queue.search import Search, applications_found, search_of
from release_portal.access.queue.status import status_of
from release_portal.access.queue.throughput_rules import Range
from release_portal.access.queue.tiers import refresh_tiers, stale_tiers
from release_portal.access.review_desk import desk_of, largest_open, risk_facing
from release_portal.access.review_notes import claim_application
from release_portal.access.review_rules import LEASE
from release_portal.access.reviews import approve_application, ask_applicant, refuse_application
from release_portal.accounts.models import User
from release_portal.accounts.services import give_role, take_role
from release_portal.audit.models import AuditEvent
from release_portal.core.actors import system_actor
from release_portal.notices.models import Notice
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from release_portal.releases.models import Standing
from tests.services.applying import conditions, submit
from tests.world import World

SWEEPER = system_actor("sweeper")
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


@pytest.fixture(autouse=True)
def agreement(world: World, at: datetime) -> AgreementVersion:
    """The shipped agreement, in force for a long time."""
    return write_agreement(DEMO, at=at - 500 * DAY)


def risky(world: World, at: datetime, name: str = "finn", **changes: Any) -> Application:
    return submit(world, name, at, purpose_code="P05", **changes)


def fresh(application: Application) -> Application:
    return Application.objects.get(pk=application.pk)


def approve(world: World, application: Application, at: datetime, name: str) -> Grant | None:
    now = fresh(application)
    return approve_application(world.actor(name), now.pk, conditions(now), expected_version=now.version, at=at)


def refuse(world: World, application: Application, at: datetime, name: str = "ivy") -> Application:
    now = fresh(application)
    why: dict[str, Any] = {"code": "purpose_unclear", "text": "Unclear.", "at": at}
    return refuse_application(world.actor(name), now.pk, expected_version=now.version, **why)


def expected_of(application: Application) -> str:
    holder = fresh(application).assigned_to
    return holder.username if holder else ""


def in_hand(at: datetime) -> dict[str, tuple[int, int]]:
    names = {str(user.pk): user.username for user in User.objects.all()}
    return {names[one.id]: (one.claimed, one.owed) for one in loads_at(at)}


# --- Load ------------------------------------------------------------------------------------------------------------


def test_each_is_expected_of_the_person_with_the_fewest_in_hand_who_may_decide_it(world: World, at: datetime) -> None:
    ordinary = [submit(world, name, at) for name in ("finn", "lou")]
    shared = [risky(world, at + MINUTE, name) for name in ("gia", "kim")]
    assert balance_queue(SWEEPER, at=at + MINUTE) == 4
    assert [expected_of(one) for one in ordinary] == ["ivy", "ivy"], "below tier 2 it is hers alone"
    assert {expected_of(one) for one in shared} == {"hal", "ben"}
    assert in_hand(at) == {"ivy": (0, 2), "hal": (0, 1), "ben": (0, 1)}
    assert balance_queue(SWEEPER, at=at + MINUTE) == 0, "what is expected of somebody stays so"
    event = AuditEvent.objects.filter(kind="application.assigned").first()
    assert event is not None
    assert (event.actor_kind, event.actor_name) == (SWEEPER.kind.value, SWEEPER.name), "T26"


def test_T6_nothing_is_expected_of_anybody_who_must_not_decide(world: World, at: datetime) -> None:
    own = submit(world, "ivy", at, affiliation="Text laboratory")
    same_lab = submit(world, "finn", at, affiliation="text laboratory")
    spoken = risky(world, at, "lou")
    approve(world, spoken, at, "hal")
    balance_queue(SWEEPER, at=at)
    assert (expected_of(own), expected_of(same_lab)) == ("", ""), "nobody else owns them: they wait for another lead"
    assert expected_of(spoken) in ("ben", "ivy")
    give_role(world.actor("ada"), world.people["jo"], "access_lead", reason="new post", at=at)
    balance_queue(SWEEPER, at=at)
    assert (expected_of(own), expected_of(same_lab)) == ("jo", "jo")


def test_the_database_expects_nothing_of_the_applicant(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at)
    with pytest.raises(IntegrityError), transaction.atomic():
        Application.objects.filter(pk=sent.pk).update(assigned_to=sent.applicant)


def test_whoever_has_their_hands_full_is_offered_nothing_new(
    world: World, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = submit(world, "finn", at), submit(world, "lou", at + MINUTE)
    monkeypatch.setattr("release_portal.access.queue.load_rules.CAP", 1)
    balance_queue(SWEEPER, at=at + MINUTE)
    assert (expected_of(first), expected_of(second)) == ("ivy", "")
    assert next_for(desk_of(world.actor("ivy")), at) == first, "what is expected of her is still offered"
    claim_application(world.actor("ivy"), first.pk, at=at + MINUTE)
    assert next_for(desk_of(world.actor("ivy")), at + MINUTE) is None
    assert Load("1", "x", 0, 1).has_room is False
    assert CAP > 1


def test_what_is_expected_of_me_is_offered_before_an_older_one_of_somebody_else(world: World, at: datetime) -> None:
    theirs, mine = risky(world, at, "finn"), risky(world, at + MINUTE, "lou")
    Application.objects.filter(pk=theirs.pk).update(assigned_to=world.people["hal"])
    Application.objects.filter(pk=mine.pk).update(assigned_to=world.people["ben"])
    ben = desk_of(world.actor("ben"))
    assert next_for(ben, at + MINUTE) == mine
    claim_application(world.actor("ben"), mine.pk, at=at + MINUTE)
    assert next_for(ben, at + MINUTE) == theirs, "a suggestion closes nothing to others"


def test_a_lease_that_nobody_used_ends_and_another_person_is_expected(world: World, at: datetime) -> None:
    sent = risky(world, at)
    claim_application(world.actor("ivy"), sent.pk, at=at)
    assert in_hand(at)["ivy"] == (1, 0)
    assert balance_queue(SWEEPER, at=at + LEASE - MINUTE) == 0
    assert balance_queue(SWEEPER, at=at + LEASE) == 1
    assert expected_of(sent) in ("hal", "ben")
    event = AuditEvent.objects.get(kind="application.lease_ended")
    assert (event.actor_name, event.reason) == (SWEEPER.name, "its time was over")
    assert fresh(sent).version == sent.version, "no form grows old by it"


def test_T6_a_reviewer_who_loses_the_role_in_mid_review_leaves_nothing_stuck(world: World, at: datetime) -> None:
    spoken, looked_at, owed = risky(world, at, "finn"), risky(world, at, "lou"), risky(world, at, "gia")
    approve(world, spoken, at, "ben")
    claim_application(world.actor("ben"), looked_at.pk, at=at)
    Application.objects.filter(pk=owed.pk).update(assigned_to=world.people["ben"])
    take_role(world.actor("ada"), world.people["ben"], "safety_reviewer", reason="moved on", at=at)
    balance_queue(SWEEPER, at=at + MINUTE)
    assert all(expected_of(one) in ("ivy", "hal") for one in (spoken, looked_at, owed))
    assert fresh(looked_at).claimed_by is None
    event = AuditEvent.objects.get(kind="application.lease_ended")
    assert event.reason == "its holder no longer reviews"
    assert approve(world, spoken, at + MINUTE, "ivy") is None, "the voice of who left counts no more"
    assert approve(world, spoken, at + MINUTE, "hal"), "and two others decide"
    assert ReviewVote.objects.filter(voter=world.people["ben"]).count() == 1, "it stays on record"


def test_T23_a_suggestion_tells_nobody(world: World, at: datetime) -> None:
    submit(world, "finn", at)
    before = Notice.objects.count()
    balance_queue(SWEEPER, at=at)
    assert Notice.objects.count() == before


# --- What silence of ours means --------------------------------------------------------------------------------------


def told_of_promises() -> dict[str, int]:
    found: dict[str, int] = {}
    for name in Notice.objects.filter(kind="application_promise").values_list("recipient__username", flat=True):
        found[name] = found.get(name, 0) + 1
    return found


def test_T23_the_lead_is_told_at_80_the_others_at_100_and_a_counter_shows_150_percent(
    world: World, at: datetime
) -> None:
    sent = submit(world, "finn", at)
    assert sent.due_at is not None
    steps = {step: moment_of(step, sent.due_at, 1) for step in (80, 100, 150)}
    tell_of_promises(SWEEPER, at=steps[80] - MINUTE)
    assert told_of_promises() == {}
    tell_of_promises(SWEEPER, at=steps[80])
    assert told_of_promises() == {"ivy": 1}
    tell_of_promises(SWEEPER, at=steps[100])
    assert told_of_promises() == {"ivy": 1, "hal": 1, "ben": 1}
    assert late_counts(steps[100] + MINUTE) == {"late": 1, "very_late": 0}
    tell_of_promises(SWEEPER, at=steps[150])
    assert late_counts(steps[150]) == {"late": 1, "very_late": 1}
    assert told_of_promises() == {"ivy": 1, "hal": 1, "ben": 1}


def test_T41_silence_of_400_days_tells_each_step_once_and_decides_nothing(world: World, at: datetime) -> None:
    sent, shared = submit(world, "finn", at), risky(world, at, "ivy")
    grants = Grant.objects.count()
    for day in (*range(0, 40, 2), *range(40, 401, 20)):
        balance_queue(SWEEPER, at=at + day * DAY)
        tell_of_promises(SWEEPER, at=at + day * DAY)
    assert [fresh(one).state for one in (sent, shared)] == ["submitted", "submitted"]
    assert Grant.objects.count() == grants
    assert told_of_promises() == {"ivy": 1, "hal": 2, "ben": 2}, "ivy is not told about her own"
    events = AuditEvent.objects.filter(kind="application.escalated")
    assert events.count() == 6
    assert {one.actor_name for one in events} == {SWEEPER.name}, "T26"


def test_after_an_outage_every_step_is_made_good_once(world: World, at: datetime) -> None:
    submit(world, "finn", at)
    assert tell_of_promises(SWEEPER, at=at + 60 * DAY) == 3
    assert tell_of_promises(SWEEPER, at=at + 61 * DAY) == 0
    assert told_of_promises() == {"ivy": 1, "hal": 1, "ben": 1}


def test_while_the_applicant_is_asked_nobody_is_told(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at)
    tell_of_promises(SWEEPER, at=at)
    asked = ask_applicant(world.actor("ivy"), sent.pk, question="Why?", expected_version=sent.version, at=at)
    assert tell_of_promises(SWEEPER, at=at + 20 * DAY) == 0
    back = answer_question(world.actor("finn"), sent.pk, answer="So.", expected_version=asked.version, at=at + 20 * DAY)
    assert tell_of_promises(SWEEPER, at=at + 20 * DAY) == 0, "the clock goes on with what was left"
    assert back.due_at is not None
    assert tell_of_promises(SWEEPER, at=back.due_at) == 2


# --- Kept tiers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["partner", "research_hosted", "research_weights", "disclosed"])
def test_the_kept_tier_is_the_computed_one_also_after_the_size_moved(world: World, at: datetime, stage: str) -> None:
    sent = [submit(world, "finn", at), risky(world, at, "lou"), submit(world, "gia", at, functions=("detect",))]
    assert not stale_tiers().exists()
    Standing.objects.filter(size=world.size).update(stage=stage)
    refresh_tiers(at=at)
    assert not stale_tiers().exists()
    largest = largest_open()
    for one in Application.objects.filter(pk__in=[one.pk for one in sent]).select_related("size__standing"):
        assert one.tier == risk_facing(one, largest, at).tier
        assert one.version == fresh(one).version


def test_another_largest_open_size_makes_kept_tiers_be_worked_out_anew(world: World, at: datetime) -> None:
    submit(world, "finn", at)
    before = largest_open()
    Standing.objects.exclude(size=world.size).update(stage="disclosed")
    assert largest_open() != before
    assert refresh_tiers(at=at) == 1
    assert refresh_tiers(at=at) == 0


def test_a_decision_asks_the_rule_and_never_the_kept_tier(world: World, at: datetime) -> None:
    sent = risky(world, at)
    Application.objects.filter(pk=sent.pk).update(tier=0)
    assert approve(world, sent, at, "ivy") is None


# --- Search ----------------------------------------------------------------------------------------------------------


def test_search_finds_by_each_word(world: World, at: datetime) -> None:
    finn = submit(world, "finn", at - 9 * DAY, affiliation="Institute of Tides")
    lou = risky(world, at, "lou")
    gone = submit(world, "gia", at)
    withdraw_application(world.actor("gia"), gone.pk, expected_version=gone.version, at=at)

    def found(**words: str) -> set[str]:
        return {one.pk for one in applications_found(world.actor("ivy"), search_of(words), at=at)}

    everything = {finn.pk, lou.pk, gone.pk}
    assert found() == found(state="nonsense", tier="9", age="x") == everything
    assert found(applicant="FIN") == found(affiliation="tides") == found(id=finn.pk[:6]) == {finn.pk}
    assert found(applicant=world.people["lou"].email) == found(tier="2") == {lou.pk}
    assert found(size="smollm2", age="5") == {finn.pk}
    assert found(size="nothing of the kind") == set()
    assert found(state="waiting") == {finn.pk, lou.pk}
    assert (found(state="ended"), found(state="withdrawn")) == ({gone.pk}, {gone.pk})
    assert found(state="resting") == set()


@pytest.mark.parametrize("name", ["finn", "cleo", "ada", "gia", "anonymous"])
def test_nobody_else_finds_anything(world: World, at: datetime, name: str) -> None:
    submit(world, "finn", at)
    assert not applications_found(world.actor(name), Search(), at=at).exists()


# --- Status and figures ----------------------------------------------------------------------------------------------


def steps_of(application: Application, at: datetime) -> list[tuple[str, str]]:
    return [(one.code, one.standing) for one in status_of(fresh(application), at=at).steps]


def test_the_status_names_step_owner_next_act_and_rests(world: World, at: datetime) -> None:
    sent = risky(world, at)
    assert steps_of(sent, at) == [
        ("write", "done"), ("review", "now"), ("second", "later"), ("decision", "later"),
    ]  # fmt: skip
    status = status_of(fresh(sent), at=at)
    assert (status.owner, status.next_act, status.people, status.place) == ("two", "review", 2, 1)
    asked = ask_applicant(world.actor("ivy"), sent.pk, question="Why?", expected_version=sent.version, at=at)
    status = status_of(fresh(sent), at=at + 2 * DAY)
    assert (status.owner, status.next_act, status.clock, status.place) == ("applicant", "answer", None, 0)
    assert (status.paused, status.is_paused) == (2 * DAY, True)
    answer_question(world.actor("finn"), sent.pk, answer="So.", expected_version=asked.version, at=at + 3 * DAY)
    status = status_of(fresh(sent), at=at + 9 * DAY)
    assert (status.paused, status.is_paused) == (3 * DAY, False)
    approve(world, sent, at + 3 * DAY, "ivy")
    assert ("second", "now") in steps_of(sent, at)
    assert status_of(fresh(sent), at=at).owner == "second"
    approve(world, sent, at + 3 * DAY, "ben")
    assert {standing for _code, standing in steps_of(sent, at)} == {"done"}
    status = status_of(fresh(sent), at=at)
    assert (status.owner, status.next_act, status.place) == ("", "", 0)


def test_what_to_expect_rests_on_the_decisions_of_the_same_tier_in_the_last_90_days(world: World, at: datetime) -> None:
    start = datetime.fromisoformat("2026-03-02T09:00:00+00:00")  # a Monday
    agreement_day = write_agreement(DEMO, at=start)
    assert agreement_day
    for days, name in enumerate(("finn", "gia", "kim", "jo"), start=1):
        refuse(world, submit(world, name, start), start + days * DAY)
    waiting = submit(world, "lou", start + 4 * DAY)

    def expected() -> Range | None:
        return status_of(fresh(waiting), at=start + 4 * DAY).expected

    assert expected() is None, "four are too few to say"
    ended = risky(world, start, "ada")
    refuse(world, ended, start + DAY)
    refuse(world, ended, start + DAY, "ben")
    assert expected() is None, "another tier"
    refuse(world, submit(world, "olu", start), start + 4 * DAY)
    assert expected() == Range(3, 4, 5)
    assert status_of(fresh(waiting), at=start + 95 * DAY).expected is None, "the last 90 days only"


def test_figures_name_no_applicant_and_count_what_waits(world: World, at: datetime) -> None:
    submit(world, "finn", at - 30 * DAY)
    split = risky(world, at - DAY, "lou")
    approve(world, split, at, "ivy")
    refuse(world, split, at, "ben")
    refuse(world, split, at, "hal")
    same = risky(world, at - DAY, "gia")
    refuse(world, same, at, "ivy")
    refuse(world, same, at, "ben")
    found = figures_at(at)
    assert (found.agreed, found.disagreed) == (1, 1)
    assert sum(count for _days, count in found.ages) == 1
    assert found.ages[-1] == (0, 1)
    assert found.late == 1
    assert all(one.took is None for one in found.steps), "too few to say"
    text = repr(found)
    assert not any(name in text.lower() for name in ("finn", "lou", "gia"))


def test_due_dates_do_not_move_with_a_kept_tier(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at)
    Standing.objects.filter(size=world.size).update(stage="partner")
    refresh_tiers(at=at)
    now = fresh(sent)
    assert (now.tier, now.due_at) == (2, due_after(at, 1))
