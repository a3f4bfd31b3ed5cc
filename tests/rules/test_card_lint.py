"""What is wrong with a card: each code with an example for it and one against it."""

from __future__ import annotations

import re

import pytest

from model_cards.lint import CODES, CardFacts, lint, missing_sections
from model_cards.parse import MOST_CHARACTERS
from model_cards.schema import SECTIONS, required_at, section_of
from release_portal.registry.catalogue import STAGES

FACTS = CardFacts(
    1_557_611_200, siblings=(124_439_808, 354_823_168, 774_030_080), names=("117M", "1.5B", "gpt2-xl", "1558M")
)


def card(front: str = "license: mit\nlanguage: en", **changed: str) -> str:
    """A card that is complete at every stage, with some sections changed; None as text leaves one out."""
    texts = {section.key: "Something that was written." for section in SECTIONS if not section.in_front_matter}
    texts |= {"contact": "safety@example.org"} | changed
    body = "\n\n".join(f"## {section_of(key).heading}\n\n{text}" for key, text in texts.items())
    return f"---\n{front}\n---\n\n# GPT-2 1558M\n\n{body}\n"


def without(key: str) -> str:
    heading = section_of(key).heading
    return card(**{key: "DROP"}).replace(f"## {heading}\n\nDROP", "")


def codes(text: str, stage: str = "open_science", facts: CardFacts = FACTS) -> list[str]:
    return [finding.code for finding in lint(text, stage, facts)]


def test_a_complete_card_is_complete_at_every_stage() -> None:
    for stage in STAGES:
        assert codes(card(), stage) == []
        assert missing_sections(card(), stage) == ()


EXAMPLES: list[tuple[str, str, str, str]] = [
    # code, stage, a card that has it, a card that has it not
    ("E00", "disclosed", card(front="license: [mit"), card()),
    ("E00", "disclosed", "x" * (MOST_CHARACTERS + 1), card()),
    ("E02", "disclosed", card(model_details="It has 15B parameters."), card(model_details="It has 1.5B parameters.")),
    ("E02", "disclosed", card(evaluation="A 15B model."), card(evaluation="A 1.56 billion parameter model.")),
    ("E02", "disclosed", card(model_details="- Parameters: 124M"), card(model_details="The smallest has 124M params.")),
    (
        "E02",
        "disclosed",
        card(model_details="| Parameters | 774,030,080 |\n|---|---|\n| Layers | 36 |"),
        card(model_details="| Parameters | 1,557,611,200 |\n|---|---|\n| Layers | 48 |"),
    ),
    ("E02", "disclosed", card(model_details="1.6B parameters"), card(model_details="the 8 sampling parameters")),
    ("E03", "research_weights", card(front="language: en"), card()),
    ("E03", "open_weights", card(front="language: en\nlicense: unknown"), card()),
    (
        "E03",
        "open_weights",
        card(front="language: en\nlicense: other"),
        card(front="language: en\nlicense: other\nlicense_name: modified-mit"),
    ),
    ("E04", "disclosed", card(intended_use=""), card(intended_use="Research.")),
    ("E04", "disclosed", card(intended_use="[More Information Needed]"), card(intended_use="More information: below.")),
    ("E04", "disclosed", card(limitations="[...]"), card(limitations="It invents facts [...] and dates.")),
    ("E04", "disclosed", card(training_data="TODO: ask the data team"), card(training_data="Web pages.")),
    ("E04", "disclosed", card(model_details="- **Developed by:**"), card(model_details="- **Developed by:** us")),
    ("E08", "disclosed", card(contact="Write to the team."), card(contact="[a form](/report/)")),
    ("E09", "disclosed", without("out_of_scope"), card()),
    ("E09", "research_hosted", without("misuse"), card()),
    (
        "E10",
        "disclosed",
        card(front="language: en\nrelease_stage: partner"),
        card(front="language: en\nrelease_stage: disclosed"),
    ),
    (
        "E10",
        "research_hosted",
        card(model_details="- Release stage: Open weights"),
        card(model_details="- Release stage: Research, hosted"),
    ),
    ("W01", "disclosed", card(evaluation="The size 335M scored 6.07."), card(evaluation="The size 355M scored 6.07.")),
    ("W01", "disclosed", card(evaluation="Compared with 345M."), card(evaluation="Compared with 117M, its old name.")),
    ("W01", "disclosed", card(training_data="335M."), card(training_data="300B tokens, 40M documents, $20M.")),
    ("W05", "open_weights", card(environment="Unknown."), card(environment="Unknown, because nobody metered it.")),
    ("W06", "research_hosted", card(intended_use="An open source model."), card(intended_use="It is not open source.")),
    (
        "W06",
        "open_weights",
        card(front="language: en\nlicense: other\nlicense_name: own", intended_use="Open-source."),
        card(intended_use="Open-source."),
    ),
    ("W09", "disclosed", without("citation"), card()),
    (
        "W10",
        "disclosed",
        card(intended_use="The best model there is."),
        card(intended_use="The best of 4 sizes: 6.91."),
    ),
    ("W13", "disclosed", card(front="license: mit"), card()),
]


