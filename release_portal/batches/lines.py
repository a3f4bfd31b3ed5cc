"""Read a file of JSON lines: each line is a request, or a problem that names it (pure)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from release_portal.core.errors import InvalidInput, PortalError

LONGEST_ID = 256
FIELDS = frozenset({"custom_id", "method", "url", "body"})


@dataclass(frozen=True)
class Line:
    """One request of a file.

    Args:
        number: its line in the file, from 1.
        custom_id: by which its owner knows it.
        body: what the address would get.
    """

    number: int
    custom_id: str
    body: dict[str, Any]


@dataclass(frozen=True)
class Problem:
    """What is wrong with one line, as clients read it.

    Args:
        line: number in the file, from 1; None for what is wrong with the file.
        param: the field, e.g. `body.temperature`; None where it is the whole line.
    """

    line: int | None
    param: str | None
    message: str
    code: str

    def to_data(self) -> dict[str, Any]:
        """Return it as the client's object."""
        return asdict(self)


@dataclass(frozen=True)
class Reading:
    """A file as it was read: its requests, and the first problem of each line that is none."""

    lines: tuple[Line, ...]
    problems: tuple[Problem, ...]


def raw_lines(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that hold anything, with their numbers; a byte order mark is no part of the first."""
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if line.strip():
            yield number, line.strip()


def named_url(content: bytes, offered: Sequence[str]) -> str:
    """Return the first address of those offered that the file names; where it names none, the first of them."""
    for _, raw in raw_lines(content):
        try:
            url = _object(raw).get("url")
        except InvalidInput:
            continue
        if url in offered:
            return str(url)
    return offered[0]


def check_file(content: bytes, *, most_bytes: int, most_lines: int) -> int:
    """Return how many requests a file holds; raise InvalidInput for one that is empty or too large to be taken."""
    if len(content) > most_bytes:
        raise _refused(f"The file has {len(content):,} bytes; {most_bytes:,} are taken.", "file_too_large")
    count = sum(1 for _ in raw_lines(content))
    if count == 0:
        raise _refused("The file is empty.", "file_empty", "Write one JSON object on each line.")
    if count > most_lines:
        raise _refused(f"The file has {count:,} lines; {most_lines:,} are taken.", "too_many_lines")
    return count


def _refused(reason: str, code: str, change: str = "Split it into several files.") -> InvalidInput:
    return InvalidInput(reason, field="file", code=code, change=change)


def read_lines(content: bytes, url: str, check: Callable[[Mapping[str, Any]], None]) -> Reading:
    """Read every line; whatever is wrong with one does not keep the others from being read.

    Args:
        url: the one address that all lines must name.
        check: raises what the address says of a body.
    """
    lines: list[Line] = []
    problems: list[Problem] = []
    numbers: dict[str, int] = {}
    for number, raw in raw_lines(content):
        try:
            line = _read(number, raw, url, numbers)
            check(line.body)
            lines.append(line)
        except PortalError as error:
            problems.append(_problem(number, error))
    return Reading(tuple(lines), tuple(problems))


def _read(number: int, raw: bytes, url: str, numbers: dict[str, int]) -> Line:
    data = _object(raw)
    if unknown := sorted(set(data) - FIELDS):
        raise _wrong(unknown[0][:60], "This field is not known here; a line has custom_id, method, url and body.")
    custom_id = _custom_id(data.get("custom_id"), numbers)
    numbers[custom_id] = number
    if data.get("method") != "POST":
        raise _wrong("method", 'method must be "POST".')
    if data.get("url") != url:
        raise _wrong("url", f'url must be "{url}", the endpoint of the batch.')
    if not isinstance(data.get("body"), dict):
        raise _wrong("body", "body must be a JSON object.")
    return Line(number, custom_id, data["body"])


def _object(raw: bytes) -> dict[str, Any]:
    try:
        data = json.loads(raw.decode("utf-8"))
        json.dumps(data, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError as error:
        raise _wrong("", "The line is not valid UTF-8.", "invalid_utf8") from error
    except UnicodeEncodeError as error:
        raise _wrong("", "The line holds half of a character (an unpaired surrogate).", "invalid_utf8") from error
    except (ValueError, RecursionError) as error:  # ValueError: also a number of thousands of digits
        raise _wrong("", "The line is not JSON.", "invalid_json_line") from error
    if not isinstance(data, dict):
        raise _wrong("", "The line must be a JSON object.", "invalid_json_line")
    return data


def _custom_id(value: Any, numbers: Mapping[str, int]) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_ID:
        raise _wrong("custom_id", f"custom_id must be a text of 1 to {LONGEST_ID} characters.")
    if value in numbers:
        raise _wrong("custom_id", f"custom_id is that of line {numbers[value]} already.", "duplicate_custom_id")
    return value


def _problem(number: int, error: PortalError) -> Problem:
    message = f"{error.reason} {error.change}".strip()
    return Problem(number, error.field or None, message, error.code)


def _wrong(field: str, reason: str, code: str = "invalid_value") -> InvalidInput:
    return InvalidInput(reason, field=field, code=code)
