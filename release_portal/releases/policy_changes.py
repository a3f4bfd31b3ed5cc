"""What changes from one policy to another, in words (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import timedelta
from decimal import Decimal

from release_portal.releases.comparisons import plain
from release_portal.releases.gate_policy import ApprovalNeed, Criterion, Gate, ReleasePolicy
from release_portal.releases.ladder import stage_of

_NUMBERS = {
    "on_duty": "people on duty",
    "comment_window": "shortest comment window",
    "notice_period": "shortest notice to other labs",
    "review_working_days": "working days of an external reviewer",
    "longest_waiver": "longest waiver",
    "sunset_hold": "hold after a missed review",
    "sunset_step_down": "step down after a missed review",
    "fast_path": "fast path after a roll-back",
    "fast_approvals": "approvals on the fast path",
    "fast_criteria": "criteria on the fast path",
}

_OF_GATE = {
    "cool_off": "cool-off",
    "soak": "soak",
    "approvals": "approvals",
    "monitors": "monitors",
    "is_irreversible": "irreversible",
}


def policy_diff(old: ReleasePolicy, new: ReleasePolicy) -> list[str]:
    """Return every change from one policy to another, one sentence part each; empty when they ask for the same."""
    return [
        *_figures(old, new, _NUMBERS),
        *_reviews(old, new),
        *_gates(old, new),
    ]


def _figures(old: object, new: object, names: Mapping[str, str]) -> Iterator[str]:
    for name, label in names.items():
        if getattr(old, name) != getattr(new, name):
            yield _changed(label, getattr(old, name), getattr(new, name))


def _reviews(old: ReleasePolicy, new: ReleasePolicy) -> Iterator[str]:
    before, after = dict(old.review_every), dict(new.review_every)
    for stage in sorted({*before, *after}, key=lambda slug: stage_of(slug).ordinal):
        if before.get(stage) != after.get(stage):
            yield _changed(f"review at {stage_of(stage).label}", before.get(stage), after.get(stage))


def _gates(old: ReleasePolicy, new: ReleasePolicy) -> Iterator[str]:
    before = {(gate.source, gate.target): gate for gate in old.gates}
    after = {(gate.source, gate.target): gate for gate in new.gates}
    for move in (*before, *(move for move in after if move not in before)):
        name = f"{stage_of(move[0]).label} to {stage_of(move[1]).label}"
        if move not in after:
            yield f"{name}: the move is no longer possible"
        elif move not in before:
            yield f"{name}: the move becomes possible"
        else:
            yield from (f"{name}: {change}" for change in _gate(before[move], after[move]))


def _gate(old: Gate, new: Gate) -> Iterator[str]:
    yield from _figures(old, new, _OF_GATE)
    for criterion in old.criteria:
        other = new.criterion(criterion.id)
        if other is None:
            yield f"{criterion.id} is no longer asked for"
        else:
            yield from _criterion(criterion, other)
    yield from (f"{one.id} is asked for: {one.title}" for one in new.criteria if one.id not in old.ids)


def _criterion(old: Criterion, new: Criterion) -> Iterator[str]:
    for field in fields(Criterion):
        before, after = getattr(old, field.name), getattr(new, field.name)
        if before != after:
            yield _changed(f"{old.id} {field.name.replace('_', ' ')}", before, after)


def _changed(what: str, before: object, after: object) -> str:
    return f"{what}: {_words(before)} becomes {_words(after)}"


def _words(value: object) -> str:
    if value is None or value in ("", ()):
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, timedelta):
        return f"{value.days} {'day' if value.days == 1 else 'days'}"
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, tuple):
        return ", ".join(map(_words, value))
    if isinstance(value, ApprovalNeed):
        count = value.share.replace("_", " ") if value.share else f"{value.count}"
        return f"{count} {value.role.replace('_', ' ')}"
    return str(value)
