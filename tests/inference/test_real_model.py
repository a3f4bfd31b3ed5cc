"""The real model does what it did when these constants were recorded, and its tokenizer loses nothing in silence."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from inference.contract import weights_digest
from release_portal.registry.demo_model import demo_source
from release_portal.registry.tokens import PromptTokenizer
from tests.real_model import real_model_folder

SOURCE_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
MODEL_SHA256 = "a672150fb4f99d7c8f4168cecdd464069c0ef3a37d8113f22ddb9d48031d03cd"
WEIGHTS_DIGEST = "173908227c29e9036a146fe11763dbe3b895989cac423d84b6e3aef8359507d7"
PARAMETERS = 134_515_008

TEXT = (
    "A language model assigns a probability to every next word. When the text is easy to guess, its perplexity is "
    "low; when every word comes as a surprise, its perplexity is high. The same text, read by the same model, always "
    "has the same perplexity."
)
PERPLEXITY = 22.407180786132812
# Chosen so that the best token leads the second by 0.06 or more at every step: no rounding turns them over.
CONTINUATIONS = {
    "The capital of France is": " Paris.\n\nThe answer is: 2018-01-22 12:1",
    "Water boils at": " 100°C, which is a perfect Celsius.\n\nThe ratio of the heat released to the heat",
    "The opposite of hot is": " cold.\n\nThe answer is: 1.\n\nThe answer is: 2.<|im_end|>",
}
# The vocabulary has no token for six control bytes, nor for the lead bytes of U+40000 to U+BFFFF.
LOST = ["\x04", "\x06", "\x13", "\x14", "\x16", "\x1d", "\U00040000", "\U000bffff"]


@pytest.fixture(scope="session")
def folder() -> Path:
    """The converted model."""
    return real_model_folder()


@pytest.fixture(scope="session")
def model(folder: Path) -> Any:
    """The model as a worker loads it."""
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


@pytest.fixture(scope="session")
def tokenizer(folder: Path) -> Any:
    """The worker's tokenizer."""
    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="session")
def prompts(folder: Path) -> PromptTokenizer:
    """The portal's tokenizer."""
    return PromptTokenizer(folder)


def sha256(path: Path) -> str:
    """Return the digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def covered_text(prompts: PromptTokenizer, random_source: random.Random) -> str:
    """Draw a text from all of Unicode that the vocabulary covers, plain letters and spaces among it."""
    drawn = [chr(random_source.choice((random_source.randrange(0x110000), random_source.randrange(0x2000), 32, 101)))]
    drawn += [chr(random_source.randrange(0x300)) for _ in range(random_source.randrange(40))]
    drawn += [chr(random_source.randrange(0x110000)) for _ in range(random_source.randrange(8))]
    random_source.shuffle(drawn)
    return "".join(character for character in drawn if not prompts.uncovered(character))


def test_source_and_conversion_are_the_recorded_files(folder: Path) -> None:
    files = {
        path.name: {"sha256": sha256(path), "size": path.stat().st_size}
        for path in folder.iterdir()
        if not path.name.startswith(".")
    }
    assert sha256(demo_source()) == SOURCE_SHA256
    assert files["model.safetensors"]["sha256"] == MODEL_SHA256
    assert weights_digest(files) == WEIGHTS_DIGEST


def test_the_model_has_the_recorded_size_and_stays_tied(model: Any) -> None:
    assert sum(parameter.numel() for parameter in model.parameters()) == PARAMETERS
    assert model.lm_head.weight.data_ptr() == model.model.embed_tokens.weight.data_ptr()
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_the_perplexity_of_a_fixed_text_is_the_recorded_one(model: Any, tokenizer: Any) -> None:
    ids = tokenizer(TEXT, return_tensors="pt").input_ids
    with torch.inference_mode():
        perplexity = torch.exp(model(ids, labels=ids).loss).item()
    assert perplexity == pytest.approx(PERPLEXITY, abs=1e-3)


@pytest.mark.parametrize("prompt", CONTINUATIONS)
def test_a_greedy_continuation_is_the_recorded_one(model: Any, tokenizer: Any, prompt: str) -> None:
    inputs = tokenizer(prompt, return_tensors="pt")
    with torch.inference_mode():
        output = model.generate(**inputs, max_new_tokens=24, do_sample=False)
    assert tokenizer.decode(output[0][inputs.input_ids.shape[1] :]) == CONTINUATIONS[prompt]


def test_a_thousand_texts_of_covered_characters_survive_the_tokenizer(prompts: PromptTokenizer, tokenizer: Any) -> None:
    random_source = random.Random(20190214)
    texts = [covered_text(prompts, random_source) for _ in range(1_000)]
    assert [text for text in texts if tokenizer.decode(tokenizer(text).input_ids) != text] == []
    assert [text for text in texts if prompts.uncovered(text)] == []


def test_portal_and_worker_see_the_same_tokens(prompts: PromptTokenizer, tokenizer: Any) -> None:
    random_source = random.Random(20191105)
    texts = [covered_text(prompts, random_source) for _ in range(200)]
    texts += ["", " ", "  in 2019,  77 days", "<|im_start|>user\nhi<|im_end|>\n", "a<|endoftext|>b", TEXT, *LOST]
    assert [text for text in texts if prompts.ids(text) != tokenizer(text).input_ids] == []


def test_no_special_token_is_added_to_a_prompt(prompts: PromptTokenizer) -> None:
    assert prompts.count("") == 0
    assert prompts.count("hello world") == 2


def test_the_written_form_of_a_special_token_is_that_token(prompts: PromptTokenizer, tokenizer: Any) -> None:
    assert prompts.ids("<|im_end|>") == [tokenizer.eos_token_id]


@pytest.mark.parametrize("character", LOST)
def test_a_character_outside_the_vocabulary_is_named(prompts: PromptTokenizer, tokenizer: Any, character: str) -> None:
    text = f"before{character}after"
    assert tokenizer.decode(tokenizer(text).input_ids) != text
    assert prompts.uncovered(text) == [character]


def test_every_character_up_to_the_last_assigned_plane_is_covered_but_six(prompts: PromptTokenizer) -> None:
    everything = "".join(chr(point) for point in range(0x40000) if not 0xD800 <= point < 0xE000)
    assert prompts.uncovered(everything) == LOST[:6]
