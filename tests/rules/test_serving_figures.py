"""What the serving benchmark says of its rounds: spreads, ratios, agreement of texts, goals met and missed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.serving.child import CONTENDERS
from benchmarks.serving.outcome import Outcome, Spread, agreement, first_tokens, ratio
from benchmarks.serving.report import LABELS, WORDS, Run, chart, figures, goals, page
from benchmarks.serving.rivals import OURS, PEERS
from benchmarks.serving.workload import Ask, poisson

ASK = Ask("One two", (1, 2), 8)


def outcome(rate: float, *, first: float = 0.1, texts: tuple[str, ...] = ("a b c",)) -> Outcome:
    return Outcome(seconds=100 / rate, tokens=100, firsts=(first,), texts=texts, megabytes=500)


def run_of(**bursts: dict[str, list[float]]) -> Run:
    """A run whose contenders had these rates; `n16={"engine-fp32": [...]}`."""
    made = {
        int(name[1:]): {who: [outcome(r) for r in rates] for who, rates in of.items()} for name, of in bursts.items()
    }
    rates = (Spread.of([100.0]), Spread.of([1.5]))
    return Run(made, {}, {}, rates, rates, (2.0, Spread.of([1.0])), {"engine-fp32": 500})


def verdicts(run: Run) -> dict[str, bool | None]:
    return {goal.words: goal.is_met for goal in goals(run)}


def test_a_ratio_is_taken_round_by_round_and_not_between_medians() -> None:
    ours, theirs = [outcome(10), outcome(40)], [outcome(5), outcome(40)]
    assert ratio(ours, theirs) == Spread(1.5, 1.0, 2.0)


def test_rounds_that_cannot_be_paired_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        ratio([outcome(10)], [])


@pytest.mark.parametrize(
    ("texts", "equal", "share"),
    [(("abcd", "efgh"), 2, 1.0), (("abXd", "efgh"), 1, 0.75), (("", "efgh"), 1, 0.5), (("abcdefg", "efgh"), 1, 1.0)],
)
def test_texts_agree_up_to_their_first_difference(texts: tuple[str, ...], equal: int, share: float) -> None:
    assert agreement(texts, ("abcd", "efgh")) == (equal, share)


def test_a_first_token_that_nobody_timed_is_not_said() -> None:
    assert first_tokens([Outcome(1.0, 1, (), ("a",), 1)]) is None


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    assert set(verdicts(run_of(n1={"engine-fp32": [30.0]})).values()) == {None, True}


def test_a_goal_is_met_from_its_figure_on_and_missed_below() -> None:
    words = "this engine, fp32 / transformers continuous batching, fp32, 16 streams"
    assert verdicts(run_of(n16={"engine-fp32": [120.0], "batching-fp32": [100.0]}))[words] is True
    assert verdicts(run_of(n16={"engine-fp32": [119.0], "batching-fp32": [100.0]}))[words] is False


def test_bf16_stands_beside_the_fastest_of_all_peers_and_our_own_is_no_peer() -> None:
    run = run_of(
        n64={"engine-bf16": [130.0], "engine-fp32": [900.0], "llamacpp-q8": [90.0], "ctranslate2-int8": [100.0]}
    )
    found = next(goal for goal in goals(run) if "64 streams: ctranslate2, int8" in goal.words)
    assert found.found == Spread(1.3, 1.3, 1.3)
    assert found.is_met


def test_the_page_names_every_contender_and_says_whose_texts_agree() -> None:
    run = run_of(n1={"engine-fp32": [30.0], "generate-fp32": [25.0]})
    text = page(run, ["`make bench`"])
    assert "| this engine, fp32 | 30.0 (30.0 to 30.0) | 0.100 (0.100 to 0.100) | 1 of 1 | 100% |" in text
    assert "not measured" in text
    assert chart(run).count("<rect") == 2
    assert figures(run)["bursts"]["1"]["generate-fp32"][0]["tokens"] == 100


def test_the_chart_has_room_for_the_longest_name() -> None:
    """Six pixels a letter: measured in a browser, 5.7."""
    assert max(len(f"64: {words}") for words in WORDS.values()) * 6 <= LABELS


def through(engine: float, celery: float, portal: float) -> dict[str, list[Outcome]]:
    return {"portal": [outcome(portal)], "celery": [outcome(celery)], "engine": [outcome(engine)]}


def test_celery_stands_between_the_engine_and_the_portal_and_has_no_goal() -> None:
    run = replace(run_of(), through={1: through(20, 19, 18), 64: through(100, 90, 80)})
    text = page(run, [])
    rows = [line.split(" | ")[1] for line in text.splitlines() if line.startswith(("| 1 |", "| 64 |"))]
    assert rows == ["bare engine", "Celery, Redis", "HTTP, Celery, Redis"] * 2
    assert "bare engine, 64 streams: 0.900 (0.900 to 0.900). There is no goal" in text
    assert set(verdicts(run)) == set(verdicts(run_of())), "the goals are the same"
    assert figures(run)["celery_shares"]["1"] == {"middle": 0.95, "least": 0.95, "most": 0.95}
    assert figures(run)["through"]["64"]["celery"][0]["tokens"] == 100


def test_what_did_not_go_through_celery_has_no_share() -> None:
    assert "Celery, Redis" not in page(run_of(), [])
    assert figures(run_of())["celery_shares"] == {}


def test_every_contender_can_be_started_and_has_words() -> None:
    assert set(CONTENDERS) == {*OURS, *PEERS} == set(WORDS)


def test_random_arrivals_keep_the_requests_and_their_order() -> None:
    spread = poisson([ASK] * 50, 10.0, seed=1)
    assert [one.prompt for one in spread] == [ASK.prompt] * 50
    assert [one.at for one in spread] == sorted(one.at for one in spread)
    assert spread[0].at == 0.0
    assert spread == poisson([ASK] * 50, 10.0, seed=1), "a seed is a promise here too"
