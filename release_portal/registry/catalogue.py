"""The facts of the catalogue, read from the files in `catalogue/` and checked (pure: no database).

What a file says wrong is refused with the file's name and the key, e.g. `gpt2.yaml: sizes[2].stage: ...`.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).with_name("catalogue")
STAGES = (
    "registered",
    "disclosed",
    "partner",
    "research_hosted",
    "public_hosted",
    "research_weights",
    "open_weights",
    "open_science",
)
ARTEFACT_KINDS = ("paper", "card", "samples", "code", "detector", "weights", "data", "logbook")
SHORT, LONG = 200, 300  # characters that the database keeps of a name or alias note, and of other notes and sources


class CatalogueError(ValueError):
    """A catalogue file that does not say what it must; the message names the file and the key."""


@dataclass(frozen=True)
class AliasFacts:
    """Another name in use for a size; the note says where it is wrong or comes from."""

    name: str
    note: str = ""


@dataclass(frozen=True)
class ArtefactFacts:
    """Something that came out for a size."""

    kind: str
    opened_on: datetime.date | None = None  # None: the day is not known
    note: str = ""
    is_verified: bool = False


@dataclass(frozen=True)
class EventFacts:
    """A dated fact from the public record."""

    happened_on: datetime.date
    until: datetime.date  # last day on which it may have happened; equals happened_on where the day is known
    text: str
    source: str
    is_verified: bool
    sizes: tuple[str, ...] = ()  # ids; empty: the family as a whole, or its surroundings
    stage: str = ""  # the stage that these sizes reached with it
    artefacts: tuple[str, ...] = ()  # kinds that came out or changed with it


@dataclass(frozen=True)
class SizeFacts:
    """One member of a family, its shape, names and initial stage."""

    id: str  # lab/size-slug
    name: str
    ordinal: int  # place in the family, smallest first, from 0
    parameters: int
    parameters_verified: bool
    layers: int
    d_model: int
    heads: int
    context: int  # tokens
    vocabulary: int  # tokens
    shape_verified: bool
    stage: str
    kv_heads: int | None = None
    d_mlp: int | None = None
    note: str = ""
    aliases: tuple[AliasFacts, ...] = ()
    artefacts: tuple[ArtefactFacts, ...] = ()


@dataclass(frozen=True)
class FamilyFacts:
    """A line of models of one lab."""

    slug: str
    name: str
    lab: str
    ordinal: int
    summary: str
    licence: str
    note: str = ""
    sizes: tuple[SizeFacts, ...] = ()
    events: tuple[EventFacts, ...] = field(default=())  # oldest first

    def reached(self, size: SizeFacts) -> datetime.datetime | None:
        """Return when a size reached the stage on which it stands, where an event says so."""
        days = [event.happened_on for event in self.events if event.stage == size.stage and size.id in event.sizes]
        return datetime.datetime.combine(days[0], datetime.time.min, datetime.UTC) if days else None


def load_catalogue(folder: Path = FOLDER) -> tuple[FamilyFacts, ...]:
    """Return every family of a folder in the order of the catalogue.

    Raises:
        CatalogueError: a file is wrong, or two sizes share an id or another name.
    """
    families = sorted((load_family(path) for path in folder.glob("*.yaml")), key=lambda family: family.ordinal)
    _check_names_unique(families)
    return tuple(families)


def load_family(path: Path) -> FamilyFacts:
    """Return the family of one file; raises CatalogueError when the file is wrong."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2019-02-30
        raise CatalogueError(f"{path.name}: not readable as YAML: {error}") from error
    with _Entry(path.name, "", data) as entry:
        family = _family(entry)
    _check_family(path.name, family)
    return family


# --- Reading -------------------------------------------------------------------------------------------------------


