"""A mark is found with its key and with no other, and nobody has one who did not ask for it."""

from __future__ import annotations

import base64
import hmac
import json
import math
import random
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inference import cli
from inference.backends.loader import open_backend
from inference.backends.penalties import adjusted
from inference.backends.sampling import Draw, choose
from inference.backends.slots import SlotBackend
from inference.backends.vocabulary import Vocabulary
from inference.contract import FinishReason, Order, SamplingSettings
from inference.engine.admission import RejectedError, request_of
from inference.engine.scheduler import DRAFT_TOKENS
from inference.settings import WorkerSettings
from inference.watermark import Examination, GreenList, binomial_tail
from tests.inference.conftest import KINDS, TEXTS
from tests.inference.fakes import FakeBackend, make_order, make_permit
from tests.inference.test_backend import make_request, run

SECRETS = {version: version.encode() * 16 for version in ("v1", "v2")}
OURS, OTHER = map(GreenList, SECRETS.values())
NAME = "INFERENCE_WATERMARK_KEYS"
ENV = {"REDIS_URL": "redis://localhost", "INFERENCE_STORE": "store"}
FOUND, NOT_FOUND = 1e-6, 1e-3


def written(*versions: str) -> str:
    return ",".join(f"{version}:{base64.b64encode(SECRETS[version]).decode()}" for version in versions)


def asking(previous: int = 1, **changes) -> Draw:
    return Draw(SamplingSettings(**{"watermark": True, **changes}), 0, 0, (previous,))


# --- What is green --------------------------------------------------------------------------------------------------


def test_the_share_of_green_tokens_is_the_fraction_after_each_token_and_over_all():
    for fraction in (0.1, 0.25, 0.5):
        green = GreenList(SECRETS["v1"], fraction).is_green(range(300), torch.arange(4000)).double()
        deviation = (fraction * (1 - fraction)) ** 0.5
        assert abs(green.mean() - fraction) < 4 * deviation / green.numel() ** 0.5
        # The likeliest outlier among 300 rows lies at about three standard errors.
        assert (green.mean(-1) - fraction).abs().max() < 5 * deviation / 4000**0.5
        assert (green.mean(0) - fraction).abs().max() < 5.5 * deviation / 300**0.5


def test_what_is_green_after_one_token_or_with_one_key_says_nothing_of_another():
    tokens = torch.arange(20_000)
    divisions = [*OURS.is_green([0, 1, 2**20], tokens), *OTHER.is_green([0], tokens)]
    correlations = torch.corrcoef(torch.stack(divisions).double()).fill_diagonal_(0)
    assert correlations.abs().max() < 0.03


def is_green_by_hand(key: bytes, previous: int, token: int) -> bool:
    """The definition once more, without tensors: texts that were marked years ago are to be found."""
    seed = int.from_bytes(hmac.digest(key, b"green-list-1:" + previous.to_bytes(8, "big"), "sha256")[:8], "big")
    number = (seed + (token + 1) * 0x9E3779B97F4A7C15) % 2**64
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    number = (number ^ number >> 27) * 0x94D049BB133111EB % 2**64
    return (number ^ number >> 31) < 2**62


@given(key=st.binary(min_size=1), previous=st.integers(0, 2**32), tokens=st.lists(st.integers(0, 2**32), max_size=20))
@settings(max_examples=100, deadline=None)
def test_what_is_green_never_changes(key, previous, tokens):
    (green,) = GreenList(key).is_green([previous], torch.tensor(tokens, dtype=torch.int64))
    assert green.tolist() == [is_green_by_hand(key, previous, token) for token in tokens]


@given(
    logits=st.lists(st.floats(-50, 50, width=32) | st.just(-math.inf), min_size=1, max_size=60),
    previous=st.integers(0, 2**31),
)
@settings(max_examples=100, deadline=None)
def test_a_mark_adds_the_bias_to_green_tokens_and_leaves_all_others_as_they_are(logits, previous):
    before = torch.tensor(logits)
    after = before.clone()
    OURS.mark(after, [5, previous])
    (green,) = OURS.is_green([previous], torch.arange(len(logits)))
    assert torch.equal(after[~green], before[~green])
    assert torch.equal(after[green], before[green] + 2.0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"key": b""}, "key"),
        ({"fraction": 0.0}, "fraction"),
        ({"fraction": 1.0}, "fraction"),
        ({"bias": 0.0}, "bias"),
        ({"bias": math.inf}, "bias"),
        ({"bias": math.nan}, "bias"),
    ],
)
def test_a_mark_that_could_not_be_found_is_refused_and_the_usual_one_is_not(arguments, words):
    assert GreenList(b"k").context_width == 1
    with pytest.raises(ValueError, match=words):
        GreenList(**{"key": b"k", **arguments})


