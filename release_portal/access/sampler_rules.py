"""How far the sampler settings of a grant may go: bounds that every job under it keeps (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from release_portal.access.application_rules import Problem


@dataclass(frozen=True)
class Span:
    """From where to where a setting may go; None where it is not bounded."""

    least: float | None = None
    most: float | None = None

    def holds(self, value: float) -> bool:
        """Whether a value lies in it."""
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


# What can be bounded, and how far the portal itself lets it go. `context` is a prompt with one of its outputs.
WIDEST: dict[str, Span] = {
    "max_tokens": Span(1, 1024),
    "temperature": Span(0, 2),
    "top_p": Span(0.01, 1),
    "top_k": Span(0, 1000),
    "samples": Span(1, 4),
    "context": Span(1, 1_000_000),
}
LABELS: dict[str, str] = {
    "max_tokens": "Tokens of an output",
    "temperature": "Temperature",
    "top_p": "Top-p",
    "top_k": "Top-k",
    "samples": "Samples",
    "context": "Tokens of prompt and output together",
}
FRACTIONS = frozenset({"temperature", "top_p"})
OPEN = Span()

Bounds = Mapping[str, Span]


def read_bounds(data: Mapping[str, Any]) -> dict[str, Span]:
    """Return bounds as they are stored: a pair for each setting that is bounded."""
    return {name: Span(*data[name]) for name in WIDEST if data.get(name)}


def stored(bounds: Bounds) -> dict[str, list[float | None]]:
    """Return bounds as they are stored."""
    return {name: [span.least, span.most] for name, span in bounds.items() if span != OPEN}


def widest_bound(name: str) -> Span:
    """Return how far a bound of a setting may go; a top-k of 0 sets no limit, so it is no bound either."""
    return Span(1, WIDEST[name].most) if name == "top_k" else WIDEST[name]


def bound_problems(bounds: Bounds) -> list[Problem]:
    """Return what is wrong with bounds: nothing that the portal does not know, and something left between them."""
    problems = []
    for name, span in bounds.items():
        widest = widest_bound(name)
        for side, value in (("least", span.least), ("most", span.most)):
            if value is not None and not (widest.holds(value) and (name in FRACTIONS or value == int(value))):
                kind = "number" if name in FRACTIONS else "whole number"
                reach = f"from {number(widest.least or 0)} to {number(widest.most or 0)}"
                text = f"{LABELS[name]}: write a {kind} {reach}, or nothing."
                problems.append(Problem(f"{name}_{side}", text))
        if not problems and span.least is not None and span.most is not None and _rank(name, span.least) > span.most:
            problems.append(Problem(f"{name}_most", f"{LABELS[name]}: nothing is left between these bounds."))
    return problems


def narrowest_bounds(one: Bounds, other: Bounds) -> dict[str, Span]:
    """Return what both allow."""
    return {name: _both(one.get(name, OPEN), other.get(name, OPEN)) for name in WIDEST if name in one or name in other}


def widened(before: Bounds, after: Bounds) -> list[str]:
    """Return the settings that `after` lets go where `before` did not."""
    return [name for name in WIDEST if _is_wider(before.get(name, OPEN), after.get(name, OPEN))]


def nearest(bounds: Bounds, name: str, value: float) -> float:
    """Return the allowed value next to one that nobody asked for."""
    span = bounds.get(name, OPEN)
    if span.most is not None and _rank(name, value) > span.most:
        return span.most
    if span.least is not None and _rank(name, value) < span.least:
        return span.least
    return value


def outside(bounds: Bounds, values: Mapping[str, float]) -> Problem | None:
    """Return the first setting that lies outside, with the bound in words; values hold what a job would use."""
    for name, span in bounds.items():
        if name not in values:
            continue
        value = _rank(name, values[name])
        if not span.holds(value):
            shown = "no limit" if value == inf else number(value)
            return Problem(name, f"Your grant bounds this: {in_words(name, span)}. You asked for {shown}.")
    return None


def in_words(name: str, span: Span) -> str:
    """Return a bound as a sentence part."""
    return f"{LABELS[name].lower()} {sides_in_words(span)}"


def sides_in_words(span: Span) -> str:
    """Return the two sides of a bound, without the setting."""
    sides = [f"at least {number(span.least)}"] if span.least is not None else []
    sides += [f"at most {number(span.most)}"] if span.most is not None else []
    return " and ".join(sides) or "not bounded"


def number(value: float) -> str:
    """Return a number with all of its digits."""
    return f"{value:,.10g}"


def all_in_words(bounds: Bounds) -> list[str]:
    """Return every bound as a sentence part, in one order."""
    return [in_words(name, bounds[name]) for name in WIDEST if bounds.get(name, OPEN) != OPEN]


def _rank(name: str, value: float) -> float:
    """A top-k of 0 sets no limit, so it is the widest of all."""
    return inf if name == "top_k" and value == 0 else value


def _both(one: Span, other: Span) -> Span:
    return Span(_extreme(max, one.least, other.least), _extreme(min, one.most, other.most))


def _extreme(choose: Any, *values: float | None) -> float | None:
    known: Iterable[float] = [value for value in values if value is not None]
    return choose(known, default=None)  # type: ignore[no-any-return]


def _is_wider(before: Span, after: Span) -> bool:
    return _both(before, after) != after
