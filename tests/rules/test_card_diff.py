"""What changed between two versions of a card."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from model_cards.diff import DELETED, INSERTED, SAME, CardDiff, SectionChange, compare

OLD = """---
license: mit
language: en
---

# A model

Lead.

## Model details

Spring 2019.
It has 124M parameters.

## Intended use

Research.

## Contact

mail@example.org
"""


def text_of(change: SectionChange, *kinds: str) -> str:
    return "".join(piece.text for line in change.lines for piece in line.pieces if piece.kind in kinds)


def test_the_same_text_has_no_changes() -> None:
    assert compare(OLD, OLD).is_empty


def test_words_are_marked_inside_their_section() -> None:
    (change,) = compare(OLD, OLD.replace("Spring 2019", "February 2019")).sections
    assert (change.heading, change.kind) == ("Model details", "changed")
    assert (text_of(change, DELETED), text_of(change, INSERTED)) == ("Spring", "February")


def test_a_new_section_and_a_removed_one_are_whole() -> None:
    new = OLD.replace("## Contact\n\nmail@example.org", "## Citation\n\nUs, 2019.")
    added, removed = sorted(compare(OLD, new).sections, key=lambda change: change.kind)
    assert (added.heading, added.kind, text_of(added, INSERTED)) == ("Citation", "added", "Us, 2019.")
    assert (removed.heading, removed.kind, text_of(removed, DELETED)) == ("Contact", "removed", "mail@example.org")


def test_a_renamed_heading_is_the_same_section() -> None:
    (change,) = compare(OLD, OLD.replace("## Intended use", "## Uses")).sections
    assert change.kind == "changed"
    assert text_of(change, DELETED) == "Intended use"
    assert text_of(change, INSERTED) == "Uses"


def test_moving_a_section_is_no_change_of_its_text() -> None:
    contact = "## Contact\n\nmail@example.org\n"
    moved = OLD.replace(contact, "").replace("## Intended use", contact + "\n## Intended use")
    assert compare(OLD, moved).is_empty


def test_front_matter_is_compared_by_key() -> None:
    new = OLD.replace("license: mit", "license: apache-2.0").replace("language: en\n", "tags: [a, b]\n")
    changes = compare(OLD, new)
    assert [(one.key, one.before, one.after) for one in changes.front] == [
        ("license", "mit", "apache-2.0"),
        ("language", "en", ""),
        ("tags", "", "a, b"),
    ]
    assert not changes.sections


def test_front_matter_that_cannot_be_read_is_compared_as_text() -> None:
    (change,) = compare(OLD, OLD.replace("license: mit", "license: [mit")).front
    assert change.key == "front matter"
    assert "[mit" in change.after


def test_long_unchanged_parts_are_left_out() -> None:
    body = "\n".join(f"line {number}" for number in range(50))
    (change,) = compare(f"## Results\n{body}\nold", f"## Results\n{body}\nnew").sections
    assert any(line.is_gap for line in change.lines)
    assert len(change.lines) < 10


def test_very_long_texts_are_shown_as_replaced() -> None:
    old, new = ("\n".join(f"{word} {number}" for number in range(9_000)) for word in ("old", "new"))
    (change,) = compare(f"## Results\n{old}", f"## Results\n{new}").sections
    assert text_of(change, DELETED).startswith("old") or text_of(change, DELETED).startswith("## ")
    assert "new 8999" in text_of(change, INSERTED, SAME)


texts = st.text(alphabet="ab #\n-:", max_size=80)


@given(texts, texts)
def test_a_difference_is_never_silent_and_adds_nothing(old: str, new: str) -> None:
    """Every word shown as deleted is in the old text, every inserted one in the new."""
    changes: CardDiff = compare(old, new)
    for change in changes.sections:
        for line in change.lines:
            for piece in line.pieces:
                # An underlined heading is shown with the marks of the other spelling.
                words = [word for word in piece.text.split() if word.strip("#")]
                if piece.kind != INSERTED:
                    assert all(word in old for word in words)
                if piece.kind != DELETED:
                    assert all(word in new for word in words)
