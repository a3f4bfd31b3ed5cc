"""T9, T10, T14, T41: time alone ends access and never gives it; a decision outlives the request that led to it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db.models import ProtectedError

from release_portal.access.applications import save_application
from release_portal.access.grant_rules import state_at
from release_portal.access.lookups import size_for, sizes_for
from release_portal.access.models import AgreementVersion, Application, Grant
from release_portal.access.policy import Action
from release_portal.access.quota import Limits
from release_portal.access.services import GrantTerms, create_grant, suspend_grant
from release_portal.accounts.services import authenticate_token, create_token
from release_portal.audit.models import AuditEvent
from release_portal.audit.services import verify_chain
from release_portal.celery import app
from release_portal.core.actors import system_actor
from release_portal.core.errors import NotAllowed, NotAuthenticated
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from release_portal.registry.models import ModelSize
from release_portal.releases.executions import schedule_proposal
from release_portal.releases.hold_services import raise_hold
from release_portal.releases.models import Standing
from release_portal.releases.narrowings import roll_back
from tests.governance import adopt, answer_checklist, fresh, gate_of, propose, review, small_policy, supply
from tests.services.applying import answers, submit
from tests.world import SERVED, World, put_at_stage

SYSTEM = system_actor("tests")
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
PEOPLE = ("cleo", "dan", "eve", "finn", "lou", "hal", "anonymous")
CLOSELY = frozenset((1, 2, 3, 4, 5, 19, 20, 21, 30, 50, 51, 61, 91, 181, 195, 211, 366, 400))
Allowed = set[tuple[str, str, Action]]


@pytest.fixture(autouse=True)
def agreement(world: World, at: datetime) -> AgreementVersion:
    """The shipped agreement, in force for some time."""
    return write_agreement(DEMO, at=at - 100 * DAY)


def allowed(world: World, at: datetime, actions: Iterable[Action] = tuple(Action)) -> Allowed:
    """Who may do what with which size."""
    return {
        (name, slug, action)
        for name in PEOPLE
        for action in actions
        for slug in sizes_for(world.actor(name), action, at=at).values_list("slug", flat=True)
    }


def prepare(world: World, at: datetime) -> Allowed:
    """Leave everything lying that somebody could finish; return what people had granted before the safety acts."""
    other = ModelSize.objects.get(slug="openai/gpt2-124m")
    put_at_stage(other, "research_hosted", at)
    submit(world, "finn", at)
    slug = "openai/gpt2-124m"
    save_application(world.actor("lou"), slug, answers(at), expected_version=0, at=at)
    terms = GrantTerms((world.size,), ("generate",), "later", at + 20 * DAY, at + 50 * DAY, Limits(10, 10, 10))
    create_grant(SYSTEM, world.people["lou"], terms, reason="decided by people", at=at)
    granted = allowed(world, at) | allowed(world, at + 20 * DAY)
    wait_for_release(world, at)
    cleo = Grant.objects.get(pk=world.grants["cleo"].pk)
    suspend_grant(world.actor("ben"), cleo.pk, reason="Look.", expected_version=cleo.version, at=at)
    standing = Standing.objects.get(size=other)
    roll_back(world.actor("ben"), other, "disclosed", reason="Look.", expected_version=standing.version, at=at)
    raise_hold(world.actor("ben"), world.size, reason="Look.", level="R5", at=at)
    return granted


def wait_for_release(world: World, at: datetime) -> None:
    """An approved and scheduled proposal to open the served size to everyone, which nobody carries out."""
    adopt(world, small_policy(), at=at)
    proposal = propose(world, world.size, "public_hosted", at=at)
    supply(world, world.size, gate_of(proposal), at=at)
    answer_checklist(world, proposal, at=at)
    proposal = review(world, proposal, at=at)
    when = proposal.cool_off_until or at
    schedule_proposal(world.actor("jo"), proposal.pk, execute_after=when, expected_version=proposal.version, at=when)
    assert fresh(proposal).state == "scheduled"


def sweep(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    """Run everything on the schedule as if it were that time."""
    app.loader.import_default_modules()
    assert len(app.conf.beat_schedule) >= 8
    for entry in app.conf.beat_schedule.values():
        task = app.tasks[entry["task"]]
        module = sys.modules[task.run.__module__]
        for name, stand_in in (("now", lambda: at), ("close_old_connections", lambda: None)):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, stand_in)
        task()


@pytest.mark.usefixtures("portal_redis")
def test_T41_silence_for_400_days_never_yields_access_that_no_person_granted(
    world: World, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Allowed is only the lapse of one person's safety act, back to what people had granted.
    On most days only who may generate is looked at, on days when something ends everything.
    """
    granted = prepare(world, at)
    events, grants = AuditEvent.objects.latest("seq").seq, Grant.objects.count()
    came_back = False
    for day in range(1, 401):
        sweep(monkeypatch, at + day * DAY)
        found = allowed(world, at + day * DAY, Action if day in CLOSELY else (Action.GENERATE,))
        assert found <= granted, (day, found - granted)
        came_back = came_back or ("cleo", SERVED, Action.GENERATE) in found
    assert came_back, "the unconfirmed suspension and stop lapsed in between"
    acts = AuditEvent.objects.filter(seq__gt=events)
    assert set(acts.values_list("actor_kind", flat=True)) == {"system"}
    given = {"grant.created", "grant.renewed", "application.approved", "stage.advanced", "stage.set"}
    assert given.isdisjoint(acts.values_list("kind", flat=True))
    assert Grant.objects.count() == grants
    assert not Application.objects.filter(state="granted", decided_at__gt=at).exists()
    assert verify_chain().is_intact


