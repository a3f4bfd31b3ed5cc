"""A source becomes a Hub-style folder in fp32, whole or not at all, and always the same bytes."""

from __future__ import annotations

import hashlib
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from inference import convert as converter
from inference.convert import ConversionError, convert, main, source_digest
from release_portal.registry import demo_model
from release_portal.registry.demo_model import DemoModelError, converted_folder, demo_source

TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *"abcdehlo0123456789Ġ", "ĠĠ", "he", "hel"]
MERGES = ["Ġ Ġ", "h e", "he l"]
TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
WIDTH, HIDDEN = 8, 16


def quiet(line: str) -> None:
    """Take a progress line and say nothing."""


def tiny_gguf(path: Path, leave_out: str = "", seed: int = 7) -> Path:
    """Write a model of one layer, with an output layer tied to its embedding."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_license("apache-2.0")
    writer.add_organization("Lab")
    _add_shape(writer)
    _add_tokenizer(writer)
    for name, shape in tensor_shapes().items():
        if name != leave_out:
            writer.add_tensor(name, np.random.default_rng(seed).standard_normal(shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_shape(writer: gguf.GGUFWriter) -> None:
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(100_000.0)
    writer.add_vocab_size(len(TOKENS))


def _add_tokenizer(writer: gguf.GGUFWriter) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(TOKENS)
    writer.add_token_types([3] * 3 + [1] * (len(TOKENS) - 3))
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    writer.add_chat_template(TEMPLATE)


def tensor_shapes() -> dict[str, tuple[int, ...]]:
    """Return the tensors of the tiny model."""
    square, up, down = (WIDTH, WIDTH), (HIDDEN, WIDTH), (WIDTH, HIDDEN)
    block = {"attn_q": square, "attn_k": square, "attn_v": square, "attn_output": square}
    block |= {"ffn_gate": up, "ffn_up": up, "ffn_down": down, "attn_norm": (WIDTH,), "ffn_norm": (WIDTH,)}
    outside: dict[str, tuple[int, ...]] = {"token_embd.weight": (len(TOKENS), WIDTH), "output_norm.weight": (WIDTH,)}
    return outside | {f"blk.0.{name}.weight": shape for name, shape in block.items()}


def tiny_folder(tmp_path: Path) -> Path:
    """Write a Hub-style folder in bf16, with the tokenizer of the tiny GGUF."""
    made = tmp_path / "made"
    convert(tiny_gguf(tmp_path / "for-folder.gguf"), made, quiet)
    folder = tmp_path / "hub"
    shutil.copytree(made, folder)
    LlamaForCausalLM(LlamaConfig.from_pretrained(made)).to(torch.bfloat16).save_pretrained(folder)
    return folder


def digests(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A tiny GGUF file."""
    return tiny_gguf(tmp_path / "Tiny-1M.Q4_1.gguf")


def test_a_gguf_becomes_a_folder_with_everything_the_hub_expects(source: Path, tmp_path: Path) -> None:
    convert(source, tmp_path / "out", quiet)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "README.md",
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        converter.MARKER,
    }


def test_the_weights_are_those_of_the_file_in_fp32_without_quantisation(source: Path, tmp_path: Path) -> None:
    convert(source, tmp_path / "out", quiet)
    written = load_file(tmp_path / "out" / "model.safetensors")
    expected = np.random.default_rng(7).standard_normal((len(TOKENS), WIDTH)).astype(np.float32)
    assert {tensor.dtype for tensor in written.values()} == {torch.float32}
    assert np.array_equal(written["model.embed_tokens.weight"].numpy(), expected)
    assert "quantization_config" not in json.loads((tmp_path / "out" / "config.json").read_text())


def test_tied_embeddings_are_stored_once_and_stay_tied(source: Path, tmp_path: Path) -> None:
    convert(source, tmp_path / "out", quiet)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert "lm_head.weight" not in load_file(tmp_path / "out" / "model.safetensors")
    assert model.lm_head.weight.data_ptr() == model.model.embed_tokens.weight.data_ptr()


def test_the_same_source_gives_the_same_bytes(source: Path, tmp_path: Path) -> None:
    convert(source, tmp_path / "one", quiet)
    convert(source, tmp_path / "two", quiet)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_the_card_names_licence_base_model_and_the_digest_of_the_source(source: Path, tmp_path: Path) -> None:
    convert(source, tmp_path / "out", quiet)
    card = (tmp_path / "out" / "README.md").read_text()
    assert card.startswith("---\nlicense: apache-2.0\nbase_model: Lab/Tiny-1M\n")
    assert hashlib.sha256(source.read_bytes()).hexdigest() in card


def test_the_chat_template_comes_along(source: Path, tmp_path: Path) -> None:
    convert(source, tmp_path / "out", quiet)
    assert AutoTokenizer.from_pretrained(tmp_path / "out").chat_template == TEMPLATE


def test_digits_are_cut_one_by_one_as_the_file_asks(source: Path, tmp_path: Path) -> None:
    convert(source, tmp_path / "out", quiet)
    assert AutoTokenizer.from_pretrained(tmp_path / "out").tokenize("hel  12") == ["hel", "ĠĠ", "1", "2"]