# --- What is examined -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("least", "trials", "chance", "expected"),
    [
        (0, 0, 0.25, 1.0),
        (0, 9, 0.25, 1.0),
        (1, 1, 0.25, 0.25),
        (1, 2, 0.25, 1 - 0.75**2),
        (2, 3, 0.25, (3 * 3 + 1) / 64),
        (2, 2, 0.5, 0.25),
        (5, 10, 0.5, 638 / 1024),
    ],
)
def test_a_tail_is_what_one_counts_by_hand(least, trials, chance, expected):
    assert binomial_tail(least, trials, chance) == pytest.approx(expected, rel=1e-12)


@given(trials=st.integers(1, 400), share=st.floats(0, 1), chance=st.floats(0.01, 0.99))
@settings(max_examples=100, deadline=None)
def test_a_tail_is_the_exact_sum(trials, share, chance):
    least = round(share * trials)
    hit, whole = chance.as_integer_ratio()  # in whole numbers: powers of fractions lose digits where they are tiny
    ways = sum(
        math.comb(trials, hits) * hit**hits * (whole - hit) ** (trials - hits) for hits in range(least, trials + 1)
    )
    exact = float(Fraction(ways, whole**trials))
    assert binomial_tail(least, trials, chance) == pytest.approx(exact, rel=1e-9, abs=1e-300)


def test_a_tail_is_never_nothing_and_never_more_than_one():
    assert 0 < binomial_tail(5_000, 5_000, 0.25) < 1e-300
    assert 1 - 1e-9 < binomial_tail(1, 100_000, 0.25) <= 1
    tails = [binomial_tail(least, 1_000, 0.25) for least in range(1_001)]
    assert tails == sorted(tails, reverse=True)


def test_repeated_text_counts_once():
    text = random.Random(1).choices(range(300), k=40)
    once = OURS.examine(text)
    assert 0 < once.scored <= 39
    seam = (text[-1], text[0])
    repeated = OURS.examine(text * 50)
    is_new = seam not in zip(text, text[1:], strict=False)
    assert repeated.scored == once.scored + is_new
    assert repeated.green - once.green in (0, int(is_new))
    assert OURS.examine([7] * 1_000).scored == 1


def test_a_text_without_a_pair_says_nothing():
    assert OURS.examine([]) == OURS.examine([3]) == Examination(0, 0, 1.0)


def test_p_values_of_unmarked_texts_are_as_rare_as_they_say():
    source = random.Random(2)
    values = [OURS.examine(source.choices(range(50_000), k=101)).p_value for _ in range(400)]
    for limit in (0.5, 0.1, 0.01):
        share = sum(value <= limit for value in values) / len(values)
        assert share <= limit + 3 * (limit * (1 - limit) / len(values)) ** 0.5


# --- What is written ------------------------------------------------------------------------------------------------


@pytest.fixture(params=KINDS)
def kind(request) -> str:
    return request.param


@pytest.fixture
def backend(kind: str, tiny_models: dict[str, Path]) -> SlotBackend:
    return SlotBackend(tiny_models[kind], max_slots=16, max_context=128, watermark=OURS)


def said(backend: SlotBackend, *changes: dict, slots: int = 64) -> list[list[int]]:
    """What requests with these settings say next to each other."""
    usual = {"max_tokens": 100, "temperature": 1.0, "seed": 3}
    requests = [make_request(backend, "The lab", **{**usual, **each}) for each in changes]
    run(backend, requests, slots=slots)
    return [request.samples[0].output for request in requests]


@pytest.mark.parametrize("changes", [{"logit_bias": ((40, 30.0),)}, {"temperature": 0.4}])
def test_a_marked_text_is_the_same_with_drafts_and_without(backend, changes):
    """A mark looks at the token before, which may be one that was drafted in the same step."""
    texts = []
    for drafts in (0, DRAFT_TOKENS):
        request = make_request(backend, "The lab", max_tokens=60, seed=3, watermark=True, **changes)
        gaps = run(backend, [request], drafts=drafts)
        texts.append(request.samples[0].output)
    assert texts[0] == texts[1] or min(gaps) < 1e-3


