"""Short texts are scored together, and get the numbers that they get alone."""

from __future__ import annotations

import random

import pytest
import torch

from inference.backends.batches import LEAST_FULL, LONGEST, buckets
from inference.backends.slots import SlotBackend
from inference.contract import Function, Order, ScoreResult
from inference.engine.request import Request
from inference.engine.scheduler import Chunk, Scheduler
from tests.inference.conftest import TEXTS
from tests.inference.fakes import make_permit, make_request


def score(backend: SlotBackend, texts: list[str], slots: int) -> list[ScoreResult]:
    scheduler = Scheduler(slots, 256)
    requests = [
        Request(Order(Function.SCORE, text), make_permit(), backend.encode(text), decode=backend.decode)
        for text in texts
    ]
    for request in requests:
        scheduler.add(request)
    results = {}
    while plan := scheduler.schedule():
        for result in backend.step(plan):
            results[result.sequence.request] = result.result
            scheduler.retire(result.sequence)
            backend.release(result.sequence)
    return [results[request] for request in requests]


def drawn_texts() -> list[str]:
    source, words = random.Random(1), " ".join(TEXTS[:2]).split()
    return [" ".join(source.choices(words, k=source.randint(1, 20))) for _ in range(20)]


@pytest.mark.parametrize("kind", ["gpt2", "opt", "llama"])
def test_a_text_scored_in_company_has_the_numbers_it_has_alone(kind, tiny_models, monkeypatch):
    backend, texts, passes = SlotBackend(tiny_models[kind], max_context=128), drawn_texts(), []
    original = backend._model.forward
    monkeypatch.setattr(backend._model, "forward", lambda **given: passes.append(1) or original(**given))
    alone = score(backend, texts, slots=1)
    assert len(passes) == len(texts)
    together = score(backend, texts, slots=16)
    assert len(passes) < 2 * len(texts)
    for one, other in zip(alone, together, strict=True):
        for token, beside in zip(one.tokens, other.tokens, strict=True):
            assert (token.text, token.rank) == (beside.text, beside.rank)
            for name in ("logprob", "entropy", "mean", "variance"):
                assert getattr(token, name) == pytest.approx(getattr(beside, name), abs=1e-4)


def test_numbers_that_are_not_finite_fail_only_their_own_text(tiny_models, monkeypatch):
    backend = SlotBackend(tiny_models["gpt2"], max_context=128)
    original = backend._model.forward

    def poisoned(**given):
        output = original(**given)
        output.logits[0, : len(backend.encode("The lab is"))] = torch.nan  # the first of the two laid end to end
        return output

    monkeypatch.setattr(backend._model, "forward", poisoned)
    broken, sound = score(backend, ["The lab is", "a lab is"], slots=4)
    assert broken is None
    assert sound.scored


def lengths(*numbers: int) -> list[list[int]]:
    chunks = [Chunk(make_request(prompt="x" * number).samples[0], 0, number) for number in numbers]
    return [[chunk.stop for chunk in batch] for batch in buckets(chunks)]


def test_texts_of_about_equal_length_go_together_and_long_ones_alone():
    assert lengths(9, 40, 10, 39) == [[40, 39], [10, 9]]
    assert lengths(LONGEST, LONGEST, LONGEST + 1) == [[LONGEST + 1], [LONGEST, LONGEST]]
    shortest = int(LONGEST * LEAST_FULL)
    assert lengths(LONGEST, shortest, shortest - 1) == [[LONGEST, shortest], [shortest - 1]]
    assert lengths() == []
