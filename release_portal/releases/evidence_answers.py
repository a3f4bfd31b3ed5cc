"""Does a piece of evidence satisfy a criterion? (pure)"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from release_portal.evidence.facts import REJECTED, WAITING, EvidenceFacts
from release_portal.evidence.kinds import KINDS, SET_EQUAL
from release_portal.releases.comparisons import (
    WORDS,
    compare_interval,
    compare_value,
    counted,
    days_until,
    elapsed,
    is_finite,
    plain,
)
from release_portal.releases.gate_policy import Criterion
from release_portal.releases.outcomes import Answer, Outcome

NOTHING = "nothing"
MOST_DAYS = 36_500  # a century; longer is for ever


def answer_from_evidence(criterion: Criterion, evidence: EvidenceFacts | None, served: str, at: datetime) -> Answer:
    """Return how the criterion stands with its newest evidence.

    Args:
        criterion: what is asked.
        evidence: the newest that was attached for it; None without any.
        served: digest of the weights that are served.
        at: when it is asked.
    """
    if evidence is None:
        return _answer(criterion, Outcome.NOT_RUN, NOTHING, "No evidence is attached.", _ask(criterion, "supplies it"))
    for answer in (
        _from_review(criterion, evidence, at),
        _from_subject(criterion, evidence, served),
        _from_age(criterion, evidence, at),
        _from_figures(criterion, evidence),
    ):
        if answer is not None:
            return answer
    return _judged(criterion, evidence, at)


def need_of(criterion: Criterion) -> str:
    """Return what a criterion asks for, in words."""
    parts = [_figure_need(criterion)]
    if criterion.min_n:
        parts.append(f"from at least {criterion.min_n}")
    if criterion.needs_subject:
        parts.append("on the weights that are served")
    if criterion.max_age is not None:
        parts.append(f"not older than {counted(criterion.max_age.days, 'day')}")
    return ", ".join(parts)


def _figure_need(criterion: Criterion) -> str:
    if criterion.kind == SET_EQUAL and criterion.items:
        return f"exactly these: {', '.join(criterion.items)}"
    if criterion.threshold is None:
        label = _label(criterion.kind)
        article = "an" if label[:1] in "aeiou" else "a"
        return f"{article} {label} that a reviewer accepted or the portal measured"
    figure = f"{WORDS[criterion.comparator]} {plain(criterion.threshold)} {criterion.unit}".rstrip()
    return f"{criterion.ci_side} end of the 95 % interval {figure}" if criterion.ci_side else figure


def _have(evidence: EvidenceFacts, criterion: Criterion) -> str:
    parts = []
    if evidence.value is not None:
        parts.append(f"{plain(evidence.value)} {criterion.unit}".rstrip())
    if evidence.ci_low is not None and evidence.ci_high is not None:
        parts.append(f"interval {plain(evidence.ci_low)} to {plain(evidence.ci_high)}")
    if evidence.n is not None:
        parts.append(f"n = {evidence.n}")
    return ", ".join(parts) or evidence.summary or _label(evidence.kind)


def _label(kind: str) -> str:
    return KINDS[kind].label if kind in KINDS else kind.replace("_", " ")


def _ask(criterion: Criterion, does: str) -> str:
    """Return who can change it, and how where the policy says so."""
    return f"The {criterion.owner.replace('_', ' ')} {does}. {criterion.help}".rstrip()


def _answer(
    criterion: Criterion, outcome: Outcome, have: str, reason: str, change: str = "", days_left: int | None = None
) -> Answer:
    return Answer(outcome, have, need_of(criterion), reason, change, days_left)


def _from_review(criterion: Criterion, evidence: EvidenceFacts, at: datetime) -> Answer | None:
    """Return the answer where the evidence does not count yet, or not any more."""
    have = _have(evidence, criterion)
    if evidence.review == REJECTED:
        why = evidence.review_reason.strip().rstrip(".") or "no reason was written down"
        reason = f"The reviewer rejected the newest evidence: {why}."
        return _answer(criterion, Outcome.NOT_RUN, have, reason, _ask(criterion, "attaches new evidence"))
    if evidence.review == WAITING and not evidence.is_measured_here:
        change = "Anyone who reviews evidence, other than its signer, accepts or rejects it."
        return _answer(criterion, Outcome.INCONCLUSIVE, have, "It waits for review by another person.", change)
    if evidence.measured_at > at:
        reason = "It bears a time that lies in the future, so its age cannot be told."
        change = _ask(criterion, "attaches it again with the right time")
        return _answer(criterion, Outcome.INCONCLUSIVE, have, reason, change)
    return None


def _from_subject(criterion: Criterion, evidence: EvidenceFacts, served: str) -> Answer | None:
    """Return the answer where the evidence is not about the weights that are served."""
    if not criterion.needs_subject or (served and evidence.subject_digest == served):
        return None
    have = _have(evidence, criterion)
    if not served:
        reason = "No weights are recorded for this size, so nothing can be measured on them."
        return _answer(criterion, Outcome.INCONCLUSIVE, have, reason, "An operator imports the weights.")
    change = _ask(criterion, "repeats it on the weights that are served")
    if not evidence.subject_digest:
        reason = "It does not say on which weights it was measured."
        return _answer(criterion, Outcome.INCONCLUSIVE, have, reason, change)
    return _answer(criterion, Outcome.STALE, have, "It was measured on other weights than those served.", change)


def _longest(criterion: Criterion, evidence: EvidenceFacts) -> timedelta | None:
    """Return how long this evidence counts for this criterion: the shorter word of the two; None for ever."""
    own = None if evidence.ttl_days is None else timedelta(days=min(max(0, evidence.ttl_days), MOST_DAYS))
    return min((age for age in (own, criterion.max_age) if age is not None), default=None)


def _from_age(criterion: Criterion, evidence: EvidenceFacts, at: datetime) -> Answer | None:
    """Return the answer where the evidence is too old."""
    longest = _longest(criterion, evidence)
    if longest is None or elapsed(evidence.measured_at, at) <= longest:
        return None
    reason = (
        f"It is dated {evidence.measured_at:%Y-%m-%d} and counted for {counted(longest.days, 'day')}; it is too old."
    )
    return _answer(criterion, Outcome.STALE, _have(evidence, criterion), reason, _ask(criterion, "renews it"))


def _from_figures(criterion: Criterion, evidence: EvidenceFacts) -> Answer | None:
    """Return the answer where a figure that the criterion needs is not there."""
    reason = _lack(criterion, evidence)
    if not reason:
        return None
    change = _ask(criterion, "attaches evidence with that figure")
    return _answer(criterion, Outcome.INCONCLUSIVE, _have(evidence, criterion), reason, change)


def _lack(criterion: Criterion, evidence: EvidenceFacts) -> str:
    """Return which figure is not usable; empty when all are."""
    if criterion.min_n and (evidence.n is None or evidence.n < criterion.min_n):
        have = "nobody says how many" if evidence.n is None else f"only {evidence.n}"
        return f"Too few were measured: {have}, at least {criterion.min_n} are needed."
    if criterion.threshold is None:
        return ""
    if not criterion.ci_side:
        return "" if is_finite(evidence.value) else "It states no figure to hold against the threshold."
    if not is_finite(evidence.ci_low, evidence.ci_high):
        return "It states no 95 % interval, and the criterion asks for an end of it."
    return "Its interval is reversed." if _interval(evidence)[0] > _interval(evidence)[1] else ""


def _interval(evidence: EvidenceFacts) -> tuple[Decimal, Decimal]:
    assert evidence.ci_low is not None
    assert evidence.ci_high is not None
    return evidence.ci_low, evidence.ci_high


def _judged(criterion: Criterion, evidence: EvidenceFacts, at: datetime) -> Answer:
    """Return the answer of evidence that counts."""
    outcome, reason = _compared(criterion, evidence)
    have = _have(evidence, criterion)
    if outcome is Outcome.PASS:
        longest = _longest(criterion, evidence)
        left = None if longest is None else days_until(evidence.measured_at.astimezone(UTC) + longest, at)
        return _answer(criterion, outcome, have, reason, days_left=left)
    return _answer(criterion, outcome, have, reason, _ask(criterion, "attaches evidence that satisfies it"))


def _compared(criterion: Criterion, evidence: EvidenceFacts) -> tuple[Outcome, str]:
    if criterion.kind == SET_EQUAL:
        return _compared_sets(criterion, evidence)
    if criterion.threshold is None:
        return Outcome.PASS, "It is there and counts."
    figure = f"{WORDS[criterion.comparator]} {plain(criterion.threshold)}"
    if criterion.ci_side:
        interval = _interval(evidence)
        outcome = compare_interval(criterion.comparator, criterion.ci_side, interval, criterion.threshold)
        reasons = {
            Outcome.PASS: f"The {criterion.ci_side} end of the interval is {figure}.",
            Outcome.FAIL: f"No part of the interval is {figure}.",
            Outcome.INCONCLUSIVE: f"Part of the interval is {figure} and part is not; more must be measured.",
        }
        return outcome, reasons[outcome]
    assert evidence.value is not None
    outcome = compare_value(criterion.comparator, evidence.value, criterion.threshold)
    return outcome, f"{plain(evidence.value)} is {'' if outcome is Outcome.PASS else 'not '}{figure}."


def _compared_sets(criterion: Criterion, evidence: EvidenceFacts) -> tuple[Outcome, str]:
    asked, there = frozenset(criterion.items), frozenset(evidence.items)
    if asked == there:
        return Outcome.PASS, "Exactly what is asked for is there."
    missing, more = ", ".join(sorted(asked - there)), ", ".join(sorted(there - asked))
    parts = [f"missing: {missing}"] if missing else []
    return Outcome.FAIL, f"The sets differ; {'; '.join([*parts, *([f'not asked for: {more}'] if more else [])])}."
