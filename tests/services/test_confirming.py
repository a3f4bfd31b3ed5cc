"""Proving once more who one is: the own password, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from release_portal.accounts.confirming import confirm_password
from release_portal.core.actors import system_actor
from release_portal.core.errors import InvalidInput, NotAllowed
from tests.world import PASSWORD, World


def test_the_own_password_confirms_at_the_time_of_asking(world: World) -> None:
    assert confirm_password(world.actor("jo"), PASSWORD, at=world.at) == world.at


@pytest.mark.parametrize("password", ["", "wrong", PASSWORD.upper(), f" {PASSWORD}", f"{PASSWORD}\x00"])
def test_any_other_password_is_refused_at_its_field(world: World, password: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        confirm_password(world.actor("jo"), password, at=world.at)
    assert (caught.value.field, caught.value.change != "") == ("password", True)
    assert PASSWORD not in str(caught.value)


def test_the_password_of_somebody_else_is_not_ones_own(world: World) -> None:
    world.people["ada"].set_password("the word of ada")
    world.people["ada"].save()
    with pytest.raises(InvalidInput):
        confirm_password(world.actor("jo"), "the word of ada", at=world.at)
    assert confirm_password(world.actor("ada"), "the word of ada", at=world.at)


def test_an_account_without_a_password_confirms_nothing(world: World) -> None:
    world.people["jo"].set_unusable_password()
    world.people["jo"].save()
    with pytest.raises(InvalidInput):
        confirm_password(world.actor("jo"), PASSWORD, at=world.at)


def test_a_token_a_visitor_and_the_system_confirm_nothing_even_with_the_right_word(world: World) -> None:
    token = replace(world.actor("jo"), scopes=frozenset({"staff:read"}))
    for actor in (token, world.actor("anonymous"), system_actor("gate")):
        with pytest.raises(NotAllowed):
            confirm_password(actor, PASSWORD, at=world.at)
