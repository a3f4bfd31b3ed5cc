"""Safe harbour: rules of engagement, and whether an act lies inside them (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

TARGET, CATEGORY, VOLUME, PLACE, TIME = "E1", "E2", "E3", "E4", "E5"
CLAUSES: dict[str, str] = {
    TARGET: "only these sizes are tried",
    CATEGORY: "only these kinds of harm are studied",
    VOLUME: "not more text than this on one day",
    PLACE: "the text does not leave the study",
    TIME: "until this time",
}


@dataclass(frozen=True)
class EngagementFacts:
    """Rules of engagement.

    Args:
        targets: slugs of the sizes that may be tried.
        categories: codes of the harm that may be provoked.
        tokens_per_day: how much text may be made on one day.
        starts_at, ends_at: they hold from the first to just before the second.
    """

    targets: frozenset[str]
    categories: frozenset[str]
    tokens_per_day: int
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class Act:
    """What somebody is said to have done.

    Args:
        size: slug of the size.
        category: code of the harm.
        tokens: how much text was made on that day.
        has_left: the text was seen outside the study.
        at: when.
    """

    size: str
    category: str
    tokens: int
    has_left: bool
    at: datetime


@dataclass(frozen=True)
class Verdict:
    """Whether an act lies inside the rules, and by which clause.

    Args:
        clause: the clause that is broken, or, inside, the one that covers the act.
    """

    is_inside: bool
    clause: str

    @property
    def sentence(self) -> str:
        """The verdict for people."""
        if self.is_inside:
            return f"The act lies inside the rules of engagement ({self.clause}: {CLAUSES[self.clause]})."
        return f"The act lies outside the rules of engagement ({self.clause}: {CLAUSES[self.clause]})."


def inside_engagement(rules: EngagementFacts, act: Act) -> Verdict:
    """Return whether an act lies inside the rules of engagement, or which clause it breaks first."""
    broken = (
        (TIME, not rules.starts_at <= act.at < rules.ends_at),
        (TARGET, act.size not in rules.targets),
        (CATEGORY, act.category not in rules.categories),
        (VOLUME, act.tokens > rules.tokens_per_day),
        (PLACE, act.has_left),
    )
    clause = next((clause for clause, is_broken in broken if is_broken), None)
    return Verdict(True, CATEGORY) if clause is None else Verdict(False, clause)
