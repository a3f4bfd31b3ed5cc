"""Replay a real release of the past under a policy."""

import json
import textwrap
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from release_portal.releases.gate_policy import ReleasePolicy
from release_portal.releases.policy_files import PACKAGED, PolicyFileError, packaged, parse
from release_portal.releases.replays.reading import packaged_record, replay_names
from release_portal.releases.replays.record import THING
from release_portal.releases.replays.replay import Line, Replay, Row, replay
from release_portal.releases.replays.tables import values_of

WIDTHS = (6, 10, 34, 44)  # with three gaps of two: 100 columns
WIDTH = 100
HEADINGS = ("Size", "Opened", "Held by assessed criteria", "Not assessable from the record")


class Command(BaseCommand):
    help = "Assess the openings of a real release by the gates of a policy."
    requires_system_checks = []  # it reads two files and nothing of the portal

    def add_arguments(self, parser: CommandParser) -> None:
        """Read which record, which policy and in which form."""
        parser.add_argument("record", choices=replay_names())
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--policy", default=PACKAGED[0], help=f"packaged policy: {', '.join(PACKAGED)}")
        which.add_argument("--policy-file", help="file with a policy")
        parser.add_argument("--json", action="store_true", help="print values instead of a table")

    def handle(self, *args: Any, **options: Any) -> None:
        """Replay and print."""
        policy = _policy_in(options["policy_file"]) if options["policy_file"] else _policy_named(options["policy"])
        result = replay(packaged_record(options["record"]), policy)
        if options["json"]:
            self.stdout.write(json.dumps(values_of(result), indent=2))
            return
        for line in _lines(result):
            self.stdout.write(line)


def _policy_named(name: str) -> ReleasePolicy:
    if name not in PACKAGED:
        raise CommandError(f"There is no packaged policy {name!r}. Choose one of: {', '.join(PACKAGED)}.")
    return packaged(name)


def _policy_in(path: str) -> ReleasePolicy:
    try:
        return parse(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"The policy file cannot be read: {error}") from None
    except PolicyFileError as error:
        raise CommandError(f"The policy file is refused: {error}") from None


def _lines(result: Replay) -> list[str]:
    policy = result.policy
    lines = [f"{result.record.title}, under the policy {policy.name}, version {policy.version}", ""]
    lines += [*_cells(HEADINGS), "  ".join("-" * width for width in WIDTHS)]
    for row in result.rows:
        held = ", ".join(row.held_ids) or "nothing"
        silent = ", ".join(silence.criterion.id for silence in row.silences) or "nothing"
        lines += _cells((row.opening.label, row.opening.opened_on.isoformat(), held, silent))
    lines += ["", *textwrap.wrap(result.finding, WIDTH)]
    for row in result.rows:
        lines += ["", *_opening(row)]
    return lines


def _cells(texts: tuple[str, ...]) -> list[str]:
    """Return one row of the table, on as many lines as its longest cell needs."""
    columns = [textwrap.wrap(text, width) or [""] for text, width in zip(texts, WIDTHS, strict=True)]
    height = max(len(column) for column in columns)
    padded = [column + [""] * (height - len(column)) for column in columns]
    return [
        "  ".join(part.ljust(width) for part, width in zip(parts, WIDTHS, strict=True)).rstrip()
        for parts in zip(*padded, strict=True)
    ]


def _opening(row: Row) -> list[str]:
    lines = [f"{row.opening.label}, opened on {row.opening.opened_on}"]
    for line in row.lines:
        lines += _criterion(line)
    earliest = row.earliest
    day = f"Earliest day: {earliest.day}, {earliest.days} days later. " if earliest.days else ""
    return [*lines, *textwrap.wrap(f"{day}{earliest.reason}", WIDTH, initial_indent="  ", subsequent_indent="  ")]


def _criterion(line: Line) -> list[str]:
    word = line.outcome.value.replace("_", " ")
    first = (
        f"  {'passes' if line.outcome.value == 'pass' else word:<12}  {line.criterion.id:<4}  {line.criterion.title}"
    )
    notes = [line.reason, *line.markers]
    if line.is_known_later and line.piece:
        then = line.then.value.replace("_", " ")
        came = "It came only" if line.piece.nature == THING else "It was known only"
        notes.append(f"{came} on {line.piece.on}; on the day of the opening: {then}.")
    indent = " " * 22
    return [
        *textwrap.wrap(first, WIDTH, subsequent_indent=indent, drop_whitespace=True),
        *textwrap.wrap(" ".join(notes), WIDTH, initial_indent=indent, subsequent_indent=indent),
    ]
