"""The drawing of who must act: one bar for each owner, with its number (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext as _

from release_portal.pages.governance_words import owner_order, owner_word

WIDTH, LEFT, RIGHT = 480, 150, 430
STEP, THICK = 32, 18


@dataclass(frozen=True)
class Bar:
    """One owner; every coordinate in units of the drawing."""

    owner: str
    label: str
    count: int
    y: int
    width: int

    @property
    def words_y(self) -> int:
        """Where the words stand: on the middle of the bar."""
        return self.y + THICK // 2 + 5

    @property
    def number_x(self) -> int:
        """Where the number stands: right of the bar."""
        return LEFT + self.width + 8


@dataclass(frozen=True)
class Chart:
    """The whole drawing."""

    title: str
    bars: tuple[Bar, ...]
    width: int = WIDTH
    left: int = LEFT
    thick: int = THICK

    @property
    def height(self) -> int:
        """Height of the drawing."""
        return STEP * len(self.bars) + 4


def chart_of(owners: Iterable[str]) -> Chart:
    """Return the drawing of how many reasons wait for each owner, most first.

    Args:
        owners: slug of the owner of each reason; empty where nobody can act.
    """
    counts = Counter(owners)
    ranked = sorted(counts, key=lambda owner: (-counts[owner], owner_order(owner), owner))
    most = max(counts.values(), default=1)
    bars = tuple(
        Bar(owner, str(owner_word(owner)), counts[owner], 4 + STEP * place, (RIGHT - LEFT) * counts[owner] // most)
        for place, owner in enumerate(ranked)
    )
    return Chart(_finding(bars), bars)


def _finding(bars: tuple[Bar, ...]) -> str:
    """Say in one sentence what the drawing shows."""
    if not bars:
        return _("Nothing keeps any size back")
    words = {"name": bars[0].label, "n": bars[0].count, "all": sum(bar.count for bar in bars)}
    if len(bars) > 1 and bars[1].count == bars[0].count:
        return _("No one role has most to do: %(n)s of %(all)s reasons wait for the first") % words
    if not bars[0].owner:
        return _("Most reasons wait for time or a vote: %(n)s of %(all)s") % words
    return _("The %(name)s has most to do: %(n)s of %(all)s reasons") % words
