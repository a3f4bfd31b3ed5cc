"""Read a small YAML file strictly, with the line of everything that is wrong (pure).

Plain mappings, lists and single values only: no references, no tags, no key twice, nothing deep.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

import yaml

MOST_BYTES = 200_000
DEEPEST = 10
MOST_CHARACTERS = 1_000  # of a single value
WHOLE = re.compile(r"-?[0-9]{1,9}")
NUMBER = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,9})?")
FLAGS = {"true": True, "false": False}
EMPTY = ("", "~", "null")


class PolicyFileError(ValueError):
    """A policy file that cannot be used, with the line and the reason."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


@dataclass(frozen=True)
class Value:
    """One node of the file."""

    node: yaml.nodes.Node

    @property
    def line(self) -> int:
        """The line on which it begins, from 1."""
        return int(self.node.start_mark.line) + 1

    def refuse(self, reason: str) -> NoReturn:
        """Raise the error that names this line."""
        raise PolicyFileError(self.line, reason)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is written."""
        node = self.node
        return isinstance(node, yaml.nodes.ScalarNode) and node.style is None and node.value in EMPTY

    def text(self, what: str) -> str:
        """Return one line of printable text; line breaks in it become spaces."""
        if not isinstance(self.node, yaml.nodes.ScalarNode):
            self.refuse(f"{what} must be a text")
        text = " ".join(str(self.node.value).split())
        if not text:
            self.refuse(f"{what} is empty")
        if len(text) > MOST_CHARACTERS:
            self.refuse(f"{what} has more than {MOST_CHARACTERS:,} characters")
        if not text.isprintable():
            self.refuse(f"{what} holds a character that cannot be printed")
        return text

    def one_of(self, what: str, allowed: tuple[str, ...]) -> str:
        """Return a text that stands in a closed list."""
        text = self.text(what)
        if text not in allowed:
            self.refuse(f"{what} {text!r} is unknown; known are: {', '.join(allowed)}")
        return text

    def match(self, what: str, pattern: re.Pattern[str], form: str) -> str:
        """Return a text of a certain form."""
        text = self.text(what)
        if not pattern.fullmatch(text):
            self.refuse(f"{what} {text!r} must be {form}")
        return text

    def whole(self, what: str, least: int = 0, most: int = 10**9) -> int:
        """Return a whole number between two bounds."""
        number = int(self.match(what, WHOLE, "a whole number"))
        if not least <= number <= most:
            self.refuse(f"{what} is {number}, it must lie between {least} and {most:,}")
        return number

    def number(self, what: str) -> Decimal:
        """Return an exact number."""
        return Decimal(self.match(what, NUMBER, "a number such as 0.5"))

    def flag(self, what: str) -> bool:
        """Return true or false."""
        return FLAGS[self.one_of(what, tuple(FLAGS))]

    def items(self, what: str) -> tuple[Value, ...]:
        """Return the entries of a list."""
        if not isinstance(self.node, yaml.nodes.SequenceNode):
            self.refuse(f"{what} must be a list")
        return tuple(Value(node) for node in self.node.value)

    def words(self, what: str, allowed: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """Return a list of different texts, from a closed list where one is given."""
        found: list[str] = []
        for item in self.items(what):
            word = item.one_of(what, allowed) if allowed is not None else item.text(what)
            if word in found:
                item.refuse(f"{word} stands twice in {what}")
            found.append(word)
        return tuple(found)

    def table(self, what: str) -> Table:
        """Return a mapping of texts to values, no key twice."""
        if not isinstance(self.node, yaml.nodes.MappingNode):
            self.refuse(f"{what} must be a mapping of keys to values")
        entries: dict[str, Value] = {}
        keys: dict[str, Value] = {}
        for key_node, node in self.node.value:
            key = Value(key_node)
            name = key.text(f"a key of {what}")
            if name in entries:
                key.refuse(f"the key {name} stands twice in {what}")
            entries[name], keys[name] = Value(node), key
        return Table(what, self, entries, keys)


@dataclass(frozen=True)
class Table:
    """A mapping of the file, with the words that name it in an error."""

    what: str
    at: Value
    entries: dict[str, Value]
    keys: dict[str, Value]

    def get(self, key: str) -> Value | None:
        """Return the value of a key, or None where it is left out."""
        return self.entries.get(key)

    def need(self, key: str) -> Value:
        """Return the value of a key that must be there."""
        value = self.entries.get(key)
        if value is None:
            self.at.refuse(f"{self.what} lacks {key}")
        return value

    def refuse_unknown(self, known: tuple[str, ...]) -> None:
        """Refuse every key that is not in the list."""
        for key, place in self.keys.items():
            if key not in known:
                place.refuse(f"the key {key!r} is unknown in {self.what}; known are: {', '.join(known)}")


def read(text: str, what: str) -> Table:
    """Return the file as a table.

    Raises:
        PolicyFileError: it is too large, no YAML, or no mapping.
    """
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise PolicyFileError(1, "the file is no UTF-8 text") from None
    if size > MOST_BYTES:
        raise PolicyFileError(1, f"the file has more than {MOST_BYTES:,} bytes")
    try:
        node = _Loader(text).get_single_node()
    except yaml.YAMLError as error:
        raise _no_yaml(text, error) from None
    except (ValueError, OverflowError) as error:  # e.g. an escape for a character that does not exist
        if isinstance(error, PolicyFileError):
            raise
        raise PolicyFileError(1, "the file holds a number or an escape that YAML cannot hold") from None
    if node is None:
        raise PolicyFileError(1, "the file is empty")
    return Value(node).table(what)


class _Loader(yaml.SafeLoader):
    """Composes plain nodes only."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise PolicyFileError(line, "references (& and *) are not read")
        if event.tag is not None:
            raise PolicyFileError(line, f"tags ({event.tag}) are not read")
        self.depth += 1
        if self.depth > DEEPEST:
            raise PolicyFileError(line, f"the file has more than {DEEPEST} levels")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _no_yaml(text: str, error: yaml.YAMLError) -> PolicyFileError:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        return PolicyFileError(mark.line + 1 if mark else 1, f"the file is no YAML: {error.problem or error.context}")
    place = getattr(error, "position", 0)  # a character that YAML does not allow
    return PolicyFileError(text.count("\n", 0, place) + 1, "the file holds a character that YAML does not allow")
