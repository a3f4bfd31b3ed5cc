"""Assessments: how each criterion of a gate is answered from facts alone, in which order, and what never opens it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from release_portal.evidence.facts import ACCEPTED, REJECTED, WAITING, EvidenceFacts
from release_portal.evidence.kinds import KINDS
from release_portal.releases.gate_policy import BLOCK, COMPUTED, INFO, WARN, ApprovalNeed, Criterion, Gate
from release_portal.releases.gates import Assessment, GateFacts, Outcome, Result, WindowFacts, assess
from release_portal.releases.ladder import LADDER
from release_portal.releases.policy_files import packaged

AT = datetime(2026, 3, 29, 12, tzinfo=UTC)
DAY = timedelta(days=1)
DIGEST = "a" * 64
PASS, FAIL, STALE, WAIVED = Outcome.PASS, Outcome.FAIL, Outcome.STALE, Outcome.WAIVED
INCONCLUSIVE, NOT_RUN = Outcome.INCONCLUSIVE, Outcome.NOT_RUN

DOCUMENT = Criterion("C17", "The licence is attached", "document", max_age=30 * DAY, help="Attach it.")
DETECTOR = Criterion(
    "C07", "The detector finds texts", "measured", comparator=">=", threshold=Decimal("0.5"), ci_side="lower",
    owner="safety_reviewer", min_n=100, max_age=60 * DAY, needs_subject=True,
)  # fmt: skip
INCREMENT = Criterion(
    "C09", "Credibility rises little", "measured", comparator="<=", threshold=Decimal("0.5"), ci_side="upper"
)
DRILL = Criterion("C15", "The stop is fast", "duration", comparator="<=", threshold=Decimal(15), is_waivable=False)
PAPERS = Criterion("C05", "Everything is there", "set_equal", items=("card", "paper"))


def computed(rule: str, threshold: int | None = None, name: str = "C13") -> Criterion:
    return Criterion(
        name,
        "Answered from the record",
        "duration",
        source=COMPUTED,
        comparator="" if threshold is None else ">=",
        threshold=None if threshold is None else Decimal(threshold),
        rule=rule,
    )


def gate_of(*criteria: Criterion, target: str = "public_hosted") -> Gate:
    return Gate("research_hosted", target, criteria, (ApprovalNeed("board"),), timedelta(), timedelta())


def facts_of(*evidence: EvidenceFacts, **changes: object) -> GateFacts:
    known = GateFacts("gpt2-355m", "research_hosted", AT - 40 * DAY, DIGEST, {one.criterion: one for one in evidence})
    return replace(known, **changes)  # type: ignore[arg-type]


def attached(criterion: Criterion, **changes: object) -> EvidenceFacts:
    """Evidence that an accepting reviewer has seen, one day old, on the weights that are served."""
    one = EvidenceFacts(7, criterion.id, criterion.kind, "what it states", AT - DAY, review=ACCEPTED, digest="e" * 64)
    return replace(one, **{"subject_digest": DIGEST, "n": 500, **changes})  # type: ignore[arg-type]


def measured(low: str, high: str, criterion: Criterion = DETECTOR, **changes: object) -> EvidenceFacts:
    middle = (Decimal(low) + Decimal(high)) / 2
    return attached(criterion, **{"value": middle, "ci_low": Decimal(low), "ci_high": Decimal(high), **changes})


def result_of(
    criterion: Criterion, evidence: EvidenceFacts | None = None, at: datetime = AT, **known: object
) -> Result:
    facts = facts_of(*([evidence] if evidence else []), **known)
    assessment = assess(gate_of(criterion), facts, at)
    assert assessment.is_whole
    return assessment.results[0]


# --- Evidence, in the order in which it is judged ------------------------------------------------------------------


def test_without_evidence_a_criterion_was_not_run_and_says_who_supplies_it() -> None:
    result = result_of(DOCUMENT)
    assert (result.outcome, result.have, result.evidence_id) == (NOT_RUN, "nothing", None)
    assert result.change == "The release manager supplies it. Attach it."
    assert result.need == "a document that a reviewer accepted or the portal measured, not older than 30 days"


def test_accepted_evidence_passes_names_itself_and_says_how_long_it_counts() -> None:
    result = result_of(DOCUMENT, attached(DOCUMENT))
    assert (result.outcome, result.change, result.days_left) == (PASS, "", 29)
    assert (result.evidence_id, result.evidence_digest) == (7, "e" * 64)


def test_rejected_evidence_counts_as_not_run_with_the_reviewers_reason() -> None:
    result = result_of(DOCUMENT, attached(DOCUMENT, review=REJECTED, review_reason="wrong licence"))
    assert (result.outcome, result.reason) == (NOT_RUN, "The reviewer rejected the newest evidence: wrong licence.")


def test_evidence_waits_for_review_unless_the_portal_measured_it() -> None:
    waiting = attached(DOCUMENT, review=WAITING)
    assert result_of(DOCUMENT, waiting).outcome is INCONCLUSIVE
    assert result_of(DOCUMENT, waiting).reason == "It waits for review by another person."
    assert result_of(DOCUMENT, replace(waiting, is_measured_here=True)).outcome is PASS


def test_what_the_portal_measured_can_still_be_rejected() -> None:
    assert result_of(DOCUMENT, attached(DOCUMENT, review=REJECTED, is_measured_here=True)).outcome is NOT_RUN


def test_evidence_from_the_future_is_inconclusive() -> None:
    assert result_of(DOCUMENT, attached(DOCUMENT, measured_at=AT + timedelta(seconds=1))).outcome is INCONCLUSIVE
    assert result_of(DOCUMENT, attached(DOCUMENT, measured_at=AT)).outcome is PASS


def test_evidence_on_other_weights_is_stale() -> None:
    good = measured("0.6", "0.8")
    assert result_of(DETECTOR, good).outcome is PASS
    result = result_of(DETECTOR, replace(good, subject_digest="b" * 64))
    assert (result.outcome, result.reason) == (STALE, "It was measured on other weights than those served.")


def test_evidence_that_names_no_weights_says_nothing_about_those_served() -> None:
    assert result_of(DETECTOR, measured("0.6", "0.8", subject_digest="")).outcome is INCONCLUSIVE
    assert result_of(DETECTOR, measured("0.6", "0.8", subject_digest=""), served_digest="").outcome is INCONCLUSIVE


def test_a_document_need_not_name_weights() -> None:
    assert result_of(DOCUMENT, attached(DOCUMENT, subject_digest="b" * 64)).outcome is PASS


@pytest.mark.parametrize(
    ("ttl", "age", "outcome", "left"),
    [
        (None, 30 * DAY, PASS, 0),
        (None, 30 * DAY + timedelta(microseconds=1), STALE, None),
        (10, 10 * DAY, PASS, 0),
        (10, 11 * DAY, STALE, None),
        (90, 31 * DAY, STALE, None),  # its own word is not longer than the gate's
        (90, 2 * DAY + timedelta(hours=1), PASS, 28),
        (10**9, DAY, PASS, 29),
        (-5, DAY, STALE, None),
    ],
)
def test_evidence_counts_for_the_shorter_of_two_times(
    ttl: int | None, age: timedelta, outcome: Outcome, left: int | None
) -> None:
    result = result_of(DOCUMENT, attached(DOCUMENT, measured_at=AT - age, ttl_days=ttl))
    assert (result.outcome, result.days_left) == (outcome, left)


def test_evidence_without_any_limit_counts_for_ever() -> None:
    ageless = replace(DOCUMENT, max_age=None)
    result = result_of(ageless, attached(ageless, measured_at=AT - 9_999 * DAY))
    assert (result.outcome, result.days_left) == (PASS, None)


@pytest.mark.parametrize("count", [None, 0, 99])
def test_too_few_measurements_are_inconclusive(count: int | None) -> None:
    result = result_of(DETECTOR, measured("0.6", "0.8", n=count))
    assert result.outcome is INCONCLUSIVE
    assert "at least 100 are needed" in result.reason


@pytest.mark.parametrize(
    "changes",
    [
        {"ci_low": None},
        {"ci_high": None},
        {"ci_low": Decimal("NaN")},
        {"ci_high": Decimal("Infinity")},
        {"ci_low": Decimal("0.9")},  # reversed
    ],
)
def test_an_interval_that_is_missing_or_broken_is_inconclusive(changes: dict[str, Decimal | None]) -> None:
    assert result_of(DETECTOR, measured("0.6", "0.8", **changes)).outcome is INCONCLUSIVE


@pytest.mark.parametrize("value", [None, Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("-Infinity")])
def test_a_value_that_is_missing_or_no_number_is_inconclusive(value: Decimal | None) -> None:
    assert result_of(DRILL, attached(DRILL, value=value)).outcome is INCONCLUSIVE


@pytest.mark.parametrize(
    ("comparator", "value", "outcome"),
    [("<=", "15", PASS), ("<=", "15.1", FAIL), (">=", "15", PASS), (">=", "14.9", FAIL), ("==", "15.0", PASS),
     ("==", "14", FAIL)],
)  # fmt: skip
def test_a_figure_is_held_against_the_threshold(comparator: str, value: str, outcome: Outcome) -> None:
    criterion = replace(DRILL, comparator=comparator)
    assert result_of(criterion, attached(criterion, value=Decimal(value))).outcome is outcome


@pytest.mark.parametrize(
    ("criterion", "low", "high", "outcome"),
    [
        (DETECTOR, "0.5", "0.7", PASS),
        (DETECTOR, "0.49", "0.7", INCONCLUSIVE),
        (DETECTOR, "0.3", "0.5", INCONCLUSIVE),
        (DETECTOR, "0.3", "0.49", FAIL),
        (INCREMENT, "0.1", "0.5", PASS),
        (INCREMENT, "0.1", "0.51", INCONCLUSIVE),
        (INCREMENT, "0.51", "0.8", FAIL),
    ],
)
def test_the_hard_end_of_an_interval_must_satisfy_the_threshold(
    criterion: Criterion, low: str, high: str, outcome: Outcome
) -> None:
    result = result_of(criterion, measured(low, high, criterion))
    assert result.outcome is outcome
    assert f"interval {low} to {high}" in result.have


def test_a_figure_where_none_is_asked_for_does_no_harm() -> None:
    assert result_of(DOCUMENT, attached(DOCUMENT, value=Decimal("NaN"))).outcome is PASS


@pytest.mark.parametrize(
    ("items", "outcome", "words"),
    [
        (("paper", "card"), PASS, "Exactly"),
        (("paper",), FAIL, "missing: card"),
        (("paper", "card", "code"), FAIL, "not asked for: code"),
        ((), FAIL, "missing: card, paper"),
    ],
)
def test_a_set_must_be_equal_not_only_large_enough(items: tuple[str, ...], outcome: Outcome, words: str) -> None:
    result = result_of(PAPERS, attached(PAPERS, items=items))
    assert result.outcome is outcome
    assert words in result.reason


# --- Waivers -------------------------------------------------------------------------------------------------------


def test_a_waiver_stands_in_for_what_would_not_pass_until_it_ends() -> None:
    """B7.13. Seen to fail with `ends > at` taken out of `_with_waiver`."""
    gate, facts = gate_of(DOCUMENT), facts_of(waivers={"C17": AT + DAY})
    assert assess(gate, facts, AT).results[0].outcome is WAIVED
    assert assess(gate, facts, AT).results[0].days_left == 1
    assert assess(gate, facts, AT + DAY - timedelta(seconds=1)).may_advance
    assert not assess(gate, facts, AT + DAY).may_advance
    assert assess(gate, facts, AT + DAY).results[0].outcome is NOT_RUN


def test_a_pass_stays_a_pass_and_needs_no_waiver() -> None:
    assert result_of(DOCUMENT, attached(DOCUMENT), waivers={"C17": AT + DAY}).outcome is PASS


def test_what_cannot_be_waived_is_not() -> None:
    result = result_of(DRILL, attached(DRILL, value=Decimal(20)), waivers={"C15": AT + DAY})
    assert (result.outcome, result.is_met) == (FAIL, False)


def test_a_waived_result_still_says_what_is_missing() -> None:
    result = result_of(DOCUMENT, waivers={"C17": AT + 3 * DAY})
    assert result.reason == "A waiver stands in for it and ends in 3 days. Without it: No evidence is attached."


# --- What the portal computes --------------------------------------------------------------------------------------


def test_the_card_must_be_there_and_without_error() -> None:
    lint = computed("card_lint", name="C02")
    assert result_of(lint).outcome is NOT_RUN
    assert result_of(lint, card_number=3).outcome is PASS
    result = result_of(lint, card_number=3, lint_errors=("Section Bias is missing.",))
    assert (result.outcome, result.reason) == (FAIL, "Section Bias is missing.")


@pytest.mark.parametrize(
    ("passed", "outcome", "left"),
    [
        (timedelta(), FAIL, 30),
        (29 * DAY, FAIL, 1),
        (30 * DAY - timedelta(seconds=1), FAIL, 1),
        (30 * DAY, PASS, None),
        (31 * DAY, PASS, None),
        (-DAY, INCONCLUSIVE, None),
    ],
)
def test_a_wait_counts_whole_days(passed: timedelta, outcome: Outcome, left: int | None) -> None:
    result = result_of(computed("days_at_stage", 30), stage_since=AT - passed)
    assert (result.outcome, result.days_left) == (outcome, left)


@pytest.mark.parametrize(
    "start",
    [
        datetime(2026, 3, 28, 12, tzinfo=ZoneInfo("Europe/Vienna")),  # the clocks go forward in between
        datetime(2026, 10, 24, 12, tzinfo=ZoneInfo("Europe/Vienna")),  # and back
        datetime(2028, 2, 28, 12, tzinfo=UTC),  # a leap day
    ],
)
def test_neither_daylight_saving_nor_a_leap_day_shortens_a_wait(start: datetime) -> None:
    """B7.11. Seen to fail with `astimezone(UTC)` taken out of both `assess` and `elapsed`."""
    wait = computed("days_at_stage", 1)
    for zone in (UTC, start.tzinfo):
        end = (start.astimezone(UTC) + DAY).astimezone(zone)
        before = (start.astimezone(UTC) + DAY - timedelta(seconds=1)).astimezone(zone)
        assert result_of(wait, stage_since=start, at=end).outcome is PASS
        assert result_of(wait, stage_since=start, at=before).outcome is FAIL


def test_a_gate_never_names_a_smaller_size_that_is_not_disclosed() -> None:
    for criterion in (computed("smaller_size"), computed("days_since_smaller", 77)):
        result = result_of(criterion, smaller=("lab/hidden", "registered"))
        assert result.outcome is FAIL
        assert "hidden" not in f"{result.have} {result.need} {result.reason} {result.change}"


def test_the_wait_behind_the_smaller_size_begins_when_that_one_gets_there() -> None:
    wait = computed("days_since_smaller", 77)
    smaller = ("gpt2-124m", "public_hosted")
    assert result_of(wait, smaller=smaller, smaller_since=AT - 77 * DAY).outcome is PASS
    assert result_of(wait, smaller=smaller, smaller_since=AT - 70 * DAY).days_left == 7
    result = result_of(wait, smaller=("gpt2-124m", "partner"))
    assert (result.outcome, result.change) == (FAIL, "First gpt2-124m advances to Public, hosted.")
    alone = result_of(wait)
    assert (alone.outcome, alone.reason) == (PASS, "Not applicable: no size of the family is smaller.")


@pytest.mark.parametrize(
    ("stage", "outcome"),
    [("research_hosted", FAIL), ("public_hosted", PASS), ("open_science", PASS), ("withdrawn", FAIL)],
)
def test_the_next_smaller_size_stands_there_already(stage: str, outcome: Outcome) -> None:
    """B7.12. Seen to fail with the comparison of places turned round."""
    assert result_of(computed("smaller_size", name="L01"), smaller=("gpt2-124m", stage)).outcome is outcome


def test_the_smallest_size_waits_for_none() -> None:
    assert result_of(computed("smaller_size", name="L01")).outcome is PASS


@pytest.mark.parametrize(("reports", "adverse", "outcome"), [(0, 0, NOT_RUN), (1, 0, PASS), (2, 1, FAIL), (0, 1, FAIL)])
def test_a_partners_report_is_delivered_and_no_adverse_one_unanswered(
    reports: int, adverse: int, outcome: Outcome
) -> None:
    partner = computed("partner_reports", 1, "C10")
    assert result_of(partner, partner_reports=reports, adverse_reports=adverse).outcome is outcome


@pytest.mark.parametrize(("reviews", "outcome"), [(0, NOT_RUN), (1, FAIL), (2, PASS)])
def test_enough_external_reviews_are_deposited(reviews: int, outcome: Outcome) -> None:
    assert result_of(computed("external_reviews", 2, "C18"), external_reviews=reviews).outcome is outcome


WINDOWS = [
    (None, NOT_RUN, None),
    (WindowFacts(AT - 14 * DAY, AT), PASS, None),
    (WindowFacts(AT - 10 * DAY, AT + 4 * DAY), FAIL, 4),
    (WindowFacts(AT - 13 * DAY, AT), FAIL, None),
    (WindowFacts(AT + DAY, AT + 20 * DAY), INCONCLUSIVE, None),
]


@pytest.mark.parametrize(("window", "outcome", "left"), WINDOWS)
def test_a_notice_to_other_labs_is_sent_long_enough_and_over(
    window: WindowFacts | None, outcome: Outcome, left: int | None
) -> None:
    result = result_of(computed("notice", 14, "C20"), notice=window)
    assert (result.outcome, result.days_left) == (outcome, left)


@pytest.mark.parametrize(("window", "outcome", "left"), WINDOWS)
def test_a_comment_window_is_opened_long_enough_and_closed(
    window: WindowFacts | None, outcome: Outcome, left: int | None
) -> None:
    result = result_of(computed("comment_window", 14, "C21"), comment_window=window)
    assert (result.outcome, result.days_left) == (outcome, left)


def test_a_closed_comment_window_still_asks_for_answers() -> None:
    window = WindowFacts(AT - 20 * DAY, AT - DAY, unanswered=2)
    result = result_of(computed("comment_window", 14, "C21"), comment_window=window)
    assert (result.outcome, result.days_left) == (FAIL, None)
    assert "2 objections" in result.have


def test_a_window_over_which_the_clocks_go_forward_is_an_hour_too_short() -> None:
    """Seen to fail with `astimezone(UTC)` taken out of `elapsed`."""
    vienna = ZoneInfo("Europe/Vienna")
    window = WindowFacts(datetime(2026, 3, 22, 12, tzinfo=vienna), datetime(2026, 4, 5, 12, tzinfo=vienna))
    result = result_of(computed("notice", 14, "C20"), at=AT + 30 * DAY, notice=window)
    assert (result.outcome, result.reason) == (FAIL, "The notice is shorter than 14 days.")


def test_dissent_is_answered() -> None:
    dissent = computed("objections", name="C28")
    assert result_of(dissent).outcome is PASS
    assert result_of(dissent, open_objections=1).outcome is FAIL


def test_a_rule_that_the_portal_does_not_know_never_opens_a_gate() -> None:
    assert result_of(computed("by_magic")).outcome is INCONCLUSIVE


WHOLE = replace(computed("whole_set", name="C27"), is_waivable=False)


def test_the_set_is_not_whole_while_anything_that_blocks_was_not_run() -> None:
    gate = gate_of(WHOLE, DOCUMENT, DRILL)
    result = assess(gate, facts_of(attached(DOCUMENT)), AT).results[0]
    assert (result.outcome, result.have) == (FAIL, "1 of 2")
    assert result.reason == "Nobody has answered: C15."


def test_the_set_is_whole_when_each_has_a_result_whatever_it_is() -> None:
    gate = gate_of(WHOLE, DOCUMENT, DRILL, replace(PAPERS, severity=WARN))
    facts = facts_of(attached(DOCUMENT, measured_at=AT - 99 * DAY), attached(DRILL, value=Decimal(20)))
    assert assess(gate, facts, AT).results[0].outcome is PASS
    assert not assess(gate, facts, AT).may_advance


def test_a_waived_criterion_was_answered_and_the_set_itself_is_never_waived() -> None:
    gate = gate_of(WHOLE, DOCUMENT)
    assert assess(gate, facts_of(waivers={"C17": AT + DAY}), AT).may_advance
    assert assess(gate, facts_of(waivers={"C27": AT + DAY}), AT).results[0].outcome is FAIL


# --- The whole assessment ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["preset", "demo-fast"])
def test_a_size_of_which_nothing_is_known_advances_nowhere(name: str) -> None:
    for gate in packaged(name).gates:
        assessment = assess(gate, GateFacts("gpt2-124m", gate.source, AT), AT)
        assert assessment.is_whole
        assert not assessment.may_advance
        assert all(result.reason and result.need and result.have for result in assessment.results)
        assert all(result.change for result in assessment.unmet)


def test_a_warning_is_shown_and_keeps_no_gate_shut() -> None:
    warning = replace(DOCUMENT, severity=WARN)
    assessment = assess(gate_of(warning), facts_of(), AT)
    assert assessment.may_advance
    assert assessment.results[0].outcome is NOT_RUN


def test_an_assessment_that_lacks_a_result_or_has_one_twice_is_not_whole() -> None:
    """Seen to fail with the comparison of lengths taken out of `is_whole`."""
    gate = gate_of(DOCUMENT, PAPERS)
    results = assess(gate, facts_of(attached(DOCUMENT), attached(PAPERS, items=PAPERS.items)), AT).results
    assert Assessment(gate, results).may_advance
    for broken in (results[:1], results[:1] * 2, (*results, results[0]), ()):
        assert not Assessment(gate, broken).may_advance


def passing(criterion: Criterion) -> EvidenceFacts:
    threshold = criterion.threshold
    margin = {"<=": Decimal("-0.01"), ">=": Decimal("0.01")}.get(criterion.comparator, Decimal(0))
    value = None if threshold is None else threshold + margin
    return attached(criterion, value=value, ci_low=value, ci_high=value, n=10_000, items=criterion.items)


@pytest.mark.parametrize("name", ["preset", "demo-fast"])
def test_with_everything_in_place_every_gate_opens(name: str) -> None:
    smaller = {"smaller": ("gpt2-124m", "open_science"), "smaller_since": AT - 77 * DAY}
    window = WindowFacts(AT - 20 * DAY, AT - DAY)
    for gate in packaged(name).gates:
        facts = facts_of(
            *(passing(criterion) for criterion in gate.criteria if criterion.source != COMPUTED),
            card_number=1,
            comment_window=window,
            notice=window,
            partner_reports=1,
            external_reviews=1,
            **smaller,
        )
        assessment = assess(gate, facts, AT)
        assert assessment.may_advance, [(one.criterion.id, one.reason) for one in assessment.unmet]


@pytest.mark.parametrize("increment", [("774m", "0.65", FAIL), ("1558m", "0.19", PASS)])
def test_the_increments_of_2019_hold_one_size_and_pass_the_next(increment: tuple[str, str, Outcome]) -> None:
    _size, value, outcome = increment
    asked = packaged("preset").gate("public_hosted", "research_weights")
    assert asked is not None
    criterion = asked.criterion("C09")
    assert criterion is not None
    assert result_of(criterion, measured(value, value, criterion)).outcome is outcome


# --- Properties ----------------------------------------------------------------------------------------------------

TIMES = st.integers(-3 * 86_400, 200 * 86_400).map(lambda seconds: AT - timedelta(seconds=seconds))
FIGURES = st.one_of(st.none(), st.decimals(-100, 100, places=2), st.sampled_from([Decimal("NaN"), Decimal("Infinity")]))
BOUND = settings(max_examples=80, deadline=None)


@st.composite
def evidence_for(draw: st.DrawFn, criterion: Criterion) -> EvidenceFacts:
    return EvidenceFacts(
        draw(st.integers(1, 99)),
        criterion.id,
        draw(st.sampled_from(sorted(KINDS))),
        draw(st.sampled_from(["", "what it states"])),
        draw(TIMES),
        value=draw(FIGURES),
        ci_low=draw(FIGURES),
        ci_high=draw(FIGURES),
        n=draw(st.one_of(st.none(), st.integers(0, 20_000))),
        subject_digest=draw(st.sampled_from(["", DIGEST, "b" * 64])),
        ttl_days=draw(st.one_of(st.none(), st.integers(-1, 400))),
        is_measured_here=draw(st.booleans()),
        review=draw(st.sampled_from([WAITING, ACCEPTED, REJECTED])),
    )


@st.composite
def windows(draw: st.DrawFn) -> WindowFacts | None:
    opened, closes = draw(TIMES), draw(TIMES)
    return draw(st.sampled_from([None, WindowFacts(opened, closes, draw(st.integers(0, 2)))]))


@st.composite
def known_facts(draw: st.DrawFn, gate: Gate) -> GateFacts:
    names = draw(st.sets(st.sampled_from([one.id for one in gate.criteria])))
    waived = draw(st.sets(st.sampled_from([one.id for one in gate.criteria]), max_size=4))
    places = [stage.slug for stage in LADDER]
    return GateFacts(
        "gpt2-355m",
        gate.source,
        draw(TIMES),
        draw(st.sampled_from(["", DIGEST])),
        {one.id: draw(evidence_for(one)) for one in gate.criteria if one.id in names},
        {name: draw(TIMES) for name in waived},
        draw(st.sampled_from([(), ("Section Bias is missing.",)])),
        draw(st.sampled_from([None, 1])),
        draw(st.sampled_from([None, *(("gpt2-124m", place) for place in places)])),
        draw(st.one_of(st.none(), TIMES)),
        draw(windows()),
        draw(windows()),
        draw(st.integers(0, 2)),
        draw(st.integers(0, 1)),
        draw(st.integers(0, 2)),
        draw(st.integers(0, 2)),
    )


GATES = [gate for name in ("preset", "demo-fast") for gate in packaged(name).gates]


@BOUND
@given(st.data(), st.sampled_from(GATES))
def test_whatever_is_known_there_is_one_result_for_each_criterion(data: st.DataObject, gate: Gate) -> None:
    facts = data.draw(known_facts(gate))
    assessment = assess(gate, facts, AT)
    assert assessment.is_whole
    assert [result.criterion for result in assessment.results] == list(gate.criteria)
    for result in assessment.results:
        assert result.reason
        assert result.need
        assert result.have
        assert bool(result.change) or result.outcome in (PASS, WAIVED)
        assert result.days_left is None or result.days_left >= 0


@BOUND
@given(st.data(), st.sampled_from(GATES))
def test_what_is_not_answered_never_opens_a_gate(data: st.DataObject, gate: Gate) -> None:
    """B7.6. Seen to fail with INCONCLUSIVE added to what `is_met` accepts."""
    for result in assess(gate, data.draw(known_facts(gate)), AT).results:
        if result.outcome in (INCONCLUSIVE, STALE, NOT_RUN, FAIL) and result.criterion.severity == BLOCK:
            assert not result.is_met


@pytest.mark.parametrize("outcome", list(Outcome))
@pytest.mark.parametrize("severity", [BLOCK, WARN, INFO])
def test_only_a_pass_or_a_waiver_meets_what_blocks(outcome: Outcome, severity: str) -> None:
    result = Result(replace(DOCUMENT, severity=severity), outcome, "this", "that", "so it is")
    assert result.is_met == (severity != BLOCK or outcome in (PASS, WAIVED))


@BOUND
@given(TIMES, st.integers(0, 100), st.integers(0, 10**7), st.integers(0, 10**7))
def test_more_time_never_takes_a_wait_back(start: datetime, days: int, first: int, more: int) -> None:
    wait = computed("days_at_stage", days)
    early, late = AT + timedelta(seconds=first), AT + timedelta(seconds=first + more)
    if result_of(wait, stage_since=start, at=early).outcome is PASS:
        assert result_of(wait, stage_since=start, at=late).outcome is PASS


@BOUND
@given(st.integers(1, 100), st.integers(0, 100 * 86_400))
def test_days_left_is_the_number_of_days_after_which_it_passes(days: int, seconds: int) -> None:
    start, wait = AT - timedelta(seconds=seconds), computed("days_at_stage", days)
    left = result_of(wait, stage_since=start).days_left
    assume(left is not None)
    assert left is not None
    assert result_of(wait, stage_since=start, at=AT + left * DAY).outcome is PASS
    assert result_of(wait, stage_since=start, at=AT + (left - 1) * DAY).outcome is FAIL


CENTS = st.integers(-200, 200).map(lambda number: Decimal(number) / 100)
WIDER = st.integers(0, 200).map(lambda number: Decimal(number) / 100)


@BOUND
@given(st.sampled_from([replace(DETECTOR, min_n=0), INCREMENT]), CENTS, WIDER, WIDER, WIDER)
def test_knowing_less_never_turns_into_a_pass(
    criterion: Criterion, low: Decimal, width: Decimal, below: Decimal, above: Decimal
) -> None:
    """Seen to fail with the easy end of the interval in `compare_interval`."""
    narrow = attached(criterion, value=low, ci_low=low, ci_high=low + width)
    wide = replace(narrow, ci_low=low - below, ci_high=low + width + above)
    if result_of(criterion, wide).outcome is PASS:
        assert result_of(criterion, narrow).outcome is PASS


@BOUND
@given(st.data(), st.sampled_from(GATES), st.integers(0, 50 * 86_400))
def test_when_every_waiver_has_ended_the_gate_stands_as_without_them(
    data: st.DataObject, gate: Gate, seconds: int
) -> None:
    facts = data.draw(known_facts(gate))
    late = max([AT, *facts.waivers.values()]) + timedelta(seconds=seconds)
    assert assess(gate, facts, late) == assess(gate, replace(facts, waivers={}), late)


@BOUND
@given(st.data(), st.sampled_from(GATES))
def test_the_same_facts_give_the_same_assessment(data: st.DataObject, gate: Gate) -> None:
    facts = data.draw(known_facts(gate))
    assert assess(gate, facts, AT) == assess(gate, facts, AT.astimezone(ZoneInfo("Asia/Kathmandu")))
