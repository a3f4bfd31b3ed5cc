"""The promise of a seed, on the real model in fp32: the same text alone and next to eight other requests."""

from __future__ import annotations

import os

import pytest

from inference.backends.slots import SlotBackend
from inference.contract import Function, Order, Permit, SamplingSettings
from inference.engine.backend import Sampled
from inference.engine.request import Request, State
from inference.engine.scheduler import Scheduler
from tests.inference.reference import CLOSE, Asked, chosen_by_reference, reference
from tests.real_model import real_model_folder

SUBJECTS = ("The river", "A careful engineer", "Tomorrow's weather", "The old library", "Every experiment")
VERBS = (
    "was known for",
    "began with a question about",
    "depends on",
    "taught the children that",
    "could not explain why",
    "is often compared with",
    "slowly changed because of",
    "was measured again after",
    "is remembered for",
    "needs more than",
)
PROMPTS = tuple(f"{subject} {verb}" for subject in SUBJECTS for verb in VERBS)
NEW_TOKENS, COMPANY = 32, 9
# `make test` looks at the first company; continuous integration at all fifty prompts.
CHECKED = PROMPTS if os.environ.get("HYPOTHESIS_PROFILE") == "ci" else PROMPTS[:COMPANY]
MOST_DIFFERENT = 1


@pytest.fixture(scope="module")
def backend() -> SlotBackend:
    return SlotBackend(real_model_folder(), max_slots=16, max_context=256)


def request_of(backend: SlotBackend, number: int) -> Request:
    settings = SamplingSettings(max_tokens=NEW_TOKENS, temperature=0.9, top_p=0.95, seed=1_000 + number)
    order = Order(Function.GENERATE, PROMPTS[number], settings)
    permit = Permit(f"job-{number}", "size", "0" * 64, "generate", 0.0, {})
    return Request(order, permit, backend.encode(PROMPTS[number]), decode=backend.decode, end_ids=frozenset())


def run(backend: SlotBackend, numbers: range) -> list[Asked]:
    """Run these prompts together to their ends."""
    scheduler = Scheduler(16, 256)
    requests = [request_of(backend, number) for number in numbers]
    said: dict[Request, list[int]] = {request: [] for request in requests}
    for request in requests:
        scheduler.add(request)
    while plan := scheduler.schedule():
        for result in backend.step(plan):
            assert isinstance(result, Sampled)
            assert result.token is not None
            said[result.sequence.request].append(result.token)
            result.sequence.take(result.token)
            if result.sequence.state is State.FINISHED:
                scheduler.retire(result.sequence)
                backend.release(result.sequence)
    return list(said.items())


def company_of(number: int) -> range:
    """Nine neighbouring prompts, this one among them."""
    first = min(number - number % COMPANY, len(PROMPTS) - COMPANY)
    return range(first, first + COMPANY)


def test_a_seeded_text_is_the_same_alone_and_next_to_eight_others(backend: SlotBackend) -> None:
    together: dict[int, Asked] = {}
    different = []
    for number in range(len(CHECKED)):
        if number not in together:
            together.update(zip(company_of(number), run(backend, company_of(number)), strict=True))
        ((request, alone),) = run(backend, range(number, number + 1))
        assert len(alone) == NEW_TOKENS
        _, beside = together[number]
        if beside != alone:
            _, gaps = chosen_by_reference(reference(real_model_folder()), (request, alone))
            first = next(at for at, pair in enumerate(zip(alone, beside, strict=True)) if pair[0] != pair[1])
            assert gaps[first] < CLOSE, f"{PROMPTS[number]!r} differs at token {first} with a gap of {gaps[first]}"
            different.append(PROMPTS[number])
    assert len(different) <= MOST_DIFFERENT


def test_another_seed_gives_another_text(backend: SlotBackend) -> None:
    first, second = (request_of(backend, 0), request_of(backend, 1))
    assert first.order.settings.seed != second.order.settings.seed
    (_, one), (_, other) = run(backend, range(2))
    assert one != other
