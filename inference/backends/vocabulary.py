"""Text to token ids and back, refusing text that a vocabulary cannot carry."""

from __future__ import annotations

from pathlib import Path

from transformers import AutoTokenizer

from inference.engine.backend import InvalidPromptError

SHOWN_CHARACTERS = 10


class Vocabulary:
    """Tokenizer of a model size. Safe to use from several threads.

    Args:
        folder: the model folder.
        is_exact: refuse text that would not come back as it went in; a classifier reads what its tokenizer makes of it.
    """

    def __init__(self, folder: Path, *, is_exact: bool = True) -> None:
        outer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False, use_fast=True)
        # The inner tokenizer has no state that a call changes; the outer one sets padding and truncation per call.
        self._tokenizer = outer.backend_tokenizer
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._anchor = self._tokenizer.encode("a", add_special_tokens=False).ids[-1:]
        self._is_exact = is_exact
        self._names: dict[int, str] = {}
        self.begin_id: int | None = outer.bos_token_id
        self.end_id: int | None = outer.eos_token_id

    def encode(self, text: str) -> list[int]:
        """Token ids of a prompt, with what the tokenizer puts before it.

        Raises InvalidPromptError for characters outside the vocabulary, and for an empty text where the model size
        has no token to begin with.
        """
        if self._is_exact:
            self._check(text)
        ids: list[int] = self._tokenizer.encode(text).ids
        if not ids and self.begin_id is not None:
            ids = [self.begin_id]
        if not ids:
            raise InvalidPromptError("the text is empty, and this size has no token to begin with")
        return ids

    def decode(self, ids: list[int]) -> str:
        """Text of token ids, special tokens left out."""
        return str(self._tokenizer.decode(ids, skip_special_tokens=True))

    def name(self, token: int) -> str:
        """Text of one token as it reads within a text, special tokens as they are written."""
        if token not in self._names:
            self._names[token] = self._name(token)
        return self._names[token]

    def offsets(self, text: str) -> list[tuple[int, int] | None]:
        """Characters start..end of each token of `encode(text)`, None for tokens the tokenizer added."""
        encoding = self._tokenizer.encode(text)
        added = encoding.special_tokens_mask
        return [None if is_added else span for span, is_added in zip(encoding.offsets, added, strict=True)]

    def _name(self, token: int) -> str:
        # After another token: some tokenizers drop the space before the first word of a text.
        before, both = (
            self._tokenizer.decode(ids, skip_special_tokens=False) for ids in (self._anchor, [*self._anchor, token])
        )
        return str(both[len(before) :])

    def _check(self, text: str) -> None:
        if self._survives(text):
            return
        lost = [character for character in sorted(set(text)) if not self._survives(character)]
        shown = ", ".join(f"{character!r} (U+{ord(character):04X})" for character in lost[:SHOWN_CHARACTERS])
        more = f" and {len(lost) - SHOWN_CHARACTERS} more" if len(lost) > SHOWN_CHARACTERS else ""
        what = f"the characters {shown}{more}" if lost else "this text exactly"
        raise InvalidPromptError(f"the vocabulary of this size cannot represent {what}")

    def _survives(self, text: str) -> bool:
        ids = self._tokenizer.encode(text, add_special_tokens=False).ids
        decoded = self._tokenizer.decode(ids, skip_special_tokens=False)
        return decoded in (text, f" {text}")  # some tokenizers put a space before the first word
