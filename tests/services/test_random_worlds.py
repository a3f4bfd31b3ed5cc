"""T8 on random worlds: the list, the single answer, page, API, enqueue and worker all say the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from release_portal.access.grant_rules import GrantFacts
from release_portal.access.lookups import _facts, decisions_for, size_for, sizes_for
from release_portal.access.pausing import duty_pauses, people_pauses
from release_portal.access.people.carriers import facts_by_person
from release_portal.access.policy import Action, Facts, decide
from release_portal.core.actors import ANONYMOUS, Actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import PortalError, error_of
from release_portal.registry.models import ModelSize
from tests.services.worlds import IS_CI, Town, town
from tests.world import World

pytestmark = pytest.mark.django_db

# Each size of a town is a world of its own: this many are tried, and in each every asker x action is one cell.
WORLDS, SIZES, PEOPLE = (10_000 if IS_CI else 60), 20, 4
QUIETLY = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large)
Answers = dict[Action, Decision]


def on_worlds(worlds: int, sizes: int = SIZES) -> Callable[[Any], Any]:
    """Try a property on so many worlds, a town of them in each example."""
    return settings(max_examples=worlds // sizes, deadline=None, suppress_health_check=QUIETLY)


def fetched(drawn: Town) -> list[ModelSize]:
    """The town's sizes as the database holds them."""
    found = ModelSize.objects.filter(pk__in=[size.pk for size in drawn.sizes]).select_related("standing", "family")
    return list(found.prefetch_related("revisions"))


def facts_on(actors: Sequence[Actor], sizes: list[ModelSize], at: datetime) -> dict[tuple[str, str], Facts]:
    """What the single answer rests on, for each actor's id and size, loaded for everybody at once.

    Asking one by one costs ten queries a cell; the test below holds the two together.
    """
    found = {size.slug: facts_by_person(size) for size in sizes}
    accounts = {int(actor.id) for actor in actors if actor.is_person}
    mine = people_pauses(accounts, at)
    duties = duty_pauses({one.id for held in found.values() for facts in held.values() for one in facts}, at)
    nobody = {size.slug: _facts(ANONYMOUS, size, at)[0] for size in sizes}

    def grants_of(actor: Actor, slug: str) -> tuple[GrantFacts, ...]:
        account = int(actor.id) if actor.is_person else 0
        held = found[slug].get(account, [])
        return tuple(replace(one, pauses=mine[account] + duties.get(one.id, ())) for one in held)

    return {
        (actor.id, size.slug): replace(nobody[size.slug], actor=actor, grants=grants_of(actor, size.slug))
        for actor in actors
        for size in sizes
    }


def single_answers(actors: Sequence[Actor], sizes: list[ModelSize], at: datetime) -> dict[Actor, dict[str, Answers]]:
    """What the single answer says to each actor of each size, by slug; a token is asked with its owner's facts."""
    owners = {actor.id: actor for actor in actors if actor.scopes is None}
    facts = facts_on(list(owners.values()), sizes, at)
    return {
        actor: {size.slug: decide_all(replace(facts[actor.id, size.slug], actor=actor)) for size in sizes}
        for actor in actors
    }


def decide_all(facts: Facts) -> Answers:
    """The decision on every action."""
    return {action: decide(facts, action) for action in Action}


def listed(actor: Actor, action: Action, drawn: Town) -> set[str]:
    """The slugs of the town's sizes in the list for one action."""
    found = sizes_for(actor, action, at=drawn.at).filter(pk__in=[size.pk for size in drawn.sizes])
    return set(found.order_by().values_list("slug", flat=True))


def code_of(decision: Decision) -> str:
    """The code with which the lookup answers: of the decision, or of the error that it becomes."""
    return decision.code if decision else error_of(decision).code


def answered(actor: Actor, slug: str, action: Action, at: datetime) -> str:
    """What the lookup of one size says: the code of its decision, or of the error that it raises."""
    try:
        return size_for(actor, slug, action, at=at).decision.code
    except PortalError as error:
        return error.code


@on_worlds(WORLDS)
@given(data=st.data())
def test_T8_the_list_is_the_single_answer_on_random_worlds(world: World, at: datetime, data: st.DataObject) -> None:
    """Ten thousand worlds in the ci profile, each with nine askers and eleven actions: more than a million cells.

    The moment itself is drawn on purpose: a sign turned round in `in_force` or `state_at` parts the two there.
    """
    with town(data.draw, at, sizes=SIZES, people=PEOPLE) as drawn:
        sizes = fetched(drawn)
        for actor, single in single_answers(drawn.actors(), sizes, at).items():
            for action in Action:
                wanted = {slug for slug, answers in single.items() if answers[action]}
                assert listed(actor, action, drawn) == wanted, (actor, action)
            size, action = data.draw(st.sampled_from(sizes)), data.draw(st.sampled_from(list(Action)))
            assert decisions_for(actor, size, at=at) == single[size.slug]
            assert answered(actor, size.slug, action, at) == code_of(single[size.slug][action])
