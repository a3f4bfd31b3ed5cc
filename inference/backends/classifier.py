"""A model size that classifies texts: whole texts of about equal length in one pass, nothing cached, nothing drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForSequenceClassification

from inference.backends.batches import buckets
from inference.backends.pretrained import load_whole, weights_bytes
from inference.backends.vocabulary import Vocabulary
from inference.contract import ClassifyResult, Function
from inference.engine.backend import Sampled, Scored
from inference.engine.request import Sequence
from inference.engine.scheduler import Chunk, Plan

DIGITS = 6
REGRESSION, MULTI_LABEL = "regression", "multi_label_classification"


class ClassifierBackend:
    """Sequence classifier of transformers behind the engine's Backend.

    A text is read in one pass with its last chunk: an encoder lets each token look at those behind it, so no chunk has
    numbers of its own. Probabilities are the same to 1e-4 in any company.

    Args:
        folder: config, tokenizer and safetensors.
        device: torch device.
        dtype: of the weights.
        max_slots: texts at once.
        max_context: upper bound of a text; the model's own limit may be lower.
    """

    functions = frozenset({Function.CLASSIFY})
    can_watermark = False  # it writes nothing

    def __init__(
        self,
        folder: Path,
        *,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        max_slots: int = 64,
        max_context: int = 2048,
    ) -> None:
        self._device = torch.device(device)
        self._model = load_whole(AutoModelForSequenceClassification, folder, dtype, self._device)
        self._vocabulary = Vocabulary(folder, is_exact=False)
        config = self._model.config
        if config.problem_type == REGRESSION:
            raise ValueError("a regression has no labels")
        self._labels = [str(config.id2label[number]) for number in range(config.num_labels)]
        self._is_multi_label = config.problem_type == MULTI_LABEL or config.num_labels == 1
        self._pads_itself = config.get_text_config().pad_token_id is not None
        self.context: int = min(_positions(self._model), max_context)
        self.vocabulary_size: int = config.get_text_config().vocab_size
        self.end_ids: frozenset[int] = frozenset()
        self.memory_bytes: int = weights_bytes(self._model)
        self.cache_tokens: int = max_slots * self.context  # never less than the texts of a step: there is no cache

    def encode(self, prompt: str) -> list[int]:
        """Token ids of a text; raises InvalidPromptError for an empty one without a token to begin with."""
        return self._vocabulary.encode(prompt)

    def decode(self, ids: list[int]) -> str:
        """Text of token ids."""
        return self._vocabulary.decode(ids)

    @torch.inference_mode()
    def step(self, plan: Plan) -> list[Sampled | Scored]:
        """Classify the texts whose last chunk is planned."""
        results: list[Sampled | Scored] = []
        for batch in buckets(chunk for chunk in plan.prefill if chunk.is_last):
            results += self._classify(batch)
        return results

    def release(self, sequence: Sequence) -> None:
        """Nothing is held for a text."""

    def reset(self) -> None:
        """Nothing is held for any text."""

    def _classify(self, chunks: list[Chunk]) -> list[Scored]:
        texts = [chunk.sequence.request.prompt_ids for chunk in chunks]
        pad = self._padding(texts)
        if len(chunks) > 1 and pad >= self.vocabulary_size:  # they hold every token there is
            return [one for chunk in chunks for one in self._classify([chunk])]
        lengths = torch.tensor([len(text) for text in texts])
        length = int(lengths.max())
        tokens = torch.tensor([[*text, *[pad] * (length - len(text))] for text in texts])  # [texts, length]
        mask = (torch.arange(length) < lengths.unsqueeze(-1)).long()  # [texts, length]
        output = self._model(input_ids=tokens.to(self._device), attention_mask=mask.to(self._device))
        rows = zip(chunks, lengths.tolist(), self._probabilities(output.logits.float()), strict=True)
        return [Scored(chunk.sequence, self._told(row, tokens_read)) for chunk, tokens_read, row in rows]

    def _padding(self, texts: list[tuple[int, ...]]) -> int:
        """A token to fill up with. A decoder looks for its last token that is none of these.

        Where the configuration names no such token it gets one that no text of this pass holds: then the last token is
        the text's own, as for a text alone.
        """
        config: Any = self._model.config.get_text_config()
        if not self._pads_itself:
            held = {token for text in texts for token in text}
            config.pad_token_id = next(token for token in range(len(held) + 1) if token not in held)
        return int(config.pad_token_id)

    def _probabilities(self, logits: Tensor) -> Tensor:
        """Of logits [texts, labels]."""
        return logits.sigmoid() if self._is_multi_label else logits.softmax(-1)

    def _told(self, probabilities: Tensor, tokens: int) -> ClassifyResult | None:
        if not torch.isfinite(probabilities).all():
            return None
        pairs = zip(self._labels, probabilities.tolist(), strict=True)
        ranked = sorted(pairs, key=lambda pair: pair[1], reverse=True)
        told = tuple((label, round(probability, DIGITS)) for label, probability in ranked)
        return ClassifyResult(told, self._is_multi_label, tokens)


def _positions(model: Any) -> int:
    """Tokens that a text may have. Tables that keep their first rows for padding say more than they take."""
    table = getattr(getattr(model.base_model, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    longest = int(getattr(model.config.get_text_config(), "max_position_embeddings", 2**31))
    return longest if padding is None else longest - padding - 1
