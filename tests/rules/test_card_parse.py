"""Reading a card: front matter, headings, and what cannot be read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_cards.parse import MOST_CHARACTERS, CardTooLong, parse
from model_cards.schema import SECTIONS, key_of, required_at
from release_portal.registry.catalogue import STAGES

CARD = """---
license: mit
language:
- en
---

# A model

Lead.

## Model Details

Made by us.

### A heading of our own

Still details.

## Uses

### Direct Use

Research.

### Out-of-Scope Use

Lies.

```markdown
## Contact
not a heading
```

> ## Contact
> not a section of the card

## Bias, Risks, and Limitations

<!-- Provide a summary -->
"""


def test_front_matter_and_sections_are_read() -> None:
    card = parse(CARD)
    assert card.front == {"license": "mit", "language": ["en"]}
    assert [section.heading for section in card.sections] == [
        "A model",
        "Model Details",
        "A heading of our own",
        "Uses",
        "Direct Use",
        "Out-of-Scope Use",
        "Bias, Risks, and Limitations",
    ]
    assert not card.problems


def test_a_section_owns_what_no_other_section_below_it_owns() -> None:
    card = parse(CARD)
    assert card.text_of("model_details") == "Made by us.\nStill details."
    assert card.text_of("intended_use") == "Research."
    assert card.text_of("out_of_scope").startswith("Lies.")


def test_headings_in_code_and_in_quotes_are_none() -> None:
    """Seen to fail with `token.level == 0` removed."""
    card = parse(CARD)
    assert not card.has("contact")
    assert "not a heading" in card.text_of("out_of_scope")
    assert parse("## Contact\n\nx").has("contact")


def test_a_comment_of_a_template_is_no_text() -> None:
    card = parse(CARD)
    assert card.has("limitations")
    assert card.text_of("limitations") == ""


def test_sections_know_their_line_in_the_whole_card() -> None:
    lines = CARD.split("\n")
    for section in parse(CARD).sections:
        assert section.heading in lines[section.line - 1]


def test_underlined_headings_are_headings() -> None:
    assert parse("Intended use\n------------\n\nfor tests").text_of("intended_use") == "for tests"


def test_windows_lines_and_a_byte_order_mark_change_nothing() -> None:
    assert parse("\ufeff" + CARD.replace("\n", "\r\n")) == parse(CARD)


@pytest.mark.parametrize(
    ("heading", "key"),
    [
        ("Model Details", "model_details"),
        ("1. Intended Use", "intended_use"),
        ("Downstream Use [optional]", "intended_use"),
        ("Out-of-Scope Use", "out_of_scope"),
        ("Ethical Considerations", "limitations"),
        ("Caveats and Recommendations", "limitations"),
        ("Testing Data, Factors & Metrics", "evaluation"),
        ("Quantitative Analyses", "evaluation"),
        ("🌍 Environmental Impact", "environment"),
        ("Model Card Contact", "contact"),
        ("Acknowledgements", ""),
        ("", ""),
    ],
)
def test_headings_of_the_hub_and_of_mitchell_are_known(heading: str, key: str) -> None:
    assert key_of(heading) == key


def test_each_stage_requires_at_least_what_the_stage_below_requires() -> None:
    keys = [{section.key for section in required_at(stage)} for stage in STAGES]
    assert keys[0] == set()
    assert all(below <= above for below, above in zip(keys, keys[1:], strict=False))
    assert keys[-1] == {section.key for section in SECTIONS}
    assert "contact" in keys[STAGES.index("disclosed")]
    assert "evaluation" not in keys[STAGES.index("partner")]
    assert "evaluation" in keys[STAGES.index("research_hosted")]
    assert "licence" in keys[STAGES.index("research_weights")]


@pytest.mark.parametrize(
    ("front", "line", "words"),
    [
        ("license: mit\nlanguage: [en\n", 3, "no YAML"),
        ("license: mit\n\tlanguage: en\n", 3, "no YAML"),
        ("a: &x [1]\nb: *x\n", 3, "references"),
        ("license: mit\nlicense: apache-2.0\n", 3, "twice"),
        ("tags: 7\n", 2, "tags must be a text or a list of texts"),
        ("license:\n- mit\n", 2, "license must be a text"),
        ("- a\n- b\n", 2, "mapping"),
        ("date: 2019-02-30\n", 2, "cannot be read"),
        ("a: \x07\n", 2, "character"),
        ("a: !!python/object:os.system x\n", 2, "no YAML"),
        ("a: " + "[" * 40 + "]" * 40 + "\n", 2, "levels"),
        ("a: " + "x" * 20_001 + "\n", 2, "20,000"),
    ],
)
def test_what_is_wrong_in_the_front_matter_is_named_with_its_line(front: str, line: int, words: str) -> None:
    card = parse(f"---\n{front}---\n\n## Contact\n\nx@example.org\n")
    assert [(problem.line, words in problem.message) for problem in card.problems] == [(line, True)]
    assert card.text_of("contact") == "x@example.org"


def test_front_matter_without_an_end_is_named() -> None:
    (problem,) = parse("---\nlicense: mit\n").problems
    assert problem.line == 1
    assert "never ends" in problem.message


def test_a_card_without_front_matter_is_a_card() -> None:
    card = parse("# Title\n\n---\n\ntext")
    assert (dict(card.front), card.problems) == ({}, ())


def test_a_card_has_an_end() -> None:
    parse("x" * MOST_CHARACTERS)
    with pytest.raises(CardTooLong):
        parse("x" * (MOST_CHARACTERS + 1))


@given(st.text(alphabet="-#:\n\t `<>![]()*&{}'\"aé\x00|", max_size=200))
def test_no_text_stops_the_reader(text: str) -> None:
    card = parse(text)
    again = parse("---\n" + text + "\n---\nx")
    assert all(section.line >= 1 for section in (*card.sections, *again.sections))
