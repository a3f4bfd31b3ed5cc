"""Policy files: what the packaged ones ask for, and what a wrong one is refused for, with its line."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from release_portal.releases.gate_policy import COMPUTED, EVIDENCE, WARN, Criterion, Gate, ReleasePolicy
from release_portal.releases.ladder import LADDER
from release_portal.releases.policy_files import PACKAGED, PolicyFileError, packaged, packaged_text, parse

PRESET = packaged("preset")
DAY = timedelta(days=1)

# What each gate asks for beyond the gate below it.
ADDED = {
    "disclosed": "L01 C01 C02 C03 C04 C05 C06 C22 C24",
    "partner": "C10 C17 C26 G01",
    "research_hosted": "C07 C11 C12 C15 C16 C23 C25",
    "public_hosted": "C08 C13 C14 C14g C28 G02",
    "research_weights": "C09 C18 C19",
    "open_weights": "C20 C21 C27 G03 G04",
    "open_science": "G05 G06 G07 G08",
}

SMALL = """\
name: small
version: 2
title: A small policy
on_duty: 2
comment_days: 14
notice_days: 14
review_working_days: 20
waiver_days: 30
review_every_days: {partner: 180}
sunset: {hold_days: 14, step_down_days: 30}
fast_path: {days: 14, approvals: 2, criteria: [C07]}
criteria:
  C07:
    title: The detector finds texts
    kind: measured
    owner: safety_reviewer
    comparator: ">="
    threshold: 0.5
    ci_side: lower
  C17:
    title: The licence is attached
    kind: document
    owner: release_manager
  C27:
    title: Nothing was left out
    kind: set_equal
    computed: whole_set
    owner: release_manager
gates:
  - from: registered
    to: disclosed
    adds: {C17}
    evidence_days: 90
    approvals: {release_manager: 1}
    cool_off_days: 3
    soak_days: 7
  - from: disclosed
    to: partner
    adds: {C07: {threshold: 0.6}, C27}
    evidence_days: 60
    approvals: {release_manager: 1, board: two_thirds}
    cool_off_days: 3
    soak_days: 7
    monitors: [C07]
"""
JUMP = """\
  - from: registered
    to: partner
    evidence_days: 30
    approvals: {board: 2}
    cool_off_days: 30
    soak_days: 7
