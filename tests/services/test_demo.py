"""The demo data: what it promises, and that writing it again changes nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command

from release_portal.access.models import Grant, Suspension
from release_portal.access.services import lapse_suspensions
from release_portal.accounts.models import User
from release_portal.core.actors import system_actor
from release_portal.core.errors import InvalidInput, NotFound
from release_portal.epochs.models import Epoch
from release_portal.ops import demo
from release_portal.registry.models import ModelSize, Revision
from release_portal.registry.services import register_revision
from tests.world import SERVED, World, build_world, model_folder, stored_digest


def counts() -> dict[str, int]:
    return {model._meta.label: model._default_manager.count() for model in apps.get_models()}


def test_writing_the_demo_again_changes_nothing(world: World, at: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "import_demo_model", lambda **more: None)
    demo.write_demo(at=at, progress=print)
    before = counts()
    demo.write_demo(at=at + timedelta(days=1), progress=print)
    build_world(at)
    assert counts() == before


def test_the_cast_and_its_roles(world: World) -> None:
    assert {person.name for person in demo.CAST} | {"lou"} <= set(world.people)
    for person in demo.CAST:
        assert world.actor(person.name).roles == set(person.roles)
        assert world.people[person.name].is_demo


def test_the_grants_of_cleo_dan_and_eve(world: World, at: datetime) -> None:
    states = {name: grant.state_at(at) for name, grant in world.grants.items()}
    assert states == {"cleo": "active", "dan": "expired", "eve": "suspended"}
    cleo = world.grants["cleo"]
    assert (cleo.tokens_per_day, cleo.requests_per_minute, cleo.concurrent) == (200_000, 600, 32)
    assert Grant.objects.get(holder__username="dan").state == "expired", "swept when it was written"


def test_the_suspension_of_eve_is_confirmed_and_does_not_lapse(world: World, at: datetime) -> None:
    one = Suspension.objects.get(grant=world.grants["eve"])
    assert (one.by_name, one.confirmed_by_name) == ("ben", "olu")
    assert lapse_suspensions(system_actor("sweeper"), at=at + timedelta(days=30)) == 0


def test_every_size_has_a_standing_an_epoch_and_a_card(world: World) -> None:
    for size in ModelSize.objects.all():
        assert size.standing
        assert Epoch.objects.filter(key=f"size:{size.slug}").exists()
        assert size.card_versions.count() == 1
    assert ModelSize.objects.with_weights().get() == world.size, "the others say that they have no weights"


def test_a_revision_is_registered_once_and_another_takes_its_place(
    world: World,
    at: datetime,
    tmp_path,
    settings,  # type: ignore[no-untyped-def]
) -> None:
    from release_portal.registry import store

    ada = world.actor("ada")
    before = counts()
    register_revision(ada, SERVED, stored_digest(), settings.STORE_ROOT, source="again", at=at)
    assert counts() == before
    digest = store.add_folder(settings.STORE_ROOT, model_folder(tmp_path / "other", marker="other"))
    revision = register_revision(ada, SERVED, digest, settings.STORE_ROOT, source="other", at=at)
    assert ModelSize.objects.get(slug=SERVED).current_revision == revision
    assert Revision.objects.filter(size__slug=SERVED, is_current=True).count() == 1
    assert revision.commit == digest[:40]
    assert {file.path for file in revision.files.all()} >= {"tokenizer.json", "model.safetensors"}


def test_damaged_weights_and_unknown_sizes_are_refused(world: World, at: datetime, tmp_path) -> None:  # type: ignore[no-untyped-def]
    from release_portal.registry import store

    digest = store.add_folder(tmp_path / "store", model_folder(tmp_path / "model"))
    with pytest.raises(NotFound):
        register_revision(demo.DEMO, "nobody/nothing", digest, tmp_path / "store", source="x", at=at)
    blob = next(file for file in store.list_files(tmp_path / "store", digest) if file.name == "tokenizer.json")
    path = tmp_path / "store" / "blobs" / blob.sha256
    path.chmod(0o600)
    path.write_text("{}")
    with pytest.raises(InvalidInput, match=r"tokenizer\.json"):
        register_revision(demo.DEMO, SERVED, digest, tmp_path / "store", source="x", at=at)


def test_the_import_command_names_what_is_wrong_with_its_source(world: World, tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "notes.txt").write_text("x")
    for size, source, word in (
        ("nobody/nothing", str(tmp_path), "no size"),
        (SERVED, str(tmp_path / "missing"), "does not exist"),
        (SERVED, str(tmp_path / "notes.txt"), "neither a folder nor a GGUF"),
        (SERVED, str(tmp_path), "missing"),
    ):
        with pytest.raises(CommandError, match=word):
            call_command("import_weights", size, source)


def test_the_demo_is_not_started_over_in_production(world: World, settings) -> None:  # type: ignore[no-untyped-def]
    settings.PRODUCTION = True
    with pytest.raises(CommandError, match="production"):
        call_command("reset_demo")
    assert User.objects.exists()
