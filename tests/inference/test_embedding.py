"""An embedding is the pooled hidden states of a plain forward pass, in any company and however the text is cut."""

from __future__ import annotations

import random

import pytest
import torch
from transformers import AutoModelForCausalLM

from inference.backends.embedding import Embedding
from inference.backends.slots import SlotBackend
from inference.contract import EmbedResult, Function, Order, Pooling
from inference.engine.request import Request, State
from inference.engine.scheduler import Scheduler
from tests.inference.conftest import KINDS, TEXTS
from tests.inference.fakes import make_order, make_permit

NEAR = 1e-4


@pytest.fixture(params=KINDS)
def kind(request) -> str:
    return request.param


@pytest.fixture
def backend(kind, tiny_models) -> SlotBackend:
    return SlotBackend(tiny_models[kind], max_slots=16, max_context=128)


def drawn_texts() -> list[str]:
    source, words = random.Random(2), " ".join(TEXTS[:2]).split()
    lengths = [*range(1, 13), 20, 20, 24, 25]
    return [*TEXTS, *(" ".join(source.choices(words, k=length)) for length in lengths)]


def embedding_of(text: str, pooling: Pooling = Pooling.MEAN) -> Order:
    return Order(Function.EMBED, text, pooling=pooling)


def run(backend: SlotBackend, orders: list[Order], *, slots: int = 16, prefill: int = 256) -> list:
    """Run orders to their ends; return their results, None for a generation and for numbers that are not finite."""
    scheduler = Scheduler(slots, prefill)
    requests = [Request(order, make_permit(), backend.encode(order.prompt), decode=backend.decode) for order in orders]
    for request in requests:
        scheduler.add(request)
    results = dict.fromkeys(requests)
    while plan := scheduler.schedule():
        for result in backend.step(plan):
            sequence = result.sequence
            if sequence.request.order.function is Function.GENERATE:
                sequence.take(result.token)
                if sequence.state is not State.FINISHED:
                    continue
            else:
                results[sequence.request] = result.result
            scheduler.retire(sequence)
            backend.release(sequence)
    return list(results.values())


def plain(folder, ids: list[list[int]], pooling: Pooling) -> list[torch.Tensor]:
    """What transformers says with output_hidden_states, text by text."""
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    with torch.inference_mode():
        states = [
            model(torch.tensor([each]), output_hidden_states=True).hidden_states[-1][0] for each in ids
        ]  # [tokens, width] each
    return [each.mean(0) if pooling is Pooling.MEAN else each[-1] for each in states]


@pytest.mark.parametrize("pooling", list(Pooling))
@pytest.mark.parametrize("prefill", [16, 256])
def test_a_text_embedded_in_company_is_that_of_a_plain_forward_pass(kind, backend, tiny_models, pooling, prefill):
    """With 16 tokens a step the longer texts are read in several chunks."""
    texts = drawn_texts()
    company = [order for text in texts for order in (embedding_of(text, pooling), Order(Function.SCORE, text))]
    company = [*company, *(make_order(text) for text in TEXTS)]
    results = [one for one in run(backend, company, prefill=prefill) if isinstance(one, EmbedResult)]
    ids = [backend.encode(text) for text in texts]
    for result, expected, tokens in zip(results, plain(tiny_models[kind], ids, pooling), ids, strict=True):
        assert result.numbers == pytest.approx(expected.tolist(), abs=NEAR)
        assert (result.width, result.prompt_tokens, result.pooling) == (len(expected), len(tokens), pooling)


def test_a_text_embedded_in_company_is_that_of_the_text_alone(backend):
    orders = [embedding_of(text) for text in drawn_texts()]
    for alone, beside in zip(run(backend, orders, slots=1), run(backend, orders), strict=True):
        assert alone.numbers == pytest.approx(beside.numbers, abs=NEAR)


def test_short_texts_go_together_and_nobody_computes_logits(backend, monkeypatch):
    passes = []
    original = backend._model.base_model.forward
    monkeypatch.setattr(backend._model, "forward", lambda **given: pytest.fail("logits were computed"))
    monkeypatch.setattr(backend._model.base_model, "forward", lambda **given: passes.append(1) or original(**given))
    results = run(backend, [embedding_of("The lab")] * 8)
    assert len(passes) == 1
    assert len({result.vector for result in results}) == 1


def test_the_pooling_changes_the_vector_and_one_token_has_only_one(backend):
    mean, last = run(backend, [embedding_of(TEXTS[0], pooling) for pooling in Pooling])
    assert mean.numbers != last.numbers
    ones = run(backend, [embedding_of("a", pooling) for pooling in Pooling])
    assert ones[0].numbers == pytest.approx(ones[1].numbers, abs=1e-6)


def test_numbers_that_are_not_finite_fail_only_their_own_text(backend, monkeypatch):
    original = backend._model.base_model.forward

    def poisoned(**given):
        output = original(**given)
        output.last_hidden_state[0, : len(backend.encode("The lab is"))] = torch.nan  # the first of two laid end to end
        return output

    monkeypatch.setattr(backend._model.base_model, "forward", poisoned)
    broken, sound = run(backend, [embedding_of("The lab is"), embedding_of("a lab is")])
    assert broken is None
    assert isinstance(sound, EmbedResult)
    assert not backend._embeddings


def test_half_precision_states_are_added_up_in_whole_precision():
    states = torch.ones(3000, 2, dtype=torch.bfloat16)
    embedding = Embedding(Pooling.MEAN)
    for chunk in states.split(7):
        embedding.add(chunk)
    result = embedding.result()
    assert result is not None
    assert result.numbers == (1.0, 1.0)


def test_nothing_was_read_is_no_vector():
    assert Embedding(Pooling.MEAN).result() is None
