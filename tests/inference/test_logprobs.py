"""Log-probabilities are the model's own, one per completion token, and the echoed prompt comes first."""

from __future__ import annotations

import json

import pytest
import torch
from transformers import AutoModelForCausalLM

from inference.backends.slots import SlotBackend
from inference.contract import (
    FinishReason,
    Function,
    Order,
    Piece,
    SamplingSettings,
    TokenLogprob,
    pieces_from_json,
    pieces_to_json,
)
from inference.engine.loop import Engine
from inference.engine.request import Request, State
from inference.engine.scheduler import Scheduler
from inference.engine.shelf import Shelf
from tests.inference.conftest import TEXTS
from tests.inference.fakes import END, FakeLoader, FakeOutlet, make_order, make_permit, make_request

TOLD = (TokenLogprob("x", -0.5, (("x", -0.5), ("y", -1.0))),)


@pytest.fixture(params=["gpt2", "llama"])
def backend(request, tiny_models) -> SlotBackend:
    backend = SlotBackend(tiny_models[request.param], max_slots=16, max_context=128)
    backend.folder = tiny_models[request.param]
    return backend


def request_of(backend: SlotBackend, prompt: str = TEXTS[0], **changes) -> Request:
    settings = SamplingSettings(**{"max_tokens": 8, "seed": 3, "logprobs": 2, **changes})
    order = Order(Function.GENERATE, prompt, settings)
    return Request(order, make_permit(), backend.encode(prompt), decode=backend.decode)


def run(backend: SlotBackend, *requests: Request) -> list[Piece]:
    """Run requests to their ends; pieces of the first."""
    scheduler, pieces = Scheduler(16, 16), []
    for request in requests:
        scheduler.add(request)
    while plan := scheduler.schedule():
        for result in backend.step(plan):
            new = [*result.sequence.opening(result.prompt_logprobs)]
            new.append(result.sequence.take(result.token, result.logprobs))
            pieces += new if result.sequence.request is requests[0] else []
            if result.sequence.state is State.FINISHED:
                scheduler.retire(result.sequence)
                backend.release(result.sequence)
    return pieces


def reference(backend: SlotBackend, ids: list[int]) -> torch.Tensor:
    """Log-probabilities [position, vocabulary] by one forward pass of transformers."""
    with torch.inference_mode():
        logits = AutoModelForCausalLM.from_pretrained(backend.folder)(torch.tensor([ids])).logits[0]
    return logits.log_softmax(-1)


@pytest.mark.parametrize("settings", [{}, {"temperature": 0.3, "top_p": 0.5, "repetition_penalty": 3.0}])
def test_log_probabilities_are_the_models_own_whatever_the_settings_are(backend, settings):
    request = request_of(backend, **settings)
    told = [each for piece in run(backend, request, request_of(backend, TEXTS[1])) for each in piece.logprobs]
    output, before = request.samples[0].output, len(request.prompt_ids)
    rows = reference(backend, [*request.prompt_ids, *output])[before - 1 : -1]
    assert [each.logprob for each in told] == pytest.approx(rows[range(8), output].tolist(), abs=1e-3)
    for each, row in zip(told, rows, strict=True):
        best = row.topk(2)
        assert [value for _, value in each.top] == pytest.approx(best.values.tolist(), abs=1e-3)
        assert [name for name, _ in each.top] == [backend._vocabulary.name(token) for token in best.indices.tolist()]


def test_the_names_of_tokens_joined_are_the_text(backend):
    ids = backend.encode("The lab, and the evidence")
    assert "".join(backend._vocabulary.name(token) for token in ids) == "The lab, and the evidence"
    assert backend._vocabulary.name(0) == "<end>"


def test_an_echoed_prompt_comes_first_with_numbers_for_all_its_tokens_but_the_first(backend):
    request = request_of(backend, echo=True, samples=2)
    pieces = run(backend, request)
    rows = reference(backend, list(request.prompt_ids))
    for sample in (0, 1):
        opening, first, *_ = [piece for piece in pieces if piece.sample == sample]
        assert (opening.text, opening.tokens, first.tokens) == (TEXTS[0], 0, 1)
        assert opening.logprobs[0].logprob is None
        expected = rows[range(len(rows) - 1), request.prompt_ids[1:]].tolist()
        assert [each.logprob for each in opening.logprobs[1:]] == pytest.approx(expected, abs=1e-3)
        assert "".join(each.token for each in opening.logprobs) == TEXTS[0]


def test_a_row_that_asks_for_nothing_is_told_nothing_and_says_the_same(backend):
    plain, asking = request_of(backend, logprobs=None), request_of(backend)
    assert not any(piece.logprobs for piece in run(backend, plain, request_of(backend, TEXTS[1])))
    run(backend, asking)
    assert plain.samples[0].output == asking.samples[0].output


def test_text_that_is_held_back_or_cut_leaves_every_tokens_number_where_it_was_chosen():
    sample = make_request(stop=("xy",)).samples[0]
    held, cut = sample.take(ord("x"), TOLD), sample.take(ord("y"), TOLD)
    assert (held.text, held.logprobs, cut.text, cut.logprobs) == ("", TOLD, "", TOLD)
    assert cut.finish == FinishReason.STOP
    ended = make_request().samples[0]
    assert ended.take(END, TOLD).logprobs == ()  # the end-of-text token is no completion token


def test_a_stop_string_in_an_echoed_prompt_ends_nothing():
    engine = Engine(Shelf(FakeLoader(), lambda cache: Scheduler(4, 16, cache_tokens=cache), 100), FakeOutlet())
    engine.start()
    request = engine.submit(make_permit(), make_order("abc", echo=True, stop=("b",), samples=2))
    assert request.done.wait(20)
    engine.stop()
    assert request.reason is FinishReason.LENGTH
    assert [engine._outlet.text("job", sample) for sample in (0, 1)] == ["abc" + "x" * 8] * 2
    assert (request.usage.prompt_tokens, request.usage.completion_tokens) == (3, 16)


def test_pieces_survive_the_stream_and_say_nothing_of_what_was_not_asked_for():
    plain = Piece(0, "a", 1)
    told = Piece(1, "", 2, "stop", (*TOLD, TokenLogprob("z", None)))
    assert pieces_from_json(pieces_to_json([plain, told])) == [plain, told]
    assert "logprobs" not in json.loads(pieces_to_json([plain]))[0]
