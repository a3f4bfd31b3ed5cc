"""A classifier says what transformers says, in any company; each size does only what it was trained for."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from transformers import AutoModelForSequenceClassification, BertConfig, PreTrainedTokenizerFast, RobertaConfig

from inference import cli
from inference.backends.classifier import ClassifierBackend
from inference.backends.loader import FolderLoader, open_backend
from inference.backends.slots import SlotBackend
from inference.contract import ClassifyResult, FinishReason, Function, Order
from inference.engine.admission import RejectedError
from inference.engine.backend import LoadError
from inference.engine.loop import Engine
from inference.engine.request import Request
from inference.engine.scheduler import Scheduler
from inference.engine.shelf import Shelf
from tests.inference.conftest import TEXTS, make_config, make_tokenizer
from tests.inference.fakes import FakeOutlet, make_order, make_permit

NEAR = 1e-4
NAMES = ("human-written", "model-generated", "unclear")
CLASSIFIERS = ("roberta", "gpt2", "llama", "padded gpt2")


def encoder_tokenizer(folder: Path) -> int:
    """The decoders' tokenizer with a token before and one behind each text, as encoders have it."""
    make_tokenizer(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>"])
    ends = [(token, tokenizer.token_to_id(token)) for token in ("<s>", "</s>")]
    tokenizer.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>").save_pretrained(folder)
    return tokenizer.get_vocab_size()


def config_of(kind: str, folder: Path, **settings: Any) -> Any:
    labels = {"id2label": dict(enumerate(NAMES)), "label2id": {name: at for at, name in enumerate(NAMES)}, **settings}
    if kind == "roberta":
        size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
        table = {"max_position_embeddings": 130, "pad_token_id": 1, "initializer_range": 0.4}
        return RobertaConfig(vocab_size=encoder_tokenizer(folder), type_vocab_size=1, **size, **table, **labels)
    config = make_config(kind.removeprefix("padded "), make_tokenizer(folder))
    config.update(labels)
    if kind.startswith("padded"):
        config.pad_token_id = 0
    return config


def make_classifier(kind: str, folder: Path, **settings: Any) -> Path:
    folder.mkdir(parents=True)
    torch.manual_seed(3)
    AutoModelForSequenceClassification.from_config(config_of(kind, folder, **settings)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def classifiers(tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("classifiers")
    return {kind: make_classifier(kind, root / kind.replace(" ", "-")) for kind in CLASSIFIERS}


@pytest.fixture(params=CLASSIFIERS)
def folder(request, classifiers) -> Path:
    return classifiers[request.param]


def drawn_texts() -> list[str]:
    source, words = random.Random(3), " ".join(TEXTS[:2]).split()
    return [*TEXTS, *(" ".join(source.choices(words, k=length)) for length in [*range(1, 13), 24, 25])]


def run(backend: ClassifierBackend, texts: list[str], *, slots: int = 16, prefill: int = 256) -> list:
    scheduler, results = Scheduler(slots, prefill), {}
    requests = [
        Request(Order(Function.CLASSIFY, text), make_permit(), backend.encode(text), decode=backend.decode)
        for text in texts
    ]
    for request in requests:
        scheduler.add(request)
    while plan := scheduler.schedule():
        for result in backend.step(plan):
            results[result.sequence.request] = result.result
            scheduler.retire(result.sequence)
            backend.release(result.sequence)
    return [results[request] for request in requests]


def plain(folder: Path, ids: list[list[int]]) -> list[torch.Tensor]:
    """What transformers says text by text, [labels] each."""
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        return [model(torch.tensor([each])).logits[0] for each in ids]


def said(result: ClassifyResult) -> list[float]:
    """Probabilities in the order of the labels' numbers."""
    return [dict(result.labels)[name] for name in NAMES]


@pytest.mark.parametrize("prefill", [16, 256])
def test_a_text_classified_in_company_is_that_of_a_forward_pass_alone(folder, prefill):
    backend, texts = open_backend(folder, max_context=128), drawn_texts()
    assert isinstance(backend, ClassifierBackend)
    ids = [backend.encode(text) for text in texts]
    expected = [logits.softmax(-1).tolist() for logits in plain(folder, ids)]
    for slots in (16, 1):
        for result, probabilities, tokens in zip(
            run(backend, texts, slots=slots, prefill=prefill), expected, ids, strict=True
        ):
            assert said(result) == pytest.approx(probabilities, abs=NEAR)
            assert sum(said(result)) == pytest.approx(1, abs=NEAR)
            assert result.labels[0][1] == max(said(result)), "the most probable first"
            assert (result.is_multi_label, result.prompt_tokens) == (False, len(tokens))


def test_texts_of_equal_length_go_together(folder, monkeypatch):
    backend, passes = ClassifierBackend(folder, max_context=128), []
    original = backend._model.forward
    monkeypatch.setattr(backend._model, "forward", lambda **given: passes.append(1) or original(**given))
    assert len(run(backend, ["The lab is", "a lab is", "the lab is"] * 4)) == 12
    assert len(passes) == 1


def test_labels_that_stand_alone_need_not_sum_to_one(tmp_path):
    folder = make_classifier("roberta", tmp_path / "many", problem_type="multi_label_classification")
    backend = ClassifierBackend(folder)
    (result,) = run(backend, [TEXTS[0]])
    (logits,) = plain(folder, [backend.encode(TEXTS[0])])
    assert result.is_multi_label
    assert said(result) == pytest.approx(logits.sigmoid().tolist(), abs=NEAR)


def test_texts_that_leave_no_token_to_fill_up_with_are_read_one_by_one(classifiers, monkeypatch):
    backend = ClassifierBackend(classifiers["gpt2"], max_context=128)
    together = run(backend, ["The lab is", "a lab"])
    monkeypatch.setattr(backend, "vocabulary_size", 1)
    for one, other in zip(run(backend, ["The lab is", "a lab"]), together, strict=True):
        assert said(one) == pytest.approx(said(other), abs=NEAR)


def test_numbers_that_are_not_finite_fail_only_their_own_text(folder, monkeypatch):
    backend = ClassifierBackend(folder, max_context=128)
    original, broken = backend._model.forward, backend.encode("The lab is")

    def poisoned(**given):
        output = original(**given)
        wrong = [row[: len(broken)] == broken for row in given["input_ids"].tolist()]
        output.logits[torch.tensor(wrong)] = torch.nan
        return output

    monkeypatch.setattr(backend._model, "forward", poisoned)
    failed, sound = run(backend, ["The lab is", "a lab is"])
    assert failed is None
    assert sum(said(sound)) == pytest.approx(1, abs=NEAR)


def test_an_encoder_takes_as_many_tokens_as_its_table_has_places_for(classifiers):
    """RoBERTa keeps the first places of its table for padding: 130 places take 128 tokens."""
    backend = ClassifierBackend(classifiers["roberta"])
    assert backend.context == 128
    text = "a " * 200
    while len(backend.encode(text)) > 128:
        text = text[:-1]
    assert len(backend.encode(text)) == 128
    (result,) = run(backend, [text])
    assert result.prompt_tokens == 128


def test_a_tokenizer_that_writes_in_small_letters_is_taken_as_it_is(tmp_path):
    """A language model must give back what it was given; a classifier reads what its tokenizer makes of a text."""
    folder = tmp_path / "bert"
    words = ["[PAD]", "[UNK]", "the", "lab"]
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.decoder = decoders.WordPiece()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]").save_pretrained(folder)
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    AutoModelForSequenceClassification.from_config(BertConfig(vocab_size=4, **size)).save_pretrained(folder)
    backend = ClassifierBackend(folder)
    assert backend.encode("The LAB 🙂") == [2, 3, 1]
    (result,) = run(backend, ["The LAB 🙂"])
    assert {label for label, _ in result.labels} == {"LABEL_0", "LABEL_1"}


def test_a_regression_has_no_labels_and_does_not_load(tmp_path):
    folder = make_classifier("gpt2", tmp_path / "one", problem_type="regression")
    with pytest.raises(LoadError, match="cannot be loaded: ValueError"):
        FolderLoader(folder).load("")


def test_a_classifier_without_its_head_does_not_load(tiny_models, tmp_path):
    """transformers would classify with random numbers."""
    folder = tmp_path / "headless"
    folder.mkdir()
    for path in tiny_models["gpt2"].iterdir():
        text = path.read_bytes()
        (folder / path.name).write_bytes(text.replace(b"GPT2LMHeadModel", b"GPT2ForSequenceClassification"))
    with pytest.raises(LoadError):
        FolderLoader(folder).load("")


@pytest.fixture
def engine_of():
    """Starts an engine on a folder."""
    engines = []

    def start(folder: Path) -> tuple[Engine, FakeOutlet]:
        outlet = FakeOutlet()
        shelf = Shelf(FolderLoader(folder), lambda tokens: Scheduler(16, 256, cache_tokens=tokens), sys.maxsize)
        engines.append(Engine(shelf, outlet))
        engines[-1].start()
        return engines[-1], outlet

    yield start
    for engine in engines:
        engine.stop()


def test_a_classification_ends_complete_and_costs_what_was_read(classifiers, engine_of):
    engine, outlet = engine_of(classifiers["roberta"])
    request = engine.submit(make_permit(function="classify"), Order(Function.CLASSIFY, "The lab"))
    assert request.done.wait(60)
    assert request.reason is FinishReason.COMPLETE
    ((_, entry),) = outlet.entries
    result = ClassifyResult.from_json(entry.body)
    assert {label for label, _ in result.labels} == set(NAMES)
    assert (request.usage.prompt_tokens, request.usage.completion_tokens) == (result.prompt_tokens, 0)


@pytest.mark.parametrize("function", [Function.GENERATE, Function.SCORE, Function.EMBED])
def test_a_classifier_does_nothing_else(classifiers, engine_of, function):
    engine, _ = engine_of(classifiers["roberta"])
    order = make_order("The lab") if function is Function.GENERATE else Order(function, "The lab")
    with pytest.raises(RejectedError, match=f"this size does not {function}; it can classify") as refused:
        engine.submit(make_permit(function=function), order)
    assert refused.value.reason is FinishReason.INVALID


def test_a_language_model_does_not_classify(tiny_models, engine_of):
    engine, _ = engine_of(tiny_models["opt"])
    with pytest.raises(RejectedError, match="does not classify; it can embed, generate, score") as refused:
        engine.submit(make_permit(function="classify"), Order(Function.CLASSIFY, "The lab"))
    assert refused.value.reason is FinishReason.INVALID


def test_classify_prints_the_labels_of_each_text(classifiers, capsys):
    assert cli.main(["classify", str(classifiers["gpt2"]), "--text", "The lab", "--text", "a verdict"]) == 0
    first, other = json.loads(capsys.readouterr().out)
    assert [{each["label"] for each in text["labels"]} for text in (first, other)] == [set(NAMES)] * 2
    assert sum(each["probability"] for each in first["labels"]) == pytest.approx(1, abs=NEAR)


def test_a_folder_is_opened_as_what_its_configuration_says(classifiers, tiny_models):
    assert isinstance(open_backend(classifiers["llama"]), ClassifierBackend)
    assert isinstance(open_backend(tiny_models["llama"]), SlotBackend)
