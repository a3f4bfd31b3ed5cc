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
from release_portal.releases.rules import may_move

PERSON = Actor(ActorKind.USER, "7", "somebody")
MANAGER = replace(PERSON, roles=frozenset({"release_manager"}))
OFFICER = replace(PERSON, roles=frozenset({"duty_officer"}))
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


def test_a_release_manager_advances_by_one_stage_and_no_more() -> None:
    for present in SLUGS:
        allowed = {target for target in SLUGS if may_move(MANAGER, present, target, is_held=False)}
        place = stage_of(present).ordinal
        assert allowed == set(SLUGS[:place]) | set(SLUGS[place + 1 : place + 2])


def test_an_officer_on_duty_narrows_and_never_widens() -> None:
    for present in SLUGS:
        allowed = {target for target in SLUGS if may_move(OFFICER, present, target, is_held=False)}
        assert allowed == set(SLUGS[: stage_of(present).ordinal])


def test_a_hold_blocks_widening_and_leaves_narrowing() -> None:
    """Seen to fail with the line `if is_held` removed."""
    refused = may_move(MANAGER, "partner", "research_hosted", is_held=True)
    assert (refused.code, refused.refusal) == ("held", Refusal.NOT_NOW)
    assert may_move(MANAGER, "partner", "disclosed", is_held=True)
    assert may_move(MANAGER, "partner", "research_hosted", is_held=False)


def test_standing_still_is_no_move_and_the_last_stage_has_none_above() -> None:
    assert may_move(MANAGER, "partner", "partner", is_held=False).code == "same_stage"
    for present in SLUGS:
        far = may_move(MANAGER, present, "open_science", is_held=False)
        assert far or far.code in ("one_stage", "same_stage")


@given(
    present=stages,
    target=stages,
    is_held=st.booleans(),
    roles=st.frozensets(st.sampled_from([role.value for role in Role])),
)
def test_nobody_else_moves_anything(present: str, target: str, is_held: bool, roles: frozenset[str]) -> None:
    """Seen to fail with `actor.scopes is not None` removed: a token with a role would have decided."""
    actor = replace(PERSON, roles=roles)
    decision = may_move(actor, present, target, is_held=is_held)
    if decision:
        assert roles & {"release_manager", "duty_officer"}
    assert not may_move(replace(actor, scopes=frozenset({"generate"})), present, target, is_held=is_held)
    assert not may_move(ANONYMOUS, present, target, is_held=is_held)
    assert not may_move(system_actor("sweeper"), present, target, is_held=is_held)


def test_what_the_card_lacks_blocks_widening_and_leaves_narrowing() -> None:
    """Seen to fail with the line `if missing_sections` removed."""
    lacking = ("Training data", "Contact")
    refused = may_move(MANAGER, "registered", "disclosed", is_held=False, missing_sections=lacking)
    assert (refused.code, refused.refusal) == ("card_incomplete", Refusal.NOT_NOW)
    assert "Training data, Contact" in refused.reason
    assert may_move(MANAGER, "partner", "disclosed", is_held=False, missing_sections=lacking)
    assert may_move(MANAGER, "registered", "disclosed", is_held=False)
