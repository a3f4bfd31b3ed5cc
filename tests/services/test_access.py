"""T8: list, page, enqueue and permit agree, for every stage, actor, action and grant state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import product
from typing import Any

import pytest
import redis
from django.core.management import call_command
from django.db import transaction

from inference.contract import POLICY_KEY, Function, SamplingSettings
from release_portal.access.agreements.rules import GRACE
from release_portal.access.grant_rules import GRANT, STORED, GrantFacts, Pause, state_at
from release_portal.access.lookups import decisions_for, size_for, sizes_for
from release_portal.access.models import AgreementVersion, Grant, GrantFunction, Obligation
from release_portal.access.obligations.rules import PAUSE_AFTER
from release_portal.access.policy import (
    GRANT_FUNCTIONS,
    NEEDS_WEIGHTS,
    POLICY_MARK,
    Action,
    Facts,
    decide,
    permitting_grant,
)
from release_portal.accounts.roles import Role
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import NotFound, PortalError, error_of
from release_portal.epochs.services import advance_epoch, grant_key, numbers_of, size_key
from release_portal.jobs.models import Job
from release_portal.jobs.services import PERMIT_LASTS, JobRequest, submit_job
from release_portal.registry.models import ModelSize, Revision
from release_portal.releases.hold_rules import Restriction
from release_portal.releases.ladder import LADDER
from release_portal.releases.models import Hold, Standing
from tests.fakes import permits, queued_messages, queues
from tests.world import SERVED, World, stored_digest

DAY = timedelta(days=1)
STAGES = [stage.slug for stage in LADDER]
PEOPLE = ("ada", "gia", "cleo", "anonymous")  # staff, reviewer from outside, researcher, stranger
SCOPES: tuple[frozenset[str] | None, ...] = (
    None,
    frozenset({"generate"}),
    frozenset({"catalogue:read"}),
    frozenset({"detect", "catalogue:read"}),
)
# How the holder's grant stands: stored state, start and end in days from now.
TIMES: dict[str, tuple[str, int, int]] = {
    "active": ("active", -1, 1),
    "scheduled": ("scheduled", 1, 2),
    "started but still called scheduled": ("scheduled", -1, 1),
    "not started but called active": ("active", 1, 2),
    "ended and not swept": ("active", -2, 0),
    "suspended": ("suspended", -1, 1),
    "expired": ("expired", -1, 1),
    "surrendered": ("surrendered", -1, 1),
    "revoked": ("revoked", -1, 1),
    "closed": ("closed", -1, 1),
    "duty overdue": ("active", -1, 1),
    "duty overdue for long": ("active", -1, 1),
    "duty waived": ("active", -1, 1),
    "terms in grace": ("active", -1, 1),
    "terms lapsed": ("active", -1, 1),
    "terms lapsed and suspended": ("suspended", -1, 1),
}
# How many days ago a duty was due, and whether it is waived now.
DUTIES = {"duty overdue": (13, False), "duty overdue for long": (14, False), "duty waived": (14, True)}
# How many days ago a material version took effect that nobody has signed.
UNSIGNED = {"terms in grace": 29, "terms lapsed": 30, "terms lapsed and suspended": 31}
KINDS = ("research", "partner")
FUNCTIONS = (("generate",), ("detect", "weights"), ())
# Only these can be carried by a grant; the others are asked with one choice of its functions.
CARRIED = (Action.VIEW, *GRANT_FUNCTIONS)
# What is in force on the size, and whether the store holds its weights.
CIRCUMSTANCES: dict[str, tuple[Restriction | None, bool]] = {
    "served": (None, True),
    "stopped": (Restriction("R5"), True),
    "without weights": (None, False),
    "detection off": (Restriction("R2", functions=frozenset({"detect"})), True),
    "partners suspended": (Restriction("R3", cohort="partner"), True),
    "public suspended": (Restriction("R3", cohort="public"), True),
}


COMMON = ("served", "stopped", "without weights")


@dataclass(frozen=True)
class Case:
    """One way in which the grant, the size and the store may stand."""

    grant: str
    kind: str
    functions: tuple[str, ...]
    circumstance: str


def cases() -> Iterator[Case]:
    """Every combination, but R2 and R3 meet a good grant only; no grant at all is one more."""
    for values in product(TIMES, KINDS, FUNCTIONS, CIRCUMSTANCES):
        if values[0] == "active" or values[3] in COMMON:
            yield Case(*values)
    yield from (Case("none", "research", (), circumstance) for circumstance in CIRCUMSTANCES)


@pytest.fixture
def sizes(world: World) -> dict[str, ModelSize]:
    """One size per stage, each with weights: one question to the list is then asked of all stages at once."""
    chosen = dict(zip(STAGES, ModelSize.objects.order_by("pk"), strict=False))
    assert len(chosen) == len(LADDER)
    Grant.objects.update(state="revoked")
    Revision.objects.all().delete()
    for stage, size in chosen.items():
        Standing.objects.filter(size=size).update(stage=stage)
        ModelSize.objects.filter(pk=size.pk).update(context=64)
        Revision.objects.create(
            size=size,
            commit="c",
            digest=stored_digest(),
            total_bytes=1,
            source="x",
            is_current=True,
            created_at=world.at,
        )
    return {stage: ModelSize.objects.get(pk=size.pk) for stage, size in chosen.items()}


def arrange(world: World, sizes: dict[str, ModelSize], case: Case) -> dict[str, Grant]:
    """Write the case into the database: the same grant for each person of the cast that is no stranger."""
    restriction, has_weights = CIRCUMSTANCES[case.circumstance]
    Hold.objects.all().delete()
    if restriction is not None:
        Hold.objects.bulk_create([hold_of(size, restriction, world.at) for size in sizes.values()])
    Revision.objects.update(is_current=has_weights)
    if case.grant == "none":
        return {}
    if case.grant in UNSIGNED:
        since = world.at - UNSIGNED[case.grant] * DAY
        AgreementVersion.objects.create(
            number=1, text="x", sha256="x", effective_from=since, published_by="x", published_at=since
        )
    state, start, end = TIMES[case.grant]
    grants = {
        name: Grant(
            pk=f"t8-{name}", holder=world.people[name], kind=case.kind, purpose="x", state=state,
            starts_at=world.at + start * DAY, ends_at=world.at + end * DAY, tokens_per_day=10**6,
            requests_per_minute=10**4, concurrent=10**4, created_at=world.at,
        )
        for name in PEOPLE if name != "anonymous"
    }  # fmt: skip
    Grant.objects.bulk_create(grants.values())
    through = Grant.sizes.through
    through.objects.bulk_create(
        [through(grant_id=grant.pk, modelsize_id=size.pk) for grant in grants.values() for size in sizes.values()]
    )
    GrantFunction.objects.bulk_create(
        [GrantFunction(grant=grant, name=name) for grant in grants.values() for name in case.functions]
    )
    if case.grant in DUTIES:
        Obligation.objects.bulk_create([duty_of(grant, case, world.at) for grant in grants.values()])
    return grants


def duty_of(grant: Grant, case: Case, at: datetime) -> Obligation:
    """A duty of the grant, overdue by the days that the case names."""
    days, is_waived = DUTIES[case.grant]
    waiver = {"waived_at": at - DAY, "waived_until": at + DAY, "waiver_reason": "x"} if is_waived else {}
    return Obligation(grant=grant, code="Q06", what="x", due_at=at - days * DAY, created_at=at, **waiver)


def hold_of(size: ModelSize, restriction: Restriction, at: datetime) -> Hold:
    """The restriction as the database holds it."""
    return Hold(
        size=size, reason="x", raised_by="x", raised_at=at, level=restriction.level, cohort=restriction.cohort,
        stops_use=restriction.level == "R5", functions=sorted(restriction.functions),
    )  # fmt: skip


@contextmanager
def arranged(world: World, sizes: dict[str, ModelSize], case: Case) -> Iterator[dict[str, Grant]]:
    """The case, for as long as it is looked at."""
    with transaction.atomic():
        yield arrange(world, sizes, case)
        transaction.set_rollback(True)


def facts_of(actor: Actor, stage: str, case: Case, at: datetime) -> Facts:
    """The case as the pure rule knows it, written down without the database."""
    restriction, has_weights = CIRCUMSTANCES[case.circumstance]
    grants: tuple[GrantFacts, ...] = ()
    if case.grant != "none" and actor.is_person:
        state, start, end = TIMES[case.grant]
        functions = frozenset(case.functions)
        days = at + start * DAY, at + end * DAY
        grants = (GrantFacts(f"t8-{actor.name}", state, case.kind, functions, *days, pauses=pauses_of(case)),)
    restrictions = (restriction,) if restriction else ()
    is_stopped = any(one.level == "R5" for one in restrictions)
    return Facts(actor, stage, is_stopped, has_weights, grants, at, restrictions)


def pauses_of(case: Case) -> tuple[Pause, ...]:
    """What rests the grants of the case; grace rests nothing."""
    codes = ["terms_lapsed"] if UNSIGNED.get(case.grant, 0) >= GRACE.days else []
    days, is_waived = DUTIES.get(case.grant, (0, False))
    codes += ["obligation_overdue"] if days >= PAUSE_AFTER.days and not is_waived else []
    return tuple(Pause(code, "", "") for code in codes)


def test_T8_the_cases_are_complete(world: World, at: datetime) -> None:
    """A new grant state, function, kind or circumstance must come into the enumeration."""
    cleo, of_grants = world.actors["cleo"], [case for case in cases() if case.grant != "none"]
    assert {state for state, _, _ in TIMES.values()} == set(STORED)
    assert {state_at(facts_of(cleo, "partner", case, at).grants[0], at) for case in of_grants} == set(GRANT.states)
    assert {name for names in FUNCTIONS for name in names} == set(GRANT_FUNCTIONS.values())
    assert {kind for kind, _ in Grant._meta.get_field("kind").choices} == set(KINDS)
    assert set(GRANT_FUNCTIONS) == NEEDS_WEIGHTS
    each, rare = len(KINDS) * len(FUNCTIONS), len(CIRCUMSTANCES) - len(COMMON)
    assert len(list(cases())) == each * (len(TIMES) * len(COMMON) + rare) + len(CIRCUMSTANCES)


@pytest.mark.parametrize("circumstance", CIRCUMSTANCES)
@pytest.mark.parametrize("grant", ["none", *TIMES])
def test_T8_list_and_page_agree_with_the_rule(
    world: World, sizes: dict[str, ModelSize], grant: str, circumstance: str
) -> None:
    """Full product: stage x actor and token scopes x action x grant state, kind, functions x restriction, weights.

    Seen to fail with `ends_at__gt` removed from `Grant.in_force`, with the scope check removed from `sizes_for`, with
    kind="partner" removed from `_open_to`, with `_switched_off`, `suspended` or `_open_to_the_public`
    left out, with the refusals in `decide` joined by `or`, and with `person_pauses` or `resting` left out of
    `_granted`.
    """
    askers = [world.actors[name] for name in PEOPLE]
    askers += [replace(world.actors["cleo"], scopes=scopes) for scopes in SCOPES[1:]]
    pages = askers[2:4]  # the facts of a page rest on the grants alone, and these two hold one or none
    fetched = ModelSize.objects.select_related("standing").prefetch_related("revisions")
    slugs = {size.slug: stage for stage, size in sizes.items()}
    for case in (one for one in cases() if (one.grant, one.circumstance) == (grant, circumstance)):
        with arranged(world, sizes, case):
            found = {size.standing.stage: size for size in fetched.filter(pk__in=[size.pk for size in sizes.values()])}
            for actor in filter(partial(_asks, case), askers):
                wanted = {stage: _decisions(facts_of(actor, stage, case, world.at)) for stage in STAGES}
                for stage, size in found.items() if actor in pages else ():
                    assert _codes(decisions_for(actor, size, at=world.at)) == _codes(wanted[stage]), (
                        case,
                        stage,
                        actor,
                    )
                for action in Action if case.functions == FUNCTIONS[0] or case.grant == "none" else CARRIED:
                    listed = {slugs[slug] for slug in _slugs(actor, action, world.at) if slug in slugs}
                    assert listed == {stage for stage in STAGES if wanted[stage][action]}, (case, actor, action)


def _asks(case: Case, actor: Actor) -> bool:
    """The researcher asks in every case; a stranger holds no grant; roles and scopes cut across the grant states."""
    if case.grant == "none" or (actor.name == "cleo" and actor.scopes is None):
        return True
    if actor.scopes is not None:
        return case.functions == FUNCTIONS[0]
    return actor.is_person and case.kind == "partner"


def _decisions(facts: Facts) -> dict[Action, Decision]:
    return {action: decide(facts, action) for action in Action}


def _codes(decisions: dict[Action, Decision]) -> dict[Action, tuple[bool, str, bool]]:
    return {action: (one.allowed, one.code, one.hide) for action, one in decisions.items()}


def _slugs(actor: Actor, action: Action, at: datetime) -> list[str]:
    return list(sizes_for(actor, action, at=at).values_list("slug", flat=True).order_by())


def _is_looked_up(case: Case) -> bool:
    """A restriction cuts across the grant states: here it meets those without and with a good grant only."""
    return case.circumstance == "served" or case.grant in ("none", "active")


@pytest.mark.parametrize("stage", STAGES)
def test_T8_the_lookup_of_one_size_raises_what_the_rule_says(
    world: World, sizes: dict[str, ModelSize], stage: str
) -> None:
    """`size_for`, which every page and service uses: its facts are those of `decisions_for`, its errors are here."""
    actions = (Action.VIEW, Action.GENERATE, Action.DOWNLOAD_WEIGHTS)
    for case in (one for one in cases() if one.functions != () or one.grant == "none"):
        if not _is_looked_up(case) or (case.kind == "research" and stage != "partner" and case.grant != "none"):
            continue
        with arranged(world, sizes, case):
            for name, action in product(("cleo", "anonymous") if case.grant == "none" else ("cleo",), actions):
                actor = world.actors[name]
                facts = facts_of(actor, stage, case, world.at)
                decision = decide(facts, action)
                found = _outcome(partial(size_for, actor, sizes[stage].slug, action, at=world.at))
                if isinstance(found, PortalError):
                    assert not decision, (case, name, action)
                    assert (type(found), found.code) == (type(error_of(decision)), error_of(decision).code)
                    continue
                carrying = permitting_grant(facts, action)
                assert decision, (case, name, action)
                assert found.decision.code == decision.code
                assert (found.grant.pk if found.grant else None) == (carrying.id if carrying else None)


def _outcome(work: Callable[[], Any]) -> Any:
    """What the work returns, or the refusal that it raises."""
    try:
        return work()
    except PortalError as error:
        return error


@pytest.mark.parametrize("stage", STAGES)
def test_T8_enqueue_and_permit_agree_with_the_rule(
    world: World, sizes: dict[str, ModelSize], service: redis.Redis, committed: Callable[[], Any], stage: str
) -> None:
    """What the rule allows is queued under a permit with the epochs of size and grant; what it refuses leaves nothing.

    Seen to fail with the grant's epoch left out of the permit.
    """
    slug = sizes[stage].slug
    request = JobRequest(slug, Function.GENERATE, "Once", SamplingSettings(max_tokens=4))
    for case in filter(_is_looked_up, cases()):
        if case.grant != "none" and stage not in ("partner", "research_hosted") and case.kind == "partner":
            continue  # where nobody or everyone signed in may, the kind of a grant says nothing
        with arranged(world, sizes, case):
            advance_epoch(grant_key("t8-cleo"))
            for actor in _askers(world, case):
                facts = facts_of(actor, stage, case, world.at)
                decision = decide(facts, Action.GENERATE)
                before = Job.objects.count()
                with committed():
                    found = _outcome(partial(submit_job, actor, request, at=world.at))
                if isinstance(found, PortalError):
                    assert not decision, (case, actor)
                    assert found.code == error_of(decision).code
                    assert (Job.objects.count(), queued_messages(service)) == (before, [])
                    continue
                assert decision, (case, actor)
                _check_permit(service, found, permitting_grant(facts, Action.GENERATE))


def _askers(world: World, case: Case) -> list[Actor]:
    """With a good grant or none also strangers and tokens ask."""
    cleo = world.actors["cleo"]
    if case.grant not in ("none", "active"):
        return [cleo]
    return [cleo, world.actors["anonymous"], replace(cleo, scopes=SCOPES[1]), replace(cleo, scopes=SCOPES[2])]


def _check_permit(client: redis.Redis, job: Job, carrying: GrantFacts | None) -> None:
    (permit,) = permits(client)
    # Each case undoes its rows, and Redis knows of no undoing.
    client.delete(*queues(client), *client.scan_iter("quota:*"))
    keys = {size_key(job.size.slug)} | ({grant_key(carrying.id)} if carrying else set())
    assert permit.epochs == numbers_of(keys) | {POLICY_KEY: POLICY_MARK}
    assert (permit.job_id, permit.size_id, permit.function) == (job.pk, job.size.slug, "generate")
    assert permit.weights_digest == job.weights_digest == stored_digest()
    assert job.grant_id == (carrying.id if carrying else None)
    assert permit.expires_at <= (carrying.ends_at if carrying else job.created_at + PERMIT_LASTS).timestamp()
    assert job.quota_holder == (f"grant:{carrying.id}" if carrying else f"account:{job.account_id}")


def test_T19_an_unknown_size_and_an_undisclosed_one_cannot_be_told_apart(world: World, at: datetime) -> None:
    """T19. Seen to fail with a reason of its own for one of the two."""
    Standing.objects.filter(size=world.size).update(stage="registered")
    answers = []
    for slug in (world.size.slug, "nobody/nothing"):
        with pytest.raises(NotFound) as caught:
            size_for(world.actor("finn"), slug, Action.VIEW, at=at)
        answers.append((caught.value.code, caught.value.reason, caught.value.change, caught.value.rule))
    assert answers[0] == answers[1]


def test_T15_a_new_size_never_enters_an_old_grant(world: World, at: datetime) -> None:
    other = ModelSize.objects.exclude(pk=world.size.pk).first()
    assert other is not None
    Standing.objects.filter(size=other).update(stage="research_hosted")
    assert decisions_for(world.actor("cleo"), other, at=at)[Action.GENERATE].code == "no_grant"


def test_the_explanation_on_the_command_line_is_the_decision(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    for name, code in (("cleo", "allowed: grant"), ("dan", "grant_expired"), ("eve", "grant_suspended"),
                       ("finn", "no_grant"), ("anonymous", "sign_in")):  # fmt: skip
        call_command("explain_access", name, SERVED, "generate")
        assert code in capsys.readouterr().out.splitlines()[0], name


def test_every_role_is_known_to_the_enumeration_by_its_effect(world: World) -> None:
    """T8 asks as staff, reviewer, researcher and stranger: no role makes a fifth kind of asker."""
    for role in Role:
        with_role = replace(world.actors["finn"], roles=frozenset({role.value}))
        same = world.actors["gia"] if role is Role.EXTERNAL_REVIEWER else world.actors["ada"]
        for stage, action in product(STAGES, Action):
            one, other = (decide(Facts(who, stage, False, True, (), world.at), action) for who in (with_role, same))
            assert (one.allowed, one.code) == (other.allowed, other.code)
