"""What is exchanged for speed computes the same numbers."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig
from transformers.activations import NewGELUActivation
from transformers.pytorch_utils import Conv1D

from inference.backends.quicker import ATTENTION, quicken
from inference.backends.slots import SlotBackend

GPT2 = GPT2Config(vocab_size=300, n_positions=64, n_embd=32, n_layer=2, n_head=4)
LLAMA = LlamaConfig(
    vocab_size=300,
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
)
IDS = torch.arange(24).reshape(2, 12)
MASK = torch.ones(12, 12, dtype=torch.bool).tril()[None, None]


def kinds_of_layers(model: nn.Module) -> set[type]:
    return {type(module) for module in model.modules()}


@torch.inference_mode()
def logits_of(model: nn.Module) -> torch.Tensor:
    return model(IDS, attention_mask=MASK).logits


@pytest.mark.parametrize("config", [GPT2, LLAMA], ids=["gpt2", "llama"])
def test_a_quickened_model_says_what_it_said(config):
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa").eval()
    before = logits_of(model)
    quicken(model)
    model.set_attn_implementation(ATTENTION)
    after = logits_of(model)
    assert torch.allclose(before, after, atol=1e-5)
    assert torch.equal(before.argmax(-1), after.argmax(-1))
    assert NewGELUActivation not in kinds_of_layers(model)


def test_layers_of_gpt2_become_linear_in_bfloat16_alone():
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(GPT2).eval()
    quicken(model)
    assert Conv1D in kinds_of_layers(model)
    halved = model.bfloat16()
    layer = halved.transformer.h[0].mlp.c_fc
    given = torch.randn(3, 32, dtype=torch.bfloat16)
    expected = layer(given)
    quicken(halved)
    assert Conv1D not in kinds_of_layers(halved)
    with torch.inference_mode():
        assert torch.allclose(halved.transformer.h[0].mlp.c_fc(given), expected, atol=1e-2)


def test_a_size_in_bfloat16_is_served(tiny_models):
    backend = SlotBackend(tiny_models["gpt2"], dtype=torch.bfloat16, max_context=64)
    assert Conv1D not in kinds_of_layers(backend._model)
    assert backend.memory_bytes < SlotBackend(tiny_models["gpt2"], max_context=64).memory_bytes
