"""Bad input and faults, one by one: who is hit and with which reason, that the others go on, and that nothing leaks."""

from __future__ import annotations

import gc
import threading
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
import torch

from inference import tasks
from inference.backends.slots import SlotBackend
from inference.contract import FinishReason, Function, Keys, Order, SamplingSettings
from inference.engine.admission import RejectedError
from inference.engine.loop import Engine
from inference.engine.outlet import OutletLostError, Verdict
from inference.engine.request import Request, Sequence
from inference.engine.scheduler import Scheduler
from inference.engine.shelf import Shelf
from tests.inference.fakes import FakeLoader, FakeOutlet, decode, make_order, make_permit
from tests.inference.test_loop import Bench, lines_run

KEYS = Keys({"v1": b"k" * 32})
LENGTH, FAILED = FinishReason.LENGTH, FinishReason.ENGINE_FAILED


@pytest.fixture
def bench() -> Iterator[Bench]:
    """An engine with room for four sequences and twelve more that wait."""
    bench = Bench(slots=4, waiting=12)
    yield bench
    bench.engine.stop()


def is_at_rest(engine: Engine) -> bool:
    """Whether the engine holds nothing any more: no request, no slot, no cache, no borrowed size."""
    lanes = list(engine._shelf._lanes.values())
    held = [engine._live, engine._lanes, engine._inbox, engine._ending]
    held += [part for lane in lanes for part in (lane.borrowers, lane.scheduler.cache_used, lane.backend.slots)]
    held += [queue._shares for lane in lanes for queue in lane.scheduler._queues.values()]
    return not any(held) and engine.counts() == (0, 0)


# --- Faults of a step -----------------------------------------------------------------------------------------------


def at_step(number: int, error: Exception) -> Callable[[Bench], None]:
    """A fault of the model in one step."""

    def set_up(bench: Bench) -> None:
        def fail() -> None:
            if bench.backend().steps == number:
                raise error

        bench.backend().before_step = fail

    return set_up


def no_numbers(bench: Bench) -> None:
    bench.backend().token = lambda each: None if each.request.job_id == "j1" and each.output else ord("x")


def no_broker(bench: Bench) -> None:
    def lose() -> None:
        if bench.engine.steps == 3:
            raise OutletLostError

    bench.outlet.before_publish = lose


def client_leaves(bench: Bench) -> None:
    def leave() -> None:
        if bench.engine.steps == 3:
            bench.outlet.stops["j1"] = FinishReason.CANCELLED

    bench.outlet.before_publish = leave


