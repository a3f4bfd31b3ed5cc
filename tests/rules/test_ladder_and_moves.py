"""The stages as data, and who may move a size between them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_portal.accounts.roles import Role
from release_portal.core.actors import ANONYMOUS, Actor, ActorKind, system_actor
from release_portal.core.decisions import Refusal
from release_portal.registry import catalogue
from release_portal.releases.ladder import (
    ARTEFACT_KINDS,
    LADDER,
    artefacts_open_at,
    neighbours,
    stage_of,
    stages_from,
)
from release_portal.releases.narrowing_rules import may_roll_back, roll_backs_of

PERSON = Actor(ActorKind.USER, "7", "somebody")
MANAGER = replace(PERSON, roles=frozenset({"release_manager"}))
OFFICER = replace(PERSON, roles=frozenset({"duty_officer"}))
REVIEWER = replace(PERSON, roles=frozenset({"safety_reviewer"}))
SLUGS = [stage.slug for stage in LADDER]
stages = st.sampled_from(SLUGS)


def test_the_ladder_counts_from_s0_to_s7_without_a_gap() -> None:
    assert [stage.code for stage in LADDER] == [f"S{number}" for number in range(8)]
    assert all(stage_of(stage.slug) is stage for stage in LADDER)
    with pytest.raises(KeyError):
        stage_of("nowhere")


def test_the_catalogue_files_know_the_same_stages_and_artefacts() -> None:
    assert tuple(SLUGS) == catalogue.STAGES
    assert catalogue.ARTEFACT_KINDS == ARTEFACT_KINDS


def test_each_artefact_opens_at_exactly_one_stage_and_stays_open() -> None:
    opened = [kind for stage in LADDER for kind in stage.artefacts]
    assert sorted(opened) == sorted(ARTEFACT_KINDS)
    for below, above in zip(SLUGS, SLUGS[1:], strict=False):
        assert set(artefacts_open_at(below)) <= set(artefacts_open_at(above))


def test_weights_in_the_world_cannot_be_recalled() -> None:
    assert [stage.is_reversible for stage in LADDER] == [True] * 5 + [False] * 3


def test_neighbours_and_what_lies_above() -> None:
    assert neighbours("registered") == (None, stage_of("disclosed"))
    assert neighbours("open_science") == (stage_of("open_weights"), None)
    assert stages_from("open_weights") == {"open_weights", "open_science"}
    assert stages_from("registered") == set(SLUGS)


@pytest.mark.parametrize("actor", [MANAGER, OFFICER, REVIEWER])
def test_one_person_narrows_to_any_lower_stage_and_widens_to_none(actor: Actor) -> None:
    for present in SLUGS:
        allowed = {target for target in SLUGS if may_roll_back(actor, present, target)}
        assert allowed == set(SLUGS[: stage_of(present).ordinal])


def test_who_asks_for_a_wider_stage_is_sent_to_a_proposal() -> None:
    refused = may_roll_back(MANAGER, "partner", "research_hosted")
    assert (refused.code, refused.refusal) == ("widening", Refusal.NOT_NOW)
    assert "Propose" in refused.change


def test_standing_still_is_no_move() -> None:
    assert may_roll_back(MANAGER, "partner", "partner").code == "same_stage"


def test_the_nearest_lower_stage_is_offered_first() -> None:
    offered = roll_backs_of(OFFICER, "public_hosted")
    assert [slug for slug, _ in offered] == ["research_hosted", "partner", "disclosed", "registered"]
    assert all(decision for _, decision in offered)
    assert roll_backs_of(OFFICER, "registered") == []


@given(present=stages, target=stages, roles=st.frozensets(st.sampled_from([role.value for role in Role])))
def test_nobody_else_moves_anything(present: str, target: str, roles: frozenset[str]) -> None:
    """Seen to fail with `actor.scopes is not None` removed: a token with a role would have decided."""
    actor = replace(PERSON, roles=roles)
    if may_roll_back(actor, present, target):
        assert roles & {"release_manager", "duty_officer", "safety_reviewer"}
        assert stage_of(target).ordinal < stage_of(present).ordinal
    assert not may_roll_back(replace(actor, scopes=frozenset({"generate"})), present, target)
    assert not may_roll_back(ANONYMOUS, present, target)
    assert not may_roll_back(system_actor("sweeper"), present, target)
