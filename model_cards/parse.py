"""Read a card in Hub README format: front matter in YAML, then Markdown that its headings divide (pure).

What cannot be read is named with its line and never stops the rest from being read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from model_cards.schema import key_of

MOST_CHARACTERS = 200_000
MOST_FRONT_CHARACTERS = 20_000
DEEPEST = 12  # levels of lists and mappings in the front matter
FENCE = "---"
COMMENT = re.compile(r"<!--.*?(-->|\Z)", re.DOTALL)

# HTML is recognised so that comments of templates can be left out; everything else of it is shown as text.
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
HTML_TOKENS = ("html_block", "html_inline")


class CardTooLong(ValueError):
    """The text has more characters than a card may have."""


@dataclass(frozen=True)
class Problem:
    """Something that cannot be read, with its line in the card."""

    line: int
    message: str


@dataclass(frozen=True)
class Section:
    """The text under one heading, up to the next heading.

    Args:
        heading: as written; empty for what stands before the first.
        level: 1 to 6; 0 before the first heading.
        key: the section of the schema that it names, "" if none.
        owner: its own key, or that of the closest heading above it that has one.
        line: where the heading stands in the card, from 1.
        source: Markdown below the heading.
        words: what a reader sees of it, without code blocks and comments.
        code: content of its code blocks.
    """

    heading: str
    level: int
    key: str
    owner: str
    line: int
    source: str
    words: str
    code: str = ""

    @property
    def prose(self) -> str:
        """The heading and what a reader sees below it."""
        return f"{self.heading}\n{self.words}"


@dataclass(frozen=True)
class Card:
    """A card that was read."""

    front: Mapping[str, Any]
    front_source: str
    body: str
    sections: tuple[Section, ...]
    problems: tuple[Problem, ...] = ()

    def owned_by(self, key: str) -> tuple[Section, ...]:
        """Return the section of that key together with the headings below it that name no other."""
        return tuple(section for section in self.sections if section.owner == key)

    def has(self, key: str) -> bool:
        """Whether a heading names this section."""
        return any(section.key == key for section in self.sections)

    def text_of(self, key: str) -> str:
        """Return what a reader sees of a section, code blocks included."""
        return "\n".join(part for one in self.owned_by(key) for part in (one.words, one.code) if part.strip()).strip()


def parse(text: str) -> Card:
    """Read a card.

    Raises:
        CardTooLong: it has more than MOST_CHARACTERS characters.
    """
    if len(text) > MOST_CHARACTERS:
        raise CardTooLong(f"The card has {len(text):,} characters, at most {MOST_CHARACTERS:,} are read.")
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    source, body, first_line, problems = _split(text)
    front: Mapping[str, Any] = {}
    if source:
        front, more = _front(source)
        problems = [*problems, *more]
    return Card(front, source, body, tuple(_sections(body, first_line)), tuple(problems))


# --- Front matter --------------------------------------------------------------------------------------------------


def _split(text: str) -> tuple[str, str, int, list[Problem]]:
    """Return the front matter, the body, the line on which the body begins, and what is wrong."""
    lines = text.split("\n")
    if lines[0].rstrip() != FENCE:
        return "", text, 1, []
    for place, line in enumerate(lines[1:], start=1):
        if line.rstrip() == FENCE:
            return "\n".join(lines[1:place]), "\n".join(lines[place + 1 :]), place + 2, []
    return "", text, 1, [Problem(1, "the front matter begins here and never ends; a second line --- is missing")]


class _FrontLoader(yaml.SafeLoader):
    """Reads plain values only: no references, which could grow without end, no key twice, nothing too deep."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="references (*) are not read", problem_mark=mark)
        self.depth += 1
        if self.depth > DEEPEST:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem=f"more than {DEEPEST} levels", problem_mark=mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _front(source: str) -> tuple[Mapping[str, Any], list[Problem]]:
    if len(source) > MOST_FRONT_CHARACTERS:
        return {}, [Problem(2, f"the front matter has more than {MOST_FRONT_CHARACTERS:,} characters")]
    try:
        loader = _FrontLoader(source)
        node = loader.get_single_node()
        values = loader.construct_document(node) if node else {}
    except yaml.YAMLError as error:
        return {}, [_yaml_problem(source, error)]
    except (ValueError, OverflowError) as error:  # e.g. a date such as 2019-02-30
        return {}, [Problem(2, f"the front matter holds a value that cannot be read: {error}")]
    if not isinstance(values, dict):
        return {}, [Problem(2, "the front matter must be a mapping of keys to values")]
    lines = {key.value: key.start_mark.line + 2 for key, _value in node.value} if node else {}
    return values, list(_front_problems(values, lines, [key.value for key, _value in node.value] if node else []))


