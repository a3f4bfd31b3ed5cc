"""Criteria that the portal answers from its own record, without evidence (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from release_portal.releases.comparisons import DAY, counted, days_until, elapsed, in_days, whole_days
from release_portal.releases.gate_facts import GateFacts, WindowFacts
from release_portal.releases.gate_policy import BLOCK, Criterion, Gate
from release_portal.releases.ladder import LADDER, stage_of
from release_portal.releases.outcomes import Answer, Outcome

WHOLE_SET = "whole_set"
_PLACES = {stage.slug: stage.ordinal for stage in LADDER}


def answer_from_record(criterion: Criterion, gate: Gate, facts: GateFacts, at: datetime) -> Answer:
    """Return how a computed criterion stands; the one over the whole set has a function of its own."""
    answer_by_rule = RULES.get(criterion.rule)
    if answer_by_rule is None:
        reason = "The portal does not know how to compute this."
        return Answer(Outcome.INCONCLUSIVE, "nothing", "a rule that the portal knows", reason, "Correct the policy.")
    return answer_by_rule(criterion, gate, facts, at)


def answer_whole_set(gate: Gate, outcomes: Mapping[str, Outcome]) -> Answer:
    """Return whether every other criterion of the gate has a result, and none that blocks was not run.

    Args:
        gate: what is asked.
        outcomes: outcome by criterion id, waivers counted, of every other criterion.
    """
    asked = [criterion for criterion in gate.criteria if criterion.rule != WHOLE_SET]
    missing = [one.id for one in asked if _is_missing(one, outcomes)]
    need = f"a result for each of the other {len(asked)} criteria"
    have = f"{len(asked) - len(missing)} of {len(asked)}"
    if not missing:
        return Answer(Outcome.PASS, have, need, "Nothing that must be tested was left out.")
    reason = f"Nobody has answered: {', '.join(missing)}."
    return Answer(Outcome.FAIL, have, need, reason, "It passes when each of these has a result.")


def _is_missing(criterion: Criterion, outcomes: Mapping[str, Outcome]) -> bool:
    outcome = outcomes.get(criterion.id)
    return outcome is None or (criterion.severity == BLOCK and outcome is Outcome.NOT_RUN)


def _card_lint(criterion: Criterion, _gate: Gate, facts: GateFacts, _at: datetime) -> Answer:
    need = "a model card without an error at the target stage"
    if facts.card_number is None:
        change = _ask(criterion, "writes a model card")
        return Answer(Outcome.NOT_RUN, "no card", need, "The size has no model card.", change)
    have = f"card version {facts.card_number}, {counted(len(facts.lint_errors), 'error')}"
    if not facts.lint_errors:
        return Answer(Outcome.PASS, have, need, "The card has every section that the stage asks for.")
    return Answer(Outcome.FAIL, have, need, " ".join(facts.lint_errors), _ask(criterion, "mends the card"))


def _partner_reports(criterion: Criterion, _gate: Gate, facts: GateFacts, _at: datetime) -> Answer:
    have = f"{counted(facts.partner_reports, 'report')}, {facts.adverse_reports} adverse and unanswered"
    need = f"{_reports_asked(criterion)} deposited, and every adverse one answered"
    if facts.adverse_reports:
        reason = f"Adverse reports that nobody has answered: {facts.adverse_reports}."
        return Answer(Outcome.FAIL, have, need, reason, _ask(criterion, "answers it"))
    return _enough(criterion, facts.partner_reports, have, need)


def _external_reviews(criterion: Criterion, _gate: Gate, facts: GateFacts, _at: datetime) -> Answer:
    have = counted(facts.external_reviews, "report")
    need = f"{_reports_asked(criterion)} deposited by an external reviewer, terms published"
    return _enough(criterion, facts.external_reviews, have, need)


def _reports_asked(criterion: Criterion) -> str:
    return f"at least {counted(criterion.threshold if criterion.threshold is not None else 1, 'report')}"


def _enough(criterion: Criterion, count: int, have: str, need: str) -> Answer:
    least = criterion.threshold if criterion.threshold is not None else 1
    if count >= least:
        return Answer(Outcome.PASS, have, need, "Enough reports are deposited.")
    outcome = Outcome.FAIL if count else Outcome.NOT_RUN
    reason = "Too few reports are deposited." if count else "No report is deposited."
    return Answer(outcome, have, need, reason, _ask(criterion, "supplies it"))


def _days_at_stage(criterion: Criterion, _gate: Gate, facts: GateFacts, at: datetime) -> Answer:
    label = stage_of(facts.stage).label if facts.stage in _PLACES else facts.stage
    return _waited(criterion, facts.stage_since, at, f"since the size reached {label}")


def _days_since_smaller(criterion: Criterion, gate: Gate, facts: GateFacts, at: datetime) -> Answer:
    label = stage_of(gate.target).label
    if facts.smaller is None:
        need = f"{counted(_asked_days(criterion), 'day')} since the next smaller size reached {label}"
        return Answer(Outcome.PASS, "the smallest size", need, "Not applicable: no size of the family is smaller.")
    smaller = _public_name(*facts.smaller)
    if facts.smaller_since is None:
        need = f"{counted(_asked_days(criterion), 'day')} since {smaller} reached {label}"
        reason = f"It waits for {smaller}, which has not reached {label}."
        change = f"First {smaller} advances to {label}."
        return Answer(Outcome.FAIL, f"{smaller} has not reached it", need, reason, change)
    return _waited(criterion, facts.smaller_since, at, f"since {smaller} reached {label}")


def _asked_days(criterion: Criterion) -> int:
    return int(criterion.threshold or 0)


def _waited(criterion: Criterion, start: datetime, at: datetime, since: str) -> Answer:
    """Return whether enough whole days have passed; a day is 86,400 seconds, whatever the clocks on walls show."""
    asked = _asked_days(criterion)
    need = f"{counted(asked, 'day')} {since}"
    if start > at:
        reason = "The time that it is counted from lies in the future."
        return Answer(Outcome.INCONCLUSIVE, "a time in the future", need, reason, "An operator checks the clock.")
    have = counted(whole_days(start, at), "day")
    if elapsed(start, at) >= timedelta(days=asked):
        return Answer(Outcome.PASS, have, need, f"{have} have passed." if have != "1 day" else "1 day has passed.")
    left = days_until(start.astimezone(UTC) + timedelta(days=asked), at)
    reason = f"{counted(left, 'day')} must still pass."
    return Answer(Outcome.FAIL, have, need, reason, f"Waiting is enough: it passes {in_days(left)}.", left)


def _notice(criterion: Criterion, _gate: Gate, facts: GateFacts, at: datetime) -> Answer:
    asked = _asked_days(criterion)
    need = f"a notice to other labs that has run for {counted(asked, 'day')}"
    if facts.notice is None:
        change = _ask(criterion, "sends it")
        return Answer(Outcome.NOT_RUN, "no notice", need, "No notice was sent to other labs.", change)
    waiting = _window(criterion, facts.notice, need, "notice", at)
    if waiting is not None:
        return waiting
    return Answer(Outcome.PASS, _span(facts.notice), need, "The notice is over.")


def _comment_window(criterion: Criterion, _gate: Gate, facts: GateFacts, at: datetime) -> Answer:
    asked = _asked_days(criterion)
    need = f"a public comment window of {counted(asked, 'day')}, closed, every objection answered"
    window = facts.comment_window
    if window is None:
        change = _ask(criterion, "opens one")
        return Answer(Outcome.NOT_RUN, "no window", need, "No public comment window was opened.", change)
    waiting = _window(criterion, window, need, "comment window", at)
    if waiting is not None:
        return waiting
    if window.unanswered:
        have = f"{_span(window)}, {counted(window.unanswered, 'objection')} unanswered"
        reason = f"{counted(window.unanswered, 'objection')} in it nobody has answered."
        return Answer(Outcome.FAIL, have, need, f"The window is closed, but {reason}", _ask(criterion, "answers"))
    return Answer(Outcome.PASS, _span(window), need, "The window is closed and every objection is answered.")


def _window(criterion: Criterion, window: WindowFacts, need: str, name: str, at: datetime) -> Answer | None:
    """Return the answer of a window that is too short, open or not begun; None once it is over."""
    asked, have = _asked_days(criterion), _span(window)
    if window.opened_at > at:
        reason = f"The {name} begins at a time that lies in the future."
        return Answer(Outcome.INCONCLUSIVE, have, need, reason, "Wait until it has begun and ended.")
    if elapsed(window.opened_at, window.closes_at) < asked * DAY:
        change = _ask(criterion, "opens one that is long enough")
        return Answer(Outcome.FAIL, have, need, f"The {name} is shorter than {counted(asked, 'day')}.", change)
    if window.closes_at > at:
        left = days_until(window.closes_at, at)
        change = (
            "It is over "
            + in_days(left)
            + (" and every objection in it must be answered." if window.unanswered else ".")
        )
        return Answer(Outcome.FAIL, have, need, f"The {name} is still open.", change, left)
    return None


def _span(window: WindowFacts) -> str:
    return f"{window.opened_at:%Y-%m-%d} to {window.closes_at:%Y-%m-%d}"


def _objections(criterion: Criterion, _gate: Gate, facts: GateFacts, _at: datetime) -> Answer:
    need = "every objection of a voter answered"
    if not facts.open_objections:
        return Answer(Outcome.PASS, "no open objection", need, "No objection is open.")
    have = f"{counted(facts.open_objections, 'objection')} unanswered"
    change = _ask(criterion, "answers in writing")
    return Answer(Outcome.FAIL, have, need, "Dissent is not answered yet.", change)


def _public_name(slug: str, stage: str) -> str:
    """Return how the next smaller size is called: whoever may not see it must not learn its name from a gate."""
    return "the next smaller size" if stage == LADDER[0].slug else slug


def _smaller_size(_criterion: Criterion, gate: Gate, facts: GateFacts, _at: datetime) -> Answer:
    target = stage_of(gate.target)
    need = f"the next smaller size at {target.label} or wider"
    if facts.smaller is None:
        return Answer(Outcome.PASS, "the smallest size", need, "Not applicable: no size of the family is smaller.")
    smaller, stage = _public_name(*facts.smaller), facts.smaller[1]
    label = stage_of(stage).label if stage in _PLACES else stage
    have = f"{smaller} at {label}"
    if _PLACES.get(stage, -1) >= target.ordinal:
        return Answer(Outcome.PASS, have, need, "A smaller size stands there already.")
    reason = f"It waits for {smaller}, which stands at {label}."
    return Answer(Outcome.FAIL, have, need, reason, f"First {smaller} advances to {target.label}.")


def _ask(criterion: Criterion, does: str) -> str:
    return f"The {criterion.owner.replace('_', ' ')} {does}. {criterion.help}".rstrip()


Rule = Callable[[Criterion, Gate, GateFacts, datetime], Answer]
RULES: dict[str, Rule] = {
    "card_lint": _card_lint,
    "partner_reports": _partner_reports,
    "external_reviews": _external_reviews,
    "days_at_stage": _days_at_stage,
    "days_since_smaller": _days_since_smaller,
    "notice": _notice,
    "comment_window": _comment_window,
    "objections": _objections,
    "smaller_size": _smaller_size,
}
RULE_NAMES: tuple[str, ...] = (*RULES, WHOLE_SET)
