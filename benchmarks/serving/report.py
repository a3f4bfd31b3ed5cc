"""The report of a run: a Markdown page, its figures as JSON, and a chart (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from benchmarks.serving.outcome import Outcome, Spread, agreement, first_tokens, rates, ratio

ByName = Mapping[str, Sequence[Outcome]]
WORDS = {
    "engine-fp32": "this engine, fp32",
    "engine-bf16": "this engine, bf16 (no promise about seeds)",
    "generate-fp32": "transformers `generate`, one by one, fp32",
    "generate-lookup-fp32": "transformers `generate` with prompt lookup, one by one, fp32",
    "batching-fp32": "transformers continuous batching, fp32",
    "batching-bf16": "transformers continuous batching, bf16",
    "ctranslate2-fp32": "ctranslate2, fp32",
    "ctranslate2-int8": "ctranslate2, int8",
    "llamacpp-q8": "llama.cpp, q8_0",
}
# From the engine to the portal: what stands before it.
WAYS = {"engine": "bare engine", "celery": "Celery, Redis", "portal": "HTTP, Celery, Redis"}
REFERENCE = "generate-fp32"
OWN = ("engine-fp32", "engine-bf16")


@dataclass(frozen=True)
class Run:
    """Everything that one run measured.

    Args:
        bursts: number of streams -> contender -> rounds.
        arrivals: contender -> rounds with requests arriving at random.
        through: number of streams -> each of `WAYS` -> rounds.
        scores: tokens per second of score jobs, and how many times as fast as one by one.
        embeddings: the same of jobs that embed.
        loads: seconds of the first load and of later ones.
        megabytes: most memory of each contender's process.
    """

    bursts: Mapping[int, ByName]
    arrivals: ByName
    through: Mapping[int, ByName]
    scores: tuple[Spread, Spread]
    embeddings: tuple[Spread, Spread]
    loads: tuple[float, Spread]
    megabytes: Mapping[str, int]


@dataclass(frozen=True)
class Goal:
    """A figure with its goal."""

    words: str
    goal: str
    found: Spread | None
    is_met: bool | None

    @property
    def row(self) -> str:
        """The row of the table."""
        verdict = {None: "not measured", True: "met", False: "missed"}[self.is_met]
        return f"| {self.words} | {self.goal} | {self.found or 'not measured'} | {verdict} |"


def goals(run: Run) -> list[Goal]:
    """Return every goal with what this run found."""
    found = [
        *(_beside_best(run, streams) for streams in (16, 64)),
        _pair(run, 16, "engine-fp32", "batching-fp32", 1.2),
        _pair(run, 64, "engine-fp32", "batching-fp32", 1.8),
        _pair(run, 1, "engine-fp32", "generate-fp32", 1.2),
    ]
    through, alone = run.through.get(64, {}).get("portal"), run.through.get(64, {}).get("engine")
    share = ratio(through, alone) if through and alone else None
    found.append(_at_least("through HTTP and Celery, 64 streams / bare engine", 0.95, share))
    found += [_added(run, 1, 0.025), _added(run, 64, 0.150)]
    found.append(_at_least("score job / one by one, mixed lengths", 1.3, run.scores[1]))
    found.append(_at_least("embedding job / one by one, mixed lengths", 1.0, run.embeddings[1]))
    later = run.loads[1]
    found.append(Goal("later load of a size in the store, s", "<= 2", later, later.middle <= 2))
    return found


def page(run: Run, heading: Sequence[str]) -> str:
    """Return the Markdown page; `heading` says command, machine, date and versions."""
    parts = ["# Serving, measured", *heading, "## Goals", _goal_table(run)]
    parts += ["![Tokens per second by number of streams](images/performance.svg)"]
    for streams, by_name in run.bursts.items():
        parts += [f"## A burst of {streams}", _burst_table(by_name)]
    if run.arrivals:
        parts += ["## Requests that arrive at random", _burst_table(run.arrivals)]
    if run.through:
        parts += ["## Through the portal", _through_table(run), _celery_words(run)]
    parts += ["## Score jobs, embeddings and loading", _rest(run)]
    return "\n\n".join(parts) + "\n"


def figures(run: Run) -> dict[str, Any]:
    """Return every round as plain values, without the texts."""
    return {
        "bursts": {str(streams): _plain(by_name) for streams, by_name in run.bursts.items()},
        "arrivals": _plain(run.arrivals),
        "through": {str(streams): _plain(by_name) for streams, by_name in run.through.items()},
        "celery_shares": {str(streams): vars(share) for streams, share in _celery_shares(run).items()},
        "scores": [vars(one) for one in run.scores],
        "embeddings": [vars(one) for one in run.embeddings],
        "loads": [run.loads[0], vars(run.loads[1])],
        "megabytes": dict(run.megabytes),
    }


LABELS = 400  # pixels left of the bars: the longest name of a contender has room


def chart(run: Run) -> str:
    """Return a bar for each contender and number of streams, as SVG; the tables hold the same figures."""
    bars = [
        (f"{streams}: {WORDS.get(name, name).replace('`', '')}", rates(rounds).middle, name in OWN)
        for streams, by_name in run.bursts.items()
        for name, rounds in by_name.items()
    ]
    most = max((value for _, value, _ in bars), default=1.0)
    rows = [_bar(at, *bar, most) for at, bar in enumerate(bars)]
    height = 20 * len(bars) + 10
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LABELS + 420} {height}" role="img" '
    head += 'font-family="sans-serif">'
    return "\n".join([head, "<title>Tokens per second by number of streams</title>", *rows, "</svg>"]) + "\n"


def _bar(at: int, words: str, value: float, is_own: bool, most: float) -> str:
    top, width = 20 * at + 5, 340 * value / most
    fill = "#1b5e9e" if is_own else "#9aa5b1"
    return (
        f'<text x="{LABELS}" y="{top + 12}" text-anchor="end" font-size="11">{escape(words)}</text>'
        f'<rect x="{LABELS + 8}" y="{top + 2}" width="{width:.1f}" height="13" fill="{fill}"/>'
        f'<text x="{LABELS + 12 + width:.1f}" y="{top + 12}" font-size="11">{value:.0f}</text>'
    )


def _goal_table(run: Run) -> str:
    return "\n".join(
        ["| Figure | Goal | Median (least to most) | |", "|---|---|---|---|", *(g.row for g in goals(run))]
    )


def _burst_table(by_name: ByName) -> str:
    rows = ["| Contender | Tokens/s | First token, s | Texts as `generate` fp32 | Alike to the first difference |"]
    rows.append("|---|---|---|---|---|")
    reference = by_name.get(REFERENCE)
    for name, rounds in sorted(by_name.items(), key=lambda item: -rates(item[1]).middle):
        same = share = ""
        if reference:
            equal, alike = agreement(rounds[-1].texts, reference[-1].texts)
            same, share = f"{equal} of {len(rounds[-1].texts)}", f"{alike:.0%}"
        rows.append(f"| {WORDS.get(name, name)} | {rates(rounds)} | {first_tokens(rounds) or ''} | {same} | {share} |")
    return "\n".join(rows)


def _through_table(run: Run) -> str:
    rows = ["| Streams | | Tokens/s | First token, s |", "|---|---|---|---|"]
    for streams, by_name in run.through.items():
        for name, words in WAYS.items():
            rows.append(f"| {streams} | {words} | {rates(by_name[name])} | {first_tokens(by_name[name])} |")
    return "\n".join(rows)


def _celery_words(run: Run) -> str:
    streams, share = max(_celery_shares(run).items())
    return (
        f"Celery and Redis alone / bare engine, {streams} streams: {share}. There is no goal for it. The bare engine "
        "is told that no token ends a text; the others forbid these tokens by `logit_bias`, which costs them a copy of "
        "the logits in each step."
    )


def _celery_shares(run: Run) -> dict[int, Spread]:
    """How fast the engine is behind Celery and Redis, beside itself alone, by number of streams."""
    return {streams: ratio(by_name["celery"], by_name["engine"]) for streams, by_name in run.through.items()}


def _rest(run: Run) -> str:
    rows = ["| What | Median (least to most) |", "|---|---|"]
    rows.append(f"| score jobs, tokens/s | {run.scores[0]} |")
    rows.append(f"| score jobs / one by one | {run.scores[1]} |")
    rows.append(f"| embedding jobs, tokens/s | {run.embeddings[0]} |")
    rows.append(f"| embedding jobs / one by one | {run.embeddings[1]} |")
    rows.append(f"| first load of the size in a process, s | {run.loads[0]:.2f} |")
    rows.append(f"| later loads, s | {run.loads[1]} |")
    rows += [f"| most memory, {WORDS.get(name, name)}, MB | {value} |" for name, value in run.megabytes.items()]
    return "\n".join(rows)


def _beside_best(run: Run, streams: int) -> Goal:
    words = f"engine bf16 / best peer of any precision, {streams} streams"
    by_name = run.bursts.get(streams, {})
    peers = {name: rounds for name, rounds in by_name.items() if name not in OWN}
    if "engine-bf16" not in by_name or not peers:
        return _at_least(words, 1.3, None)
    best = max(peers, key=lambda name: rates(peers[name]).middle)
    return _at_least(f"{words}: {WORDS[best]}", 1.3, ratio(by_name["engine-bf16"], peers[best]))


def _pair(run: Run, streams: int, ours: str, theirs: str, goal: float) -> Goal:
    by_name = run.bursts.get(streams, {})
    found = ratio(by_name[ours], by_name[theirs]) if ours in by_name and theirs in by_name else None
    return _at_least(f"{WORDS[ours]} / {WORDS[theirs]}, {streams} stream{'s' if streams > 1 else ''}", goal, found)


def _added(run: Run, streams: int, goal: float) -> Goal:
    by_name = run.through.get(streams, {})
    words = f"time to first token added by the portal, {streams} stream{'s' if streams > 1 else ''}, s"
    if not by_name:
        return Goal(words, f"<= {goal}", None, None)
    pairs = zip(by_name["portal"], by_name["engine"], strict=True)
    found = Spread.of([_middle(one) - _middle(other) for one, other in pairs])
    return Goal(words, f"<= {goal}", found, found.middle <= goal)


def _middle(one: Outcome) -> float:
    spread = first_tokens([one])
    assert spread is not None
    return spread.middle


def _at_least(words: str, goal: float, found: Spread | None) -> Goal:
    return Goal(words, f">= {goal}", found, None if found is None else found.middle >= goal)


def _plain(by_name: ByName) -> dict[str, Any]:
    return {
        name: [{"seconds": one.seconds, "tokens": one.tokens, "firsts": list(one.firsts)} for one in rounds]
        for name, rounds in by_name.items()
    }
