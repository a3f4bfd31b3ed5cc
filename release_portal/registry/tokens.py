"""How many tokens is a prompt, and which of its characters has the vocabulary no tokens for?

The answer must be the worker's: both take `tokenizer.json` as it stands, with the special tokens it adds by default.
The written form of a special token inside a text (`<|im_start|>`) is that token, one id, on both sides: a chat prompt
is built from exactly these. Nothing is escaped here; whoever must not allow them refuses the text before counting it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from tokenizers import Tokenizer

from release_portal.registry import store


class PromptTokenizer:
    """The tokenizer of one size, for counting and refusing; safe to share between threads.

    Args:
        source: Hub-style folder, or the path of a tokenizer.json under any name.

    Raises:
        ValueError: there is no readable tokenizer.
    """

    def __init__(self, source: Path) -> None:
        path = source / "tokenizer.json" if source.is_dir() else source
        try:
            self._tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
        except Exception as error:  # noqa: BLE001 - the library raises bare Exception for a file it cannot read
            raise ValueError(f"{path.name} is not a tokenizer: {error}") from error
        self._tokenizer.no_truncation()  # a file may carry a limit of its own, which would hide tokens
        self._tokenizer.no_padding()

    def ids(self, text: str) -> list[int]:
        """Return the token ids of a text; raises ValueError for a lone surrogate, which no encoding can carry."""
        return self._encode(text, add_special_tokens=True)

    def count(self, text: str) -> int:
        """Return the number of tokens of a text; raises ValueError as `ids` does."""
        return len(self.ids(text))

    @property
    def vocabulary(self) -> int:
        """Return how many tokens there are; their ids are smaller."""
        return int(self._tokenizer.get_vocab_size())

    def text_of(self, ids: Sequence[int]) -> str | None:
        """Return the text that is read as exactly these tokens; None where no text is, or an id is unknown."""
        if not all(0 <= token < self.vocabulary for token in ids):
            return None
        texts = (str(self._tokenizer.decode(list(ids), skip_special_tokens=skips)) for skips in (False, True))
        return next((text for text in texts if self.ids(text) == list(ids)), None)

    def uncovered(self, text: str) -> list[str]:
        """Return the characters that would be lost or changed, each once, in their order; empty when all survive.

        A vocabulary without some bytes drops them in silence, so the only proof is the round trip.
        """
        if self._survives(text):
            return []
        lost = [character for character in dict.fromkeys(text) if not self._survives(character)]
        # A tokenizer that normalises may change a text whose characters all survive alone: name the first change.
        return lost or [text[_first_difference(text, self._decode(text))]]

    def _survives(self, text: str) -> bool:
        try:
            return self._decode(text) == text
        except UnicodeEncodeError:
            return False

    def _decode(self, text: str) -> str:
        return str(self._tokenizer.decode(self._encode(text, add_special_tokens=False), skip_special_tokens=False))

    def _encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        text.encode()  # a lone surrogate would be a TypeError of the library, which says nothing to anybody
        return list(self._tokenizer.encode(text, add_special_tokens=add_special_tokens).ids)


def _first_difference(text: str, other: str) -> int:
    pairs = enumerate(zip(text, other, strict=False))
    return next((place for place, (one, two) in pairs if one != two), min(len(text) - 1, len(other)))


@lru_cache(maxsize=8)
def prompt_tokenizer(root: Path, digest: str) -> PromptTokenizer:
    """Return the tokenizer of the stored weights with this digest, read once per process.

    Raises:
        StoreError: the store has no such weights, or they have no tokenizer.json.
    """
    return PromptTokenizer(store.path_of(root, digest, "tokenizer.json"))


@lru_cache(maxsize=8)
def end_token(root: Path, digest: str) -> str | None:
    """Return the written form of the token with which texts of these weights end, None where no file names it."""
    if "tokenizer_config.json" not in {file.name for file in store.list_files(root, digest)}:
        return None
    path = store.path_of(root, digest, "tokenizer_config.json")
    named = json.loads(path.read_text(encoding="utf-8")).get("eos_token")
    return named.get("content") if isinstance(named, dict) else named
