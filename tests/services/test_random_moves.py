"""The preview of a move is its effect, on random worlds: who gains and loses what, and which work stops."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_portal.access.people.carriers import facts_by_person
from release_portal.access.policy import Action
from release_portal.accounts.actors import actor_of
from release_portal.accounts.models import User
from release_portal.accounts.roles import STAFF_ROLES
from release_portal.core.actors import ANONYMOUS, Actor
from release_portal.epochs.services import numbers_of, size_key
from release_portal.jobs.models import Job
from release_portal.moves.previews import preview_move
from release_portal.registry.models import ModelSize
from release_portal.releases.ladder import LADDER, stage_of
from release_portal.releases.models import Standing
from release_portal.releases.narrowings import roll_back
from release_portal.releases.services import set_stage
from tests.services.test_random_worlds import fetched, on_worlds, single_answers
from tests.services.worlds import IS_CI, Town, town
from tests.world import World

pytestmark = pytest.mark.django_db

# Everybody in the database is asked about each size, before and after: fewer sizes in each example.
SIZES = 10
WORLDS = 300 if IS_CI else 20
STAGES = [stage.slug for stage in LADDER]
# Who may do what, by name and action, for one size.
Rights = set[tuple[str, str]]


def everybody() -> dict[str, Actor]:
    """Every account that is not closed, and the stranger."""
    return {user.username: actor_of(user) for user in User.objects.filter(is_active=True)} | {"anonymous": ANONYMOUS}


def rights(askers: Mapping[str, Actor], sizes: list[ModelSize], at: datetime) -> dict[str, Rights]:
    """Who may do what with each size."""
    found: dict[str, Rights] = {size.slug: set() for size in sizes}
    for actor, single in single_answers(list(askers.values()), sizes, at).items():
        name = actor.name if actor.is_person else "anonymous"
        for slug, answers in single.items():
            found[slug] |= {(name, action.value) for action in Action if answers[action]}
    return found


def foretold(preview: Mapping[str, Any], side: str, askers: Mapping[str, Actor], holders: set[str]) -> Rights:
    """What one side of a preview says, spelled out by name: a class stands for everybody of it who holds no grant."""
    found: Rights = set()
    for line in preview["actions"]:
        names = {name for label in line[side]["classes"] for name in members(label, askers, holders)}
        names |= set(line[side]["holders"])
        assert line[side]["accounts"] == len(names - {"anonymous"})
        found |= {(name, line["action"]) for name in names}
    return found


def members(label: str, askers: Mapping[str, Actor], holders: set[str]) -> Iterable[str]:
    """The names of a class."""
    if label == "anonymous":
        return [label]
    role = label.removeprefix("role:")
    plain = label == "signed_in"
    people = {name: actor for name, actor in askers.items() if actor.is_person and name not in holders}
    if plain:
        return [name for name, actor in people.items() if not actor.roles]
    outside = role not in STAFF_ROLES  # whoever is staff as well is meant by their role of the staff
    return [name for name, one in people.items() if role in one.roles and not (outside and one.roles & STAFF_ROLES)]


def holders_of(size: ModelSize) -> set[str]:
    """Everybody who holds a grant for the size or sits on one."""
    return set(User.objects.filter(pk__in=facts_by_person(size)).values_list("username", flat=True))


def queue_work(drawn: Town, person: User) -> None:
    """Some work that has not ended, on each size."""
    functions = st.lists(st.sampled_from(["generate", "score"]), max_size=2)
    pairs = [(size, function) for size in drawn.sizes for function in drawn.some(functions)]
    Job.objects.bulk_create(
        [
            Job(
                account=person, size=size, function=function, interface="web", stage="x", policy_version="1",
                weights_digest="d" * 64, sealed_prompt=b"", quota_holder="x", quota_day=drawn.at.date(),
                created_at=drawn.at, permit_ends_at=drawn.at,
            )
            for size, function in pairs
        ]
    )  # fmt: skip


def move(world: World, size: ModelSize, target: str, at: datetime) -> None:
    """Narrow as an officer does; widen as the gate does when a proposal is carried out."""
    standing = Standing.objects.get(size=size)
    if stage_of(target).ordinal < stage_of(standing.stage).ordinal:
        roll_back(world.actor("ben"), size, target, reason="x", expected_version=standing.version, at=at)
    else:
        set_stage(world.actor("ada"), standing, target, kind="stage.advanced", reason="x", at=at, granted=target)


@on_worlds(WORLDS, SIZES)
@given(data=st.data())
def test_the_preview_of_every_stage_move_is_its_effect(world: World, at: datetime, data: st.DataObject) -> None:
    """Three hundred moves in the ci profile, each asked of everybody before and after it.

    It found that somebody of the staff who reviews for others too was counted with the people outside.
    """
    with town(data.draw, at, sizes=SIZES, people=6) as drawn:
        queue_work(drawn, drawn.people[0])
        sizes, askers = fetched(drawn), everybody()
        targets = {
            size.slug: data.draw(st.sampled_from([s for s in STAGES if s != size.standing.stage])) for size in sizes
        }
        previews = {size.slug: preview_move(size, targets[size.slug], at) for size in sizes}
        before, epochs = rights(askers, sizes, at), numbers_of([size_key(size.slug) for size in sizes])
        for size in sizes:
            move(world, size, targets[size.slug], at)
        after, since = rights(askers, fetched(drawn), at), numbers_of(epochs)
        for size in sizes:
            preview, holders = previews[size.slug], holders_of(size)
            assert foretold(preview, "gains", askers, holders) == after[size.slug] - before[size.slug]
            assert foretold(preview, "loses", askers, holders) == before[size.slug] - after[size.slug]
            ended = since[size_key(size.slug)] > epochs[size_key(size.slug)]
            assert preview["jobs_stopped"] == (open_work(size) if ended else {})


def open_work(size: ModelSize) -> dict[str, int]:
    """How much work of each kind has not ended."""
    functions = list(Job.objects.open().filter(size=size).values_list("function", flat=True))
    return {function: functions.count(function) for function in set(functions)}