class _Entry:
    """One mapping of a file; what nobody asked for by the end of the `with` block is an unknown key."""

    def __init__(self, file: str, place: str, data: Any) -> None:
        self.file, self.place = file, place
        self._asked: set[str] = set()
        if not isinstance(data, Mapping):
            raise CatalogueError(f"{file}: {place or 'the file'} must be a mapping of keys to values")
        self._data = data

    def __enter__(self) -> _Entry:
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        unknown = [str(key) for key in self._data if key not in self._asked]
        if kind is None and unknown:
            raise self.error(unknown[0], "is not a known key")

    def error(self, key: str, problem: str) -> CatalogueError:
        """Say what is wrong with a key."""
        return CatalogueError(f"{self.file}: {self._place_of(key)}: {problem}")

    def text(self, key: str, default: str | None = None, most: int | None = None) -> str:
        """Return a text, not longer than most characters."""
        value = self._value(key, default)
        if not isinstance(value, str) or (not value.strip() and default is None):
            raise self.error(key, f"must be a text, not {value!r}")
        if most and len(value) > most:
            raise self.error(key, f"has {len(value)} characters, at most {most} are kept")
        return value.strip()

    def choice(self, key: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        """Return one of the allowed words."""
        value = self.text(key, default)
        if value not in allowed and value != default:
            raise self.error(key, f"{value!r} is not one of {', '.join(allowed)}")
        return value

    def number(self, key: str, least: int = 1) -> int:
        """Return a whole number."""
        value = self._value(key)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self.error(key, f"must be a whole number of at least {least}, not {value!r}")
        return value

    def optional_number(self, key: str) -> int | None:
        """Return a whole number, or None when the key is absent."""
        return None if self._value(key, None, is_optional=True) is None else self.number(key)

    def flag(self, key: str) -> bool:
        """Return true or false; there is no default, because a fact without a flag is neither."""
        value = self._value(key)
        if not isinstance(value, bool):
            raise self.error(key, f"must be true or false, not {value!r}")
        return value

    def day(self, key: str) -> datetime.date:
        """Return a date."""
        value = self._value(key)
        if type(value) is not datetime.date:  # a datetime is a date too, and not meant
            raise self.error(key, f"must be a date as 2019-02-14, not {value!r}")
        return value

    def optional_day(self, key: str) -> datetime.date | None:
        """Return a date, or None when the key is absent."""
        return None if self._value(key, None, is_optional=True) is None else self.day(key)

    def words(self, key: str) -> tuple[str, ...]:
        """Return a list of texts; empty when the key is absent."""
        values = self._list(key)
        if not all(isinstance(value, str) for value in values):
            raise self.error(key, "must be a list of texts")
        return tuple(values)

    def entry(self, key: str) -> _Entry:
        """Return a mapping inside this one."""
        return _Entry(self.file, self._place_of(key), self._value(key))

    def entries(self, key: str) -> Iterator[_Entry]:
        """Yield the mappings of a list; none when the key is absent."""
        for index, value in enumerate(self._list(key)):
            with _Entry(self.file, f"{self._place_of(key)}[{index}]", value) as entry:
                yield entry

    def _list(self, key: str) -> list[Any]:
        values = self._value(key, None, is_optional=True)
        if values is None:
            return []
        if not isinstance(values, list):
            raise self.error(key, "must be a list")
        return values

    def _value(self, key: str, default: Any = None, *, is_optional: bool = False) -> Any:
        self._asked.add(key)
        value = self._data.get(key, default)
        if value is None and not is_optional:
            raise self.error(key, "is missing")
        return value

    def _place_of(self, key: str) -> str:
        return f"{self.place}.{key}" if self.place else key


def _family(entry: _Entry) -> FamilyFacts:
    sizes = tuple(_size(part, ordinal) for ordinal, part in enumerate(entry.entries("sizes")))
    events = sorted((_event(part) for part in entry.entries("events")), key=lambda event: event.happened_on)
    return FamilyFacts(
        slug=entry.text("slug", most=60),
        name=entry.text("name", most=100),
        lab=entry.text("lab", most=100),
        ordinal=entry.number("ordinal", least=0),
        summary=entry.text("summary"),
        licence=entry.text("licence", most=100),
        note=entry.text("note", ""),
        sizes=sizes,
        events=tuple(events),
    )


def _size(entry: _Entry, ordinal: int) -> SizeFacts:
    return SizeFacts(
        id=entry.text("id", most=96),
        name=entry.text("name", most=100),
        ordinal=ordinal,
        parameters=entry.number("parameters"),
        parameters_verified=entry.flag("parameters_verified"),
        shape_verified=entry.flag("shape_verified"),
        stage=entry.choice("stage", STAGES),
        note=entry.text("note", ""),
        aliases=tuple(_alias(part) for part in entry.entries("aliases")),
        artefacts=tuple(_artefact(part) for part in entry.entries("artefacts")),
        **_shape(entry),
    )


def _shape(entry: _Entry) -> dict[str, Any]:
    with entry.entry("shape") as shape:
        needed = {key: shape.number(key) for key in ("layers", "d_model", "heads", "context", "vocabulary")}
        return {**needed, "kv_heads": shape.optional_number("kv_heads"), "d_mlp": shape.optional_number("d_mlp")}


def _alias(entry: _Entry) -> AliasFacts:
    return AliasFacts(entry.text("name", most=60), entry.text("note", "", most=SHORT))


def _artefact(entry: _Entry) -> ArtefactFacts:
    return ArtefactFacts(
        kind=entry.choice("kind", ARTEFACT_KINDS),
        opened_on=entry.optional_day("opened"),
        note=entry.text("note", "", most=LONG),
        is_verified=entry.flag("verified"),
    )


def _event(entry: _Entry) -> EventFacts:
    date = entry.day("date")
    return EventFacts(
        happened_on=date,
        until=entry.optional_day("until") or date,
        text=entry.text("what"),
        source=entry.text("source", most=LONG),
        is_verified=entry.flag("verified"),
        sizes=entry.words("sizes"),
        stage=entry.choice("stage", STAGES, ""),
        artefacts=entry.words("artefacts"),
    )


# --- Checking ------------------------------------------------------------------------------------------------------


def _check_family(file: str, family: FamilyFacts) -> None:
    for index, size in enumerate(family.sizes):
        problem = _problem_of_size(size, family)
        if problem:
            raise CatalogueError(f"{file}: sizes[{index}].{problem}")
    for event in family.events:
        problem = _problem_of_event(event, family)
        if problem:
            raise CatalogueError(f"{file}: events of {event.happened_on}: {problem}")


def _problem_of_size(size: SizeFacts, family: FamilyFacts) -> str:
    kinds = [artefact.kind for artefact in size.artefacts]
    lab, _, slug = size.id.partition("/")
    if not lab or not slug or size.id != size.id.lower():
        return f"id: {size.id!r} is not of the form lab/size-slug in lower case"
    if size.ordinal and size.parameters <= family.sizes[size.ordinal - 1].parameters:
        return f"parameters: {size.id} must be larger than the size before it"
    if len(set(kinds)) < len(kinds):
        return f"artefacts: {size.id} names a kind twice"
    reached = [event.stage for event in family.events if event.stage and size.id in event.sizes]
    if reached and reached[-1] != size.stage:
        return f"stage: {size.id} stands on {size.stage}, but its last dated stage is {reached[-1]}"
    return ""


def _problem_of_event(event: EventFacts, family: FamilyFacts) -> str:
    unknown_sizes = set(event.sizes) - {size.id for size in family.sizes}
    unknown_kinds = set(event.artefacts) - set(ARTEFACT_KINDS)
    if unknown_sizes:
        return f"sizes: {', '.join(sorted(unknown_sizes))} is not in this file"
    if unknown_kinds:
        return f"artefacts: {', '.join(sorted(unknown_kinds))} is not one of {', '.join(ARTEFACT_KINDS)}"
    if event.until < event.happened_on:
        return "until: lies before the date"
    return "sizes: a stage needs the sizes that reached it" if event.stage and not event.sizes else ""


def _check_names_unique(families: list[FamilyFacts]) -> None:
    owner: dict[str, str] = {}
    for size in (size for family in families for size in family.sizes):
        for name in dict.fromkeys(name.casefold() for name in (size.id, *(alias.name for alias in size.aliases))):
            if name in owner:
                raise CatalogueError(f"{name!r} names both {owner[name]} and {size.id}")
            owner[name] = size.id
