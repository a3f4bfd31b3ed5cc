"""Peers with libraries of their own as contenders; run with the Python of the peers' environment."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from benchmarks.serving.workload import Ask

THREADS = 2
GROUP = 16  # prompts of similar length in one batch: larger ones were slower on a small machine
CONTEXT = 64 * 512  # positions that llama.cpp's cache holds, over all sequences


class CTranslate2:
    """Static batches, sorted by length; all prompts of a burst are known at once, which is its best case."""

    compute_type = "float32"

    def __init__(self, folder: str) -> None:
        import ctranslate2

        self._tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
        self._generator = ctranslate2.Generator(
            str(_converted(Path(folder))), device="cpu", compute_type=self.compute_type, intra_threads=THREADS
        )

    def prepare(self, asks: Sequence[Ask]) -> None:
        """Nothing to prepare."""

    def run(self, asks: Sequence[Ask]) -> tuple[list[float], int, list[str]]:
        """Serve groups of what has arrived; a group's first tokens come in one step."""
        began = time.perf_counter()
        waiting = sorted(range(len(asks)), key=lambda at: (asks[at].at, len(asks[at].ids)))
        firsts, made = dict.fromkeys(waiting, 0.0), {}
        while waiting:
            _sleep_until(began + asks[waiting[0]].at)
            now = time.perf_counter() - began
            group = [at for at in waiting if asks[at].at <= now][:GROUP]
            waiting = [at for at in waiting if at not in group]
            made |= self._serve(group, asks, firsts)
        texts = [self._tokenizer.decode(made[at], skip_special_tokens=True) for at in range(len(asks))]
        known = [firsts[at] - began - asks[at].at for at in range(len(asks))]
        return known, sum(len(ids) for ids in made.values()), texts

    def _serve(self, group: list[int], asks: Sequence[Ask], firsts: dict[int, float]) -> dict[int, list[int]]:
        def arrived(step: Any) -> bool:
            if firsts[group[step.batch_id]] == 0.0:
                firsts[group[step.batch_id]] = time.perf_counter()
            return False

        results = self._generator.generate_batch(
            [[self._tokenizer.id_to_token(token) for token in asks[at].ids] for at in group],
            max_length=max(asks[at].new_tokens for at in group),
            include_prompt_in_result=False,
            sampling_topk=1,
            beam_size=1,
            end_token=[],
            callback=arrived,
        )
        return {at: result.sequences_ids[0][: asks[at].new_tokens] for at, result in zip(group, results, strict=True)}


class CTranslate2Int8(CTranslate2):
    """The same with weights of eight bits."""

    compute_type = "int8"


class LlamaCpp:
    """llama.cpp with weights of eight bits, all sequences decoded together."""

    def __init__(self, folder: str) -> None:
        import llama_cpp

        self._api: Any = llama_cpp
        llama_cpp.llama_backend_init()
        self._tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
        settings = llama_cpp.llama_model_default_params()
        settings.n_gpu_layers = 0
        settings.use_extra_bufts = False  # its repacked weights stop with an illegal instruction on some machines
        self._model = llama_cpp.llama_model_load_from_file(str(_quantized(Path(folder))).encode(), settings)
        self._vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self._model))
        self._context: Any = None

    def prepare(self, asks: Sequence[Ask]) -> None:
        """Make an empty cache outside the measured time."""
        if self._context is not None:
            self._api.llama_free(self._context)
        settings = self._api.llama_context_default_params()
        settings.n_ctx, settings.n_batch, settings.n_ubatch = CONTEXT, 512, 512
        settings.n_seq_max = max(len(asks), 1)
        settings.kv_unified = True
        settings.n_threads = settings.n_threads_batch = THREADS
        self._context = self._api.llama_init_from_model(self._model, settings)
        self._batch = self._api.llama_batch_init(512, 0, 1)

    def run(self, asks: Sequence[Ask]) -> tuple[list[float], int, list[str]]:
        """Prefill what has arrived one by one, then decode every running sequence in one pass."""
        began = time.perf_counter()
        waiting = sorted(range(len(asks)), key=lambda at: asks[at].at)
        running: list[int] = []
        made: dict[int, list[int]] = {at: [] for at in waiting}
        firsts = [0.0] * len(asks)
        while waiting or running:
            if not running:
                _sleep_until(began + asks[waiting[0]].at)
            while waiting and asks[waiting[0]].at <= time.perf_counter() - began:
                at = waiting.pop(0)
                made[at].append(self._prefill(at, asks[at].ids))
                firsts[at] = time.perf_counter() - began - asks[at].at
                running.append(at)
            running = [at for at in running if len(made[at]) < asks[at].new_tokens]
            if running:
                self._decode(running, asks, made)
        texts = [self._tokenizer.decode(made[at], skip_special_tokens=True) for at in range(len(asks))]
        return firsts, sum(len(ids) for ids in made.values()), texts

    def _prefill(self, sequence: int, ids: Sequence[int]) -> int:
        self._fill([(token, at, sequence, at == len(ids) - 1) for at, token in enumerate(ids)])
        return self._best(len(ids) - 1)

    def _decode(self, running: list[int], asks: Sequence[Ask], made: dict[int, list[int]]) -> None:
        self._fill([(made[at][-1], len(asks[at].ids) + len(made[at]) - 1, at, True) for at in running])
        for row, at in enumerate(running):
            made[at].append(self._best(row))

    def _fill(self, entries: list[tuple[int, int, int, bool]]) -> None:
        batch = self._batch
        batch.n_tokens = len(entries)
        for row, (token, position, sequence, is_wanted) in enumerate(entries):
            batch.token[row], batch.pos[row], batch.logits[row] = token, position, is_wanted
            batch.n_seq_id[row], batch.seq_id[row][0] = 1, sequence
        if self._api.llama_decode(self._context, batch) != 0:
            raise RuntimeError("llama.cpp could not decode")

    def _best(self, row: int) -> int:
        logits = self._api.llama_get_logits_ith(self._context, row)
        return int(np.ctypeslib.as_array(logits, shape=(self._vocabulary,)).argmax())


def _converted(folder: Path) -> Path:
    """The weights in ctranslate2's format, made once beside the model."""
    target = folder.parent / "ctranslate2"
    if not target.exists():
        import ctranslate2

        ctranslate2.converters.TransformersConverter(str(folder)).convert(str(target))
    return target


def _quantized(folder: Path) -> Path:
    """The weights in eight bits, made once from the file that the model came in."""
    source, target = folder.parent / "source.gguf", folder.parent / "q8_0.gguf"
    if not target.exists():
        import llama_cpp

        settings = llama_cpp.llama_model_quantize_default_params()
        settings.ftype = llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0
        settings.allow_requantize = True
        if llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(settings)) != 0:
            raise RuntimeError("llama.cpp could not quantize")
    return target


def _sleep_until(moment: float) -> None:
    if (rest := moment - time.perf_counter()) > 0:
        threading.Event().wait(rest)
