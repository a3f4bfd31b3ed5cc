"""The slot backend says what transformers says, in any company."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM

from inference.backends.slots import SlotBackend
from inference.contract import Function, Order, Permit, Priority, SamplingSettings
from inference.engine.backend import InvalidPromptError, Sampled, Scored
from inference.engine.request import Request, State
from inference.engine.scheduler import DRAFT_TOKENS, Scheduler
from tests.inference.conftest import KINDS, TEXTS
from tests.inference.fakes import make_permit

PROMPTS = (
    "The lab",
    "A detector says how sure it is, and nobody calls it a verdict. " * 2,
    "東京",
    "a",
    "evidence was reviewed",
    "Größe, café",
    "and nobody",
    "size",
    "model size when its evidence",
)


def make_request(backend: SlotBackend, prompt: str, **settings) -> Request:
    order = Order(Function.GENERATE, prompt, SamplingSettings(**{"max_tokens": 16, "temperature": 0.0, **settings}))
    permit = Permit("job", "size", "0" * 64, "generate", 0.0, {})
    return Request(order, permit, backend.encode(prompt), decode=backend.decode, end_ids=frozenset())


def run(
    backend: SlotBackend,
    requests: list[Request],
    slots: int = 64,
    prefill: int = 32,
    late: dict[int, Request] | None = None,
    drafts: int = DRAFT_TOKENS,
) -> list[float]:
    """Run requests to their ends, late ones from their step on; return the gaps of all choices."""
    scheduler = Scheduler(slots, prefill, draft_tokens=drafts)
    for request in requests:
        scheduler.add(request)
    gaps, steps = [], 0
    while plan := scheduler.schedule():
        steps += 1
        if late and steps in late:
            scheduler.add(late[steps])
        for sequence in plan.preempted:
            backend.release(sequence)
        for result in backend.step(plan):
            assert isinstance(result, Sampled)
            assert result.token is not None
            gaps.append(result.gap)
            result.sequence.take(result.token)
            if result.sequence.state is State.FINISHED:
                scheduler.retire(result.sequence)
                backend.release(result.sequence)
    return gaps


@pytest.fixture(params=KINDS)
def kind(request) -> str:
    return request.param


@pytest.fixture
def backend(kind: str, tiny_models: dict[str, Path]) -> SlotBackend:
    return SlotBackend(tiny_models[kind], max_slots=16, max_context=128)


def greedy(folder: Path, ids: list[int], count: int) -> list[int]:
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    model.generation_config.eos_token_id = None
    prompt = torch.tensor([ids])
    with torch.inference_mode():
        out = model.generate(
            prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=count, do_sample=False, pad_token_id=0
        )
    return out[0, len(ids) :].tolist()


@pytest.mark.parametrize("slots", [1, 3, 16])
def test_greedy_output_is_that_of_transformers_whatever_runs_beside(kind, backend, tiny_models, slots):
    requests = [make_request(backend, prompt, max_tokens=5 + 3 * at) for at, prompt in enumerate(PROMPTS)]
    run(backend, requests, slots=slots)
    for request in requests:
        expected = greedy(tiny_models[kind], list(request.prompt_ids), request.order.settings.max_tokens)
        assert request.samples[0].output == expected


def test_a_seeded_request_says_the_same_alone_and_with_eight_others(backend):
    hot = {"temperature": 0.9, "max_tokens": 24}
    variants = [{}, {"top_k": 20}, {"top_p": 0.8}, {"top_k": 50, "top_p": 0.9}]
    for seed, variant in enumerate(variants):
        alone = make_request(backend, PROMPTS[1], seed=seed, **hot, **variant)
        run(backend, [alone])
        among = make_request(backend, PROMPTS[1], seed=seed, **hot, **variant)
        others = [
            make_request(backend, prompt, seed=9, temperature=1.0, max_tokens=3 + 2 * at)
            for at, prompt in enumerate(PROMPTS)
        ]
        gaps = run(backend, [*others[:4], among, *others[4:8]], slots=5)
        assert among.samples[0].output == alone.samples[0].output
        assert min(gaps) > 0


@pytest.mark.parametrize("settings", [{}, {"temperature": 1.0, "seed": 5, "repetition_penalty": 1.3}])
@pytest.mark.parametrize("step", [2, 4, 9])
def test_a_preempted_request_says_what_it_says_undisturbed(backend, settings, step):
    """Preempted while its prompt is read in chunks, or while it writes."""
    undisturbed, batch = (make_request(backend, TEXTS[0] * 2, **settings) for _ in range(2))
    batch.order = replace(batch.order, priority=Priority.BATCH)
    assert len(batch.prompt_ids) > 2 * 16
    run(backend, [undisturbed], prefill=16)
    urgent = make_request(backend, "a", max_tokens=2)
    gaps = run(backend, [batch], slots=1, prefill=16, late={step: urgent})
    assert len(urgent.samples[0].output) == 2
    assert (batch.samples[0].to_prefill > len(batch.prompt_ids)) == (step >= 4), "its output was prefilled again"
    assert batch.samples[0].output == undisturbed.samples[0].output or min(gaps) < 1e-3


@pytest.fixture
def halved(kind: str, tiny_models: dict[str, Path]) -> SlotBackend:
    """The same size in bfloat16."""
    return SlotBackend(tiny_models[kind], dtype=torch.bfloat16, max_slots=16, max_context=128)


def test_in_bfloat16_every_text_comes_to_its_end_in_company_and_alone_it_is_always_the_same(halved):
    alone = [make_request(halved, PROMPTS[1], seed=3, temperature=0.9) for _ in range(2)]
    for request in alone:
        run(halved, [request])
    assert alone[0].samples[0].output == alone[1].samples[0].output
    requests = [make_request(halved, prompt, samples=2, seed=at, temperature=1.0) for at, prompt in enumerate(PROMPTS)]
    run(halved, requests, slots=5)
    assert all(len(sample.output) == 16 for request in requests for sample in request.samples)
    assert halved._rows == []


@pytest.mark.parametrize("step", [2, 9])
def test_in_bfloat16_a_preempted_request_keeps_what_it_said_and_says_all(halved, step):
    """Company changes the numbers, so the rest may differ; what was said before stays, and nothing is lost."""
    batch = make_request(halved, TEXTS[0] * 2, seed=5, temperature=1.0)
    batch.order = replace(batch.order, priority=Priority.BATCH)
    undisturbed = make_request(halved, TEXTS[0] * 2, seed=5, temperature=1.0)
    run(halved, [undisturbed], prefill=16)
    urgent = make_request(halved, "a", max_tokens=2)
    run(halved, [batch], slots=1, prefill=16, late={step: urgent})
    said = batch.samples[0].to_prefill - len(batch.prompt_ids)
    assert (said > 0) == (step == 9), "its output was prefilled again"
    assert batch.samples[0].output[:said] == undisturbed.samples[0].output[:said]
    assert [len(request.samples[0].output) for request in (batch, urgent)] == [16, 2]
    assert halved._rows == []


def test_samples_of_a_request_differ_and_other_seeds_too(backend):
    request = make_request(backend, PROMPTS[0], samples=3, seed=1, temperature=1.0)
    other = make_request(backend, PROMPTS[0], seed=2, temperature=1.0)
    run(backend, [request, other])
    outputs = {tuple(sample.output) for sample in (*request.samples, *other.samples)}
    assert len(outputs) == 4


def test_numbers_that_are_not_finite_end_only_their_own_sequence(backend, monkeypatch):
    broken, sound = make_request(backend, PROMPTS[0]), make_request(backend, PROMPTS[1])
    alone = make_request(backend, PROMPTS[1])
    run(backend, [alone])
    compute = backend._logits

    def poisoned(one, tokens, places):
        logits = compute(one, tokens, places)
        if one.decoding == 2:
            row = backend._rows.index(broken.samples[0])
            logits[row] = torch.nan
            for layer in backend._cache.layers:
                layer.values[row] = torch.nan
        return logits

    monkeypatch.setattr(backend, "_logits", poisoned)
    scheduler = Scheduler(4, 64, draft_tokens=0)  # the row in the cache is the row of the logits
    scheduler.add(broken)
    scheduler.add(sound)
    failed = []
    while plan := scheduler.schedule():
        for result in backend.step(plan):
            if result.token is None:
                failed.append(result.sequence)
                scheduler.retire(result.sequence)
                backend.release(result.sequence)
                continue
            result.sequence.take(result.token)
            if result.sequence.state is State.FINISHED:
                scheduler.retire(result.sequence)
                backend.release(result.sequence)
    assert failed == [broken.samples[0]]
    assert sound.samples[0].output == alone.samples[0].output


@pytest.mark.parametrize(
    "settings",
    [
        {"logit_bias": ((40, 30.0),)},  # says one token for ever
        {"temperature": 0.6, "seed": 3, "top_k": 4, "samples": 2},
        {"temperature": 0.3, "seed": 4, "top_p": 0.9, "frequency_penalty": 0.4, "repetition_penalty": 1.1},
    ],
)
def test_drafts_save_passes_and_change_no_word(backend, monkeypatch, settings):
    """Beside one that writes, one is still being read: all of it is one pass, whatever is drafted."""
    passes, forward = [], backend._model.forward
    monkeypatch.setattr(backend._model, "forward", lambda **given: passes.append(given) or forward(**given))
    said, counts, gaps = [], [], []
    for drafts in (0, DRAFT_TOKENS):
        passes.clear()
        request = make_request(backend, PROMPTS[1], max_tokens=40, **settings)
        late = make_request(backend, TEXTS[0] * 2, max_tokens=2)
        gaps += run(backend, [request], prefill=16, late={6: late}, drafts=drafts)
        said.append([sample.output for sample in (*request.samples, *late.samples)])
        counts.append(len(passes))
    assert said[0] == said[1] or min(gaps) < 1e-3
    assert backend._rows == []
    assert counts[1] <= counts[0]
    if "logit_bias" in settings:
        assert counts[1] < counts[0] / 2


def test_log_probabilities_are_the_same_with_drafts(backend):
    told = []
    for drafts in (0, DRAFT_TOKENS):
        request, scheduler = make_request(backend, PROMPTS[1], logprobs=2, max_tokens=30), Scheduler(4, 64)
        scheduler.draft_tokens = drafts
        scheduler.add(request)
        results = []
        while plan := scheduler.schedule():
            for result in backend.step(plan):
                results.append(result)
                result.sequence.take(result.token)
            if request.samples[0].state is State.FINISHED:
                scheduler.retire(request.samples[0])
                backend.release(request.samples[0])
        told.append([(each.token, *(round(one.logprob, 3) for one in each.logprobs)) for each in results])
    assert told[0] == told[1]


def test_numbers_that_are_not_finite_amid_a_draft_end_the_sequence_there(backend, monkeypatch):
    """What came before them was said; nothing behind them is."""
    compute = backend._logits

    def poisoned(one, tokens, places):
        logits = compute(one, tokens, places)
        if one.spans and one.spans[0].start:  # a draft
            logits[1] = torch.nan
        return logits

    monkeypatch.setattr(backend, "_logits", poisoned)
    request = make_request(backend, PROMPTS[1], max_tokens=40, logit_bias=((40, 30.0),))
    scheduler = Scheduler(4, 128)
    scheduler.add(request)
    tokens = []
    while None not in tokens:
        for result in backend.step(scheduler.schedule()):
            tokens.append(result.token)
            if result.token is not None:
                result.sequence.take(result.token)
    assert set(tokens[:-1]) == {40}
    assert tokens[-1] is None
    backend.release(request.samples[0])
    assert backend._rows == []


def test_a_cache_holds_nothing_once_every_sequence_has_left(backend):
    empty = backend.memory_bytes
    running = make_request(backend, PROMPTS[0])
    scheduler = Scheduler(4, 64)
    scheduler.add(running)
    backend.step(scheduler.schedule())
    assert backend.memory_bytes > empty, "what is cached counts as memory"
    backend.release(running.samples[0])
    run(backend, [make_request(backend, prompt) for prompt in PROMPTS])
    assert backend.memory_bytes == empty
    assert backend._rows == []
    assert not any(layer.stored() for layer in backend._cache.layers)


def test_a_score_is_that_of_one_forward_pass(kind, backend, tiny_models):
    text = TEXTS[0] + TEXTS[2]
    order = Order(Function.SCORE, text)
    ids = backend.encode(text)
    request = Request(order, Permit("job", "size", "", "score", 0.0, {}), ids, decode=backend.decode)
    scheduler = Scheduler(4, 16)
    scheduler.add(request)
    results = []
    while plan := scheduler.schedule():
        for result in backend.step(plan):
            results.append(result)
            scheduler.retire(result.sequence)
            backend.release(result.sequence)
    (scored,) = results
    assert isinstance(scored, Scored)
    tokens = scored.result.tokens
    with torch.inference_mode():
        logits = AutoModelForCausalLM.from_pretrained(tiny_models[kind])(torch.tensor([ids])).logits[0]
    logprobs = logits.log_softmax(-1)
    assert tokens[0].logprob is None
    assert scored.result.scored == len(ids) - 1 == len(tokens) - 1
    for at, token in enumerate(tokens[1:]):
        row, own = logprobs[at], logprobs[at, ids[at + 1]]
        mean = (row.exp() * row).sum()
        assert token.logprob == pytest.approx(float(own), abs=1e-3)
        assert token.rank == int((row > own).sum()) + 1
        assert token.entropy == pytest.approx(-float(mean), abs=1e-3)
        assert token.variance == pytest.approx(float((row.exp() * (row - mean) ** 2).sum()), abs=1e-2)
        assert text[token.start : token.end] == token.text


def test_a_prompt_inside_the_vocabulary_is_taken_and_an_empty_one_begins_with_the_begin_token(backend):
    assert backend.decode(backend.encode("café 🙂")) == "café 🙂"
    assert backend.encode("") == [0]


def test_characters_outside_the_vocabulary_are_named(backend):
    alphabet = [each for each in pre_tokenizers.ByteLevel.alphabet() if each != "ð"]  # 0xF0 begins every emoji
    gappy = Tokenizer(models.BPE(vocab={each: at for at, each in enumerate(alphabet)}, merges=[]))
    gappy.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    gappy.decoder = decoders.ByteLevel()
    backend._vocabulary._tokenizer = gappy
    with pytest.raises(InvalidPromptError, match=r"U\+1F642"):
        backend.encode("hello 🙂")
    assert backend.encode("hello")


def test_an_empty_prompt_needs_a_begin_token(backend):
    backend._vocabulary.begin_id = None
    with pytest.raises(InvalidPromptError, match="empty"):
        backend.encode("")


def test_a_folder_without_all_its_weights_is_not_loaded(tiny_models, tmp_path):
    from safetensors.torch import load_file, save_file

    for path in tiny_models["gpt2"].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    weights.pop(next(name for name in weights if "h.1.mlp" in name))
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match="every weight"):
        SlotBackend(tmp_path)


def test_settings_of_one_request_do_not_touch_another(backend):
    plain = make_request(backend, PROMPTS[0])
    run(backend, [plain])
    again = make_request(backend, PROMPTS[0])
    wild = replace(again.order.settings, temperature=2.0, top_k=3, top_p=0.5, seed=4)
    other = Request(replace(again.order, settings=wild), again.permit, again.prompt_ids, decode=backend.decode)
    run(backend, [again, other])
    assert again.samples[0].output == plain.samples[0].output


def test_a_step_is_one_pass_over_what_decodes_what_is_read_and_what_is_scored(backend, monkeypatch):
    passes, forward = [], backend._model.forward
    monkeypatch.setattr(backend._model, "forward", lambda **given: passes.append(given) or forward(**given))
    scheduler = Scheduler(4, 64)
    first = make_request(backend, PROMPTS[0])
    scheduler.add(first)
    (said,) = backend.step(scheduler.schedule())
    said.sequence.take(said.token)
    second = make_request(backend, PROMPTS[1])
    text = backend.encode(PROMPTS[2])
    scored = Request(Order(Function.SCORE, PROMPTS[2]), make_permit(), text, decode=backend.decode)
    for request in (second, scored):
        scheduler.add(request)
    results = backend.step(scheduler.schedule())
    assert [result.sequence.request for result in results] == [first, second, scored]
    assert [given["input_ids"].numel() for given in passes] == [
        len(first.prompt_ids),
        1 + len(second.prompt_ids) + len(text),
    ]
