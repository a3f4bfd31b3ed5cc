"""A lab brings its own family: from a file, at the narrowest stage, by somebody who may."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from release_portal.core.errors import InvalidInput, NotAllowed
from release_portal.ops.families import load_new_family
from release_portal.registry.catalogue import load_family
from release_portal.registry.models import ModelSize
from release_portal.releases.models import Standing
from tests.world import World

FAMILY = """\
slug: lantern
name: Lantern
lab: Lab
ordinal: 9
licence: Apache-2.0
summary: A family that only tests know.
sizes:
  - id: lab/lantern-tiny
    name: Lantern tiny
    parameters: 1000
    parameters_verified: true
    shape: {{layers: 2, d_model: 32, heads: 4, context: 128, vocabulary: 300}}
    shape_verified: true
    stage: {stage}
"""


def family_file(folder: Path, stage: str = "registered") -> Path:
    path = folder / "lantern.yaml"
    path.write_text(FAMILY.format(stage=stage), encoding="utf-8")
    return path


def test_a_loaded_size_stands_at_registered_and_has_a_first_card(world: World, tmp_path: Path) -> None:
    out = StringIO()
    call_command("load_family", str(family_file(tmp_path)), "--by", "jo", stdout=out)
    assert "lab/lantern-tiny stands at Registered." in out.getvalue()
    size = ModelSize.objects.get(slug="lab/lantern-tiny")
    assert (size.standing.stage, size.standing.granted) == ("registered", "registered")
    assert size.card_versions.exists()


def test_loading_again_changes_facts_and_never_the_stage(world: World, tmp_path: Path) -> None:
    facts = load_family(family_file(tmp_path))
    load_new_family(world.actor("jo"), facts, at=world.at)
    Standing.objects.filter(size__slug="lab/lantern-tiny").update(stage="partner", granted="partner")
    load_new_family(world.actor("jo"), facts, at=world.at)
    assert Standing.objects.get(size__slug="lab/lantern-tiny").stage == "partner"


def test_a_file_is_no_way_around_the_gates(world: World, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="starts at registered"):
        load_new_family(world.actor("jo"), load_family(family_file(tmp_path, "open_weights")), at=world.at)
    assert not ModelSize.objects.filter(slug="lab/lantern-tiny").exists()


@pytest.mark.parametrize("name", ["ben", "ivy", "cleo", "anonymous"])
def test_other_people_load_nothing(world: World, tmp_path: Path, name: str) -> None:
    with pytest.raises(NotAllowed):
        load_new_family(world.actor(name), load_family(family_file(tmp_path)), at=world.at)


def test_a_wrong_file_is_refused_with_what_is_wrong(world: World, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("slug: x\n", encoding="utf-8")
    with pytest.raises(CommandError, match=r"wrong\.yaml"):
        call_command("load_family", str(path), "--by", "jo")
    with pytest.raises(CommandError, match="cannot|No such"):
        call_command("load_family", str(tmp_path / "none.yaml"), "--by", "jo")
