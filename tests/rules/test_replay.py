"""Replay lab: what each opening of GPT-2 in 2019 would have met under a policy of today."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_portal.core.errors import NotFound
from release_portal.releases.gate_policy import Criterion, Gate, ReleasePolicy
from release_portal.releases.gates import Outcome, assess
from release_portal.releases.policy_files import PACKAGED, packaged
from release_portal.releases.replays.preparation import NO_FIGURE, POINT_VALUE, SILENT, prepare, union_gate
from release_portal.releases.replays.reading import FILES, FOLDER, packaged_record, read_record
from release_portal.releases.replays.record import FINDING, THING, Piece, Record, Source
from release_portal.releases.replays.replay import Line, Replay, Row, known_then, replay
from release_portal.releases.replays.tables import COLUMNS, NOT_ASSESSABLE, table_of, values_of
from release_portal.releases.yaml_tables import PolicyFileError

RECORD = packaged_record("gpt2-2019")
PRESET = packaged("preset")
FILE = (FOLDER / FILES["gpt2-2019"]).read_text(encoding="utf-8")
SIZES = ("124M", "355M", "774M", "1558M")


def under(policy: ReleasePolicy, record: Record = RECORD) -> Replay:
    return replay(record, policy)


def row_of(result: Replay, label: str) -> Row:
    return next(row for row in result.rows if row.opening.label == label)


def line_of(result: Replay, label: str, criterion: str) -> Line:
    line = row_of(result, label).line(criterion)
    assert line is not None, f"the record answers {criterion} for {label}"
    return line


def silence_of(result: Replay, label: str, criterion: str) -> str:
    return next(one.reason for one in row_of(result, label).silences if one.criterion.id == criterion)


def with_criteria(policy: ReleasePolicy, change: Any) -> ReleasePolicy:
    """The policy with every criterion passed through a function; None drops it."""
    gates = tuple(
        replace(gate, criteria=tuple(one for one in map(change, gate.criteria) if one is not None))
        for gate in policy.gates
    )
    return replace(policy, gates=gates)


def changed(policy: ReleasePolicy, criterion: str, **values: Any) -> ReleasePolicy:
    return with_criteria(policy, lambda one: replace(one, **values) if one.id == criterion else one)


def without(policy: ReleasePolicy, *ids: str) -> ReleasePolicy:
    return with_criteria(policy, lambda one: None if one.id in ids else one)


# --- What the issue expects -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PACKAGED)
def test_124M_and_355M_are_held_by_C02_because_the_first_card_came_in_august(name: str) -> None:
    result = under(packaged(name))
    for label in ("124M", "355M"):
        line = line_of(result, label, "C02")
        assert "C02" in row_of(result, label).held_ids
        assert line.reason == "The first model card came on 20 August 2019."
        assert line.is_known_later


@pytest.mark.parametrize("name", PACKAGED)
def test_774M_is_held_by_C09_alone_on_a_figure_known_only_in_november(name: str) -> None:
    result = under(packaged(name))
    assert row_of(result, "774M").held_ids == ("C09",)
    line = line_of(result, "774M", "C09")
    assert line.outcome is Outcome.FAIL
    assert "0.65" in line.have
    assert line.is_known_later
    assert line.piece is not None
    assert line.piece.on == date(2019, 11, 5)
    assert line.then is Outcome.NOT_RUN, "on the day of the opening nobody had the figure"


@pytest.mark.parametrize("name", PACKAGED)
def test_1558M_passes_C09_and_nothing_that_can_be_assessed_holds_it(name: str) -> None:
    result = under(packaged(name))
    line = line_of(result, "1558M", "C09")
    assert line.outcome is Outcome.PASS
    assert "0.19" in line.have
    assert not line.is_known_later
    assert row_of(result, "1558M").held_ids == ()


def test_the_licence_that_came_five_days_late_holds_124M_only() -> None:
    result = under(PRESET)
    assert row_of(result, "124M").held_ids == ("C02", "C17")
    assert line_of(result, "355M", "C17").outcome is Outcome.PASS
    assert "C17" not in row_of(result, "1558M").held_ids


def test_the_days_between_openings_are_counted_in_whole_utc_days() -> None:
    result = under(PRESET)
    assert [row.days_since_smaller for row in result.rows] == [None, 78, 109, 77]
    for label, days in zip(SIZES[1:], (78, 109, 77), strict=True):
        line = line_of(result, label, "C13")
        assert line.have == f"{days} days"
        assert line.outcome is Outcome.PASS
    assert line_of(result, "124M", "C13").outcome is Outcome.PASS, "no size is smaller"


def test_one_day_more_of_waiting_would_have_held_1558M() -> None:
    result = under(changed(PRESET, "C13", threshold=Decimal(78)))
    assert row_of(result, "1558M").held_ids == ("C13",)
    earliest = row_of(result, "1558M").earliest
    assert (earliest.day, earliest.days) == (date(2019, 11, 6), 1)
    assert "wait" in earliest.reason


# --- Other policies -------------------------------------------------------------------------------------------------


def test_a_threshold_of_0_7_lets_774M_pass_but_only_from_november_on() -> None:
    result = under(changed(PRESET, "C09", threshold=Decimal("0.7")))
    row = row_of(result, "774M")
    assert row.held_ids == ()
    assert line_of(result, "774M", "C09").is_known_later
    assert (row.earliest.day, row.earliest.days, row.earliest.criteria) == (date(2019, 11, 5), 77, ("C09",))


def test_without_C02_no_card_holds_124M_or_355M() -> None:
    result = under(without(PRESET, "C02"))
    assert row_of(result, "124M").held_ids == ("C17",)
    assert row_of(result, "355M").held_ids == ()
    assert row_of(result, "124M").earliest.day == date(2019, 2, 19)


def test_a_criterion_that_only_warns_holds_nothing() -> None:
    result = under(changed(PRESET, "C09", severity="warn"))
    assert line_of(result, "774M", "C09").outcome is Outcome.FAIL
    assert row_of(result, "774M").held_ids == ()


def test_the_gate_is_the_union_up_to_open_weights_and_the_wider_gate_overrides() -> None:
    gate = union_gate(PRESET)
    asked = {one.id for each in PRESET.gates if each.target != "open_science" for one in each.criteria}
    assert gate.ids == asked
    assert gate.target == "open_weights"
    last = PRESET.gate("research_weights", "open_weights")
    assert last is not None
    assert gate.criterion("C13") == last.criterion("C13")
    assert "G05" not in gate.ids, "what open science adds is not asked for"


def test_a_policy_without_gates_holds_nothing_and_asks_for_nothing() -> None:
    result = under(replace(PRESET, gates=()))
    assert all(row.lines == () and row.silences == () for row in result.rows)
    assert "no assessable criterion" in result.finding


# --- What is known, known later, and not known ----------------------------------------------------------------------


def test_every_criterion_of_the_gate_is_either_answered_or_named_as_not_assessable() -> None:
    for row in under(PRESET).rows:
        answered = [line.criterion.id for line in row.lines]
        silent = [one.criterion.id for one in row.silences]
        assert sorted([*answered, *silent]) == sorted(union_gate(PRESET).ids)
        assert all(one.reason for one in row.silences)


def test_accuracies_are_no_rate_at_one_percent_so_C07_is_not_assessable() -> None:
    result = under(PRESET)
    for label in SIZES:
        assert "accuracies" in silence_of(result, label, "C07")
    assert silence_of(result, "355M", "C15") == SILENT


def test_a_point_value_is_compared_without_interval_and_the_result_says_so() -> None:
    for label in ("774M", "1558M"):
        line = line_of(under(PRESET), label, "C09")
        assert POINT_VALUE in line.markers
        assert line.criterion.ci_side == "upper", "the policy itself is not touched"


def test_the_real_assessment_of_the_same_evidence_stays_inconclusive() -> None:
    """The replay is milder by its own preparation; `assess` never is."""
    gate = union_gate(PRESET)
    opening = RECORD.openings[-1]
    prepared = prepare(RECORD, gate, opening, opening.opened_on, None)
    c09 = gate.criterion("C09")
    assert c09 is not None
    strict = replace(gate, criteria=(replace(c09, needs_subject=False),))
    assert assess(strict, prepared.facts, prepared.at).results[0].outcome is Outcome.INCONCLUSIVE


def test_where_there_is_an_interval_its_end_counts_and_no_marker_is_set() -> None:
    pieces = tuple(
        replace(piece, ci_low=Decimal("0.05"), ci_high=Decimal("0.33")) if piece.id == "increment-1558m" else piece
        for piece in RECORD.pieces
    )
    line = line_of(under(PRESET, replace(RECORD, pieces=pieces)), "1558M", "C09")
    assert line.outcome is Outcome.PASS
    assert POINT_VALUE not in line.markers
    assert "interval" in line.need


def test_words_do_not_answer_a_criterion_that_asks_for_a_figure() -> None:
    words = Piece("bias", "C11", FINDING, ("gpt2-1558m",), date(2019, 11, 5), "No difference.", Source("card", ("V",)))
    record = replace(RECORD, pieces=(*RECORD.pieces, words))
    assert silence_of(under(PRESET, record), "1558M", "C11") == NO_FIGURE


def test_known_later_marks_what_came_after_the_opening_and_nothing_else() -> None:
    later = {row.opening.label: [line.criterion.id for line in row.known_later] for row in under(PRESET).rows}
    assert later == {"124M": ["C02", "C17"], "355M": ["C02"], "774M": ["C09"], "1558M": []}


def test_the_earliest_day_names_the_piece_that_came_last() -> None:
    result = under(PRESET)
    found = {row.opening.label: (row.earliest.day, row.earliest.days, row.earliest.criteria) for row in result.rows}
    august = date(2019, 8, 20)
    assert found == {
        "124M": (august, 187, ("C02",)),
        "355M": (august, 109, ("C02",)),
        "774M": (None, None, ("C09",)),
        "1558M": (date(2019, 11, 5), 0, ()),
    }
    assert "first model card" in row_of(result, "124M").earliest.reason
    assert row_of(result, "774M").earliest.reason.startswith("Never on this record")


LATER = st.builds(
    Piece,
    id=st.just("later"),
    criterion=st.sampled_from(sorted(union_gate(PRESET).ids)),
    nature=st.sampled_from((THING, FINDING)),
    sizes=st.just(tuple(opening.size for opening in RECORD.openings)),
    on=st.just(date(2019, 11, 6)),
    summary=st.just("Something that came later."),
    source=st.just(Source("nobody", ("K",))),
    value=st.one_of(st.none(), st.decimals(0, 1000, places=2)),
    n=st.one_of(st.none(), st.integers(1, 10**6)),
)


@given(pieces=st.lists(LATER, max_size=6), days=st.integers(1, 400), place=st.integers(0, 3))
def test_more_that_is_known_later_never_changes_what_was_known_then(pieces: list[Piece], days: int, place: int) -> None:
    """Seen to fail when `known_by` is left out of the preparation."""
    opening, gate = RECORD.openings[place], union_gate(PRESET)
    on = opening.opened_on + timedelta(days=days)
    more = replace(RECORD, pieces=(*RECORD.pieces, *(replace(piece, on=on) for piece in pieces)))
    before, after = known_then(RECORD, gate, opening), known_then(more, gate, opening)
    assert {name: after[name] for name in before} == before
    assert {after[name] for name in set(after) - set(before)} <= {Outcome.NOT_RUN}


@given(place=st.integers(0, 3), days=st.integers(0, 300))
def test_a_preparation_never_asks_for_what_the_gate_does_not(place: int, days: int) -> None:
    opening, gate = RECORD.openings[place], union_gate(PRESET)
    day = opening.opened_on + timedelta(days=days)
    prepared = prepare(RECORD, gate, opening, day, day)
    assert prepared.gate.ids <= gate.ids
    assert set(prepared.facts.evidence) <= gate.ids
    assert all(piece.on <= day for piece in prepared.pieces.values())


# --- The file -------------------------------------------------------------------------------------------------------


def line_number(text: str, words: str) -> int:
    return text[: text.index(words)].count("\n") + 1


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("nature: thing", "nature: rumour", "nature 'rumour' is unknown"),
        ("opened_on: 2019-05-03", "opened_on: 2019-02-30", "must be a day"),
        ("value: 0.65", "value: much", "must be a number"),
        ("value: 0.65", "value: 0.65\n    interval: [0.9, 0.1]", "lower and an upper end"),
        ("sizes: [gpt2-774m]", "sizes: [gpt2-9b]", "is unknown"),
        ("certainty: [V]", "certainty: [surely]", "is unknown"),
        ("certainty: [V]", "certainty: []", "how certain"),
        ("id: licence", "id: first-card", "stands twice"),
        ("size: gpt2-355m", "size: gpt2-124m", "stands twice"),
        ("criterion: C07", "criterion: C02", "so it is no gap"),
        ("criterion: C07", "criterion: C06", "stands twice"),
        ("about: OpenAI", "motto: none\nabout: OpenAI", "unknown"),
        ("caveat: A licence only.", "note: A licence only.", "unknown"),
    ],
)
def test_a_bad_record_is_refused_with_line_and_reason(old: str, new: str, why: str) -> None:
    text = FILE.replace(old, new, 1)
    assert text != FILE
    with pytest.raises(PolicyFileError, match=why) as refused:
        read_record(text)
    assert abs(refused.value.line - line_number(FILE, old)) <= 2, "the line, or the entry in which it stands"


def test_openings_out_of_order_are_refused() -> None:
    text = FILE.replace("opened_on: 2019-05-03", "opened_on: 2019-01-03", 1)
    with pytest.raises(PolicyFileError, match="order of time"):
        read_record(text)


def test_an_empty_file_and_no_yaml_are_refused() -> None:
    for text in ("", "a: [", "- 1", "name: x"):
        with pytest.raises(PolicyFileError):
            read_record(text)


def test_an_unknown_replay_is_refused_with_the_names_that_there_are() -> None:
    with pytest.raises(NotFound) as refused:
        packaged_record("gpt-9")
    assert "gpt2-2019" in refused.value.change


def test_every_fact_of_the_record_names_its_source_and_how_certain_it_is() -> None:
    facts = (*RECORD.openings, *RECORD.events, *RECORD.pieces)
    assert all(fact.source.text and fact.source.words for fact in facts)


# --- As rows --------------------------------------------------------------------------------------------------------


def test_the_table_has_a_row_for_each_opening_and_criterion() -> None:
    result = under(PRESET)
    rows = table_of(result)
    assert len(rows) == len(SIZES) * len(union_gate(PRESET).ids)
    assert all(tuple(row) == COLUMNS for row in rows)
    by_key = {(row["size"], row["criterion"]): row for row in rows}
    held = by_key["gpt2-774m", "C09"]
    assert (held["outcome"], held["holds"], held["known_later"], held["earliest_day"]) == (
        "fail",
        "yes",
        "yes",
        "never",
    )
    assert by_key["gpt2-774m", "C07"]["outcome"] == NOT_ASSESSABLE


def test_the_values_for_programs_say_the_same() -> None:
    values = values_of(under(PRESET))
    assert values["policy"]["digest"] == PRESET.digest
    assert [one["held_by"] for one in values["openings"]] == [["C02", "C17"], ["C02"], ["C09"], []]
    assert values["openings"][2]["earliest"]["day"] is None


def test_a_jump_gate_is_part_of_the_union() -> None:
    """A policy may list a jump; its words count like those of any wider gate."""
    own = Criterion("X01", "A requirement of the jump", "document")
    jump = replace(PRESET.gates[0], source="registered", target="open_weights", criteria=(own,))
    policy = replace(PRESET, gates=(*PRESET.gates, jump))
    gate: Gate = union_gate(policy)
    assert gate.criterion("X01") == own
    assert silence_of(under(policy), "124M", "X01") == SILENT
