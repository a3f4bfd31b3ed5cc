"""Random worlds: sizes, people and grants that hypothesis draws, written in bulk and undone after each example.

One example is a town of many sizes, and each size is a world of its own: it has its own stage, end, weights,
restrictions and grants. A property that holds in every cell person x size x action of a town has been tried on that
many worlds at once.

What can stand in a world is a list of parts. A new part is one function with `@part`: it draws what it needs and adds
rows to the town; those that come after it may build on them.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import transaction
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from release_portal.access.agreements.rules import GRACE
from release_portal.access.grant_rules import ACTIVE, STORED, SUSPENDED
from release_portal.access.models import (
    AgreementVersion,
    Application,
    Cohort,
    Grant,
    GrantFunction,
    Obligation,
    Seat,
    SeatSuspension,
    Signature,
    Suspension,
)
from release_portal.access.obligations.rules import OBLIGATION, PAUSE_AFTER
from release_portal.access.people.cohort_rules import STATES as COHORT_STATES
from release_portal.access.people.cohort_rules import WITHOUT_LEAD
from release_portal.access.people.seat_rules import INVITED, SEATED
from release_portal.access.people.seat_rules import STATES as SEAT_STATES
from release_portal.access.policy import GRANT_FUNCTIONS, READ_SCOPE
from release_portal.accounts.actors import actor_of
from release_portal.accounts.models import RoleAssignment, User
from release_portal.accounts.roles import Role
from release_portal.core.actors import ANONYMOUS, Actor
from release_portal.epochs.models import Epoch
from release_portal.epochs.services import grant_key, seat_key, size_key
from release_portal.registry.models import ModelFamily, ModelSize, Revision
from release_portal.releases.hold_rules import COHORTS, LEVELS, OFF_FUNCTIONS
from release_portal.releases.ladder import LADDER
from release_portal.releases.models import Hold, Standing
from tests.world import stored_digest

T = TypeVar("T")
Draw = Callable[[st.SearchStrategy[T]], T]
STAGES = [stage.slug for stage in LADDER]
GRANTED = ["partner", "research_hosted", "research_weights"]  # where a grant decides
DAY, MOMENT = timedelta(days=1), timedelta(microseconds=1)
# Starts and ends lie around `at`, and exactly at it: the moment itself is where two guards differ by one sign.
STARTS = (-30 * DAY, -MOMENT, timedelta(0), MOMENT, DAY)
ENDS = (-DAY, -MOMENT, timedelta(0), MOMENT, 30 * DAY, 60 * DAY)
# Named, not filtered: of many draws one would fail its filter, and the whole world with it.
SPANS = tuple((start, end) for start in STARTS for end in ENDS if start < end)
TOKENS: tuple[tuple[str, ...], ...] = ((), ("generate",), (READ_SCOPE,), ("generate", "detect", READ_SCOPE))
IS_CI = hypothesis_settings.get_current_profile_name() == "ci"


@dataclass
class Town:
    """What is drawn and written: sizes that are worlds, the people who ask, and what the parts have added.

    Args:
        at: the time at which everybody asks.
        draw: asks hypothesis for a value.
        count: how many sizes, each a world.
        people_count: how many accounts.
    """

    at: datetime
    draw: Callable[[st.SearchStrategy[Any]], Any]
    count: int
    people_count: int
    families: list[ModelFamily] = field(default_factory=list)
    sizes: list[ModelSize] = field(default_factory=list)
    people: list[User] = field(default_factory=list)
    grants: list[Grant] = field(default_factory=list)

    def add(self, rows: list[Any]) -> list[Any]:
        """Write rows of one kind in one statement."""
        if rows:
            type(rows[0])._base_manager.bulk_create(rows)
        return rows

    def some(self, strategy: st.SearchStrategy[T]) -> T:
        """Draw one value."""
        return self.draw(strategy)

    def actors(self) -> list[Actor]:
        """Everybody who may ask: the people, a stranger, and tokens of the first person."""
        found = [actor_of(person) for person in self.people]
        first = found[0]
        tokens = [Actor(first.kind, first.id, first.name, frozenset(), frozenset(scopes)) for scopes in TOKENS]
        return [*found, ANONYMOUS, *tokens]


PARTS: list[Callable[[Town], None]] = []


def part(function: Callable[[Town], None]) -> Callable[[Town], None]:
    """Register what can stand in a world; parts are written in the order of this file."""
    PARTS.append(function)
    return function


@contextmanager
def town(draw: Callable[[st.SearchStrategy[Any]], Any], at: datetime, *, sizes: int, people: int) -> Iterator[Town]:
    """Draw a town and write it; when it has been looked at it is gone."""
    with transaction.atomic():
        drawn = Town(at, draw, sizes, people)
        for one in PARTS:
            one(drawn)
        yield drawn
        transaction.set_rollback(True)


# --- The parts -------------------------------------------------------------------------------------------------------


@part
def families(town: Town) -> None:
    """One to three families; which size belongs to which says nothing about access."""
    mark = secrets.token_hex(4)
    town.families = town.add(
        [
            ModelFamily(slug=f"w{mark}-{number}", name=f"W{number}", lab="lab", summary="x")
            for number in range(town.some(st.integers(1, 3)))
        ]
    )


@part
def people(town: Town) -> None:
    """People with any roles; their passwords open nothing."""
    mark = secrets.token_hex(4)
    names = [f"p{number}-{mark}" for number in range(town.people_count)]
    town.people = town.add([User(username=name, email=f"{name}@example.org", password="!") for name in names])
    held = st.sets(st.sampled_from(list(Role)), max_size=2)
    drawn = [(person, role) for person in town.people for role in sorted(town.some(held))]
    town.add([RoleAssignment(user=one, role=role.value, given_at=town.at, given_by="x") for one, role in drawn])


@part
def sizes(town: Town) -> None:
    """Sizes on any stage, some withdrawn or archived, some without weights."""
    mark, digest = secrets.token_hex(4), stored_digest()
    town.sizes = town.add(
        [
            ModelSize(
                family=town.families[number % len(town.families)], slug=f"w{mark}/s{number}", name=f"S{number}",
                ordinal=number, parameters=10**6, context=64,
            )
            for number in range(town.count)
        ]
    )  # fmt: skip
    endings = st.sampled_from([*[""] * 10, "withdrawn", "archived"])
    kinds = st.tuples(st.sampled_from([*STAGES, *GRANTED * 3]), endings, st.integers(0, 7))
    drawn = [(size, *town.some(kinds)) for size in town.sizes]
    town.add(
        [
            Standing(size=size, stage=stage, granted=stage, since=town.at - DAY, ending=ending)
            for size, stage, ending, _ in drawn
        ]
    )
    stored = [size for size, _, _, weights in drawn if weights]
    town.add([_revision(size, digest, town.at) for size in stored])
    town.add([Epoch(key=size_key(size.slug)) for size in town.sizes])


def _revision(size: ModelSize, digest: str, at: datetime) -> Revision:
    return Revision(
        size=size, commit=digest[:40], digest=digest, total_bytes=1, source="x", is_current=True, created_at=at
    )


@part
def restrictions(town: Town) -> None:
    """Plain holds and restrictions R1, R2, R3, R5, open or released; several at once on some sizes."""
    off = st.sets(st.sampled_from(OFF_FUNCTIONS))
    one = st.tuples(st.sampled_from(LEVELS), st.sampled_from(COHORTS), off, st.booleans())
    rows: list[Hold] = []
    for size in town.sizes:
        drawn = [_hold(town, size, *values) for values in town.some(st.lists(one, max_size=2))]
        stops = [hold for hold in drawn if hold.stops_use and hold.released_at is None]
        rows += [hold for hold in drawn if hold not in stops[1:]]  # the database holds one open stop of use
    town.add(rows)


def _hold(town: Town, size: ModelSize, level: str, cohort: str, off: set[str], is_open: bool) -> Hold:
    return Hold(
        size=size, level=level, reason="x", raised_by="x", raised_at=town.at - DAY, stops_use=level == "R5",
        percent=50 if level == "R1" else None, cohort=cohort if level == "R3" else "",
        functions=sorted(off) if level == "R2" else [], max_tokens=32 if level == "R2" else None,
        released_at=None if is_open else town.at,
    )  # fmt: skip


@part
def grants(town: Town) -> None:
    """Grants of each kind, state, scope, start and end, for one size or several, often several for one person."""
    names = sorted(set(GRANT_FUNCTIONS.values()))
    one = st.tuples(
        st.integers(0, len(town.people) - 1),
        st.sampled_from(["research", "partner"]),
        st.sampled_from([*STORED, *[ACTIVE] * 6]),  # most guards show on a grant that is active otherwise
        st.sets(st.sampled_from(names)),
        st.sampled_from(SPANS),
        st.sets(st.integers(0, len(town.sizes) - 1), max_size=3),
    )
    drawn = [(*town.some(one), size) for size in range(len(town.sizes)) for _ in range(town.some(st.integers(0, 2)))]
    town.grants = town.add([_grant(town, *values[:3], values[4]) for values in drawn])
    pairs = [(grant, values) for grant, values in zip(town.grants, drawn, strict=True)]
    through = Grant.sizes.through
    town.add(
        [
            through(grant_id=grant.pk, modelsize_id=town.sizes[number].pk)
            for grant, values in pairs
            for number in sorted(values[5] | {values[6]})
        ]
    )
    town.add([GrantFunction(grant=grant, name=name) for grant, values in pairs for name in sorted(values[3])])
    suspended = [grant for grant in town.grants if grant.state == SUSPENDED]
    town.add([Suspension(grant=one, state_before="active", reason="x", by_name="x", at=town.at) for one in suspended])
    town.add([Epoch(key=grant_key(grant.pk)) for grant in town.grants])


def _grant(town: Town, holder: int, kind: str, state: str, span: tuple[timedelta, timedelta]) -> Grant:
    return Grant(
        holder=town.people[holder], kind=kind, state=state, purpose="x", tokens_per_day=10**6,
        requests_per_minute=10**4, concurrent=10**4, created_at=town.at,
        starts_at=town.at + span[0], ends_at=town.at + span[1],
    )  # fmt: skip


@part
def seats(town: Town) -> None:
    """Teams and cohorts: seats in every state on some grants, with own ends; cohorts with or without a lead."""
    agreement = _version(town, 30_000, town.at, is_material=False)
    signatures = {
        person.pk: one
        for person, one in zip(
            town.people,
            town.add([Signature(account=one, agreement=agreement, sha256="x", at=town.at) for one in town.people]),
            strict=True,
        )
    }
    shared = [grant for grant in town.grants if town.some(st.integers(0, 2)) == 0]
    _cohorts(town, [grant for grant in shared if town.some(st.booleans())])
    one = st.tuples(st.sampled_from(town.people), st.sampled_from(SEAT_STATES), st.sampled_from([None, *ENDS]))
    rows = []
    for grant in shared:
        drawn = town.some(st.lists(one, max_size=3, unique_by=lambda seat: seat[0].pk))
        rows += [_seat(town, grant, person, signatures, state, end) for person, state, end in drawn]
    town.add(rows)
    stopped = [seat for seat in rows if seat.state == SUSPENDED]
    town.add([SeatSuspension(seat=seat, reason="x", by_name="x", at=town.at) for seat in stopped])
    town.add([Epoch(key=seat_key(seat.pk)) for seat in rows])


def _seat(
    town: Town, grant: Grant, person: User, signatures: dict[int, Signature], state: str, end: timedelta | None
) -> Seat:
    return Seat(
        grant=grant, mail=person.email, person=person, signature=signatures[person.pk], state=state,
        invited_by_name="x", invited_at=town.at - 90 * DAY, joined_at=town.at - 90 * DAY,
        ends_at=None if end is None else town.at + end,
        ended_at=None if state in {*SEATED, INVITED} else town.at - DAY,
    )  # fmt: skip


def _cohorts(town: Town, grants: list[Grant]) -> None:
    """A cohort on each grant, before, in and after its time, and some without a lead for more or less than 14 days."""
    without = (None, timedelta(0), WITHOUT_LEAD, WITHOUT_LEAD - MOMENT, WITHOUT_LEAD + MOMENT)
    one = st.tuples(st.sampled_from(COHORT_STATES), st.sampled_from(SPANS), st.sampled_from(without))
    drawn = [(grant, *town.some(one)) for grant in grants]
    applications = town.add([_application(town, grant) for grant in grants])
    town.add(
        [
            Cohort(
                application=application, grant=grant, kind="lab", seats=5, state=state, lead=grant.holder,
                starts_at=town.at + span[0], ends_at=town.at + span[1], created_at=town.at,
                without_lead_since=None if gone is None else town.at - gone,
            )
            for application, (grant, state, span, gone) in zip(applications, drawn, strict=True)
        ]
    )  # fmt: skip


def _application(town: Town, grant: Grant) -> Application:
    return Application(
        applicant=grant.holder, size=town.sizes[0], state="granted", grant=grant, created_at=town.at, saved_at=town.at
    )


@part
def terms(town: Town) -> None:
    """A material version of the agreement, in grace or past it to the microsecond, that some have signed."""
    began = town.some(st.sampled_from([timedelta(0), GRACE - MOMENT, GRACE, GRACE + MOMENT]))
    version = _version(town, 30_001, town.at - began, is_material=True)
    signed = [person for person in town.people if town.some(st.booleans())]
    town.add([Signature(account=one, agreement=version, sha256="x", at=town.at) for one in signed])


def _version(town: Town, number: int, effective_from: datetime, *, is_material: bool) -> AgreementVersion:
    return AgreementVersion.objects.create(
        number=number, text="x", sha256=secrets.token_hex(32), effective_from=effective_from, published_by="x",
        published_at=effective_from, is_material=is_material,
    )  # fmt: skip


@part
def duties(town: Town) -> None:
    """Duties of some grants, overdue for just less and just more than a grant rests for, waived or handed in."""
    due = (None, 60 * DAY, PAUSE_AFTER - MOMENT, PAUSE_AFTER, PAUSE_AFTER + MOMENT)
    waived = (None, None, -MOMENT, timedelta(0), MOMENT)
    one = st.tuples(st.sampled_from(OBLIGATION.states), st.sampled_from(due), st.sampled_from(waived))
    owing = [grant for grant in town.grants if town.some(st.integers(0, 3)) == 0]
    drawn = [(grant, *town.some(one)) for grant in owing]
    town.add(
        [
            Obligation(
                grant=grant, code="Q06", what="x", state=state, created_at=town.at - 90 * DAY,
                due_at=None if ago is None else town.at - ago,
                waived_until=None if until is None else town.at + until,
            )
            for grant, state, ago, until in drawn
        ]
    )  # fmt: skip