@pytest.mark.parametrize(("code", "stage", "bad", "good"), EXAMPLES)
def test_each_code_is_found_where_it_belongs_and_nowhere_else(code: str, stage: str, bad: str, good: str) -> None:
    assert code in codes(bad, stage)
    assert code not in codes(good, stage)


@pytest.mark.parametrize(
    ("stage", "days", "is_found"),
    [("public_hosted", 181, True), ("public_hosted", 180, False), ("partner", 999, False)],
)
def test_a_card_grows_old_where_everyone_reads_it(stage: str, days: int, is_found: bool) -> None:
    facts = CardFacts(FACTS.parameters, age_days=days)
    assert ("W14" in codes(card(), stage, facts)) is is_found


def test_every_code_is_documented_and_has_an_example() -> None:
    assert {code for code, *_rest in EXAMPLES} | {"W14"} == set(CODES)


def test_a_stage_asks_only_for_what_it_requires() -> None:
    assert codes(without("evaluation"), "partner") == []
    assert codes(card(front="language: en"), "public_hosted") == []
    assert codes(without("environment"), "research_weights") == []
    assert codes("", "registered") == ["W13"]


def test_a_finding_says_where_why_and_what_to_do() -> None:
    (finding,) = lint(card(intended_use=""), "disclosed", FACTS)
    assert (finding.section, finding.severity, finding.is_error) == ("Intended use", "error", True)
    assert "empty" in finding.reason
    assert section_of("intended_use").hint in finding.change


def test_errors_come_before_advice_and_sections_in_their_order() -> None:
    found = codes(card(front="license: mit", contact="", intended_use="", model_details="The best."), "disclosed")
    assert found == ["E04", "E04", "W13", "W10"]


def test_what_is_missing_is_named_by_heading() -> None:
    empty = card(training_data="", front="language: en")
    assert missing_sections(empty, "disclosed") == ("Training data",)
    assert missing_sections(empty, "open_weights") == ("Training data", "Licence (front matter)")
    assert missing_sections("", "disclosed") == tuple(section.heading for section in required_at("disclosed"))
    assert missing_sections("", "registered") == ()


def test_a_wrong_number_does_not_count_as_missing() -> None:
    assert missing_sections(card(model_details="15B parameters"), "open_science") == ()


def test_a_large_hostile_card_is_checked_all_the_same() -> None:
    """Texts that make careless patterns quadratic; the suite would stand still."""
    for unit in ("a", "not open source ", "-\n", "@", "1,", "<!--", "|", "[", "release stage: "):
        text = card(contact=(unit * MOST_CHARACTERS)[: MOST_CHARACTERS // 4])
        assert isinstance(lint(text, "open_science", FACTS), list)


def test_reasons_are_sentences() -> None:
    for _code, stage, bad, _good in EXAMPLES:
        for finding in lint(bad, stage, FACTS):
            assert re.search(r"[.!]$", finding.reason)
            assert re.search(r"[.!)]$", finding.change)
