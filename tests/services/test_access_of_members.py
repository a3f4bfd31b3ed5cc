"""T8 for members: list, single answer and permit agree for every state of seat, cohort and grant, at every stage."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from itertools import product
from typing import Any

import pytest
import redis

from inference.contract import POLICY_KEY, Function, SamplingSettings
from release_portal.access.grant_rules import GrantFacts
from release_portal.access.lookups import decisions_for, size_for, sizes_for
from release_portal.access.models import AgreementVersion, Application, Cohort, Grant, Seat, Signature
from release_portal.access.people import cohort_rules, seat_rules
from release_portal.access.people.seat_rules import SeatFacts, through_seat
from release_portal.access.policy import GRANT_FUNCTIONS, POLICY_MARK, Action, Facts, decide, permitting_grant
from release_portal.core.errors import PortalError, error_of
from release_portal.epochs.services import grant_key, numbers_of, seat_key, start_epoch
from release_portal.jobs.services import JobRequest, submit_job
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from release_portal.registry.models import ModelSize
from tests.fakes import permits, queues
from tests.services.test_access import (
    FUNCTIONS,
    KINDS,
    STAGES,
    TIMES,
    UNSIGNED,
    Case,
    _outcome,
    arrange,
    arranged,
    pauses_of,
    sizes,
)
from tests.world import World

__all__ = ["sizes"]  # the fixture

DAY = timedelta(days=1)
CARRIED = (Action.VIEW, *GRANT_FUNCTIONS)
# How the member's seat stands: stored state, and its own end in days from now.
SEATS: dict[str, tuple[str, int | None]] = {
    "joined": ("joined", None),
    "joined for longer than the grant": ("joined", 9),
    "joined and ended, not swept": ("joined", 0),
    "invited": ("invited", 9),
    "suspended": ("suspended", None),
    "left": ("left", None),
    "removed": ("removed", None),
    "declined": ("declined", None),
    "expired": ("expired", 0),
}
# How the cohort stands: stored state, start and end in days, and for how many days it has had no lead.
COHORTS: dict[str, tuple[str, int, int, int | None] | None] = {
    "none": None,
    "active": ("active", -1, 1, None),
    "not begun": ("active", 1, 2, None),
    "ended and not swept": ("active", -2, 0, None),
    "without a lead for a week": ("active", -9, 1, 7),
    "without a lead for 14 days, not swept": ("active", -20, 1, 14),
    "paused": ("paused", -20, 1, 15),
    "closed": ("closed", -1, 1, None),
}
CASES = [
    *product(SEATS, ["none", "active"], ["active"]),
    *product(
        ["joined", "suspended", "expired", "left"],
        [one for one in COHORTS if one not in ("none", "active")],
        ["active"],
    ),
    *product(
        ["joined", "suspended"],
        ["none", "active", "paused"],
        [name for name in TIMES if name != "active" and name not in UNSIGNED],
    ),
]


@pytest.fixture(autouse=True)
def agreement(world: World, at: datetime) -> AgreementVersion:
    """The shipped agreement, in force for some time."""
    return write_agreement(DEMO, at=at - 100 * DAY)


def seat_somebody(world: World, grant: Grant, seat: str, cohort: str) -> Seat | None:
    """Put lou on cleo's grant, in that state."""
    at, lou, (state, days) = world.at, world.people["lou"], SEATS[seat]
    signature = None
    if state not in ("invited", "declined"):
        signature = Signature.objects.create(
            account=lou, agreement=AgreementVersion.objects.get(), sha256="x" * 64, at=at
        )
    row = Seat.objects.create(
        grant=grant,
        mail=lou.email,
        person=lou if signature else None,
        signature=signature,
        state=state,
        joined_at=at - 30 * DAY if signature else None,
        invited_at=at - 30 * DAY,
        ends_at=None if days is None else at + days * DAY,
        ended_at=at if state == "expired" else None,
    )
    start_epoch(seat_key(row.pk))
    if state == "suspended":
        row.suspensions.create(reason="Volume.", by_id="1", by_name="x", at=at)
    if COHORTS[cohort] is not None:
        put_in_cohort(world, grant, COHORTS[cohort])
    return row


def put_in_cohort(world: World, grant: Grant, values: tuple[str, int, int, int | None] | None) -> None:
    assert values is not None
    state, start, end, alone = values
    at = world.at
    Cohort.objects.create(
        application=Application.objects.create(
            applicant=world.people["finn"], size=world.size, created_at=at, saved_at=at
        ),
        grant=grant,
        kind="lab",
        seats=9,
        state=state,
        starts_at=at + start * DAY,
        ends_at=at + end * DAY,
        lead=grant.holder,
        without_lead_since=None if alone is None else at - alone * DAY,
        created_at=at,
    )


