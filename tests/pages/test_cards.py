"""The pages of a model card: edit, preview, conflict, differences, download."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from model_cards.lookups import latest_card
from model_cards.services import publish_card
from tests.world import World

pytestmark = pytest.mark.django_db
ClientOf = Callable[[str], Any]

SERVED = "/sizes/huggingfacetb/smollm2-135m-instruct/"
REGISTERED = "/sizes/huggingfacetb/smollm2-1.7b-instruct/"


def page(response: Any) -> str:
    return str(response.content.decode())


def form(text: str, *, summary: str = "clearer words", version: int = 1, **more: str) -> dict[str, str]:
    return {"card": text, "summary": summary, "expected_version": str(version), **more}


def test_an_editor_sees_the_whole_text_and_both_checks(client_of: ClientOf) -> None:
    response = client_of("ben").get(REGISTERED + "card/edit/")
    assert response.status_code == 200
    assert "## Training procedure" in page(response)
    assert "Now: Registered" in page(response)
    assert "Next: Disclosed" in page(response)
    assert "The section “Training data” is empty" in page(response)


def test_saving_leads_to_the_card_with_a_message(client_of: ClientOf, world: World) -> None:
    client = client_of("ada")
    saved = client.post(SERVED + "card/edit/", form("# Short\r\n\r\ncard <b>bold</b>"))
    assert (saved.status_code, saved["Location"]) == (303, SERVED + "card/")
    shown = page(client.get(saved["Location"]))
    assert "Version 2 is published." in shown
    assert "errors remain for the present stage" in shown
    assert "&lt;b&gt;bold" in shown
    newest = latest_card(world.size)
    assert newest is not None
    assert (newest.text, newest.author_name) == ("# Short\n\ncard <b>bold</b>\n", "ada")


def test_the_same_text_again_says_so(client_of: ClientOf, world: World) -> None:
    newest = latest_card(world.size)
    assert newest is not None
    client = client_of("ada")
    client.post(SERVED + "card/edit/", form(newest.text))
    assert "The text is the same, so version 1 stays the newest." in page(client.get(SERVED + "card/"))


def test_a_preview_without_script_keeps_everything_and_saves_nothing(client_of: ClientOf, world: World) -> None:
    response = client_of("ada").post(SERVED + "card/edit/", form("## Contact\n\n*soon*", summary="", preview="1"))
    assert response.status_code == 200
    assert "<em>soon</em>" in page(response)
    assert "*soon*</textarea>" in page(response)
    assert "The contact names no address" in page(response)
    assert world.size.card_versions.count() == 1


def test_the_preview_of_the_script_is_a_part_of_the_page(client_of: ClientOf, world: World) -> None:
    client = client_of("ben")
    response = client.post(SERVED + "card/preview/", {"card": "# T\n\n<script>alert(1)</script> 15B parameters"})
    assert response.status_code == 200
    assert "<html" not in page(response)
    assert "&lt;script&gt;" in page(response)
    assert "<script" not in page(response)
    assert "differs from the catalogue" in page(response)
    assert client.get(SERVED + "card/preview/").status_code == 405
    assert world.size.card_versions.count() == 1


def test_a_preview_of_nothing_says_what_is_wrong(client_of: ClientOf) -> None:
    response = client_of("ben").post(SERVED + "card/preview/", {"card": " "})
    assert response.status_code == 400
    assert "A card cannot be empty." in page(response)
    assert "<html" not in page(response)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (form(" "), "A card cannot be empty."),
        (form("# T", summary=""), "Say in a few words what changed."),
        (form("x" * 200_001), "at most 200,000 are kept"),
    ],
)
def test_a_refused_form_keeps_its_text(client_of: ClientOf, world: World, sent: dict[str, str], reason: str) -> None:
    response = client_of("ada").post(SERVED + "card/edit/", sent)
    assert response.status_code == 400
    assert reason in page(response)
    assert sent["card"].strip() in page(response)
    assert world.size.card_versions.count() == 1


def test_a_form_without_its_version_is_refused(client_of: ClientOf) -> None:
    response = client_of("ada").post(SERVED + "card/edit/", form("# T") | {"expected_version": "x"})
    assert response.status_code == 400
    assert "# T" in page(response)


def test_a_conflict_keeps_the_text_and_shows_the_difference(client_of: ClientOf, world: World) -> None:
    publish_card(
        world.actor("ben"), world.size, "# T\n\nben wrote", summary="ben was here", expected_number=1, at=world.at
    )
    client = client_of("ada")
    response = client.post(SERVED + "card/edit/", form("# T\n\nada wrote", version=1))
    assert response.status_code == 409
    shown = page(response)
    assert "ada wrote</textarea>" in shown
    assert "What your text would change in version 2" in shown
    assert "<del>ben</del><ins>ada</ins> wrote" in shown
    assert 'name="expected_version" value="2"' in shown
    assert client.post(SERVED + "card/edit/", form("# T\n\nada wrote", version=2)).status_code == 303


@pytest.mark.parametrize("name", ["finn", "cleo", "ivy", "gia", "kim", "olu"])
@pytest.mark.parametrize("address", ["card/edit/", "card/preview/"])
def test_other_roles_neither_edit_nor_preview(client_of: ClientOf, world: World, name: str, address: str) -> None:
    response = client_of(name).post(SERVED + address, form("# Mine"))
    assert response.status_code == 403
    assert world.size.card_versions.count() == 1


def test_a_visitor_is_asked_to_sign_in(client_of: ClientOf) -> None:
    assert client_of("anonymous").get(SERVED + "card/edit/").status_code == 401


def test_only_editors_are_offered_to_edit(client_of: ClientOf) -> None:
    assert "card/edit/" in page(client_of("ben").get(SERVED + "card/"))
    assert "card/edit/" not in page(client_of("finn").get(SERVED + "card/"))


def test_everyone_who_reads_a_card_compares_its_versions(client_of: ClientOf, world: World) -> None:
    newest = latest_card(world.size)
    assert newest is not None
    text = newest.text.replace("Trying this portal", "Testing this portal").replace(
        "license: apache-2.0", "license: mit"
    )
    publish_card(world.actor("ada"), world.size, text, summary="words", expected_number=1, at=world.at)
    for address in ("card/diff/", "card/diff/?from=1&to=2"):
        response = client_of("anonymous").get(SERVED + address)
        assert response.status_code == 200
        assert "<del>Trying</del><ins>Testing</ins> this portal" in page(response)
        assert "<del>apache-2.0</del>" in page(response)
    back = page(client_of("anonymous").get(SERVED + "card/diff/?from=2&to=1"))
    assert "<del>Testing</del><ins>Trying</ins>" in back
    assert "The two texts say the same." in page(client_of("anonymous").get(SERVED + "card/diff/?from=2&to=2"))


def test_a_text_in_a_difference_is_only_text(client_of: ClientOf, world: World) -> None:
    text = "# T\n\n<script>alert(1)</script>"
    publish_card(world.actor("ada"), world.size, text, summary="<i>x</i>", expected_number=1, at=world.at)
    shown = page(client_of("finn").get(SERVED + "card/diff/"))
    assert "&lt;script&gt;alert(1)" in shown
    assert "<script>alert" not in shown
    assert "<i>x" not in shown


@pytest.mark.parametrize("query", ["?from=1&to=7", "?from=x", "?to=-1"])
def test_versions_that_do_not_exist_are_not_found(client_of: ClientOf, query: str) -> None:
    assert client_of("anonymous").get(SERVED + "card/diff/" + query).status_code == 404


def test_the_raw_card_is_a_file(client_of: ClientOf, world: World) -> None:
    newest = latest_card(world.size)
    assert newest is not None
    response = client_of("anonymous").get(SERVED + "card/raw/")
    assert response["Content-Type"] == "text/markdown; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="README.md"'
    assert response["X-Content-Type-Options"] == "nosniff"
    assert page(response) == newest.text
    assert client_of("anonymous").get(SERVED + "card/raw/?version=2").status_code == 404


@pytest.mark.parametrize("address", ["card/diff/", "card/raw/"])
def test_the_card_of_an_undisclosed_size_is_for_staff(client_of: ClientOf, address: str) -> None:
    assert client_of("finn").get(REGISTERED + address).status_code == 404
    assert client_of("kim").get(REGISTERED + address).status_code == 200


def test_an_undisclosed_size_has_no_narrower_stage(client_of: ClientOf) -> None:
    shown = page(client_of("ada").get(REGISTERED + "move/"))
    assert "No stage is narrower than this one." in shown
    assert 'type="radio"' not in shown
    assert f'href="{REGISTERED}move/"' in page(client_of("ada").get(REGISTERED))