@pytest.mark.parametrize("changes", [{}, {"temperature": 0.0}, {"top_p": 0.9}, {"top_k": 40, "top_p": 0.9}])
def test_a_marked_text_is_found_with_its_key_and_not_with_another_and_an_unmarked_one_is_not(backend, changes):
    marked, unmarked = said(backend, {**changes, "watermark": True}, changes)
    assert OURS.examine(marked).p_value < FOUND
    assert OTHER.examine(marked).p_value > NOT_FOUND
    assert OURS.examine(unmarked).p_value > NOT_FOUND


def test_the_token_before_the_first_new_one_is_the_last_of_the_prompt(backend):
    """With a bias beyond all logits every token is green, the first one too."""
    backend._watermark = GreenList(SECRETS["v1"], bias=1e4)
    request = make_request(backend, "The lab", max_tokens=20, temperature=1.0, watermark=True)
    run(backend, [request])
    marked = [request.prompt_ids[-1], *request.samples[0].output]
    examined = backend._watermark.examine(marked)
    assert examined.green == examined.scored > 1


def test_a_marked_text_is_the_same_alone_and_in_company_and_its_neighbours_are_untouched(backend, kind, tiny_models):
    plain = [{"seed": seed, "temperature": 0.9, "max_tokens": 20 + 9 * seed} for seed in range(6)]
    plain[1] |= {"repetition_penalty": 1.3}
    marked = {"seed": 8, "watermark": True}
    keyless = SlotBackend(tiny_models[kind], max_slots=16, max_context=128)
    ((alone,), company) = said(backend, marked), said(keyless, *plain)
    *beside, among = said(backend, *plain, marked, slots=5)
    assert among == alone
    assert beside == company


def test_samples_of_a_marked_request_differ_and_each_bears_the_mark(backend):
    request = make_request(backend, "The lab", max_tokens=100, temperature=1.0, samples=3, watermark=True)
    run(backend, [request])
    outputs = [sample.output for sample in request.samples]
    assert len({tuple(output) for output in outputs}) == 3
    assert all(OURS.examine(output).p_value < FOUND for output in outputs)


# --- How it goes with other settings --------------------------------------------------------------------------------


class Recording:
    """A mark that makes every logit ten times as large and remembers what it was given."""

    def __init__(self, context_width: int = 1) -> None:
        self.context_width = context_width
        self.heard: list[list[int]] = []

    def mark(self, logits, before):
        logits *= 10
        self.heard.append(list(before))


def test_the_mark_comes_after_the_penalties_and_before_the_bias():
    logits = torch.tensor([[3.0, 4.0, 5.0, 6.0]])
    settings = {"repetition_penalty": 2.0, "presence_penalty": 0.5, "logit_bias": ((2, -100.0), (3, 7.0))}
    row = Draw(SamplingSettings(watermark=True, **settings), 0, 1, (1, 2), [0])
    assert adjusted(logits, [row], Recording()).tolist() == [[10.0, 20.0, -75.0, 67.0]]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_token_that_is_forbidden_stays_so_when_it_is_green(temperature):
    green = OURS.is_green([1], torch.arange(50))[0].nonzero()[:, 0].tolist()
    bias = tuple((token, -100.0) for token in green)
    draws = [asking(seed=seed, temperature=temperature) for seed in range(40)]
    barred = [asking(seed=seed, temperature=temperature, logit_bias=bias) for seed in range(40)]
    logits = torch.zeros(40, 50)
    assert {choice.token for choice in choose(logits, draws, OURS)} & set(green)
    assert not {choice.token for choice in choose(logits, barred, OURS)} & set(green)


def test_a_scheme_that_looks_further_back_is_given_as_many_tokens_as_it_wants():
    rows = [
        Draw(SamplingSettings(watermark=True), 0, len(output), prompt, output)
        for prompt, output in (((1,), []), ((1, 2), [3]), ((1, 2, 3), [4, 5]), ((1,), [2, 3, 4, 5]))
    ]
    scheme = Recording(context_width=3)
    adjusted(torch.zeros(4, 9), rows, scheme)
    assert scheme.heard == [[1], [1, 2, 3], [3, 4, 5], [3, 4, 5]]


def test_logits_of_rows_that_ask_for_no_mark_are_not_even_copied():
    logits = torch.randn(2, 10)
    assert adjusted(logits, [asking(watermark=False)] * 2, OURS) is logits


