"""Policies: stored once, adopted with a reason, in force from then on; without one nothing is released."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from release_portal.audit.models import AuditEvent
from release_portal.core.actors import ANONYMOUS, Actor, system_actor
from release_portal.core.errors import InvalidInput, NotAllowed, NotFound, NotNow
from release_portal.ops.demo_policies import write_duty, write_policies
from release_portal.registry.models import ModelSize
from release_portal.releases.models import PolicyAdoption, PolicyVersion
from release_portal.releases.policy_files import PACKAGED, packaged_text
from release_portal.releases.policy_services import (
    adopt_policy,
    policies_in_force,
    policy_diff,
    policy_in_force,
    policy_of,
    store_policy,
    stored_policy,
)
from tests.services.proposing import proposal
from tests.world import World

SECOND = timedelta(seconds=1)


def next_version(name: str = "preset", number: int = 2) -> str:
    """The packaged file with another version number, and three people on duty instead of two."""
    text = packaged_text(name).replace("version: 1", f"version: {number}", 1)
    return text.replace("on_duty: 2", "on_duty: 3", 1)


def kinds() -> list[str]:
    return list(AuditEvent.objects.order_by("seq").values_list("kind", flat=True))


# --- Storing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["jo", "ada"])
def test_a_policy_is_stored_whole_under_its_digest(world: World, name: str) -> None:
    version = store_policy(world.actor(name), next_version(), at=world.at)
    assert policy_of(version).digest == version.digest
    assert (version.name, version.version, version.stored_by) == ("preset", 2, name)
    assert version.text == next_version()
    assert kinds()[-1] == "policy.stored"


def test_the_same_file_again_changes_nothing_with_either_kind_of_line_end(world: World) -> None:
    first = store_policy(world.actor("jo"), next_version(), at=world.at)
    before = kinds()
    again = store_policy(world.actor("ada"), next_version().replace("\n", "\r\n"), at=world.at)
    assert again == first
    assert again.stored_by == "jo"
    assert kinds() == before


def test_another_file_cannot_take_a_name_and_version_that_are_taken(world: World) -> None:
    with pytest.raises(InvalidInput, match="preset 1 already") as refused:
        store_policy(world.actor("jo"), next_version(number=1), at=world.at)
    assert refused.value.field == "text"
    assert "next version" in refused.value.change


def test_a_wrong_file_is_refused_with_line_and_reason_and_nothing_is_stored(world: World) -> None:
    before = PolicyVersion.objects.count(), kinds()
    wrong = next_version().replace("on_duty: 3", "on_duty: many")
    line = next(number for number, text in enumerate(wrong.splitlines(), 1) if text.startswith("on_duty"))
    long = next_version().replace("name: preset", f"name: {'x' * 61}", 1)
    for text, reason in (
        (wrong, f"Line {line}: on_duty"),
        ("", "Line 1: "),
        ("a: &b 1", "Line 1: references"),
        ("a: \ud800", "Line 1: "),
        (long, "more than 60 characters"),
    ):
        with pytest.raises(InvalidInput, match=reason) as refused:
            store_policy(world.actor("jo"), text, at=world.at)
        assert refused.value.field == "text"
    assert (PolicyVersion.objects.count(), kinds()) == before


@pytest.mark.parametrize("name", ["ben", "olu", "kim", "finn"])
def test_nobody_else_stores_or_adopts_a_policy(world: World, name: str) -> None:
    digest = stored_policy("demo-fast").digest
    with pytest.raises(NotAllowed):
        store_policy(world.actor(name), next_version(), at=world.at)
    with pytest.raises(NotAllowed):
        adopt_policy(world.actor(name), digest, family=None, reason="why", at=world.at)


@pytest.mark.parametrize("actor", [ANONYMOUS, system_actor("rule")])
def test_no_stranger_and_no_rule_stores_or_adopts_a_policy(world: World, actor: Actor) -> None:
    with pytest.raises(NotAllowed):
        store_policy(actor, next_version(), at=world.at)
    with pytest.raises(NotAllowed):
        adopt_policy(actor, stored_policy("demo-fast").digest, family=None, reason="why", at=world.at)


# --- Adopting --------------------------------------------------------------------------------------------------------


def test_a_policy_is_in_force_from_its_adoption_on_and_not_before(world: World) -> None:
    later = world.at + timedelta(days=3)
    adoption = adopt_policy(
        world.actor("jo"), stored_policy("demo-fast").digest, family=None, reason=" Walk-through. ", at=later
    )
    assert adoption.reason == "Walk-through."
    assert policy_in_force(world.size, later - SECOND).name == "preset"
    assert policy_in_force(world.size, later).name == "demo-fast"
    assert kinds()[-1] == "policy.adopted"


def test_a_family_with_a_policy_of_its_own_keeps_it_when_the_common_one_changes(world: World) -> None:
    other = ModelSize.objects.exclude(family=world.size.family).first()
    assert other is not None
    jo, later = world.actor("jo"), world.at + SECOND
    adopt_policy(jo, stored_policy("demo-fast").digest, family=world.size.family, reason="one", at=later)
    store_policy(jo, next_version(), at=later)
    adopt_policy(jo, stored_policy("preset").digest, family=None, reason="all", at=later)
    assert policy_in_force(world.size, later).name == "demo-fast"
    assert policy_in_force(world.size.family, later).name == "demo-fast"
    assert policy_in_force(other, later).version == 2


def test_an_adoption_needs_a_stored_policy_a_reason_and_a_change(world: World) -> None:
    jo, digest = world.actor("jo"), stored_policy("demo-fast").digest
    with pytest.raises(InvalidInput) as unreasoned:
        adopt_policy(jo, digest, family=None, reason=" ", at=world.at)
    assert unreasoned.value.field == "reason"
    with pytest.raises(NotFound):
        adopt_policy(jo, "0" * 64, family=None, reason="why", at=world.at)
    with pytest.raises(NotNow, match="in force already"):
        adopt_policy(jo, stored_policy("preset").digest, family=None, reason="why", at=world.at)


def test_an_open_proposal_keeps_its_policy(world: World) -> None:
    opened = proposal(world)
    adopt_policy(world.actor("jo"), stored_policy("demo-fast").digest, family=None, reason="why", at=world.at)
    opened.refresh_from_db()
    assert policy_of(opened.policy).name == "preset"


def test_without_an_adoption_there_is_no_policy_and_silence_grants_nothing(world: World) -> None:
    PolicyAdoption.objects.all().delete()
    with pytest.raises(NotNow) as refused:
        policy_in_force(world.size, world.at)
    assert refused.value.code == "no_policy"
    assert policies_in_force([world.size], world.at) == {}


def test_the_policies_of_all_sizes_take_two_queries(
    world: World, at: datetime, django_assert_num_queries: Callable[[int], Any]
) -> None:
    adopt_policy(
        world.actor("jo"), stored_policy("demo-fast").digest, family=world.size.family, reason="one family", at=at
    )
    sizes = list(ModelSize.objects.all())
    with django_assert_num_queries(2):
        found = policies_in_force(sizes, at)
    assert {pk: policy.name for pk, policy in found.items()} == {
        size.pk: "demo-fast" if size.family_id == world.size.family_id else "preset" for size in sizes
    }


def test_what_a_new_version_changes_is_said_in_words(world: World) -> None:
    new = store_policy(world.actor("jo"), next_version(), at=world.at)
    assert policy_diff(policy_in_force(world.size, world.at), policy_of(new)) == ["people on duty: 2 becomes 3"]


# --- Commands and demo -----------------------------------------------------------------------------------------------


def test_a_policy_is_stored_and_adopted_from_a_shell(world: World, tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(next_version(), encoding="utf-8")
    call_command("store_policy", str(file), "--by", "ada")
    call_command("adopt_policy", "preset", "--by", "jo", "--reason", "more people on duty")
    assert "preset 2 is in force for all families" in capsys.readouterr().out
    call_command(
        "adopt_policy", stored_policy("demo-fast").digest,
        "--family", world.size.family.slug, "--by", "jo", "--reason", "a walk",
    )  # fmt: skip
    assert PolicyAdoption.objects.filter(family=world.size.family).get().adopted_by == "jo"


def test_the_commands_name_what_is_wrong(world: World, tmp_path: Path) -> None:
    (tmp_path / "bytes.yaml").write_bytes(b"\xff")
    (tmp_path / "wrong.yaml").write_text("name: x\nname: y\n")
    for arguments, word in (
        (("store_policy", str(tmp_path / "missing.yaml"), "--by", "jo"), "cannot be read"),
        (("store_policy", str(tmp_path / "bytes.yaml"), "--by", "jo"), "cannot be read"),
        (("store_policy", str(tmp_path / "wrong.yaml"), "--by", "jo"), "Line 2"),
        (("store_policy", str(tmp_path / "wrong.yaml"), "--by", "nobody"), "no account"),
        (("store_policy", str(tmp_path / "wrong.yaml"), "--by", "finn"), "release managers"),
        (("adopt_policy", "nothing", "--by", "jo", "--reason", "why"), "no policy 'nothing'"),
        (("adopt_policy", "preset", "--by", "jo", "--reason", "why", "--family", "none"), "no family"),
        (("adopt_policy", "demo-fast", "--by", "ben", "--reason", "why"), "release managers"),
    ):
        with pytest.raises(CommandError, match=word):
            call_command(*arguments)


def test_the_demo_stores_what_is_packaged_and_adopts_the_preset_once(world: World) -> None:
    assert set(PolicyVersion.objects.values_list("name", flat=True)) == set(PACKAGED)
    assert PolicyAdoption.objects.get().policy.name == "preset"
    before = kinds()
    write_policies(at=world.at)
    write_duty(at=world.at)
    assert kinds() == before


def test_the_demo_does_not_take_back_what_was_adopted_since(world: World) -> None:
    adopt_policy(world.actor("jo"), stored_policy("demo-fast").digest, family=None, reason="a walk", at=world.at)
    write_policies(at=world.at + SECOND)
    assert policy_in_force(world.size, world.at + SECOND).name == "demo-fast"
