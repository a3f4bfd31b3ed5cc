"""Prompts are counted as the worker counts them, and what the vocabulary would lose is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from release_portal.registry import store
from release_portal.registry.store import StoreError
from release_portal.registry.tokens import PromptTokenizer, prompt_tokenizer

MISSING_BYTE = 0x04


def byte_level_tokenizer() -> Tokenizer:
    """Build a tokenizer with a token for every byte but one, one merge and one special token."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    missing = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(chr(MISSING_BYTE))
    known = [symbol for symbol in alphabet if symbol != missing[0][0]]
    vocabulary = {symbol: number for number, symbol in enumerate([*known, "he"])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[("h", "e")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken("<|end|>", normalized=False)])
    return tokenizer


def saved(tokenizer: Tokenizer, folder: Path) -> Path:
    """Write a tokenizer where a Hub-style folder has it."""
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture
def prompts(tmp_path: Path) -> PromptTokenizer:
    """A tokenizer that lacks one byte."""
    return PromptTokenizer(saved(byte_level_tokenizer(), tmp_path))


def test_a_text_is_counted_in_tokens(prompts: PromptTokenizer) -> None:
    assert prompts.count("hehe!") == 3


def test_an_empty_text_has_no_tokens(prompts: PromptTokenizer) -> None:
    assert prompts.count("") == 0
    assert prompts.uncovered("") == []


def test_the_written_form_of_a_special_token_counts_as_that_one_token(prompts: PromptTokenizer) -> None:
    assert prompts.count("he<|end|>he") == 3
    assert prompts.uncovered("he<|end|>he") == []


def test_special_tokens_that_the_worker_adds_are_counted_but_do_not_spoil_the_round_trip(tmp_path: Path) -> None:
    tokenizer = byte_level_tokenizer()
    end = tokenizer.token_to_id("<|end|>")
    tokenizer.post_processor = processors.TemplateProcessing(single="<|end|> $A", special_tokens=[("<|end|>", end)])
    prompts = PromptTokenizer(saved(tokenizer, tmp_path))
    assert prompts.count("he") == 2
    assert prompts.uncovered("he") == []


def test_a_limit_inside_the_file_hides_no_tokens(tmp_path: Path) -> None:
    tokenizer = byte_level_tokenizer()
    tokenizer.enable_truncation(2)
    assert PromptTokenizer(saved(tokenizer, tmp_path)).count("abcdef") == 6


def test_characters_outside_the_vocabulary_are_named_once_in_their_order(prompts: PromptTokenizer) -> None:
    assert prompts.uncovered("a\x04b\ud800c\x04") == ["\x04", "\ud800"]


def test_a_lone_surrogate_cannot_be_counted(prompts: PromptTokenizer) -> None:
    with pytest.raises(ValueError, match="surrogates not allowed"):
        prompts.count("a\ud800")


def test_a_change_by_normalisation_is_named_where_it_begins(tmp_path: Path) -> None:
    tokenizer = byte_level_tokenizer()
    tokenizer.normalizer = normalizers.NFC()
    prompts = PromptTokenizer(saved(tokenizer, tmp_path))
    assert prompts.uncovered("he") == []
    assert prompts.uncovered("hee\N{COMBINING ACUTE ACCENT}") == ["e"]


def test_exactly_the_texts_with_the_missing_byte_are_refused(tmp_path: Path) -> None:
    prompts = PromptTokenizer(saved(byte_level_tokenizer(), tmp_path))

    @settings(deadline=None)
    @given(st.text(st.characters(exclude_categories=["Cs"]) | st.just("\x04")))
    def check(text: str) -> None:
        assert prompts.uncovered(text) == (["\x04"] if "\x04" in text else [])

    check()


def test_a_file_that_is_no_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match="tokenizer.json is not a tokenizer"):
        PromptTokenizer(tmp_path)


def test_stored_weights_have_one_tokenizer_per_digest(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    saved(byte_level_tokenizer(), folder)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    digest = store.add_folder(tmp_path / "store", folder)
    assert prompt_tokenizer(tmp_path / "store", digest).count("he") == 1
    assert prompt_tokenizer(tmp_path / "store", digest) is prompt_tokenizer(tmp_path / "store", digest)


def test_unknown_weights_have_no_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is not in the store"):
        prompt_tokenizer(tmp_path, "0" * 64)


@pytest.mark.parametrize("text", ["hehe!", " é🙂", "he<|end|>he", ""])
def test_token_ids_that_a_text_is_read_as_are_that_text(prompts: PromptTokenizer, text: str) -> None:
    assert prompts.text_of(prompts.ids(text)) == text


def test_token_ids_that_no_text_is_read_as_are_none(prompts: PromptTokenizer) -> None:
    """Seen to fail without the comparison: "h" and "e" would come back as the one token "he"."""
    one_by_one = [*prompts.ids("h"), *prompts.ids("e")]
    half_a_character = prompts.ids("é")[:1]
    for ids in (one_by_one, half_a_character, [prompts.vocabulary], [-1], [2**70]):
        assert prompts.text_of(ids) is None


def test_special_tokens_that_are_added_to_every_text_may_stand_in_the_ids(tmp_path: Path) -> None:
    tokenizer = byte_level_tokenizer()
    end = tokenizer.token_to_id("<|end|>")
    tokenizer.post_processor = processors.TemplateProcessing(single="<|end|> $A", special_tokens=[("<|end|>", end)])
    prompts = PromptTokenizer(saved(tokenizer, tmp_path))
    assert prompts.text_of(prompts.ids("he")) == "he"
    assert prompts.text_of(prompts.ids("he")[1:]) is None, "the worker would put the special token before it"
