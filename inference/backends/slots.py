"""A model size served from slots: in each step one pass over the new tokens of all sequences, laid end to end."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from inference.backends.attention import ATTENTION
from inference.backends.cache import SlotCache, token_bytes
from inference.backends.embedding import Embedding
from inference.backends.likelihood import first_of_prompt, likelihoods
from inference.backends.passes import Pass, Span, running
from inference.backends.pretrained import load_whole, weights_bytes
from inference.backends.sampling import Choice, Draw, choose, rows_of
from inference.backends.scoring import Score
from inference.backends.vocabulary import Vocabulary
from inference.contract import Function, TokenLogprob
from inference.engine.backend import Sampled, Scored
from inference.engine.request import Sequence
from inference.engine.scheduler import Chunk, Plan
from inference.watermark import Watermark


class _Asked(NamedTuple):
    """A sequence whose next token is asked for, and a draft of those to come."""

    sequence: Sequence
    draft: tuple[int, ...] = ()

    def foresaw(self, at: int, token: int | None) -> bool:
        """Whether this is the token at a place of the draft."""
        return at < len(self.draft) and self.draft[at] == token


class _Reading(NamedTuple):
    """Neighbouring tokens of one text that a pass reads, from a position on; row: see Span."""

    row: int | None
    start: int
    tokens: list[int]


class SlotBackend:
    """Causal language model of transformers behind the engine's Backend.

    Decoding sequences, chunks of prompts and texts that are only read share a pass: the weights are read once for all.
    Attention keeps them apart, and the laid out weights (see packed.py) give a token the same numbers in any company.

    Args:
        folder: config, tokenizer and safetensors.
        device: torch device.
        dtype: of weights and cache; only float32 keeps the promise about seeds.
        max_slots: sequences at once.
        max_context: upper bound of prompt and completion together; the model's own limit may be lower.
        max_cache_tokens: tokens of all sequences together; 0: what fits in a quarter of the memory.
        watermark: marks the texts of requests that ask for it; None: such requests are refused.
    """

    functions = frozenset({Function.GENERATE, Function.SCORE, Function.EMBED})

    def __init__(
        self,
        folder: Path,
        *,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        max_slots: int = 64,
        max_context: int = 2048,
        max_cache_tokens: int = 0,
        watermark: Watermark | None = None,
    ) -> None:
        self._watermark = watermark
        self._device = torch.device(device)
        self._model = load_whole(AutoModelForCausalLM, folder, dtype, self._device, attn_implementation=ATTENTION)
        self._vocabulary = Vocabulary(folder)
        config = self._model.config.get_text_config()
        self.context: int = min(config.max_position_embeddings, max_context)
        self.vocabulary_size: int = config.vocab_size
        self.end_ids = _end_ids(self._model, self._vocabulary)
        self._weights_bytes = weights_bytes(self._model)
        affordable = max_cache_tokens or max(
            self.context, _memory(self._device) // 4 // token_bytes(config, self._model.dtype)
        )
        self.cache_tokens: int = min(affordable, max_slots * self.context)
        self._cache = SlotCache(config.num_hidden_layers, max_slots, self.context)
        self._cache_argument = {_cache_argument(self._model): self._cache}
        # Attention asks the pass who sees whom; the model is given something, or it would make a mask of its own.
        self._no_mask = torch.zeros(1, 1, 1, 1, dtype=self._model.dtype, device=self._device)
        self._rows: list[Sequence] = []  # row -> sequence; those that decode first
        self._decoding = 0
        self._scores: dict[Sequence, Score] = {}
        self._embeddings: dict[Sequence, Embedding] = {}
        self._read: dict[Sequence, list[TokenLogprob]] = {}  # of prompts that are to be echoed with them

    @property
    def can_watermark(self) -> bool:
        """Whether there is something to mark texts with."""
        return self._watermark is not None

    @property
    def memory_bytes(self) -> int:
        """Memory of the weights, and of the cache as it has grown."""
        return self._weights_bytes + self._cache.memory_bytes

    def encode(self, prompt: str) -> list[int]:
        """Token ids of a prompt; raises InvalidPromptError."""
        return self._vocabulary.encode(prompt)

    def decode(self, ids: list[int]) -> str:
        """Text of token ids."""
        return self._vocabulary.decode(ids)

    @torch.inference_mode()
    def step(self, plan: Plan) -> list[Sampled | Scored]:
        """Run one step: every decoding sequence one token further, and the planned chunks."""
        embedded = [chunk for chunk in plan.prefill if _function_of(chunk) is Function.EMBED]
        chunks = [chunk for chunk in plan.prefill if _function_of(chunk) is not Function.EMBED]
        results: list[Sampled | Scored] = self._speak(plan, chunks) if plan.decode or chunks else []
        if embedded:
            self._embed(embedded)
        ended = [
            chunk.sequence for chunk in plan.prefill if chunk.is_last and _function_of(chunk) is not Function.GENERATE
        ]
        return [*results, *map(self._result_of, ended)]

    @torch.inference_mode()  # the cache was made in inference mode and can only be written in it
    def release(self, sequence: Sequence) -> None:
        """Free the row of a sequence, and close the holes so that the rows stay together."""
        self._scores.pop(sequence, None)
        self._embeddings.pop(sequence, None)
        self._read.pop(sequence, None)
        if sequence not in self._rows:
            return
        row = self._rows.index(sequence)
        self._cache.wipe(row, sequence.cached)
        if row < self._decoding:
            self._decoding -= 1
            row = self._fill(row, self._decoding)
        self._fill(row, len(self._rows) - 1)
        self._rows.pop()
        if not self._rows:
            self._cache.forget()  # an idle size keeps its weights, not its cache

    def reset(self) -> None:
        """Free every row."""
        self._rows.clear()
        self._scores.clear()
        self._embeddings.clear()
        self._read.clear()
        self._decoding = 0
        self._cache.forget()

    def _speak(self, plan: Plan, chunks: list[Chunk]) -> list[Sampled | Scored]:
        """One pass that ends in logits; returns the next tokens of those that decode and whose prompt is complete."""
        speaking = self._rows[: self._decoding] if plan.decode else []
        asked = [_Asked(sequence, plan.drafts.get(sequence, ())) for sequence in speaking]
        decoding = [] if plan.drafts else speaking
        drafted = [self._reading_of_draft(*each) for each in asked] if plan.drafts else []
        one, tokens = self._laid_out(decoding, [*drafted, *map(self._reading, chunks)])
        spoken = sum(1 + len(each.draft) for each in asked)  # the first tokens of the pass
        kept = [_kept(chunk, span) for chunk, span in zip(chunks, one.spans[len(drafted) :], strict=True)]
        logits = self._logits(one, tokens, [*range(spoken), *(place for each in kept for place in each)])
        rows, at = [logits[:spoken]], spoken  # [kept, vocabulary]
        for chunk, each in zip(chunks, kept, strict=True):
            self._read_chunk(chunk, logits[at : at + len(each)])
            at += len(each)
            if chunk.is_last and _function_of(chunk) is Function.GENERATE:
                asked.append(_Asked(chunk.sequence))
                rows.append(logits[at - 1 : at])
        return [*self._sample(asked, torch.cat(rows))] if asked else []

    def _embed(self, chunks: list[Chunk]) -> None:
        """One pass that ends in hidden states, without the cost of logits."""
        one, tokens = self._laid_out([], [self._reading(chunk) for chunk in chunks])
        with running(one):
            hidden = self._model.base_model(**self._given(one, tokens)).last_hidden_state[0]  # [tokens, width]
        for chunk, span in zip(chunks, one.spans, strict=True):
            self._gather(chunk.sequence, hidden[span.first : span.last], ())

    def _reading(self, chunk: Chunk) -> _Reading:
        row = None if _is_whole_text(chunk) else self._row_of(chunk.sequence)
        return _Reading(row, chunk.start, chunk.sequence.tokens(chunk.start, chunk.stop))

    def _reading_of_draft(self, sequence: Sequence, draft: tuple[int, ...]) -> _Reading:
        """Read a draft like a chunk: the last token of the text, and what may follow it."""
        return _Reading(self._row_of(sequence), sequence.position, [sequence.last_token, *draft])

    def _laid_out(self, decoding: list[Sequence], readings: Iterable[_Reading]) -> tuple[Pass, list[int]]:
        """The pass over the last tokens of sequences and over readings, and its tokens end to end."""
        tokens = [sequence.last_token for sequence in decoding]
        spans = []
        for row, start, read in readings:
            spans.append(Span(row, start, start + len(read), len(tokens)))
            tokens += read
        return Pass([sequence.position for sequence in decoding], spans, self._device), tokens

    def _logits(self, one: Pass, tokens: list[int], places: list[int]) -> Tensor:
        """Logits [places, vocabulary] at some places of a pass."""
        # Without any there would be nothing to compute at all, and nothing in the cache: then the last will do.
        keep = torch.tensor(places or [len(tokens) - 1], device=self._device)
        with running(one):
            output = self._model(**self._given(one, tokens), logits_to_keep=keep)
        logits: Tensor = output.logits[0, : len(places)]
        return logits

    def _given(self, one: Pass, tokens: list[int]) -> dict[str, Any]:
        """Arguments of the model for a pass."""
        is_cached = one.decoding > 0 or any(span.row is not None for span in one.spans)
        if is_cached:
            self._cache.aim_at(one)
        return {
            "input_ids": torch.tensor([tokens], dtype=torch.int64, device=self._device),  # [1, tokens]
            "position_ids": one.positions().unsqueeze(0),  # [1, tokens]
            "attention_mask": self._no_mask,
            "use_cache": is_cached,
            **(self._cache_argument if is_cached else {}),
        }

    def _read_chunk(self, chunk: Chunk, logits: Tensor) -> None:
        """Keep what the logits [kept, vocabulary] of a chunk say of the text itself, and let a full prompt decode."""
        sequence, prompt = chunk.sequence, chunk.sequence.request.prompt_ids
        following = prompt[chunk.start + 1 : chunk.stop + 1]
        if _function_of(chunk) is Function.SCORE:
            self._gather(sequence, logits, following)
            return
        if _is_echo(chunk):
            first = [first_of_prompt(prompt[0], self._vocabulary)]
            self._read.setdefault(sequence, first).extend(self._told(sequence, logits[: len(following)], following))
        if chunk.is_last:
            self._let_decode(self._row_of(sequence))

    def _gather(self, sequence: Sequence, states: Tensor, following: list[int] | tuple[int, ...]) -> None:
        """Add what was computed of the next tokens of a text: hidden states of an embedding, logits of a score."""
        order = sequence.request.order
        if order.function is Function.EMBED:
            self._embeddings.setdefault(sequence, Embedding(order.pooling)).add(states)
        else:
            self._scores.setdefault(sequence, Score()).add(states, following)

    def _sample(self, asked: list[_Asked], logits: Tensor) -> list[Sampled]:
        """The next tokens of sequences, of logits [places, vocabulary]: those of one stand together.

        Token by token: behind one that a draft did not foresee the logits say nothing, and nobody looks at them.
        """
        places = list(accumulate((1 + len(each.draft) for each in asked[:-1]), initial=0))
        said: list[list[Sampled]] = [[] for _ in asked]
        going_on, at = list(range(len(asked))), 0
        while going_on:
            rows = rows_of(logits, [places[number] + at for number in going_on])  # [going on, vocabulary]
            choices = choose(rows, [_draw(asked[number], at) for number in going_on], self._watermark)
            for number, choice, row in zip(going_on, choices, rows, strict=True):
                said[number].append(self._sampled(asked[number].sequence, choice, row))
            going_on = [number for number in going_on if asked[number].foresaw(at, said[number][-1].token)]
            at += 1
        return [one for each in said for one in each]

    def _sampled(self, sequence: Sequence, choice: Choice, logits: Tensor) -> Sampled:
        if choice.token is None or sequence.request.order.settings.logprobs is None:
            return Sampled(sequence, choice.token, choice.gap)
        told = self._told(sequence, logits.unsqueeze(0), [choice.token])
        return Sampled(sequence, choice.token, choice.gap, tuple(told), tuple(self._read.pop(sequence, ())))

    def _told(self, sequence: Sequence, logits: Tensor, tokens: list[int] | tuple[int, ...]) -> list[TokenLogprob]:
        return likelihoods(logits, tokens, sequence.request.order.settings.logprobs or 0, self._vocabulary)

    def _result_of(self, sequence: Sequence) -> Scored:
        request = sequence.request
        if request.order.function is Function.EMBED:
            return Scored(sequence, self._embeddings[sequence].result())
        score = self._scores[sequence]
        if not score.is_sound:
            return Scored(sequence, None)
        return Scored(sequence, score.result(request.order.prompt, request.prompt_ids, self._vocabulary))

    def _row_of(self, sequence: Sequence) -> int:
        if sequence not in self._rows:
            self._rows.append(sequence)
        return self._rows.index(sequence)

    def _let_decode(self, row: int) -> None:
        """Count a row whose prompt is complete among those that decode, the first of the rest making room."""
        first = self._decoding
        if row != first:
            length = max(self._rows[row].cached, self._rows[first].cached)
            self._cache.swap(row, first, length)
            self._rows[row], self._rows[first] = self._rows[first], self._rows[row]
        self._decoding += 1

    def _fill(self, hole: int, last: int) -> int:
        """Move the row `last` into the hole; return the new hole."""
        if hole != last:
            self._cache.move(last, hole, self._rows[last].cached)
            self._rows[hole] = self._rows[last]
        return last


def _function_of(chunk: Chunk) -> Function:
    return chunk.sequence.request.order.function


def _is_whole_text(chunk: Chunk) -> bool:
    """Whether a chunk is all of a text after which no token is sampled."""
    return _function_of(chunk) is not Function.GENERATE and chunk.start == 0 and chunk.is_last


def _is_echo(chunk: Chunk) -> bool:
    """Whether the log-probabilities of the prompt are asked for, and were not said before a preemption."""
    settings = chunk.sequence.request.order.settings
    return settings.echo and settings.logprobs is not None and not chunk.sequence.output


def _kept(chunk: Chunk, span: Span) -> range:
    """Places of a pass whose logits somebody reads: all of a text that is read itself, else the end of a prompt."""
    if _function_of(chunk) is Function.SCORE or _is_echo(chunk):
        return range(span.first, span.last)
    return range(span.last - 1, span.last) if chunk.is_last else range(0)


def _draw(asked: _Asked, at: int) -> Draw:
    """The choice of the next token, or of the one behind so many tokens of its draft."""
    sequence = asked.sequence
    request, output = sequence.request, sequence.output
    said = [*output, *asked.draft[:at]] if at else output
    return Draw(request.order.settings, sequence.sample, len(said), request.prompt_ids, said)


def _memory(device: torch.device) -> int:
    """Bytes of memory of a device."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _cache_argument(model: Any) -> str:
    """Name under which the model's forward takes its cache: transformers renamed it in 5.24."""
    return "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"


def _end_ids(model: Any, vocabulary: Vocabulary) -> frozenset[int]:
    """Token ids that end a text: those of the generation config and the tokenizer's own."""
    configured = model.generation_config.eos_token_id
    ids = configured if isinstance(configured, list) else [configured]
    return frozenset(each for each in [*ids, vocabulary.end_id] if each is not None)