FULL = "[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
RAN_OUT = "the worker ran out of memory"
FAULTS = {  # set-up, reason and words for those that are hit; who that is: the four that had a slot, or j1
    "memory of Python": (at_step(3, MemoryError()), FAILED, RAN_OUT, 4),
    "memory of torch on a CPU": (at_step(3, RuntimeError(FULL)), FAILED, RAN_OUT, 4),
    "memory of torch on a GPU": (at_step(3, torch.OutOfMemoryError("CUDA out of memory")), FAILED, RAN_OUT, 4),
    "a bug of the model": (at_step(3, IndexError("secret")), FAILED, "the model failed: IndexError", 4),
    "numbers that are not finite": (no_numbers, FAILED, "not finite", 1),
    "a broker that is away": (no_broker, FinishReason.BROKER_LOST, "broker", 6),
    "a client that leaves": (client_leaves, FinishReason.CANCELLED, "", 1),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_hits_whom_it_must_and_nothing_is_left_over(bench, fault):
    set_up, reason, words, hit = FAULTS[fault]
    set_up(bench)
    threads = threading.active_count() + 1  # the engine's own
    requests = [bench.submit(f"j{at}") for at in range(6)]
    bench.engine.start()
    bench.wait(*requests)
    assert threading.active_count() == threads
    ends = [end for end in bench.outlet.ends if end.reason is not LENGTH]
    assert {end.reason for end in ends} == {reason}
    assert all(words in end.error and "secret" not in end.error for end in ends)
    assert {end.job_id for end in ends} == ({"j1"} if hit == 1 else {f"j{at}" for at in range(hit)})
    assert all(bench.outlet.text(request.job_id) == "x" * 8 for request in requests if request.reason is LENGTH)
    assert len(bench.reasons()) == 6
    assert is_at_rest(bench.engine)
    assert bench.wait(bench.submit("next")) == [LENGTH]
    assert is_at_rest(bench.engine)


def test_a_model_that_fails_for_ever_ends_all_that_wait_for_it_and_another_size_goes_on(bench):
    def fail() -> None:
        raise RuntimeError(FULL)

    bench.backend("a").before_step = fail
    broken, sound = [bench.submit(f"a{at}", "a") for at in range(12)], bench.submit("b", "b")
    bench.engine.start()
    assert set(bench.wait(*broken)) == {FAILED}
    assert bench.wait(sound) == [LENGTH]
    assert is_at_rest(bench.engine)


def test_a_model_that_cannot_be_reset_ends_those_that_wait_as_well(bench):
    def fail() -> None:
        raise RuntimeError(FULL)

    broken = bench.backend()
    broken.before_step = broken.reset = fail
    requests = [bench.submit(f"j{at}") for at in range(6)]
    bench.engine.start()
    assert set(bench.wait(*requests)) == {FAILED}
    assert bench.shelf.loaded == ()
    assert bench.wait(bench.submit("next")) == [LENGTH]
    assert is_at_rest(bench.engine)


def test_a_real_model_that_ran_out_of_memory_goes_on_with_the_same_numbers(tiny_models, monkeypatch):
    """The cache grows by doubling: what was half grown when memory ran out is given back whole."""
    loader, outlet = FakeLoader(), FakeOutlet()
    backend = SlotBackend(tiny_models["gpt2"], max_slots=8)
    loader.load = lambda digest: backend
    engine = Engine(Shelf(loader, lambda tokens: Scheduler(8, 16, cache_tokens=tokens), 100), outlet)
    engine.start()
    order = Order(Function.GENERATE, "The lab", SamplingSettings(max_tokens=8, seed=3))

    def run(name: str, count: int) -> list[Request]:
        requests = [engine.submit(make_permit(f"{name}{at}"), order) for at in range(count)]
        assert all(request.done.wait(60) for request in requests)
        return requests

    (before,) = run("before", 1)
    grown, calls = torch.zeros, []

    def fail_halfway(shape, **more):
        calls.append(shape)
        if isinstance(shape, tuple) and len(shape) == 4 and shape[0] > 4 and sum(map(is_cache, calls)) > 2:
            raise RuntimeError(FULL)
        return grown(shape, **more)

    monkeypatch.setattr(torch, "zeros", fail_halfway)
    hit = run("hit", 8)
    monkeypatch.setattr(torch, "zeros", grown)
    assert FAILED in {request.reason for request in hit}
    assert all(RAN_OUT in end.error for end in outlet.ends if end.reason is FAILED)
    after = run("after", 8)
    assert {outlet.text(request.job_id) for request in after} == {outlet.text(before.job_id)}
    assert (backend._rows, backend._scores, backend._read, backend._decoding) == ([], {}, {}, 0)
    assert all(not layer.stored() for layer in backend._cache._slots)
    engine.stop()


def is_cache(shape) -> bool:
    return isinstance(shape, tuple) and len(shape) == 4


# --- Bad input ------------------------------------------------------------------------------------------------------

WRONG = {
    "more tokens than the context has": {"max_tokens": 98},
    "a prompt beyond the context": {"prompt": "p" * 101, "max_tokens": 1},
    "no token at all": {"max_tokens": 0},
    "a bias for a token that is not there": {"logit_bias": ((0x110000, 1.0),)},
    "no sample": {"samples": 0},
    "a character outside the vocabulary": {"prompt": "é"},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_bad_input_is_refused_and_nothing_is_left_over(bench, wrong):
    neighbour = bench.submit("neighbour")
    with pytest.raises(RejectedError) as refusal:
        bench.submit("wrong", **WRONG[wrong])
    assert refusal.value.reason is FinishReason.INVALID
    bench.engine.start()
    assert bench.wait(neighbour) == [LENGTH]
    assert is_at_rest(bench.engine)


def test_a_stop_string_of_ten_thousand_characters_that_never_ends_holds_the_text_back_until_its_end(bench):
    long, other = bench.submit("long", stop=("x" * 9_999 + "y",), max_tokens=97), bench.submit("other", max_tokens=97)
    bench.engine.start()
    assert bench.wait(long, other) == [LENGTH, LENGTH]
    assert bench.outlet.text("long") == bench.outlet.text("other") == "x" * 97
    assert is_at_rest(bench.engine)


def test_a_stop_string_of_ten_thousand_characters_is_met_in_a_text_of_as_many():
    sequence = sequence_of(make_order(stop=("ab" * 5_000,), max_tokens=20_000))
    letters, shown = iter("abab!" + "ab" * 5_000 + "after"), ""
    while sequence.reason is None:
        shown += sequence.take(ord(next(letters))).text
    assert (shown, sequence.reason) == ("abab!", FinishReason.STOP)
    assert "".join(letters) == "after"


def test_what_a_long_stop_string_costs_does_not_grow_with_the_text_before_it():
    order = make_order(stop=("ab" * 5_000,), max_tokens=20_000)
    costs = {}
    for before in (1_000, 4_000):
        sequence = sequence_of(order)
        for at in range(before):
            sequence.take(ord("ab"[at % 2]))
        costs[before] = lines_run(lambda one=sequence: one.take(ord("a")))
    assert costs[4_000] == costs[1_000]


def sequence_of(order: Order) -> Sequence:
    return Request(order, make_permit(), [1], decode=decode).samples[0]


# --- Ten thousand at once -------------------------------------------------------------------------------------------


def test_ten_thousand_requests_at_once_are_served_or_refused_and_memory_is_as_before():
    bench = Bench(slots=4, waiting=100)
    bench.engine.start()
    throw(bench, "warm", 1_000)
    tracemalloc.start()
    reasons = throw(bench, "hot", 10_000)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert set(reasons) == {LENGTH, FinishReason.OVERLOADED}
    assert reasons[LENGTH] >= 104
    assert reasons.total() == 10_000
    assert is_at_rest(bench.engine)
    assert grown < 10_000 * 100, "tables keep their width; a request that stays takes thousands of bytes"
    bench.engine.stop()


def throw(bench: Bench, name: str, number: int) -> Counter[FinishReason]:
    """Submit requests faster than they are served, wait for all, and forget them; return how they ended."""
    held = threading.Event()
    bench.backend().before_step = lambda: held.wait(20)
    requests = [bench.submit(f"{name}{at}", share=f"s{at % 50}") for at in range(number)]
    held.set()
    bench.wait(*requests)
    reasons = Counter(bench.reasons().values())
    for told in (bench.outlet.entries, bench.outlet.checked, bench.outlet.ends):
        told.clear()
    del requests
    gc.collect()
    return reasons


# --- From the task to the end ---------------------------------------------------------------------------------------


class FakeStream(FakeOutlet):
    """An outlet with the marks of requests: who has claimed them, and what was ordered."""

    def __init__(self) -> None:
        super().__init__()
        self.orders: dict[str, str] = {}
        self.claimed: set[str] = set()

    def claim(self, job_id: str) -> bool:
        is_first = job_id not in self.claimed
        self.claimed.add(job_id)
        return is_first

    def order(self, job_id: str) -> str | None:
        return self.orders.get(job_id)

    def announce(self, permit, *, needs_reader: bool) -> Verdict:
        return Verdict(self.stops.get(permit.job_id))


def test_tasks_return_after_every_kind_of_end_and_leave_no_thread_behind():
    stream = FakeStream()
    engine = Engine(Shelf(FakeLoader(), lambda tokens: Scheduler(4, 16, 100, cache_tokens=tokens), 100), stream)
    engine.start()
    runtime = tasks.Runtime(engine, stream, KEYS)
    orders = {
        "ok": make_order(),
        "long": make_order(max_tokens=5_000),
        "zero": make_order(max_tokens=0),
        "left": make_order(),
        "gone": None,
        "broken": make_order(prompt="é"),
    }
    stream.orders = {name: order.to_json() for name, order in orders.items() if order} | {"torn": '{"version": 2'}
    stream.stops["left"] = FinishReason.CANCELLED
    threads = threading.active_count()
    serving = [
        threading.Thread(target=tasks.serve, args=(runtime, name, make_permit(name).sign(KEYS)))
        for name in [*orders, "torn"]
    ]
    for thread in serving:
        thread.start()
    for thread in serving:
        thread.join(20)
    assert {end.job_id: end.reason for end in stream.ends} == {
        "ok": LENGTH,
        "long": FinishReason.INVALID,
        "zero": FinishReason.INVALID,
        "left": FinishReason.CANCELLED,
        "gone": FinishReason.BROKER_LOST,
        "broken": FinishReason.INVALID,
        "torn": FinishReason.INVALID,
    }
    assert len(stream.ends) == 7
    assert threading.active_count() == threads
    assert is_at_rest(engine)
    engine.stop()
