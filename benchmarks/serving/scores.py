"""Jobs that answer with numbers beside forward passes one by one: texts of mixed length, all computed either way."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from benchmarks.serving.outcome import Spread
from benchmarks.serving.workload import Ask
from inference.backends import runtime
from inference.backends.loader import FolderLoader
from inference.backends.slots import SlotBackend
from inference.contract import EmbedResult, Function, Order, Permit, ScoreResult
from inference.engine import loop
from inference.engine.outlet import End, Entry, Verdict
from inference.engine.scheduler import Scheduler
from inference.engine.shelf import Shelf

NEAR = 1e-3  # how far a number may lie from the one computed alone


@dataclass(frozen=True)
class Kind:
    """What is asked of each text.

    Args:
        function: of the job.
        read: the numbers of a result that are compared.
        alone: the same from one forward pass, [numbers, columns]; the first column is compared.
    """

    function: Function
    read: Callable[[str], Sequence[float]]
    alone: Callable[[Any, Ask], torch.Tensor]


class Results:
    """Keeps results by job."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}

    def publish(self, step: int, entries: list[Entry]) -> list[Verdict]:
        """Take every result."""
        for entry in entries:
            if entry.kind is not None:
                self.found[entry.request.job_id] = entry.body
        return [Verdict() for _ in entries]

    def finish(self, ends: Iterable[End]) -> None:
        """Nothing is written anywhere."""


def measure(folder: Path, asks: Sequence[Ask], rounds: int, kind: Kind) -> tuple[Spread, Spread]:
    """Compute all texts as jobs and one by one, in turn.

    Returns:
        Tokens per second of jobs, and how many times as fast they were as one by one.

    Raises:
        AssertionError: the two do not give the same numbers.
    """
    runtime.prepare()
    results = Results()
    shelf = Shelf(
        FolderLoader(folder, SlotBackend), lambda cache: Scheduler(64, 256, cache_tokens=cache), budget=sys.maxsize
    )
    engine = loop.Engine(shelf, results)
    shelf.borrow("")
    engine.start()
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="sdpa").eval()
    tokens = sum(len(ask.ids) - 1 for ask in asks)
    as_jobs, ratios = [], []
    for number in range(rounds + 1):  # the first is not counted
        seconds = _jobs(engine, asks, number, kind.function)
        began = time.perf_counter()
        expected = [kind.alone(model, ask) for ask in asks]
        alone = time.perf_counter() - began
        _compare([kind.read(results.found[f"{number}-{at}"]) for at in range(len(asks))], expected)
        if number:
            as_jobs.append(tokens / seconds)
            ratios.append(alone / seconds)
    engine.stop()
    return Spread.of(as_jobs), Spread.of(ratios)


def _jobs(engine: loop.Engine, asks: Sequence[Ask], number: int, function: Function) -> float:
    began = time.perf_counter()
    requests = []
    for at, ask in enumerate(asks):
        permit = Permit(f"{number}-{at}", "", "", function.value, float("inf"), {})
        requests.append(engine.submit(permit, Order(function, ask.prompt)))
    for request in requests:
        request.done.wait()
    return time.perf_counter() - began


@torch.inference_mode()
def _score_alone(model: Any, ask: Ask) -> torch.Tensor:
    """Log-probability, rank, entropy, mean and variance of every token, [tokens, 5], from one forward pass."""
    logits = model(input_ids=torch.tensor([ask.ids])).logits[0, :-1]  # [tokens, vocabulary]
    logprobs = logits.log_softmax(-1)
    own = logprobs.gather(-1, torch.tensor(ask.ids[1:]).unsqueeze(-1))  # [tokens, 1]
    rank = (logprobs > own).sum(-1) + 1
    probs = logprobs.exp()
    mean = (probs * logprobs).sum(-1)
    variance = (probs * (logprobs - mean.unsqueeze(-1)).square()).sum(-1)
    return torch.stack([own[:, 0], rank.float(), -mean, mean, variance], -1)


@torch.inference_mode()
def _embed_alone(model: Any, ask: Ask) -> torch.Tensor:
    """Mean of the last hidden states, [width, 1], from one forward pass without logits."""
    hidden = model.base_model(input_ids=torch.tensor([ask.ids])).last_hidden_state[0]  # [tokens, width]
    return hidden.mean(0).unsqueeze(-1)


def _logprobs(body: str) -> list[float]:
    return [token.logprob for token in ScoreResult.from_json(body).tokens if token.logprob is not None]


def _compare(results: Sequence[Sequence[float]], expected: Sequence[torch.Tensor]) -> None:
    for found, numbers in zip(results, expected, strict=True):
        assert len(found) == len(numbers), "a job left numbers out"
        assert max(abs(one - other) for one, other in zip(found, numbers[:, 0].tolist(), strict=True)) < NEAR


SCORES = Kind(Function.SCORE, _logprobs, _score_alone)
EMBEDDINGS = Kind(Function.EMBED, lambda body: EmbedResult.from_json(body).numbers, _embed_alone)