def _yaml_problem(source: str, error: yaml.YAMLError) -> Problem:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        return Problem(mark.line + 2 if mark else 2, f"the front matter is no YAML: {error.problem or error.context}")
    place = getattr(error, "position", 0)  # a character that YAML does not allow
    return Problem(source.count("\n", 0, place) + 2, "the front matter holds a character that YAML does not allow")


TEXT, TEXTS = "a text", "a text or a list of texts"
FRONT_KEYS = {
    "license": TEXT,
    "license_name": TEXT,
    "license_link": TEXT,
    "pipeline_tag": TEXT,
    "library_name": TEXT,
    "release_stage": TEXT,
    "language": TEXTS,
    "tags": TEXTS,
    "datasets": TEXTS,
    "metrics": TEXTS,
    "base_model": TEXTS,
}


def _front_problems(values: Mapping[Any, Any], lines: Mapping[str, int], keys: Sequence[str]) -> Iterator[Problem]:
    for key in sorted(key for key, count in Counter(keys).items() if count > 1):
        yield Problem(lines[key], f"the key {key} stands twice in the front matter")
    for key, value in values.items():
        wanted = FRONT_KEYS.get(key) if isinstance(key, str) else None
        if wanted and not _is(wanted, value):
            yield Problem(lines.get(key, 2), f"{key} must be {wanted}")


def _is(wanted: str, value: Any) -> bool:
    if value is None or isinstance(value, str):
        return True
    return wanted == TEXTS and isinstance(value, list) and all(isinstance(one, str) for one in value)


# --- Sections ------------------------------------------------------------------------------------------------------


@dataclass
class _Open:
    """A section that is being read."""

    heading: str
    level: int
    key: str
    owner: str
    line: int
    begins: int  # first line of its text in the body, from 0
    is_in_row: bool = False  # of a table
    words: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)


def _sections(body: str, first_line: int) -> Iterator[Section]:
    lines = body.split("\n")
    tokens = MARKDOWN.parse(body)
    current, above = _Open("", 0, "", "", first_line, 0), list[_Open]()
    for place, token in enumerate(tokens):
        if token.type == "heading_open" and token.level == 0 and token.map:
            yield from _closed(current, lines, token.map[0])
            above = [one for one in above if one.level < int(token.tag[1])]
            current = _opened(tokens[place + 1], token, above, first_line)
            above.append(current)
        elif not _is_heading_text(tokens, place):
            _collect(current, token)
    yield from _closed(current, lines, len(lines))


def _is_heading_text(tokens: Sequence[Token], place: int) -> bool:
    before = tokens[place - 1] if place else None
    return before is not None and before.type == "heading_open" and before.level == 0


def _opened(inline: Token, heading: Token, above: Sequence[_Open], first_line: int) -> _Open:
    assert heading.map is not None
    text = _inline_words(inline).strip()
    key = key_of(text)
    owner = key or next((one.owner for one in reversed(above) if one.owner), "")
    return _Open(text, int(heading.tag[1]), key, owner, heading.map[0] + first_line, heading.map[1])


def _closed(section: _Open, lines: Sequence[str], end: int) -> Iterator[Section]:
    source = "\n".join(lines[section.begins : end]).strip("\n")
    if not section.level and not source.strip():
        return
    words, code = "\n".join(section.words).strip(), "\n".join(section.code).strip()
    yield Section(section.heading, section.level, section.key, section.owner, section.line, source, words, code)


def _collect(section: _Open, token: Token) -> None:
    if token.type == "tr_open":
        section.is_in_row = True
        section.words.append("")
    elif token.type == "tr_close":
        section.is_in_row = False
    elif token.type == "inline" and section.is_in_row:
        section.words[-1] += _inline_words(token) + " | "
    elif token.type == "inline":
        section.words.append(_inline_words(token))
    elif token.type in ("fence", "code_block"):
        section.code.append(token.content)
    elif token.type == "html_block":
        section.words.append(without_comments(token.content))


def _inline_words(token: Token) -> str:
    parts = []
    for child in token.children or ():
        if child.type in ("softbreak", "hardbreak"):
            parts.append("\n")
        elif child.type == "html_inline":
            parts.append(without_comments(child.content))
        else:
            parts.append(child.content)  # of an image: its description
    return "".join(parts)


def without_comments(html: str) -> str:
    """Return HTML source without its comments."""
    return COMMENT.sub("", html)
