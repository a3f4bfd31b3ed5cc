"""The engine from a shell."""

from __future__ import annotations

import json

import pytest

from inference import cli


def test_generate_prints_a_continuation_and_says_why_it_ended(tiny_models, capsys):
    assert cli.main(["generate", str(tiny_models["gpt2"]), "--prompt", "The lab", "--max-tokens", "5"]) == 0
    out, err = capsys.readouterr()
    assert out.strip()
    assert "tokens]" in err


def test_several_samples_are_printed_apart(tiny_models, capsys):
    arguments = ["generate", str(tiny_models["opt"]), "--prompt", "The lab", "--max-tokens", "4", "--samples", "2"]
    assert cli.main(arguments) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("---")] == ["--- 0", "--- 1"]


def test_score_prints_a_line_of_numbers_per_token(tiny_models, capsys):
    assert cli.main(["score", str(tiny_models["llama"]), "--text", "The lab"]) == 0
    tokens = json.loads(capsys.readouterr().out)["tokens"]
    assert "".join(token["text"] for token in tokens) == "The lab"


def test_embed_prints_a_vector_for_each_text_in_their_order(tiny_models, capsys):
    texts = ["--text", "The lab", "--text", "a verdict", "--text", "The lab"]
    assert cli.main(["embed", str(tiny_models["gpt2"]), *texts]) == 0
    first, other, again = json.loads(capsys.readouterr().out)
    assert len(first["embedding"]) == 32
    assert (first["pooling"], first["embedding"]) == ("mean", again["embedding"])
    assert other["embedding"] != first["embedding"]
    assert cli.main(["embed", str(tiny_models["gpt2"]), "--text", "The lab", "--pooling", "last"]) == 0
    (last,) = json.loads(capsys.readouterr().out)
    assert last["embedding"] != first["embedding"]


def test_a_language_model_is_not_asked_to_classify(tiny_models, capsys):
    assert cli.main(["classify", str(tiny_models["gpt2"]), "--text", "The lab"]) == 1
    assert "invalid: this size does not classify" in capsys.readouterr().err


def test_bench_counts_tokens(tiny_models, capsys):
    assert (
        cli.main(["bench", str(tiny_models["gpt2"]), "--requests", "3", "--prompt-words", "4", "--max-tokens", "5"])
        == 0
    )
    figures = json.loads(capsys.readouterr().out)
    assert figures["requests"] == 3
    assert 0 < figures["completion_tokens"] <= 15


def test_a_prompt_that_is_too_long_is_refused(tiny_models, capsys):
    assert cli.main(["generate", str(tiny_models["gpt2"]), "--prompt", "The lab", "--max-tokens", "500"]) == 1
    assert "takes 128 in all" in capsys.readouterr().err


def test_a_command_is_needed(capsys):
    with pytest.raises(SystemExit):
        cli.main([])
    assert "COMMAND" in capsys.readouterr().err