# --- T9 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cleo", "eve"])
def test_T9_at_its_end_a_grant_opens_nothing_by_list_or_lookup_though_nobody_sweeps(world: World, name: str) -> None:
    grant = Grant.objects.get(pk=world.grants[name].pk)
    for at in (grant.ends_at, grant.ends_at + SECOND, grant.ends_at + 4000 * DAY):
        assert not sizes_for(world.actor(name), Action.GENERATE, at=at).exists()
        with pytest.raises(NotAllowed):
            size_for(world.actor(name), SERVED, Action.GENERATE, at=at)
    assert Grant.objects.get(pk=grant.pk).state == grant.state, "nobody has swept"


def test_T9_at_its_end_a_token_opens_nothing_though_nobody_sweeps(world: World, at: datetime) -> None:
    token, secret = create_token(world.actor("cleo"), world.people["cleo"], name="t", scopes=("generate",), at=at)
    type(token).objects.filter(pk=token.pk).update(ends_at=at + DAY)
    assert authenticate_token(secret, at=at + DAY - SECOND) == token
    with pytest.raises(NotAuthenticated):
        authenticate_token(secret, at=at + DAY)


# --- T10 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "days"),
    [
        (datetime(2027, 3, 28, 1, 30, tzinfo=ZoneInfo("Europe/Berlin")), 1),  # the night that loses an hour
        (datetime(2027, 10, 31, 1, 30, tzinfo=ZoneInfo("Europe/Berlin")), 1),  # the night that has one twice
        (datetime(2028, 2, 29, 12, tzinfo=UTC), 366),
        (datetime(2027, 12, 31, 23, 59, tzinfo=ZoneInfo("Pacific/Kiritimati")), 2),
    ],
)
def test_T10_a_grant_lasts_its_true_time_over_clock_changes_and_leap_days(
    world: World, start: datetime, days: int
) -> None:
    begin = start.astimezone(UTC)
    terms = GrantTerms((world.size,), ("generate",), "x", start, begin + days * DAY, Limits(1, 1, 1))
    grant = create_grant(SYSTEM, world.people["finn"], terms, reason="x", at=begin)
    facts = Grant.objects.get(pk=grant.pk).facts()
    moments = (begin - SECOND, begin, begin + days * DAY - SECOND, begin + days * DAY)
    for zone in (UTC, ZoneInfo("America/St_Johns"), ZoneInfo("Asia/Tokyo")):
        states = [state_at(facts, moment.astimezone(zone)) for moment in moments]
        assert states == ["scheduled", "active", "active", "expired"]


# --- T14 ------------------------------------------------------------------------------------------------------------


def decided(world: World, at: datetime) -> Application:
    """An application with the grant that people gave for it."""
    application = submit(world, "finn", at)
    terms = GrantTerms((world.size,), ("generate",), "x", at, at + 9 * DAY, Limits(10, 10, 10))
    grant = create_grant(SYSTEM, world.people["finn"], terms, reason="decided", at=at)
    application.grant, application.state = grant, "granted"
    application.save()
    return application


def test_T14_without_its_request_a_grant_stands_with_the_record_of_its_decision(world: World, at: datetime) -> None:
    application = decided(world, at)
    grant = application.grant
    assert grant is not None
    Application.objects.filter(pk=application.pk).delete()
    assert size_for(world.actor("finn"), SERVED, Action.GENERATE, at=at).grant == grant
    kinds = AuditEvent.objects.about(f"grant:{grant.pk}").values_list("kind", flat=True)
    assert list(kinds) == ["grant.created"]
    assert verify_chain().is_intact


def test_T14_a_grant_with_a_request_is_never_deleted_with_or_without_it(world: World, at: datetime) -> None:
    grant = decided(world, at).grant
    assert grant is not None
    with pytest.raises(ProtectedError):
        grant.delete()
