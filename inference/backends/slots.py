"""A model size served from slots: prompts go in one by one, all running sequences decode in one pass."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from inference.backends.batches import buckets
from inference.backends.cache import SlotCache, token_bytes
from inference.backends.embedding import Embedding
from inference.backends.likelihood import first_of_prompt, likelihoods
from inference.backends.pretrained import load_whole
from inference.backends.quicker import ATTENTION
from inference.backends.sampling import Choice, Draw, choose
from inference.backends.scoring import Score
from inference.backends.vocabulary import Vocabulary
from inference.contract import Function, TokenLogprob
from inference.engine.backend import Sampled, Scored
from inference.engine.request import Sequence
from inference.engine.scheduler import Chunk, Plan


class SlotBackend:
    """Causal language model of transformers behind the engine's Backend.

    A prompt is computed alone and in chunks of its own, so that its numbers never depend on the company. Short texts
    that are only scored or embedded go together: nothing is drawn from them, and their numbers are the same to 1e-4.

    Args:
        folder: config, tokenizer and safetensors.
        device: torch device.
        dtype: of weights and cache; only float32 keeps the promise about seeds.
        max_slots: sequences at once.
        max_context: upper bound of prompt and completion together; the model's own limit may be lower.
        max_cache_tokens: tokens of all sequences together; 0: what fits in a quarter of the memory.
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
    ) -> None:
        self._device = torch.device(device)
        model = load_whole(AutoModelForCausalLM, folder, dtype, attn_implementation=ATTENTION)
        self._model = model.to(self._device).eval()
        self._vocabulary = Vocabulary(folder)
        config = self._model.config.get_text_config()
        self.context: int = min(config.max_position_embeddings, max_context)
        self.vocabulary_size: int = config.vocab_size
        self.end_ids = _end_ids(self._model, self._vocabulary)
        self.memory_bytes: int = sum(each.nbytes for each in self._model.parameters())
        affordable = max_cache_tokens or max(self.context, _memory(self._device) // 4 // token_bytes(config, dtype))
        self.cache_tokens: int = min(affordable, max_slots * self.context)
        self._cache = SlotCache(config.num_hidden_layers, max_slots, self.context)
        self._cache_argument = {_cache_argument(self._model): self._cache}
        self._rows: list[Sequence] = []  # row -> sequence; those that decode first
        self._decoding = 0
        self._scores: dict[Sequence, Score] = {}
        self._embeddings: dict[Sequence, Embedding] = {}
        self._read: dict[Sequence, list[TokenLogprob]] = {}  # of prompts that are to be echoed with them

    def encode(self, prompt: str) -> list[int]:
        """Token ids of a prompt; raises InvalidPromptError."""
        return self._vocabulary.encode(prompt)

    def decode(self, ids: list[int]) -> str:
        """Text of token ids."""
        return self._vocabulary.decode(ids)

    @torch.inference_mode()
    def step(self, plan: Plan) -> list[Sampled | Scored]:
        """Run one step: every decoding sequence one token further, then the planned chunks."""
        sequences, logits = self._decode_all() if plan.decode else ([], [])
        together = [chunk for chunk in plan.prefill if _is_whole_text(chunk)]
        for function in (Function.SCORE, Function.EMBED):
            for batch in buckets(chunk for chunk in together if _function_of(chunk) is function):
                self._read_whole(batch, function)
        scored = [self._result_of(chunk.sequence) for chunk in together]
        for chunk in plan.prefill:
            if chunk in together:
                continue
            last = self._prefill(chunk)  # [1, vocabulary]
            if not chunk.is_last:
                continue
            if _function_of(chunk) is Function.GENERATE:
                sequences.append(chunk.sequence)
                logits.append(last)
            else:
                scored.append(self._result_of(chunk.sequence))
        return [*self._sample(sequences, logits), *scored]

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

    def _decode_all(self) -> tuple[list[Sequence], list[Tensor]]:
        """One pass over the rows that decode; logits [rows, vocabulary]."""
        sequences = self._rows[: self._decoding]
        tokens = self._tensor([[sequence.last_token] for sequence in sequences])  # [rows, 1]
        positions = self._tensor([sequence.position for sequence in sequences])  # [rows]
        self._cache.aim_at_tokens(positions)
        length = int(positions.max()) + 1
        # A row reads its own positions only; what lies behind belongs to longer rows. [rows, 1, 1, length]
        mask = (torch.arange(length, device=self._device) <= positions.unsqueeze(-1))[:, None, None]
        return sequences, [self._forward(tokens, positions.unsqueeze(-1), mask)[:, -1]]

    def _prefill(self, chunk: Chunk) -> Tensor:
        """One pass over a chunk of a prompt; logits of its last token [1, vocabulary], of an embedding its state."""
        sequence, start, stop = chunk.sequence, chunk.start, chunk.stop
        row = self._row_of(sequence)
        self._cache.aim_at_prompt(row, start, stop)
        prompt = sequence.request.prompt_ids
        tokens = self._tensor([sequence.tokens(start, stop)])  # [1, chunk]
        positions = torch.arange(start, stop, device=self._device)  # [chunk]
        mask = (torch.arange(stop, device=self._device) <= positions.unsqueeze(-1))[None, None]  # [1, 1, chunk, stop]
        order = sequence.request.order
        if order.function is Function.EMBED:
            hidden = self._hidden(tokens, positions.unsqueeze(0), mask)
            self._gather(sequence, hidden[0], ())
            return hidden[:, -1]
        is_score = order.function is Function.SCORE
        is_echo = order.settings.echo and order.settings.logprobs is not None and not sequence.output  # else: said
        logits = self._forward(tokens, positions.unsqueeze(0), mask, keep_all=is_score or is_echo)
        following = prompt[start + 1 : stop + 1]
        if is_score:
            self._gather(sequence, logits[0], following)
            return logits[:, -1]
        if is_echo:
            first = [first_of_prompt(prompt[0], self._vocabulary)]
            self._read.setdefault(sequence, first).extend(self._told(sequence, logits[0, : len(following)], following))
        if chunk.is_last:
            self._let_decode(row)
        return logits[:, -1]

    def _read_whole(self, chunks: list[Chunk], function: Function) -> None:
        """One pass over whole texts, filled up behind to the longest; nothing is cached, nothing comes after them."""
        length = max(chunk.stop for chunk in chunks)
        texts = [list(chunk.sequence.request.prompt_ids) for chunk in chunks]
        tokens = self._tensor([text + [0] * (length - len(text)) for text in texts])  # [texts, length]
        positions = torch.arange(length, device=self._device)  # [length]
        mask = (positions <= positions.unsqueeze(-1))[None, None]  # [1, 1, length, length]; hides what was filled up
        positions = positions.expand(len(texts), -1)
        model = self._model.base_model if function is Function.EMBED else self._model
        output = model(input_ids=tokens, position_ids=positions, attention_mask=mask, use_cache=False)
        read = output.last_hidden_state if function is Function.EMBED else output.logits  # [texts, length, ...]
        for chunk, text, states in zip(chunks, texts, read, strict=True):
            self._gather(chunk.sequence, states[: len(text)], text[1:])

    def _gather(self, sequence: Sequence, states: Tensor, following: list[int] | tuple[int, ...]) -> None:
        """Add what was computed of the next tokens of a text: hidden states of an embedding, logits of a score."""
        order = sequence.request.order
        if order.function is Function.EMBED:
            self._embeddings.setdefault(sequence, Embedding(order.pooling)).add(states)
        else:
            self._scores.setdefault(sequence, Score()).add(states, following)

    def _hidden(self, tokens: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        """Hidden states [batch, new, width] of the last layer, as `_forward` without the cost of logits."""
        output = self._model.base_model(
            input_ids=tokens, position_ids=positions, attention_mask=mask, use_cache=True, **self._cache_argument
        )
        hidden: Tensor = output.last_hidden_state
        return hidden

    def _forward(self, tokens: Tensor, positions: Tensor, mask: Tensor, *, keep_all: bool = False) -> Tensor:
        """Logits [batch, kept, vocabulary] of tokens and positions [batch, new], mask [batch, 1, new, length]."""
        output = self._model(
            input_ids=tokens,
            position_ids=positions,
            attention_mask=mask,
            use_cache=True,
            logits_to_keep=0 if keep_all else 1,
            **self._cache_argument,
        )
        logits: Tensor = output.logits
        return logits

    def _sample(self, sequences: list[Sequence], logits: list[Tensor]) -> list[Sampled]:
        if not sequences:
            return []
        rows = torch.cat(logits)  # [sequences, vocabulary]
        choices = choose(rows, [_draw(sequence) for sequence in sequences])
        return [self._sampled(*one) for one in zip(sequences, choices, rows, strict=True)]

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

    def _tensor(self, numbers: list[int] | list[list[int]]) -> Tensor:
        return torch.tensor(numbers, dtype=torch.int64, device=self._device)


def _function_of(chunk: Chunk) -> Function:
    return chunk.sequence.request.order.function


def _is_whole_text(chunk: Chunk) -> bool:
    """Whether a chunk is all of a text after which no token is sampled."""
    return _function_of(chunk) is not Function.GENERATE and chunk.start == 0 and chunk.is_last


def _draw(sequence: Sequence) -> Draw:
    request, output = sequence.request, sequence.output
    return Draw(request.order.settings, sequence.sample, len(output), request.prompt_ids, output)


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
