"""The catalogue as JSON: what may be seen, what may be done and why not."""

from __future__ import annotations

from typing import Any

import pytest

from release_portal.registry.models import ModelSize
from release_portal.releases.models import Hold, Standing

SIZE = "/api/sizes/huggingfacetb/smollm2-135m-instruct/"


def slugs(response: Any) -> list[str]:
    return [row["slug"] for row in response.json()["results"]]


@pytest.fixture
def hidden(world: Any) -> ModelSize:
    """A size that only staff may know of."""
    Standing.objects.filter(size=world.size).update(stage="registered")
    found: ModelSize = world.size
    return found


def test_everyone_reads_the_catalogue_without_a_token(api: Any) -> None:
    anyone = api()
    assert anyone.get("/api/families/").json()["count"] >= 2
    assert "huggingfacetb/smollm2-135m-instruct" in slugs(anyone.get("/api/sizes/?per_page=100"))
    assert anyone.get(SIZE).json()["parameters"] > 0


def test_a_hidden_size_is_in_no_list_and_nowhere_else(api: Any, hidden: ModelSize) -> None:
    for who in (api(), api("ivy")):  # a token of staff carries no role
        assert hidden.slug not in slugs(who.get("/api/sizes/?per_page=100"))
        assert hidden.slug not in str(who.get("/api/families/?per_page=100").json())
        for path in (SIZE, SIZE + "card/", SIZE + "timeline/"):
            assert who.get(path).status_code == 404


def test_sizes_are_filtered(api: Any) -> None:
    found = api().get("/api/sizes/?q=smollm2&stage=research_hosted").json()
    assert [row["stage"]["slug"] for row in found["results"]] == ["research_hosted"] * found["count"]
    assert found["count"] >= 1
    assert api().get("/api/sizes/?family=opt&q=smollm2").json()["count"] == 0
    assert api().get("/api/sizes/?stage=nowhere").status_code == 400


def test_pages_join_to_the_whole_and_end(api: Any) -> None:
    whole = slugs(api().get("/api/sizes/?per_page=100"))
    pages = api().get("/api/sizes/?per_page=3").json()["pages"]
    parts = [slugs(api().get(f"/api/sizes/?per_page=3&page={page}")) for page in range(1, pages + 1)]
    assert [slug for part in parts for slug in part] == whole
    assert slugs(api().get(f"/api/sizes/?per_page=3&page={pages + 1}")) == []


@pytest.mark.parametrize(
    ("name", "allowed", "code"),
    [("", False, "sign_in"), ("finn", False, "no_grant"), ("dan", False, "grant_expired"), ("cleo", True, "grant")],
)
def test_a_size_says_what_the_asker_may_do(api: Any, name: str, allowed: bool, code: str) -> None:
    decisions = {one["action"]: one for one in api(name).get(SIZE).json()["decisions"]}
    assert (decisions["generate"]["allowed"], decisions["generate"]["code"]) == (allowed, code)
    assert bool(decisions["generate"]["change"]) is not allowed


def test_a_stop_of_use_shows_and_decides(api: Any, world: Any) -> None:
    Hold.objects.create(
        size=world.size, level="R5", stops_use=True, reason="A leak.", raised_by="olu", raised_at=world.at
    )
    size = api("cleo").get(SIZE).json()
    assert (size["is_held"], size["is_stopped"]) == (True, True)
    assert [(hold["level"], hold["reason"]) for hold in size["holds"]] == [("R5", "A leak.")]
    assert {one["action"]: one["code"] for one in size["decisions"]}["generate"] == "restricted"


def test_the_card_has_versions(api: Any) -> None:
    card = api().get(SIZE + "card/").json()
    assert card["number"] in card["versions"]
    assert api().get(f"{SIZE}card/?version={card['number']}").json() == card
    assert api().get(SIZE + "card/?version=999").status_code == 404


def test_the_timeline_is_newest_first(api: Any) -> None:
    days = [row["day"] for row in api().get(SIZE + "timeline/").json()["results"]]
    assert days
    assert days == sorted(days, reverse=True)


def test_the_ladder_comes_with_the_table(api: Any) -> None:
    stages = api().get("/api/stages/").json()["stages"]
    assert [stage["code"] for stage in stages] == [f"S{number}" for number in range(8)]
    policy = {row["action"]: row["audience"] for row in stages[3]["policy"]}
    assert policy["generate"] == "grantees"


def test_me_has_scopes_and_no_roles(api: Any) -> None:
    me = api("ivy", "catalogue:read").get("/api/me/").json()
    assert (me["account"], me["scopes"]) == ("ivy", ["catalogue:read"])
    assert "roles" not in me


def test_grants_are_ones_own_with_what_is_left(api: Any, world: Any) -> None:
    (grant,) = api("cleo").get("/api/grants/").json()["results"]
    assert grant["id"] == world.grants["cleo"].pk
    assert grant["state"] == "active"
    assert grant["today"]["left"] == grant["limits"]["tokens_per_day"]
    whole = api("cleo").get(f"/api/grants/{grant['id']}/").json()
    assert whole == {**grant, "receipts": [], "suspensions": [], "use": []}, "its own page says more"
    assert api("finn").get(f"/api/grants/{grant['id']}/").status_code == 404


def test_a_suspended_grant_says_why(api: Any) -> None:
    (grant,) = api("eve").get("/api/grants/").json()["results"]
    assert grant["state"] == "suspended"
    assert grant["suspension"]
