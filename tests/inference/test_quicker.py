"""What is exchanged for speed computes the same numbers."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, MistralConfig
from transformers.activations import NewGELUActivation
from transformers.models.llama.modeling_llama import LlamaAttention, LlamaMLP, LlamaRMSNorm
from transformers.pytorch_utils import Conv1D

from inference.backends import pretrained, quicker
from inference.backends.attention import ATTENTION
from inference.backends.llama import Attention, FeedForward, Norm
from inference.backends.packed import OnePass, Packed, Part, can_pack
from inference.backends.quicker import quicken
from inference.backends.slots import SlotBackend

GPT2 = GPT2Config(vocab_size=300, n_positions=64, n_embd=32, n_layer=2, n_head=4)
SHAPE = {
    "vocab_size": 300,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
LLAMA = LlamaConfig(**SHAPE)
WITH_BIAS = LlamaConfig(**SHAPE, attention_bias=True, mlp_bias=True, hidden_act="gelu")
MISTRAL = MistralConfig(**SHAPE)
IDS = torch.arange(24).reshape(2, 12)
MASK = torch.ones(12, 12, dtype=torch.bool).tril()[None, None]


def kinds_of_layers(model: nn.Module) -> set[type]:
    return {type(module) for module in model.modules()}


@torch.inference_mode()
def logits_of(model: nn.Module) -> torch.Tensor:
    return model(IDS, attention_mask=MASK).logits


@pytest.mark.parametrize("config", [GPT2, LLAMA, WITH_BIAS, MISTRAL], ids=["gpt2", "llama", "with biases", "mistral"])
def test_a_quickened_model_says_what_it_said(config):
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa").eval()
    before = logits_of(model)
    model.set_attn_implementation(ATTENTION)
    quicken(model)
    after = logits_of(model)
    assert torch.allclose(before, after, atol=1e-5)
    assert torch.equal(before.argmax(-1), after.argmax(-1))
    assert NewGELUActivation not in kinds_of_layers(model)


def test_llamas_layers_take_fewer_steps_and_those_of_its_kin_are_laid_out_together():
    llama, mistral = (
        AutoModelForCausalLM.from_config(config, attn_implementation=ATTENTION) for config in (LLAMA, MISTRAL)
    )
    quicken(llama)
    quicken(mistral)
    assert {Norm, Attention, FeedForward} <= kinds_of_layers(llama)
    assert not {Part, LlamaRMSNorm, LlamaAttention, LlamaMLP} & kinds_of_layers(llama)
    assert Part in kinds_of_layers(mistral)


def test_whoever_attends_in_another_way_goes_on_to():
    model = AutoModelForCausalLM.from_config(LLAMA, attn_implementation="sdpa")
    quicken(model)
    assert {LlamaAttention, FeedForward, Norm} <= kinds_of_layers(model)
    assert torch.isfinite(logits_of(model)).all()


def test_weights_that_cannot_be_laid_out_stay_in_layers_of_transformers(monkeypatch):
    monkeypatch.setattr(quicker, "can_pack", lambda weight: False)
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(LLAMA, attn_implementation="sdpa").eval()
    before = logits_of(model)
    quicken(model)
    assert {LlamaAttention, LlamaMLP, Norm} <= kinds_of_layers(model)
    assert torch.allclose(before, logits_of(model), atol=1e-5)


@pytest.mark.parametrize(("dtype", "closeness"), [(torch.float32, 1e-6), (torch.bfloat16, 2**-7)])
def test_the_norm_gives_what_transformers_gives_and_to_a_row_the_same_in_any_company(dtype, closeness):
    torch.manual_seed(1)
    theirs = LlamaRMSNorm(576, eps=1e-5).to(dtype)
    theirs.weight.data = torch.rand(576).to(dtype) + 0.5
    rows = (torch.randn(300, 576) * 10).to(dtype)
    rows[7] = 0  # only what is added under the root keeps it finite
    together = Norm(theirs)(rows)
    assert together.dtype == dtype
    assert torch.allclose(together, theirs(rows), rtol=closeness, atol=closeness)
    for count in (1, 2, 16, 65):
        assert torch.equal(Norm(theirs)(rows[:count]), together[:count])


def test_layers_of_gpt2_are_turned_round_in_any_numbers():
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(GPT2).eval().bfloat16()
    layer = model.transformer.h[0].mlp.c_fc
    given = torch.randn(3, 32, dtype=torch.bfloat16)
    expected = layer(given)
    quicken(model)
    assert Conv1D not in kinds_of_layers(model)
    assert (Packed in kinds_of_layers(model)) == can_pack(given), "where the processor computes in bfloat16"
    with torch.inference_mode():
        assert torch.allclose(model.transformer.h[0].mlp.c_fc(given), expected, atol=1e-2)


def test_a_size_in_bfloat16_is_served(tiny_models, monkeypatch):
    monkeypatch.setattr(pretrained, "has_bfloat16", lambda: True)
    backend = SlotBackend(tiny_models["gpt2"], dtype=torch.bfloat16, max_context=64)
    assert backend._model.dtype == torch.bfloat16
    assert Conv1D not in kinds_of_layers(backend._model)
    assert (Packed in kinds_of_layers(backend._model)) == can_pack(torch.zeros(1, dtype=torch.bfloat16))
    assert backend.memory_bytes < SlotBackend(tiny_models["gpt2"], max_context=64).memory_bytes


def test_without_instructions_for_bfloat16_weights_are_rounded_and_numbers_computed_in_float32(
    tiny_models, monkeypatch
):
    monkeypatch.setattr(pretrained, "has_bfloat16", lambda: False)
    backend = SlotBackend(tiny_models["gpt2"], dtype=torch.bfloat16, max_context=64)
    assert backend._model.dtype == torch.float32
    table = backend._model.get_input_embeddings().weight
    assert torch.equal(table, table.bfloat16().float())
    assert Packed in kinds_of_layers(backend._model)


@pytest.mark.parametrize(
    ("dtype", "device", "is_supported", "expected"),
    [
        (torch.float32, "cpu", False, True),
        (torch.bfloat16, "cpu", True, True),
        (torch.bfloat16, "cpu", False, False),
        (torch.float16, "cpu", True, False),
        (torch.float32, "meta", True, False),
    ],
)
def test_what_is_laid_out_is_what_the_processor_computes_in(monkeypatch, dtype, device, is_supported, expected):
    ops = SimpleNamespace(_linear_pointwise=None, _is_mkldnn_bf16_supported=lambda: is_supported)
    monkeypatch.setattr(torch.ops, "mkldnn", ops)
    assert can_pack(torch.zeros(1, dtype=dtype, device=device)) == expected


def test_laid_out_layers_give_a_row_the_same_numbers_in_any_company():
    torch.manual_seed(1)
    weight, rows = torch.randn(96, 64), torch.randn(70, 64)
    layer = Packed(weight, torch.randn(96))
    together = layer(rows)
    for count in (1, 2, 5, 16, 33, 64):
        assert torch.equal(layer(rows[:count]), together[:count])


def test_layers_given_the_same_tensor_compute_once_and_keep_nothing():
    torch.manual_seed(1)
    layers = [nn.Linear(8, width) for width in (4, 6, 2)]
    given, other = torch.randn(3, 8), torch.randn(3, 8)
    whole = OnePass(layers)
    passes, compute = [], whole.packed
    whole.packed = lambda tensor: passes.append(1) or compute(tensor)
    for tensor in (given, other, given):
        for at, layer in enumerate(layers):
            assert torch.allclose(whole.take(at, tensor), layer(tensor), atol=1e-6)
    assert len(passes) == 3
    assert whole._given is None
    assert whole._made == {}
    # A layer that is given another tensor than its neighbour gets its own numbers all the same.
    whole.take(0, given)
    assert torch.allclose(whole.take(1, other), layers[1](other), atol=1e-6)


def test_layers_are_laid_out_in_float32_and_their_memory_is_counted(tiny_models):
    backend = SlotBackend(tiny_models["llama"], max_context=64)
    kinds = kinds_of_layers(backend._model)
    assert Packed in kinds
    assert nn.Linear not in kinds
    plain = AutoModelForCausalLM.from_pretrained(tiny_models["llama"])
    counted = sum(each.nbytes for each in plain.parameters())
    assert backend.memory_bytes >= counted, "tied weights are kept twice: as a table, and laid out"
    assert backend.memory_bytes <= 2 * counted
