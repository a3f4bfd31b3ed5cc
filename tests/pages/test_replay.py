"""The page of the replay lab: the outcomes, what was known later, the drawing with its numbers, and the CSV."""

from __future__ import annotations

import csv
import re
from html import unescape
from io import StringIO
from typing import Any

import pytest
from django.test import Client

ADDRESS = "/replay/gpt2-2019/"


@pytest.fixture
def reader(world: Any) -> Client:
    """Somebody who is not signed in."""
    return Client(raise_request_exception=False)


def text_of(response: Any) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode())))


def section(response: Any, size: str) -> str:
    """The part of the page about one opening."""
    whole = response.content.decode()
    start = whole.index(f'<section id="{size}"')
    part = whole[start : whole.index("</section>", start)]
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", part)))


def test_everyone_reads_the_four_outcomes_under_the_preset(reader: Client) -> None:
    response = reader.get(ADDRESS)
    assert response.status_code == 200
    said = text_of(response)
    assert "124M by C02 and C17; 355M by C02; 774M by C09" in said
    assert "Held by assessed criteria" in said
    assert "Not assessable from the record" in said
    assert "No assessable criterion holds it." in section(response, "gpt2-1558m")
    assert "Earliest day: 20 August 2019, 187 days later." in section(response, "gpt2-124m")


def test_each_section_marks_what_was_known_only_later_and_what_was_read_more_mildly(reader: Client) -> None:
    response = reader.get(ADDRESS)
    assert "came only later" in section(response, "gpt2-124m")
    part = section(response, "gpt2-774m")
    assert "known only later" in part
    assert "5 November 2019; on the day of the opening: Not run" in part
    assert "Compared by its point value: the record gives no interval." in part
    assert "only later" not in section(response, "gpt2-1558m")


def test_the_drawing_states_the_finding_and_its_numbers_stand_beside_it(reader: Client) -> None:
    whole = reader.get(ADDRESS).content.decode()
    drawing = whole[whole.index('<svg role="img"') : whole.index("</figure>")]
    assert "<title" in drawing
    assert "3 of 4 openings would have been held" in drawing
    assert "style=" not in drawing
    numbers = whole[whole.index("</figure>") : whole.index("CSV")]
    for value in ("2019-02-14", "2019-08-20", ">187<", ">109<", "never"):
        assert value in numbers


def test_another_policy_is_chosen_in_the_address(reader: Client) -> None:
    response = reader.get(ADDRESS, {"policy": "demo-fast"})
    assert "Under the policy demo-fast" in text_of(response)
    assert '<option value="demo-fast" selected>' in response.content.decode()


@pytest.mark.parametrize("policy", ["nobodys", "../preset", "x" * 5000, "pre\x00set"])
def test_an_unknown_policy_is_not_found_and_the_page_names_those_that_there_are(reader: Client, policy: str) -> None:
    response = reader.get(ADDRESS, {"policy": policy})
    assert response.status_code == 404
    assert "preset, demo-fast" in text_of(response)


def test_an_unknown_replay_is_not_found(reader: Client) -> None:
    assert reader.get("/replay/gpt-9/").status_code == 404


def test_the_csv_holds_a_row_for_each_opening_and_criterion(reader: Client) -> None:
    response = reader.get(ADDRESS, {"policy": "demo-fast", "format": "csv"})
    assert response["Content-Type"].startswith("text/csv")
    assert "gpt2-2019-demo-fast.csv" in response["Content-Disposition"]
    rows = list(csv.DictReader(StringIO(response.content.decode())))
    held = {(row["size"], row["criterion"]) for row in rows if row["holds"] == "yes"}
    assert held == {
        ("gpt2-124m", "C02"),
        ("gpt2-124m", "C17"),
        ("gpt2-355m", "C02"),
        ("gpt2-774m", "C09"),
    }


def test_the_page_asks_the_database_for_nothing_of_the_replay(
    reader: Client, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(3):
        reader.get(ADDRESS)


def test_the_page_about_the_stages_leads_here(reader: Client) -> None:
    assert f'href="{ADDRESS}"' in reader.get("/about/stages/").content.decode()
