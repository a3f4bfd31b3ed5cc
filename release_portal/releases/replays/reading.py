"""Read the record of a release from its file; a bad file is refused with line and reason (pure)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from release_portal.core.errors import NotFound
from release_portal.releases.replays.record import CERTAINTIES, NATURES, Event, Gap, Opening, Piece, Record, Source
from release_portal.releases.yaml_tables import Table, Value, read

FOLDER = Path(__file__).parent
# Name of a replay -> its file.
FILES = {"gpt2-2019": "gpt2_2019.yaml"}
ALL = "all"
MOST = 10**9


def replay_names() -> tuple[str, ...]:
    """Return the names of the packaged records."""
    return tuple(FILES)


def packaged_record(name: str) -> Record:
    """Return the packaged record of that name; NotFound says which there are."""
    if name not in FILES:
        raise NotFound(f"There is no replay {name[:40]!r}.", change=f"Choose one of: {', '.join(FILES)}.")
    return read_record((FOLDER / FILES[name]).read_text(encoding="utf-8"))


def read_record(text: str) -> Record:
    """Return the record that a file states.

    Raises:
        PolicyFileError: something in it is wrong; it names the line.
    """
    root = read(text, "the record")
    root.refuse_unknown(("name", "title", "about", "openings", "events", "pieces", "gaps"))
    openings = tuple(_opening(value) for value in root.need("openings").items("openings"))
    sizes = tuple(opening.size for opening in openings)
    _require_unique(root, "openings", [(size,) for size in sizes])
    record = Record(
        name=root.need("name").text("name"),
        title=root.need("title").text("title"),
        about=root.need("about").text("about"),
        openings=openings,
        events=tuple(_event(value) for value in root.need("events").items("events")),
        pieces=tuple(_piece(value, sizes) for value in root.need("pieces").items("pieces")),
        gaps=tuple(_gap(value, sizes) for value in root.need("gaps").items("gaps")),
    )
    _require_order(root, record)
    _require_once(root, record)
    return record


def _table(value: Value, what: str, known: tuple[str, ...]) -> Table:
    table = value.table(what)
    table.refuse_unknown(known)
    return table


def _opening(value: Value) -> Opening:
    table = _table(value, "an opening", ("size", "label", "opened_on", "source"))
    return Opening(
        table.need("size").text("size"), table.need("label").text("label"), _day(table, "opened_on"), _source(table)
    )


def _event(value: Value) -> Event:
    table = _table(value, "an event", ("on", "title", "source"))
    return Event(_day(table, "on"), table.need("title").text("title"), _source(table))


def _piece(value: Value, sizes: tuple[str, ...]) -> Piece:
    known = ("id", "criterion", "nature", "sizes", "on", "summary", "source", "value", "interval", "n", "caveat")
    table = _table(value, "a piece", known)
    low, high = _interval(table)
    n, caveat = table.get("n"), table.get("caveat")
    return Piece(
        id=table.need("id").text("id"),
        criterion=table.need("criterion").text("criterion"),
        nature=table.need("nature").one_of("nature", NATURES),
        sizes=_sizes(table, sizes),
        on=_day(table, "on"),
        summary=table.need("summary").text("summary"),
        source=_source(table),
        value=_number(table, "value"),
        ci_low=low,
        ci_high=high,
        n=n.whole("n", 1, MOST) if n else None,
        caveat=caveat.text("caveat") if caveat else "",
    )


def _gap(value: Value, sizes: tuple[str, ...]) -> Gap:
    table = _table(value, "a gap", ("criterion", "sizes", "reason"))
    return Gap(table.need("criterion").text("criterion"), _sizes(table, sizes), table.need("reason").text("reason"))


def _source(table: Table) -> Source:
    given = _table(table.need("source"), "a source", ("text", "certainty"))
    certainty = given.need("certainty").words("certainty", tuple(CERTAINTIES))
    if not certainty:
        given.need("certainty").refuse("a source says how certain it is")
    return Source(given.need("text").text("text"), certainty)


def _day(table: Table, key: str) -> date:
    value = table.need(key)
    try:
        return date.fromisoformat(value.text(key))
    except ValueError:
        value.refuse(f"{key} must be a day such as 2019-02-14")


def _number(table: Table, key: str) -> Decimal | None:
    value = table.get(key)
    return value.number(key) if value else None


def _interval(table: Table) -> tuple[Decimal | None, Decimal | None]:
    value = table.get("interval")
    if value is None:
        return None, None
    ends = [end.number("an end of the interval") for end in value.items("interval")]
    if len(ends) != 2 or ends[0] > ends[1]:
        value.refuse("an interval has a lower and an upper end, in this order")
    if table.get("value") is None:
        value.refuse("an interval belongs to a value")
    return ends[0], ends[1]


def _sizes(table: Table, known: tuple[str, ...]) -> tuple[str, ...]:
    value = table.need("sizes")
    try:
        words = value.words("sizes", known)
    except ValueError:
        if getattr(value.node, "value", None) == ALL:
            return known
        raise
    if not words:
        value.refuse("a fact is about one size at least")
    return words


def _require_order(root: Table, record: Record) -> None:
    """Refuse openings or events that do not stand in the order of time."""
    dated: tuple[tuple[str, list[date]], ...] = (
        ("openings", [opening.opened_on for opening in record.openings]),
        ("events", [event.on for event in record.events]),
    )
    for name, days in dated:
        for value, (before, after) in zip(root.need(name).items(name)[1:], pairwise(days), strict=True):
            if after < before:
                value.refuse(f"{name} stand in the order of time")


def _require_once(root: Table, record: Record) -> None:
    """Refuse two pieces of one id, and a gap where there is a piece or another gap."""
    _require_unique(root, "pieces", [(piece.id,) for piece in record.pieces])
    _require_unique(root, "gaps", [tuple(f"{gap.criterion} of {size}" for size in gap.sizes) for gap in record.gaps])
    held = {f"{piece.criterion} of {size}" for piece in record.pieces for size in piece.sizes}
    for value, gap in zip(root.need("gaps").items("gaps"), record.gaps, strict=True):
        for size in gap.sizes:
            if f"{gap.criterion} of {size}" in held:
                value.refuse(f"a piece bears on {gap.criterion} of {size}, so it is no gap")


def _require_unique(root: Table, name: str, keys: list[tuple[str, ...]]) -> None:
    seen: set[str] = set()
    for value, found in zip(root.need(name).items(name), keys, strict=True):
        for key in found:
            if key in seen:
                value.refuse(f"{key} stands twice in {name}")
            seen.add(key)
