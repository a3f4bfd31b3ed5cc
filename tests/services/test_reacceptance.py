"""A material version asks for a new signature: grace, pause, resume; consent that is taken back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import redis

from inference.contract import Function, SamplingSettings
from release_portal.access.agreements.reminders import remind_of_agreements
from release_portal.access.agreements.rules import GRACE, Standing
from release_portal.access.agreements.services import accept_in_force, agreement_in_force, withdraw_signature
from release_portal.access.agreements.signatures import signature_of, signatures_of
from release_portal.access.lookups import size_for, sizes_for
from release_portal.access.models import Grant, Signature
from release_portal.access.pausing import pauses_on, person_pauses, state_of
from release_portal.access.policy import Action
from release_portal.audit.models import AuditEvent
from release_portal.core.actors import ANONYMOUS, Actor, system_actor
from release_portal.core.errors import InvalidInput, NotAllowed, NotNow
from release_portal.epochs.services import grant_key, numbers_of
from release_portal.jobs.services import JobRequest, submit_job
from release_portal.notices.models import Notice
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from tests.services.agreeing import next_version
from tests.world import SERVED, World

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
REQUEST = JobRequest(SERVED, Function.GENERATE, "Once", SamplingSettings(max_tokens=4))


@pytest.fixture(autouse=True)
def second(world: World, at: datetime) -> datetime:
    """Cleo signed the first version; a material second one is in force since now."""
    write_agreement(DEMO, at=at - 100 * DAY)
    next_version(world, "Other terms.", at=at)
    return at


def may(world: World, at: datetime, name: str = "cleo") -> bool:
    """List and single answer, which agree."""
    listed = sizes_for(world.actor(name), Action.GENERATE, at=at).filter(slug=SERVED).exists()
    try:
        size_for(world.actor(name), SERVED, Action.GENERATE, at=at)
    except (NotNow, NotAllowed):
        assert not listed
        return False
    assert listed
    return True


def sign(world: World, at: datetime, name: str = "cleo") -> Signature:
    return accept_in_force(world.actor(name), agreement_in_force(at).sha256, at=at)


def test_everything_works_in_grace_and_rests_after_it(world: World, at: datetime) -> None:
    cleo = world.people["cleo"].pk
    assert signature_of(cleo, at - SECOND).standing is Standing.SIGNED
    assert signature_of(cleo, at).standing is Standing.STALE
    assert may(world, at + GRACE - SECOND)
    assert not may(world, at + GRACE)
    assert state_of(world.grants["cleo"], at + GRACE) == "paused"


def test_T9_a_pause_begins_and_ends_though_nobody_sweeps(world: World, at: datetime) -> None:
    """Nothing is written in between: the state on record stays what people granted."""
    events = AuditEvent.objects.count()
    assert not may(world, at + GRACE)
    assert (Grant.objects.get(pk=world.grants["cleo"].pk).state, AuditEvent.objects.count()) == ("active", events)
    sign(world, at + GRACE + DAY)
    assert may(world, at + GRACE + DAY)


def test_a_paused_request_is_refused_as_not_now_and_says_which_version_to_sign(
    world: World, service: redis.Redis, at: datetime, committed: Callable[[], Any]
) -> None:
    with committed():
        running = submit_job(world.actor("cleo"), REQUEST, at=at + GRACE - SECOND)
    epoch = numbers_of([grant_key(world.grants["cleo"].pk)])
    with pytest.raises(NotNow) as caught:
        submit_job(world.actor("cleo"), REQUEST, at=at + GRACE)
    assert (caught.value.code, caught.value.status) == ("terms_lapsed", 409)
    assert caught.value.change == "Sign version 2; it works again at once."
    running.refresh_from_db()
    assert running.is_open, "running work finishes"
    assert numbers_of([grant_key(world.grants["cleo"].pk)]) == epoch


def test_a_minor_version_asks_for_nothing(world: World, at: datetime) -> None:
    sign(world, at)
    next_version(world, "Commas.", at=at + DAY, is_material=False)
    assert signature_of(world.people["cleo"].pk, at + 400 * DAY).standing is Standing.SIGNED


def test_the_hash_that_was_read_is_the_one_that_is_signed(world: World, at: datetime) -> None:
    old = agreement_in_force(at).sha256
    next_version(world, "Third.", at=at + DAY)
    with pytest.raises(NotNow) as caught:
        accept_in_force(world.actor("cleo"), old, at=at + DAY)
    assert caught.value.code == "agreement_changed"
    with pytest.raises(InvalidInput):
        accept_in_force(world.actor("cleo"), "", at=at + DAY)
    assert sign(world, at + DAY).sha256 == agreement_in_force(at + DAY).sha256


@pytest.mark.parametrize("actor", [ANONYMOUS, system_actor("sweeper")])
def test_T26_nobody_signs_but_a_person(world: World, at: datetime, actor: Actor) -> None:
    with pytest.raises(NotAllowed):
        accept_in_force(actor, agreement_in_force(at).sha256, at=at)
    with pytest.raises(NotAllowed):
        withdraw_signature(actor, reason="", at=at)


def test_who_never_signed_is_treated_like_who_missed_the_first_version(world: World, at: datetime) -> None:
    assert signature_of(world.people["lou"].pk, at).standing is Standing.LAPSED
    assert person_pauses(0, at) == ()


def test_many_people_cost_as_many_queries_as_one(
    world: World, at: datetime, django_assert_num_queries: Callable[[int], Any]
) -> None:
    people = [person.pk for person in world.people.values()]
    for some in (people[:1], people):
        with django_assert_num_queries(2):
            signatures_of(some, at)
    with django_assert_num_queries(3):
        pauses_on(list(world.grants.values()), at)


# --- Told in time ----------------------------------------------------------------------------------------------------


def told(world: World, name: str = "cleo") -> list[str]:
    found = Notice.objects.filter(recipient=world.people[name], kind__startswith="agreement_").order_by("pk")
    return list(found.values_list("kind", flat=True))


def test_holders_are_told_at_the_start_14_and_3_days_before_and_at_the_lapse(world: World, at: datetime) -> None:
    for day in range(35):
        for _ in range(2):
            remind_of_agreements(at=at + day * DAY)
    assert told(world) == ["agreement_to_sign", "agreement_sign_soon", "agreement_sign_soon", "agreement_lapsed"]
    assert told(world, "finn") == [], "who holds nothing is not asked"


def test_after_the_signature_nothing_more_is_sent(world: World, at: datetime) -> None:
    remind_of_agreements(at=at)
    sign(world, at + DAY)
    for day in range(2, 40):
        remind_of_agreements(at=at + day * DAY)
    assert told(world) == ["agreement_to_sign"]


def test_after_an_outage_only_the_nearest_is_said(world: World, at: datetime) -> None:
    remind_of_agreements(at=at + 28 * DAY)
    assert told(world) == ["agreement_sign_soon"]
    assert "in 2 days" in Notice.objects.get(kind="agreement_sign_soon", recipient=world.people["cleo"]).body


# --- Consent taken back ----------------------------------------------------------------------------------------------


def test_consent_that_is_taken_back_ends_every_grant_and_stays_on_record(
    world: World, at: datetime, portal_redis: redis.Redis
) -> None:
    assert withdraw_signature(world.actor("cleo"), reason="I disagree.", at=at) == 1
    assert Grant.objects.get(pk=world.grants["cleo"].pk).state == "surrendered"
    assert not Signature.objects.standing(at).filter(account=world.people["cleo"]).exists()
    assert Signature.objects.filter(account=world.people["cleo"]).exists()
    event = AuditEvent.objects.filter(kind="agreement.withdrawn").get()
    assert (event.actor_name, event.reason, event.data["numbers"]) == ("cleo", "I disagree.", [1])
    with pytest.raises(NotNow, match="signed nothing"):
        withdraw_signature(world.actor("cleo"), reason="", at=at)


def test_who_took_consent_back_may_sign_again(world: World, at: datetime, portal_redis: redis.Redis) -> None:
    withdraw_signature(world.actor("cleo"), reason="", at=at)
    sign(world, at + DAY)
    assert signature_of(world.people["cleo"].pk, at + DAY).standing is Standing.SIGNED
    assert Grant.objects.get(pk=world.grants["cleo"].pk).state == "surrendered", "a new application is needed"


def test_T24_a_token_takes_no_consent_back(world: World, at: datetime) -> None:
    cleo = world.actor("cleo")
    token = Actor(cleo.kind, cleo.id, cleo.name, cleo.roles, frozenset({"applications:write"}))
    with pytest.raises(NotAllowed):
        withdraw_signature(token, reason="", at=at)