def test_nobody_is_given_an_unmarked_text_in_place_of_a_marked_one():
    with pytest.raises(ValueError, match="watermark"):
        choose(torch.zeros(1, 5), [asking()])


# --- Who may ask, and of whom ---------------------------------------------------------------------------------------


def test_an_order_for_a_mark_is_refused_without_a_key_and_taken_with_one(tiny_models):
    with_key, without = (open_backend(tiny_models["gpt2"], watermark=each) for each in (OURS, None))
    marked = make_order("The lab", watermark=True)
    assert request_of(make_permit(), marked, with_key, 0.0).order.settings.watermark
    assert request_of(make_permit(), make_order("The lab"), without, 0.0)
    for backend in (without, FakeBackend()):
        with pytest.raises(RejectedError, match="watermark") as refused:
            request_of(make_permit(), marked, backend, 0.0)
        assert refused.value.reason is FinishReason.INVALID


def test_an_order_of_a_portal_that_knows_no_watermark_is_read_and_wants_none():
    told = json.loads(make_order().to_json())
    del told["settings"]["watermark"]
    assert Order.from_json(json.dumps(told)) == make_order()
    earlier = asdict(make_order().settings)
    del earlier["watermark"]
    assert not SamplingSettings.from_mapping(earlier).watermark
    assert Order.from_json(make_order(watermark=True).to_json()).settings.watermark


def test_the_newest_of_the_workers_keys_marks_and_without_any_nothing_does():
    env = {**ENV, "INFERENCE_PERMIT_KEYS": written("v1")}
    keys = WorkerSettings.read({**env, NAME: written("v2", "v1")}).watermark_keys
    assert keys is not None
    assert keys.secrets[keys.newest] == SECRETS["v2"]
    assert WorkerSettings.read(env).watermark_keys is None
    assert WorkerSettings.read({**env, NAME: ""}).watermark_keys is None


@pytest.mark.parametrize("wrong", ["v1", "v1:short", "v1:" + "A" * 8, written("v1") + ","])
def test_keys_that_cannot_be_read_stop_the_worker_with_the_name_of_the_variable_and_without_the_secret(wrong):
    env = {**ENV, "INFERENCE_PERMIT_KEYS": written("v1"), NAME: wrong}
    with pytest.raises(ValueError, match=NAME) as refused:
        WorkerSettings.read(env)
    assert wrong not in str(refused.value)


# --- From a shell ---------------------------------------------------------------------------------------------------


def test_a_shell_marks_a_text_with_the_newest_key_and_examines_it_with_all(tiny_models, capsys, monkeypatch):
    folder = str(tiny_models["gpt2"])
    monkeypatch.setenv(NAME, written("v1"))
    generate = ["generate", folder, "--prompt", "The lab", "--max-tokens", "100", "--seed", "3"]
    texts = []
    for more in ([], ["--watermark"]):
        assert cli.main([*generate, *more]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] != texts[1]
    monkeypatch.setenv(NAME, written("v2", "v1"))
    assert cli.main(["examine", folder, "--text", texts[1]]) == 0
    other, own = json.loads(capsys.readouterr().out)
    tokens = Vocabulary(tiny_models["gpt2"], is_exact=False).encode(texts[1])
    assert other == {"key": "v2", **asdict(OTHER.examine(tokens))}
    assert own == {"key": "v1", **asdict(OURS.examine(tokens))}
    # Bytes that are no characters are lost in between, and pairs with them.
    assert own["p_value"] < 0.01 < other["p_value"]


@pytest.mark.parametrize(
    ("keys", "arguments", "words"),
    [
        ("", ["generate", "--prompt", "The lab", "--watermark"], "watermark"),
        ("", ["examine", "--text", TEXTS[0]], NAME),
        ("v1:short", ["generate", "--prompt", "The lab", "--watermark"], NAME),
        ("v1:short", ["examine", "--text", TEXTS[0]], NAME),
    ],
)
def test_a_shell_without_readable_keys_says_so(tiny_models, capsys, monkeypatch, keys, arguments, words):
    monkeypatch.setenv(NAME, keys)
    command, *rest = arguments
    assert cli.main([command, str(tiny_models["gpt2"]), *rest]) == 1
    assert words in capsys.readouterr().err
    assert cli.main(["generate", str(tiny_models["gpt2"]), "--prompt", "The lab", "--max-tokens", "2"]) == 0
