"""The marks that lie over a stage badge: held, restricted, frozen, sunset, withdrawn."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext as _

from release_portal.releases.hold_rules import PLAIN

Marks = list[dict[str, str]]


def marks_of_levels(levels: Iterable[str]) -> Marks:
    """Return one mark for each level of hold that is open, the plain one first."""
    return [_mark(level) for level in sorted(set(levels), key=lambda level: (level != PLAIN, level))]


def marks_of(levels: Iterable[str], *, is_frozen: bool = False, is_sunset: bool = False, ending: str = "") -> Marks:
    """Return every mark of a size.

    Args:
        levels: level of each open hold.
        is_frozen: whether a freeze is in force for it.
        is_sunset: whether its retirement is announced.
        ending: withdrawn or archived; empty while it is neither.
    """
    ends = {"withdrawn": _("Withdrawn"), "archived": _("Archived")}
    return [
        *marks_of_levels(levels),
        *([{"slug": "frozen", "label": _("Frozen")}] if is_frozen and not ending else []),
        *([{"slug": "sunset", "label": _("Sunset announced")}] if is_sunset and not ending else []),
        *([{"slug": "withdrawn", "label": ends[ending]}] if ending else []),
    ]


def _mark(level: str) -> dict[str, str]:
    if level == PLAIN:
        return {"slug": "held", "label": _("Held")}
    return {"slug": "restricted", "label": _("Restricted %(level)s") % {"level": level}}