def grant_facts(world: World, case: Case, seat: str, cohort: str, seat_id: int) -> tuple[GrantFacts, ...]:
    """What the rule shall know, written down without the database."""
    at = world.at
    state, start, end = TIMES[case.grant]
    facts = GrantFacts(
        "t8-cleo", state, case.kind, frozenset(case.functions), at + start * DAY, at + end * DAY, pauses=pauses_of(case)
    )
    stored, days = SEATS[seat]
    if stored in ("left", "removed", "invited", "declined"):
        return ()
    values = COHORTS[cohort]
    ends = [at + days * DAY] if days is not None else []
    ends += [at + values[2] * DAY] if values else []
    alone = values[3] if values else None
    mine = SeatFacts(
        seat_id,
        stored,
        starts_at=at + values[1] * DAY if values else None,
        ends_at=min(ends, default=None),
        suspended_reason="Volume." if stored == "suspended" else "",
        pauses_at=None if alone is None else at + (14 - alone) * DAY,
    )
    return (through_seat(facts, mine),)


def test_T8_the_cases_of_members_are_complete() -> None:
    assert {state for state, _ in SEATS.values()} == set(seat_rules.STATES)
    assert {values[0] for values in COHORTS.values() if values} == set(cohort_rules.STATES) - {"proposed"}


def _is_closed(cohort: str) -> bool:
    """Closing ends every seat in the same transaction: a seat that is in use in a closed cohort cannot be."""
    return cohort == "closed"


@pytest.mark.parametrize("cohort", COHORTS)
def test_T8_a_members_list_and_single_answer_agree_with_the_rule(
    world: World, sizes: dict[str, ModelSize], cohort: str
) -> None:
    """Seen to fail with any line of `SeatQuerySet.usable` or of `through_seat` left out."""
    lou, slugs = world.actors["lou"], {size.slug: stage for stage, size in sizes.items()}
    for seat, _, grant in [one for one in CASES if one[1] == cohort]:
        for kind in KINDS if seat == "joined" else ("partner",):
            _check(world, sizes, slugs, lou, Case(grant, kind, FUNCTIONS[0], "served"), seat, cohort)


def _check(world: World, sizes: Any, slugs: Any, lou: Any, case: Case, seat: str, cohort: str) -> None:
    if _is_closed(cohort) and SEATS[seat][0] in ("joined", "suspended", "invited"):
        return
    with arranged(world, sizes, case) as grants:
        row = seat_somebody(world, grants["cleo"], seat, cohort)
        facts = grant_facts(world, case, seat, cohort, row.pk if row else 0)
        for action in CARRIED:
            wanted = {stage: decide(Facts(lou, stage, False, True, facts, world.at), action) for stage in STAGES}
            listed = {slugs[slug] for slug in _slugs(lou, action, world.at) if slug in slugs}
            assert listed == {stage for stage in STAGES if wanted[stage]}, (case, seat, cohort, action)
            for stage in ("partner", "research_hosted", STAGES[5]):
                found = decisions_for(lou, sizes[stage], at=world.at)[action]
                assert (found.allowed, found.code) == (wanted[stage].allowed, wanted[stage].code), (case, seat, cohort)


def _slugs(actor: Any, action: Action, at: datetime) -> list[str]:
    return list(sizes_for(actor, action, at=at).values_list("slug", flat=True).order_by())


@pytest.mark.parametrize("seat", SEATS)
def test_T8_a_members_permit_agrees_with_the_rule_and_ends_with_the_earliest_end(
    world: World, sizes: dict[str, ModelSize], service: redis.Redis, committed: Callable[[], Any], seat: str
) -> None:
    """Seen to fail with the epoch of the seat left out of the permit."""
    lou, size = world.actors["lou"], sizes["research_hosted"]
    request = JobRequest(size.slug, Function.GENERATE, "Once", SamplingSettings(max_tokens=4))
    for cohort in ("none", "active", "paused"):
        case = Case("active", "research", FUNCTIONS[0], "served")
        with arranged(world, sizes, case) as grants:
            row = seat_somebody(world, grants["cleo"], seat, cohort)
            assert row is not None
            start_epoch(grant_key("t8-cleo"))
            facts = Facts(lou, "research_hosted", False, True, grant_facts(world, case, seat, cohort, row.pk), world.at)
            decision, carrying = decide(facts, Action.GENERATE), permitting_grant(facts, Action.GENERATE)
            with committed():
                found = _outcome(partial(submit_job, lou, request, at=world.at))
            if isinstance(found, PortalError):
                assert not decision, (seat, cohort)
                assert found.code == error_of(decision).code
                continue
            assert decision, (seat, cohort)
            (permit,) = permits(service)
            service.delete(*queues(service))
            assert carrying is not None
            keys = [f"size:{size.slug}", grant_key("t8-cleo"), seat_key(row.pk)]
            assert permit.epochs == numbers_of(keys) | {POLICY_KEY: POLICY_MARK}
            assert permit.expires_at <= carrying.ends_at.timestamp()
            assert found.quota_holder == "grant:t8-cleo", "the quota is the grant's, whoever asks"
            access = size_for(lou, size.slug, Action.GENERATE, at=world.at)
            assert (access.seat, access.grant_ends_at) == (row, carrying.ends_at)


def test_T8_the_case_is_arranged_for_cleo_alone(world: World, sizes: dict[str, ModelSize]) -> None:
    """The grants of the enumeration are cleo's and others', none of them lou's."""
    grants = arrange(world, sizes, Case("active", "research", FUNCTIONS[0], "served"))
    assert "lou" not in grants
