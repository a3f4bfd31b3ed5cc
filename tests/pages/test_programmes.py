"""The pages of programmes: read by everybody, kept by the leads."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse

from release_portal.access.models import ProgrammePublication, ProgrammeVersion
from release_portal.access.programmes.programme_files import packaged_text, preset
from release_portal.access.programmes.services import store_programme
from release_portal.registry.models import ModelSize
from tests.pages.test_applications import shown
from tests.services.test_programmes import ASKED_MORE, STAGE, TEXT, changed, publish
from tests.world import World, put_at_stage

ClientOf = Callable[[str], Any]
LIST, NEW = reverse("programmes"), reverse("programme-new")
DAY = timedelta(days=1)


def page_of(digest: str) -> str:
    return reverse("programme", args=[digest])


def test_everybody_reads_the_programmes_and_where_they_apply(client_of: ClientOf, world: World, at: datetime) -> None:
    publish(world, TEXT, at - DAY)
    for name in ("anonymous", "finn", "ivy"):
        text = shown(client_of(name).get(LIST))
        assert "every family that has published nothing of its own" in text
        assert f"{world.size.family.name} at Research, hosted, by ivy" in text
        assert ("Store a new file" in text) == (name == "ivy")


def test_a_programme_shows_all_that_its_file_states(client_of: ClientOf, world: World) -> None:
    text = shown(client_of("anonymous").get(page_of("partner")))
    for words in (
        "Partner access", "Who answers for your institution?", "partner leads, safety reviewers",
        "If something goes wrong we must reach somebody", "tier 1: partner lead", "180 days as a rule, 366 at most",
        "P04 Memorisation and privacy", "a person looks", "A breach of earlier terms is not settled. 90 days",
        "Outputs are not passed on outside the study.",
    ):  # fmt: skip
        assert words in text, words
    assert "Publish it" not in text


def test_the_file_can_be_downloaded(client_of: ClientOf, world: World) -> None:
    file = client_of("anonymous").get(page_of("research") + "?format=yaml")
    assert file.content.decode() == packaged_text("research")
    assert file["Content-Disposition"] == 'attachment; filename="research-1.yaml"'
    assert file["Content-Type"].startswith("text/yaml")


def test_the_difference_of_two_versions_is_said_in_words(client_of: ClientOf, world: World, at: datetime) -> None:
    old = store_programme(world.actor("ivy"), TEXT, at=at)
    new = store_programme(world.actor("ivy"), ASKED_MORE, at=at)
    page = client_of("finn").get(reverse("programme-diff", args=[old.digest, new.digest]))
    assert "1 change in what is asked" in shown(page)
    assert "asked anew: Where are outputs kept?" in shown(page)
    back = shown(client_of("finn").get(reverse("programme-diff", args=[new.digest, old.digest])))
    assert "no longer asked: Where are outputs kept?" in back
    assert "Both ask for the same." in shown(
        client_of("finn").get(reverse("programme-diff", args=[old.digest, preset("research").digest]))
    )
    assert (
        reverse("programme-diff", args=[old.digest, new.digest])
        in client_of("finn").get(page_of(new.digest)).content.decode()
    )


def test_an_unknown_programme_is_not_found(client_of: ClientOf, world: World) -> None:
    assert client_of("finn").get(page_of("nothing")).status_code == 404
    assert client_of("finn").get(reverse("programme-diff", args=["research", "nothing"])).status_code == 404


def test_a_lead_stores_a_file_and_publishes_it(client_of: ClientOf, world: World) -> None:
    ivy = client_of("ivy")
    stored = ivy.post(NEW, {"file": TEXT})
    version = ProgrammeVersion.objects.get(name="ours")
    assert (stored.status_code, stored.headers["Location"]) == (303, page_of(version.digest))
    address = reverse("programme-publish", args=[version.digest])
    assert address in ivy.get(page_of(version.digest)).content.decode()
    assert f"What it changes for {world.size.family.name}" in shown(ivy.get(address))
    given = {"family": world.size.family.slug, "stage": STAGE, "reason": "The family's own."}
    refused = ivy.post(address, {**given, "reason": ""})
    assert refused.status_code == 400
    assert 'id="id_reason_error"' in refused.content.decode()
    done = ivy.post(address, given)
    assert (done.status_code, done.headers["Location"]) == (303, page_of(version.digest))
    one = ProgrammePublication.objects.get()
    assert (one.published_by, one.reason) == ("ivy", "The family's own.")
    assert ivy.post(address, given).status_code == 409


def test_a_bad_file_is_refused_with_its_line_and_kept_in_the_form(client_of: ClientOf, world: World) -> None:
    text = changed("version: 1", "version: 0")
    refused = client_of("ivy").post(NEW, {"file": text})
    assert refused.status_code == 400
    assert "Line 3: version is 0, it must lie between 1 and 100,000." in shown(refused)
    assert "version: 0" in refused.content.decode()
    assert not ProgrammeVersion.objects.exists()


def test_a_lead_of_the_other_kind_keeps_none_of_these(client_of: ClientOf, world: World, at: datetime) -> None:
    version = store_programme(world.actor("ivy"), TEXT, at=at)
    hal = client_of("hal")
    assert hal.post(NEW, {"file": changed("version: 1", "version: 2")}).status_code == 403
    assert hal.get(reverse("programme-publish", args=[version.digest])).status_code == 403
    assert "Publish it" not in shown(hal.get(page_of(version.digest)))


@pytest.mark.parametrize("name", ["finn", "ben", "ada", "jo", "kim"])
def test_nobody_else_keeps_programmes(client_of: ClientOf, world: World, name: str) -> None:
    assert client_of(name).get(NEW).status_code == 403
    assert client_of(name).post(NEW, {"file": TEXT}).status_code == 403


def test_a_family_that_is_not_disclosed_is_not_named(client_of: ClientOf, world: World, at: datetime) -> None:
    publish(world, TEXT, at - DAY)
    for size in ModelSize.objects.filter(family=world.size.family):
        put_at_stage(size, "registered", at)
    assert world.size.family.name not in shown(client_of("finn").get(LIST))
    assert world.size.family.name in shown(client_of("ivy").get(LIST))
