"""transformers as a contender: one request after another, and its own continuous batching."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig
from transformers.generation.streamers import BaseStreamer
from transformers.utils import logging

from benchmarks.serving.workload import Ask
from inference.engine.scheduler import DRAFT_TOKENS

PAGE = 256  # tokens in a block of the cache


class FirstToken(BaseStreamer):  # type: ignore[misc]  # transformers has no types
    """Remembers when the first new token came; the prompt comes before it."""

    def __init__(self) -> None:
        self.puts, self.at = 0, 0.0

    def put(self, value: Any) -> None:
        """Count what is put; the second is the first new token."""
        self.puts += 1
        if self.puts == 2:
            self.at = time.perf_counter()

    def end(self) -> None:
        """Nothing more is to do."""


class Generate:
    """`generate`, one request after another, greedy, in fp32."""

    dtype = torch.float32
    attention = "sdpa"
    options: Mapping[str, Any] = {}

    def __init__(self, folder: str) -> None:
        logging.set_verbosity_error()
        torch.set_num_threads(2)
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=self.dtype, attn_implementation=self.attention
        ).eval()

    def prepare(self, asks: Sequence[Ask]) -> None:
        """Nothing to prepare."""

    @torch.inference_mode()
    def run(self, asks: Sequence[Ask]) -> tuple[list[float], int, list[str]]:
        """Serve in the order of arrival."""
        began, firsts, texts, tokens = time.perf_counter(), [], [], 0
        for ask in asks:
            _sleep_until(began + ask.at)
            first = FirstToken()
            new = self._continue(ask, first)  # [new tokens]
            firsts.append(first.at - began - ask.at)
            tokens += len(new)
            texts.append(self._tokenizer.decode(new, skip_special_tokens=True))
        return firsts, tokens, texts

    def _continue(self, ask: Ask, streamer: FirstToken) -> list[int]:
        ids = torch.tensor([ask.ids])  # [1, prompt]
        made = self._model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            generation_config=_greedy(ask.new_tokens),
            streamer=streamer,
            **self.options,
        )
        return list(made[0, len(ask.ids) :].tolist())


class GenerateLookup(Generate):
    """The same with prompt lookup: it drafts tokens as this engine does, and as many."""

    options: Mapping[str, Any] = {"prompt_lookup_num_tokens": DRAFT_TOKENS}


class Batching(Generate):
    """Continuous batching of transformers, greedy, in fp32, its cache as large as the workload needs."""

    def prepare(self, asks: Sequence[Ask]) -> None:
        """Make the cache of this workload outside the measured time, as a server would have it."""
        blocks = sum(-(-(len(ask.ids) + ask.new_tokens) // PAGE) for ask in asks) + 4
        config = _batching_config(blocks, len(asks))
        longest = max(ask.new_tokens for ask in asks)
        self._manager = self._model.init_continuous_batching(_greedy(longest), continuous_batching_config=config)
        self._manager.start()

    def run(self, asks: Sequence[Ask]) -> tuple[list[float], int, list[str]]:
        """Submit each at its time, wait for all."""
        began, names = time.perf_counter(), []
        for ask in asks:
            _sleep_until(began + ask.at)
            names.append(
                self._manager.add_request(
                    list(ask.ids), max_new_tokens=ask.new_tokens, record_timestamps=True, eos_token_id=-1
                )
            )
        done: dict[str, Any] = {}
        while len(done) < len(names):
            if (result := self._manager.get_result(timeout=60)) is None:
                raise RuntimeError("continuous batching gave no result")
            if result.error:
                raise RuntimeError(result.error)
            done[result.request_id] = result
        self._manager.stop(block=True)
        return self._read([done[name] for name in names], asks, began)

    def _read(self, results: list[Any], asks: Sequence[Ask], began: float) -> tuple[list[float], int, list[str]]:
        firsts = [one.timestamps[0] - began - ask.at for one, ask in zip(results, asks, strict=True) if one.timestamps]
        texts = [self._tokenizer.decode(one.generated_tokens, skip_special_tokens=True) for one in results]
        return firsts, sum(len(one.generated_tokens) for one in results), texts


class BatchingBf16(Batching):
    """The same in bf16."""

    dtype = torch.bfloat16


def _batching_config(blocks: int, requests: int) -> Any:
    from transformers.generation.configuration_utils import ContinuousBatchingConfig

    return ContinuousBatchingConfig(
        page_size=PAGE, num_blocks=blocks, max_batch_tokens=512, max_requests_per_batch=max(requests, 1)
    )


def _greedy(new_tokens: int) -> GenerationConfig:
    return GenerationConfig(max_new_tokens=new_tokens, do_sample=False, eos_token_id=None, pad_token_id=0)


def _sleep_until(moment: float) -> None:
    if (rest := moment - time.perf_counter()) > 0:
        threading.Event().wait(rest)