def test_readers_before_transformers_5_find_the_rope_base(source: Path, tmp_path: Path) -> None:
    convert(source, tmp_path / "out", quiet)
    assert json.loads((tmp_path / "out" / "config.json").read_text())["rope_theta"] == 100_000.0


def test_a_finished_conversion_is_not_done_again(source: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    convert(source, tmp_path / "out", quiet)
    convert(source, tmp_path / "out", lines.append)
    assert lines == ["out is already converted from this source"]


def test_another_source_replaces_the_conversion(source: Path, tmp_path: Path) -> None:
    convert(tiny_gguf(tmp_path / "other.gguf", seed=8), tmp_path / "out", quiet)
    convert(source, tmp_path / "out", quiet)
    assert "Tiny-1M" in (tmp_path / "out" / "README.md").read_text()
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["out"]


def test_a_conversion_that_lost_a_file_is_done_again(source: Path, tmp_path: Path) -> None:
    convert(source, tmp_path / "out", quiet)
    (tmp_path / "out" / "tokenizer.json").unlink()
    convert(source, tmp_path / "out", quiet)
    assert (tmp_path / "out" / "tokenizer.json").is_file()


def test_an_interrupted_conversion_leaves_no_target_and_the_next_one_finishes(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(converter, "_save_card", interrupt)
        with pytest.raises(KeyboardInterrupt):
            convert(source, tmp_path / "out", quiet)
    assert not (tmp_path / "out").exists()
    convert(source, tmp_path / "out", quiet)
    assert not (tmp_path / "out.tmp").exists()
    assert converter.is_converted(tmp_path / "out", source_digest(source))


def test_a_hub_folder_becomes_fp32_with_the_same_numbers(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path)
    convert(folder, tmp_path / "out", quiet)
    before, after = load_file(folder / "model.safetensors"), load_file(tmp_path / "out" / "model.safetensors")
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name].to(torch.float32), after[name]) for name in before)


def test_a_hub_folder_with_pickles_only_is_refused_by_name(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ConversionError, match="pytorch_model.bin, which can run code"):
        convert(folder, tmp_path / "out", quiet)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_a_hub_folder_without_a_needed_file_is_refused_by_name(tmp_path: Path, name: str) -> None:
    folder = tiny_folder(tmp_path)
    (folder / name).unlink()
    with pytest.raises(ConversionError, match=f"hub has no {name}"):
        convert(folder, tmp_path / "out", quiet)


def test_a_missing_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="does not exist"):
        convert(tmp_path / "nothing.gguf", tmp_path / "out", quiet)


def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.gguf").write_text("hello")
    with pytest.raises(ConversionError, match="text.gguf is not a GGUF file"):
        convert(tmp_path / "text.gguf", tmp_path / "out", quiet)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9])
def test_a_truncated_gguf_is_refused_and_leaves_no_target(source: Path, tmp_path: Path, share: float) -> None:
    whole = source.read_bytes()
    source.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ConversionError, match=r"Tiny-1M\.Q4_1\.gguf is truncated or damaged"):
        convert(source, tmp_path / "out", quiet)
    assert not (tmp_path / "out").exists()


def test_a_gguf_without_one_of_its_tensors_is_refused_by_the_tensors_name(tmp_path: Path) -> None:
    source = tiny_gguf(tmp_path / "partial.gguf", leave_out="blk.0.ffn_up.weight")
    with pytest.raises(ConversionError, match=r"tensors missing .*mlp\.up_proj\.weight"):
        convert(source, tmp_path / "out", quiet)


def test_the_command_prints_a_line_per_step(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(source), str(tmp_path / "out")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("reading Tiny-1M.Q4_1.gguf (sha256 ")
    assert lines[-1].startswith("converted Tiny-1M.Q4_1.gguf: ")


def test_the_command_says_why_not_and_returns_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "nothing"), str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err.endswith("nothing does not exist\n")


# --- As the portal runs it -----------------------------------------------------------------------------------------


def test_two_who_need_the_same_model_convert_it_once(source: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    with ThreadPoolExecutor(2) as pool:
        folders = set(pool.map(lambda _: converted_folder(source, tmp_path / "cache", lines.append), range(2)))
    assert [folder.name for folder in folders] == [hashlib.sha256(source.read_bytes()).hexdigest()]
    assert len([line for line in lines if line.startswith("converted ")]) == 1
    assert len([line for line in lines if "already converted" in line]) == 1


def test_a_failed_conversion_tells_the_portal_why(source: Path, tmp_path: Path) -> None:
    source.write_bytes(b"GGUF but nothing more")
    with pytest.raises(DemoModelError, match=r"^Tiny-1M\.Q4_1\.gguf was not converted: .* is truncated or damaged"):
        converted_folder(source, tmp_path / "cache")


def test_the_demo_model_is_found_in_its_package() -> None:
    assert demo_source().name == "SmolLM2-135M-Instruct.Q4_1.gguf"


def test_without_its_package_the_demo_model_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_model, "PACKAGE", "no_such_model")
    with pytest.raises(DemoModelError, match="no-such-model holds no GGUF file; run `make setup`"):
        demo_source()
