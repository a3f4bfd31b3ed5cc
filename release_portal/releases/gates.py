"""May this size advance? Every criterion of a gate, answered from facts alone (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from release_portal.evidence.facts import EvidenceFacts
from release_portal.releases.comparisons import days_until, in_days
from release_portal.releases.computed_answers import WHOLE_SET, answer_from_record, answer_whole_set
from release_portal.releases.evidence_answers import answer_from_evidence
from release_portal.releases.gate_facts import GateFacts, WindowFacts
from release_portal.releases.gate_policy import BLOCK, COMPUTED, Criterion, Gate
from release_portal.releases.outcomes import Answer, Outcome

__all__ = ["Assessment", "GateFacts", "Outcome", "Result", "WindowFacts", "assess"]


@dataclass(frozen=True)
class Result:
    """How one criterion stands, why, and who can change it.

    Args:
        criterion: what was asked.
        outcome: pass, fail, inconclusive, not run, stale or waived.
        have: what there is, in words.
        need: what is asked for, in words.
        reason: sentence that says why the outcome is what it is.
        change: sentence that says what would change it; empty for a pass.
        evidence_id: the evidence that it rests on; None for a computed one.
        evidence_digest: its digest; empty for a computed one.
        days_left: whole days, rounded up, until waiting alone may change it or until a pass becomes stale; None: never.
    """

    criterion: Criterion
    outcome: Outcome
    have: str
    need: str
    reason: str
    change: str = ""
    evidence_id: int | None = None
    evidence_digest: str = ""
    days_left: int | None = None

    @property
    def is_met(self) -> bool:
        """Whether the gate may open as far as this criterion goes: a pass, a waiver, or nothing that blocks."""
        return self.criterion.severity != BLOCK or self.outcome in (Outcome.PASS, Outcome.WAIVED)


@dataclass(frozen=True)
class Assessment:
    """The results of one gate at one time."""

    gate: Gate
    results: tuple[Result, ...]

    @property
    def is_whole(self) -> bool:
        """Whether there is exactly one result for each criterion of the policy."""
        ids = [result.criterion.id for result in self.results]
        return len(ids) == len(set(ids)) and frozenset(ids) == self.gate.ids

    @property
    def unmet(self) -> tuple[Result, ...]:
        """The results that keep the gate shut."""
        return tuple(result for result in self.results if not result.is_met)

    @property
    def may_advance(self) -> bool:
        """Whether the gate is open: the set is whole and nothing that blocks is unmet."""
        return self.is_whole and not self.unmet


def assess(gate: Gate, facts: GateFacts, at: datetime) -> Assessment:
    """Return how every criterion of the gate stands at that time: exactly one result for each, in its order.

    Args:
        gate: what is asked.
        facts: what is known of the size.
        at: the time of the assessment; evidence, waits and waivers are counted from it.
    """
    at = at.astimezone(UTC)
    results = {one.id: _result(one, gate, facts, at) for one in gate.criteria if one.rule != WHOLE_SET}
    outcomes = {name: result.outcome for name, result in results.items()}
    for criterion in gate.criteria:
        if criterion.rule == WHOLE_SET:  # last, because it looks at all the others
            answer = answer_whole_set(gate, outcomes)
            results[criterion.id] = _with_waiver(_shown(criterion, answer, None), facts.waivers, at)
    return Assessment(gate, tuple(results[criterion.id] for criterion in gate.criteria))


def _result(criterion: Criterion, gate: Gate, facts: GateFacts, at: datetime) -> Result:
    if criterion.source == COMPUTED:
        return _with_waiver(_shown(criterion, answer_from_record(criterion, gate, facts, at), None), facts.waivers, at)
    evidence = facts.evidence.get(criterion.id)
    answer = answer_from_evidence(criterion, evidence, facts.served_digest, at)
    return _with_waiver(_shown(criterion, answer, evidence), facts.waivers, at)


def _shown(criterion: Criterion, answer: Answer, evidence: EvidenceFacts | None) -> Result:
    return Result(
        criterion,
        answer.outcome,
        answer.have,
        answer.need,
        answer.reason,
        answer.change,
        evidence.id if evidence else None,
        evidence.digest if evidence else "",
        answer.days_left,
    )


def _with_waiver(result: Result, waivers: Mapping[str, datetime], at: datetime) -> Result:
    """Return the result with a waiver in its place, where one is in force and it would not pass without."""
    ends = waivers.get(result.criterion.id)
    is_in_force = ends is not None and ends > at and result.criterion.is_waivable
    if ends is None or not is_in_force or result.outcome is Outcome.PASS:
        return result
    left = days_until(ends, at)
    reason = f"A waiver stands in for it and ends {in_days(left)}. Without it: {result.reason}"
    return replace(result, outcome=Outcome.WAIVED, reason=reason, days_left=left)
