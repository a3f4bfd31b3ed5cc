"""Measure serving: a part of `make bench`.

A full run needs the peers' environment (`make peers`) and writes docs/performance.md; QUICK=1 runs a small part and
prints it.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from tokenizers import Tokenizer

from benchmarks.serving import loads, report, scores
from benchmarks.serving.contender import Contender
from benchmarks.serving.queued import Queued
from benchmarks.serving.rivals import CHECKOUT, OURS, PEERS, Rival, interleaved, started
from benchmarks.serving.through import Through
from benchmarks.serving.workload import Ask, burst, poisson
from release_portal.registry.demo_model import converted_folder, demo_source

DOCS = CHECKOUT / "docs"
MODELS = CHECKOUT / ".cache" / "models"


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Args:
        streams: sizes of the bursts.
        through: those of them that also go through Celery and through the portal.
        is_whole: whether peers and arrivals at random are measured, and the page is written.
    """

    streams: Sequence[int]
    through: Sequence[int]
    new_tokens: int
    rounds: int
    contenders: Sequence[str]
    is_whole: bool


FULL = Plan((1, 4, 16, 64), (1, 64), 24, 5, (*OURS, *PEERS), is_whole=True)
QUICK = Plan((1, 4), (1, 4), 8, 1, ("engine-fp32", "generate-fp32", "batching-fp32"), is_whole=False)
# One by one gives the same rate at 64 as at 16, and takes minutes for it.
MOST_ONE_BY_ONE = 16
# Whoever is so many times as slow as the fastest at 16 streams is not the best at 64, and may take an hour for it.
LEFT_BEHIND = 3


def main() -> None:
    """Measure, print, and after a full run write the page."""
    plan = QUICK if os.environ.get("QUICK") else FULL
    source = demo_source()
    folder = converted_folder(source, MODELS, print)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    with tempfile.TemporaryDirectory(prefix="portal-serving-") as name:
        work = Path(name)
        (work / "model").symlink_to(folder)
        (work / "source.gguf").symlink_to(source)
        run = _measure(plan, work, tokenizer)
    text = report.page(run, _heading(plan))
    print("\n" + text)
    if plan.is_whole:
        (DOCS / "performance.md").write_text(text, encoding="utf-8")
        (DOCS / "performance.json").write_text(json.dumps(report.figures(run), indent=1) + "\n", encoding="utf-8")
        (DOCS / "images" / "performance.svg").write_text(report.chart(run), encoding="utf-8")


def _measure(plan: Plan, work: Path, tokenizer: Tokenizer) -> report.Run:
    asks = {
        count: burst(tokenizer, count, plan.new_tokens, shortest=16, longest=128, seed=count) for count in plan.streams
    }
    loaded = loads.measure(work / "model", work / "store", plan.rounds)
    print(f"loading: {loaded}", flush=True)
    texts = burst(tokenizer, 16, 1, shortest=8, longest=256, seed=1)
    scored = scores.measure(work / "model", texts, plan.rounds, scores.SCORES)
    print(f"score jobs: {scored}", flush=True)
    embedded = scores.measure(work / "model", texts, plan.rounds, scores.EMBEDDINGS)
    print(f"embeddings: {embedded}", flush=True)
    bursts: dict[int, report.ByName] = {}
    arrivals: report.ByName = {}
    with started(plan.contenders, work / "model", _peers(plan), work) as rivals:
        for count, wanted in asks.items():
            print(f"  {count} streams", flush=True)
            fit = rivals if count <= MOST_ONE_BY_ONE else _keeping_up(rivals, bursts[MOST_ONE_BY_ONE])
            bursts[count] = interleaved(fit, wanted, plan.rounds)
        if plan.is_whole:
            fast = _keeping_up(rivals, bursts[MOST_ONE_BY_ONE])
            rate = 0.7 * median(one.rate for one in bursts[16]["engine-fp32"]) / plan.new_tokens
            arrivals = interleaved(fast, poisson(asks[16], rate, seed=7), plan.rounds)
    through = _through(plan, work, asks)
    most = {name: max(one.megabytes for one in bursts[count][name]) for count in bursts for name in bursts[count]}
    return report.Run(bursts, arrivals, through, scored, embedded, loaded, most)


def _keeping_up(rivals: dict[str, Rival], seen: report.ByName) -> dict[str, Rival]:
    """Who is measured further: neither one by one, nor far behind."""
    rates = {name: median(one.rate for one in rounds) for name, rounds in seen.items()}
    slowest = max(rates.values()) / LEFT_BEHIND
    return {name: one for name, one in rivals.items() if name != report.REFERENCE and rates[name] >= slowest}


def _through(plan: Plan, work: Path, asks: dict[int, list[Ask]]) -> dict[int, report.ByName]:
    """The engine alone, behind Celery and Redis, and behind the whole portal, in turn; the others wait idle."""
    end_ids = _end_ids(work / "model")
    with ExitStack() as stack:
        rivals = stack.enter_context(started(["engine-fp32"], work / "model", None, work))
        queued = Queued(work / "queued", work / "model", end_ids)
        stack.callback(queued.stop)
        queued.start()
        portal = Through(work / "home", end_ids)
        stack.callback(portal.stop)
        ways: dict[str, Contender] = {"engine": rivals["engine-fp32"], "celery": queued, "portal": portal}
        found: dict[int, report.ByName] = {}
        for count in plan.through:
            print(f"  {count} streams, from the engine to the portal", flush=True)
            found[count] = interleaved(ways, asks[count], plan.rounds)
    return found


def _end_ids(folder: Path) -> list[int]:
    ids = json.loads((folder / "generation_config.json").read_text())["eos_token_id"]
    return ids if isinstance(ids, list) else [ids]


def _peers(plan: Plan) -> str | None:
    """The Python of the peers' environment; ends the run with what to do when a full one has none."""
    if not plan.is_whole:
        return None
    python = os.environ.get("PEERS_PYTHON", "")
    if not python or not shutil.which(python):
        sys.exit("A full run measures peers too: `make peers` makes their environment; QUICK=1 goes without.")
    return python


def _heading(plan: Plan) -> list[str]:
    libraries = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers"))
    when = datetime.now(UTC).strftime("%d %B %Y")
    cores = len(os.sched_getaffinity(0))
    return [
        f"`make bench PARTS=serving` on {when}: {_processor()}, {cores} cores, no GPU; "
        f"Python {platform.python_version()}, {libraries}; SmolLM2-135M, real weights.",
        f"Every request has {plan.new_tokens} new tokens and a prompt of 16 to 128, greedy; a burst arrives at once. "
        f"{plan.rounds} rounds; in each, every contender ran once, in turn, in a process of its own. "
        "Figures are medians with the least and the most; ratios are taken round by round. "
        f"Above {MOST_ONE_BY_ONE} streams, and with arrivals at random, whoever computes one by one or was "
        f"{LEFT_BEHIND} times as slow as the fastest is left out. "
        "While few write, this engine drafts tokens by prompt lookup (decision 0020). What that saves depends on the "
        "text; `generate` is measured without and with it.",
    ]


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