"""


def gate_to(stage: str, policy: ReleasePolicy = PRESET) -> Gate:
    return next(gate for gate in policy.gates if gate.target == stage)


def criterion_of(gate: Gate, name: str) -> Criterion:
    criterion = gate.criterion(name)
    assert criterion is not None
    return criterion


# --- The packaged policies -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PACKAGED)
def test_a_packaged_policy_bears_its_name_and_the_digest_of_its_bytes(name: str) -> None:
    policy = packaged(name)
    assert policy.name == name
    assert policy.text == packaged_text(name)
    assert policy.digest == sha256(packaged_text(name).encode()).hexdigest()


def test_there_is_no_other_packaged_policy() -> None:
    with pytest.raises(KeyError):
        packaged("../preset")


def test_the_preset_has_one_gate_for_each_step_of_the_ladder() -> None:
    steps = list(zip(LADDER, LADDER[1:], strict=False))
    assert [(gate.source, gate.target) for gate in PRESET.gates] == [(low.slug, high.slug) for low, high in steps]


def test_each_gate_asks_for_everything_below_it_and_what_it_adds() -> None:
    asked: list[str] = []
    for gate in PRESET.gates:
        asked += ADDED[gate.target].split()
        assert [criterion.id for criterion in gate.criteria] == asked
    assert set(asked) == {criterion.id for criterion in PRESET.bank}


def test_each_gate_has_the_approvals_and_the_waits_of_the_preset() -> None:
    found = {
        gate.target: (
            " ".join(f"{need.role}:{need.share or need.count}" for need in gate.approvals),
            gate.cool_off.days,
            gate.soak.days,
            " ".join(gate.monitors),
        )
        for gate in PRESET.gates
    }
    two, board = "release_manager:1 safety_reviewer:1", "board:two_thirds safety_reviewer:1 external_reviewer:1"
    assert found == {
        "disclosed": (two, 3, 7, "C01"),
        "partner": (f"{two} partner_lead:1", 3, 14, "C01"),
        "research_hosted": (f"{two} access_lead:1", 7, 30, "C01 C12 C07"),
        "public_hosted": (f"{two} board:1", 7, 30, "C01 C12 C07"),
        "research_weights": (f"{two} board:1 external_reviewer:1", 14, 30, "C01 C12 C07"),
        "open_weights": (board, 14, 90, "C01 C12 C07"),
        "open_science": (board, 14, 14, "C01 C12 C07"),
    }


def test_the_preset_has_its_other_rules() -> None:
    assert (PRESET.on_duty, PRESET.review_working_days, PRESET.fast_approvals) == (2, 20, 2)
    assert (PRESET.comment_window, PRESET.notice_period, PRESET.longest_waiver) == (14 * DAY, 14 * DAY, 30 * DAY)
    assert (PRESET.sunset_hold, PRESET.sunset_step_down, PRESET.fast_path) == (14 * DAY, 30 * DAY, 14 * DAY)
    assert PRESET.fast_criteria == ("C12", "C15")
    assert dict(PRESET.review_every) == {stage.slug: 180 * DAY for stage in LADDER[2:6]}


def test_what_cannot_be_recalled_must_be_confirmed_as_such() -> None:
    assert [gate.target for gate in PRESET.gates if gate.is_irreversible] == ["open_weights", "open_science"]


def test_the_stop_the_digest_and_the_whole_set_are_never_waived() -> None:
    for gate in PRESET.gates:
        assert {one.id for one in gate.criteria if not one.is_waivable} == gate.ids & {"C01", "C15", "C27"}


def test_the_portal_computes_what_stands_in_its_own_record() -> None:
    last = gate_to("open_science")
    computed = {one.id for one in last.criteria if one.source == COMPUTED}
    assert computed == {"C02", "C10", "C13", "C18", "C20", "C21", "C27", "C28", "L01"}


def test_a_partners_study_is_planned_first_and_delivered_before_weights_leave() -> None:
    planned, delivered = (criterion_of(gate_to(stage), "C10") for stage in ("partner", "research_weights"))
    assert (planned.kind, planned.source, planned.threshold) == ("document", EVIDENCE, None)
    assert (delivered.kind, delivered.rule, delivered.threshold) == ("external", "partner_reports", 1)
    assert criterion_of(gate_to("public_hosted"), "C10") == replace(planned, max_age=60 * DAY)


def test_the_wait_is_at_the_stage_first_and_behind_the_smaller_size_at_open_weights() -> None:
    at_stage, behind = (criterion_of(gate_to(stage), "C13") for stage in ("public_hosted", "open_weights"))
    assert (at_stage.rule, at_stage.threshold) == ("days_at_stage", 30)
    assert (behind.rule, behind.threshold) == ("days_since_smaller", 77)


def test_evidence_counts_as_long_as_the_gate_says_or_shorter() -> None:
    ages = [criterion_of(gate, "C05").max_age for gate in PRESET.gates]
    assert ages == [days * DAY for days in (90, 90, 60, 60, 30, 14, 14)]
    drills = [criterion_of(gate_to(stage), "C15").max_age for stage in ("research_hosted", "open_weights")]
    assert drills == [30 * DAY, 14 * DAY]
    assert criterion_of(gate_to("disclosed"), "C02").max_age is None


def test_only_the_detector_on_fine_tuned_copies_warns() -> None:
    assert {one.id for one in gate_to("open_science").criteria if one.severity == WARN} == {"C08"}


def test_every_criterion_says_who_supplies_it_and_how() -> None:
    assert all(one.title and one.owner and one.help for one in PRESET.bank)


def without_waits(policy: ReleasePolicy) -> ReleasePolicy:
    """The policy with every wait at nothing."""
    zero = timedelta()
    gates = tuple(
        replace(gate, cool_off=zero, soak=zero, criteria=tuple(at_once(one) for one in gate.criteria))
        for gate in policy.gates
    )
    waits = {"comment_window": zero, "notice_period": zero, "review_working_days": 0}
    return replace(policy, gates=gates, bank=tuple(at_once(one) for one in policy.bank), **waits)  # type: ignore[arg-type]


def at_once(criterion: Criterion) -> Criterion:
    return replace(criterion, threshold=Decimal(0)) if criterion.unit == "days" else criterion


def test_demo_fast_is_the_preset_with_every_wait_at_nothing() -> None:
    fast = packaged("demo-fast")
    same = {"name": fast.name, "title": fast.title, "digest": fast.digest, "text": fast.text}
    assert replace(without_waits(PRESET), **same) == fast


# --- What a file may say -------------------------------------------------------------------------------------------


def test_a_small_policy_is_read_whole() -> None:
    policy = parse(SMALL)
    assert (policy.name, policy.version, policy.review_after("partner")) == ("small", 2, 180 * DAY)
    assert [criterion.id for criterion in gate_to("partner", policy).criteria] == ["C17", "C07", "C27"]
    assert policy.review_after("disclosed") is None


def test_a_gate_may_change_a_criterion_and_the_bank_keeps_its_own_word() -> None:
    policy = parse(SMALL)
    assert criterion_of(gate_to("partner", policy), "C07").threshold == Decimal("0.6")
    in_bank = policy.criterion("C07")
    assert in_bank is not None
    assert in_bank.threshold == Decimal("0.5")
    assert policy.criterion("C99") is None


def test_a_step_may_list_its_whole_set_instead_of_adding() -> None:
    policy = parse(SMALL.replace("adds: {C07: {threshold: 0.6}, C27}", "criteria: {C07}"))
    assert gate_to("partner", policy).ids == {"C07"}


def test_an_empty_word_takes_back_what_the_bank_says() -> None:
    text = SMALL.replace("{threshold: 0.6}", "{threshold: ~, comparator: ~, ci_side: ~}")
    assert criterion_of(gate_to("partner", parse(text)), "C07").comparator == ""


def test_a_jump_asks_for_everything_that_the_skipped_gates_ask_for() -> None:
    policy = parse(SMALL + JUMP)
    jump = policy.gate("registered", "partner")
    assert jump is not None
    assert jump.ids == {"C17", "C07", "C27"}
    assert criterion_of(jump, "C07").threshold == Decimal("0.6"), "the word of the gate that was skipped"
    assert criterion_of(jump, "C17").max_age == 30 * DAY
    assert len(policy.gates_from("registered")) == 2


def test_a_jump_may_list_its_own_criteria() -> None:
    jump = parse(SMALL + JUMP + "    criteria: {C17}\n").gate("registered", "partner")
    assert jump is not None
    assert jump.ids == {"C17"}


def test_a_jump_over_a_step_that_the_policy_does_not_list_is_refused() -> None:
    text = SMALL + JUMP.replace("to: partner", "to: research_hosted")
    with pytest.raises(PolicyFileError, match="skips research_hosted, and the policy lists no step there") as caught:
        parse(text)
    assert caught.value.line == SMALL.count("\n") + 1


def test_a_jump_cannot_add() -> None:
    with pytest.raises(PolicyFileError, match="it cannot add"):
        parse(SMALL + JUMP + "    adds: {C17}\n")


# --- What is refused -----------------------------------------------------------------------------------------------

WRONG = [
    ("name: small", "name: Small Policy", 1, "must be a slug"),
    ("version: 2", "version: 0", 2, "between 1 and"),
    ("version: 2", "version: two", 2, "must be a whole number"),
    ("title: A small policy", "title: ''", 3, "title is empty"),
    ("title: A small policy", 'title: "\\ud800"', 3, "cannot be printed"),
    ("title: A small policy", 'title: "\\UFFFFFFFF"', 1, "escape"),
    ("on_duty: 2\n", "", 1, "the policy lacks on_duty"),
    ("on_duty: 2", "on_duty: 2\non_duty: 0", 5, "on_duty stands twice"),
    ("on_duty: 2", "on_call: 2", 4, "'on_call' is unknown"),
    ("comment_days: 14", "comment_days: -1", 5, "comment_days is -1"),
    ("comment_days: 14", "comment_days: .nan", 5, "must be a whole number"),
    ("waiver_days: 30", "waiver_days: 999999999", 8, "between 0 and 36,500"),
    ("{partner: 180}", "{partners: 180}", 9, "'partners' is unknown"),
    ("{partner: 180}", "180", 9, "must be a mapping"),
    ("criteria: [C07]", "criteria: [C99]", 11, "'C99' is unknown"),
    ("criteria: [C07]", "criteria: [C07, C07]", 11, "C07 stands twice"),
    ("criteria: [C07]", "criteria: C07", 11, "must be a list"),
    ("  C17:\n", "  17:\n", 20, "a letter with two digits"),
    ("  C17:\n", "  C07:\n", 20, "C07 stands twice"),
    ("kind: document", "kind: opinion", 22, "'opinion' is unknown"),
    ("kind: document", "kind: [document]", 22, "kind must be a text"),
    ("kind: document", "kind: set_equal", 21, "lists no items"),
    ("kind: document", "kind: document\n    items: [paper]", 23, "has no items"),
    ("kind: document", "kind: document\n    comparator: '>='\n    threshold: 1", 24, "has no figure"),
    ("kind: document", "kind: document\n    waivable: maybe", 23, "'maybe' is unknown"),
    ("kind: document", "kind: document\n    severity: fatal", 23, "'fatal' is unknown"),
    ("kind: document", "kind: document\n    max_age_days: 0", 23, "between 1 and"),
    ("owner: safety_reviewer", "owner: king", 16, "'king' is unknown"),
    ('comparator: ">="', 'comparator: ">"', 17, "'>' is unknown"),
    ('    comparator: ">="\n', "", 17, "a threshold needs a comparator"),
    ("    threshold: 0.5\n", "", 17, "a comparator needs a threshold"),
    ("threshold: 0.5", "threshold: 1e400", 18, "must be a number"),
    ("threshold: 0.5", "threshold: .inf", 18, "must be a number"),
    ("ci_side: lower", "ci_side: middle", 19, "'middle' is unknown"),
    ("ci_side: lower", "ci_side: upper", 19, "the lower end of the interval must satisfy"),
    ("kind: measured", "kind: count", 19, "ci_side needs a kind with an interval"),
    ('comparator: ">="', 'comparator: "=="', 19, "an interval cannot be held against =="),
    ("computed: whole_set", "computed: by_magic", 27, "'by_magic' is unknown"),
    ("computed: whole_set", "computed: whole_set\n    min_n: 3", 28, "min_n is for evidence"),
    ("from: registered", "from: nowhere", 30, "'nowhere' is unknown"),
    ("to: disclosed", "to: registered", 31, "a gate goes up"),
    ("from: registered\n    to: disclosed", "from: partner\n    to: disclosed", 31, "a gate goes up"),
    ("adds: {C17}", "adds: {C99}", 32, "C99 does not stand in the bank"),
    ("    adds: {C17}\n", "", 30, "needs either `adds` or `criteria`"),
    ("adds: {C17}", "adds: {}", 30, "asks for nothing"),
    ("adds: {C07: {threshold: 0.6}, C27}", "adds: {C17}", 39, "asked for by the gate below already"),
    ("adds: {C07: {threshold: 0.6}, C27}", "adds: {C07: {title: ~}}", 39, "lacks title"),
    ("evidence_days: 90", "evidence_days: 0", 33, "between 1 and"),
    ("    approvals: {release_manager: 1}\n", "", 30, "lacks approvals"),
    ("approvals: {release_manager: 1}", "approvals: {}", 34, "at least one approval"),
    ("approvals: {release_manager: 1}", "approvals: {king: 1}", 34, "'king' is unknown"),
    ("approvals: {release_manager: 1}", "approvals: {board: 0}", 34, "between 1 and"),
    ("approvals: {release_manager: 1}", "approvals: {board: most}", 34, "must be a whole number"),
    ("cool_off_days: 3", "cool_off_days: -3", 35, "cool_off_days is -3"),
    ("monitors: [C07]", "monitors: [C16]", 44, "'C16' is unknown"),
    ("  - from: disclosed\n    to: partner", "  - from: registered\n    to: disclosed", 37, "stands twice"),
    ("title: A small policy", "title: !!python/name:os.system x", 3, "tags"),
    ("title: A small policy", "title: &a x", 3, "references"),
    ("title: A small policy", "title: *a", 3, "references"),
    ("title: A small policy", "title: [", 5, "no YAML"),
    ("title: A small policy", "title: \x00", 3, "YAML does not allow"),
    ("title: A small policy", "title: {? [a] : b}", 3, "title must be a text"),
    ("title: A small policy", f"title: {'[' * 12}{']' * 12}", 3, "more than 10 levels"),
    ("title: A small policy", f"title: {'x' * 1001}", 3, "more than 1,000 characters"),
    ("name: small", "name: small\n--- \nname: small", 2, "no YAML"),
]  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "line", "reason"), WRONG)
def test_what_is_wrong_is_refused_with_its_line_and_reason(right: str, wrong: str, line: int, reason: str) -> None:
    assert right in SMALL
    with pytest.raises(PolicyFileError) as caught:
        parse(SMALL.replace(right, wrong, 1))
    assert reason in caught.value.reason
    assert caught.value.line == line, caught.value


@pytest.mark.parametrize(
    "text", ["", "# nothing", "x", "- a", "\ud800", "%YAML 1." + "9" * 5000 + "\n--- a", "x" * 200_001]
)
def test_what_is_no_policy_at_all_is_refused(text: str) -> None:
    with pytest.raises(PolicyFileError):
        parse(text)


def parses_or_says_why(text: str) -> None:
    refused: PolicyFileError | None = None
    try:
        parse(text)
    except PolicyFileError as error:
        refused = error
    assert refused is None or (refused.reason and 1 <= refused.line <= len(text.splitlines()) + 1)


CHARACTERS = "\n \t:-{}[]&*!|>'\"%@`#,?~0.59CG_\\\x00\ud800é\u2028\U0001f600"


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_a_preset_with_bytes_changed_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    text = PRESET.text
    for _change in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text)))
        length = data.draw(st.sampled_from([0, 1, 1, 2, 10, 80]))
        new = data.draw(st.text(st.sampled_from(CHARACTERS), max_size=4))
        text = text[:place] + new + text[place + length :]
    parses_or_says_why(text)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_preset_with_lines_lost_doubled_or_moved_is_read_or_refused(data: st.DataObject) -> None:
    lines = PRESET.text.split("\n")
    for _change in range(data.draw(st.integers(1, 3))):
        source, target = (data.draw(st.integers(0, len(lines) - 1)) for _ in range(2))
        act = data.draw(st.sampled_from(["lose", "double", "move", "indent"]))
        line = lines[source] if act == "double" else lines.pop(source)
        if act == "indent":
            lines.insert(source, f"  {line}")
        elif act != "lose":
            lines.insert(target, line)
    parses_or_says_why("\n".join(lines))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    parses_or_says_why(text)
