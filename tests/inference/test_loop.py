"""Every request that the engine took ends exactly once, whatever happens to its neighbours."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict

import pytest

from inference.contract import FinishReason, Function, Order, Priority, StreamKind, Usage, WorkerState
from inference.engine.admission import RejectedError, ReturnedError
from inference.engine.backend import Sampled
from inference.engine.figures import MOST_TIMES, Figures
from inference.engine.loop import IN_TURN, Engine
from inference.engine.outlet import OutletLostError
from inference.engine.request import Request
from inference.engine.scheduler import Scheduler
from inference.engine.shelf import Shelf
from inference.heartbeat import Heartbeat, Told
from inference.intake import Intake
from tests.inference.conftest import wait_until
from tests.inference.fakes import END, FakeLoader, FakeOutlet, decode, make_order, make_permit


class Bench:
    """An engine with fakes around it; not started, so that a test can queue first."""

    def __init__(self, budget: int = 100, slots: int = 4, waiting: int = 100, **room: int) -> None:
        self.loader = FakeLoader()
        self.outlet = FakeOutlet()
        self.shelf = Shelf(
            self.loader,
            lambda tokens: Scheduler(slots, 16, waiting, cache_tokens=tokens, **room),
            budget,
            patience=0.05,
        )
        self.at = 1_000.0
        self.engine = Engine(self.shelf, self.outlet, clock=lambda: self.at)

    def submit(self, job_id: str, digest: str = "a", order: Order | None = None, **settings):
        return self.engine.submit(make_permit(job_id, digest), order or make_order(**settings))

    def backend(self, digest: str = "a"):
        self.shelf.give_back(self.shelf.borrow(digest))
        return self.loader.backends[digest]

    def wait(self, *requests) -> list[FinishReason | None]:
        for request in requests:
            assert request.done.wait(20)
        return [request.reason for request in requests]

    def reasons(self) -> dict[str, FinishReason]:
        jobs = [end.job_id for end in self.outlet.ends]
        assert len(set(jobs)) == len(jobs)
        return {end.job_id: end.reason for end in self.outlet.ends}


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.engine.stop()


def test_requests_of_two_sizes_run_in_alternating_steps_and_all_end_once(bench):
    requests = [bench.submit(f"{digest}{at}", digest, samples=2) for digest in "ab" for at in range(3)]
    bench.engine.start()
    assert bench.wait(*requests) == [FinishReason.LENGTH] * 6
    assert set(bench.reasons()) == {request.job_id for request in requests}
    sizes = [entry.request.permit.weights_digest for _, entry in bench.outlet.entries]
    assert sizes.index("b") < len(sizes) - 1 - sizes[::-1].index("a")
    assert all(bench.outlet.text(request.job_id, sample) == "x" * 8 for request in requests for sample in (0, 1))
    assert all(end.usage.completion_tokens == 16 and end.usage.prompt_tokens == 3 for end in bench.outlet.ends)
    assert not bench.loader.backends["a"].slots
    assert bench.engine.counts() == (0, 0)


def test_what_runs_is_checked_in_every_step_and_the_next_that_wait_are_too(bench):
    requests = [bench.submit(f"j{at}", max_tokens=3) for at in range(6)]
    bench.engine.start()
    bench.wait(*requests)
    assert bench.outlet.checked[0] == {request.job_id for request in requests}
    assert bench.backend().max_slots_seen == 4


def test_ten_thousand_that_wait_cost_a_step_no_more_than_a_hundred():
    costs = {}
    for waiting in (100, 10_000):
        bench = Bench(slots=4, waiting=20_000, draft_tokens=0)  # drafts differ from step to step
        requests = [bench.submit(f"j{at}", share=f"s{at % 7}", max_tokens=90) for at in range(waiting)]
        bench.engine.step()  # takes in what has arrived
        costs[waiting] = max(lines_run(bench.engine.step) for _ in range(3))
        bench.engine.step()
        assert all(len(checked) <= 4 + IN_TURN for checked in bench.outlet.checked)
        running = {each.request.job_id for each in next(iter(bench.engine._lanes)).scheduler.running}
        assert all(running <= checked for checked in bench.outlet.checked)
        assert bench.engine.counts() == (4, waiting - 4)
        steps = -(-len(requests) // IN_TURN)
        for _ in range(steps - 5):
            bench.engine.step()
        assert set.union(*bench.outlet.checked) == {request.job_id for request in requests}, "all had their turn"
    assert costs[10_000] <= costs[100] + 10


def lines_run(action) -> int:
    """How many lines of Python an action runs, loops counted as often as they go round."""
    lines = 0

    def count(frame, event, argument):
        nonlocal lines
        lines += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        action()
    finally:
        sys.settrace(before)
    return lines


def test_a_passed_deadline_ends_what_runs_and_what_waits_and_nothing_else():
    bench = Bench(slots=2)
    deadlines = {"runs": 1_005.0, "goes_on": 0.0, "waits": 1_005.0, "waits_on": 1_006.0}
    requests = [bench.submit(job_id, deadline=deadline) for job_id, deadline in deadlines.items()]

    def let_time_pass() -> None:
        bench.at = 1_005.0 if bench.engine.steps >= 3 else 1_004.9

    bench.outlet.before_publish = let_time_pass
    bench.engine.start()
    assert bench.wait(*requests) == [
        FinishReason.TOO_LATE,
        FinishReason.LENGTH,
        FinishReason.TOO_LATE,
        FinishReason.LENGTH,
    ]
    usages = {end.job_id: end.usage.completion_tokens for end in bench.outlet.ends}
    assert usages == {"runs": 3, "goes_on": 8, "waits": 0, "waits_on": 8}
    with pytest.raises(RejectedError) as refusal:
        bench.submit("late", deadline=1_005.0)
    assert refusal.value.reason is FinishReason.TOO_LATE
    bench.engine.stop()


def test_batch_work_that_was_preempted_says_everything_once():
    bench = Bench(slots=1)
    batch = bench.submit("batch", priority=Priority.BATCH, max_tokens=20)
    urgent: list[Request] = []

    def submit_urgent() -> None:
        if bench.engine.steps == 5:
            urgent.append(bench.submit("urgent", max_tokens=3))

    bench.outlet.before_publish = submit_urgent
    bench.backend().token = lambda sequence: ord("a") + len(sequence.output)
    bench.engine.start()
    assert bench.wait(batch) == [FinishReason.LENGTH]
    assert bench.wait(*urgent) == [FinishReason.LENGTH]
    assert [end.job_id for end in bench.outlet.ends] == ["urgent", "batch"]
    assert bench.outlet.text("batch") == "abcdefghijklmnopqrst"
    assert bench.outlet.ends[1].usage.prompt_tokens == 3
    assert bench.backend().max_slots_seen == 1
    bench.engine.stop()


def test_a_stopped_request_ends_with_its_reason_and_the_others_go_on(bench):
    bench.outlet.stops["b"] = FinishReason.STOPPED
    requests = [bench.submit(job_id) for job_id in "abc"]
    bench.engine.start()
    assert bench.wait(*requests) == [FinishReason.LENGTH, FinishReason.STOPPED, FinishReason.LENGTH]
    assert bench.outlet.text("b") == ""
    (end,) = [end for end in bench.outlet.ends if end.job_id == "b"]
    assert end.usage.prompt_tokens == end.usage.completion_tokens == 0


def test_usage_is_what_was_published_not_what_was_computed(bench):
    request = bench.submit("a")

    def stop_at_fifth() -> None:
        if bench.engine.steps == 5:
            bench.outlet.stops["a"] = FinishReason.CANCELLED

    bench.outlet.before_publish = stop_at_fifth
    bench.engine.start()
    bench.wait(request)
    assert len(request.samples[0].output) == 5
    assert bench.outlet.ends[0].usage.completion_tokens == 4 == len(bench.outlet.text("a"))


def test_a_model_that_raises_ends_its_own_requests_and_the_engine_goes_on(bench):
    def fail() -> None:
        raise ZeroDivisionError("with a secret prompt")

    bench.backend("a").before_step = fail
    broken = [bench.submit(f"a{at}", "a") for at in range(6)]
    sound = bench.submit("b", "b")
    bench.engine.start()
    assert set(bench.wait(*broken)) == {FinishReason.ENGINE_FAILED}
    assert bench.wait(sound) == [FinishReason.LENGTH]
    assert all("secret" not in end.error for end in bench.outlet.ends)
    bench.loader.backends["a"].before_step = lambda: None
    assert bench.wait(bench.submit("again", "a")) == [FinishReason.LENGTH]


def test_a_model_that_cannot_be_reset_is_loaded_anew(bench):
    def fail() -> None:
        raise ZeroDivisionError

    broken = bench.backend("a")
    broken.before_step = broken.reset = fail
    bench.engine.start()
    assert bench.wait(bench.submit("first")) == [FinishReason.ENGINE_FAILED]
    assert bench.wait(bench.submit("second")) == [FinishReason.LENGTH]
    assert bench.loader.loaded == ["a", "a"]


def test_a_slot_that_cannot_be_freed_ends_the_requests_beside_it_and_the_engine_goes_on(bench):
    backend = bench.backend()
    release, failures = backend.release, iter([True])

    def release_badly(sequence) -> None:
        if next(failures, False):
            raise ZeroDivisionError
        release(sequence)

    backend.release = release_badly
    bench.outlet.stops["a"] = FinishReason.STOPPED
    requests = [bench.submit("a"), bench.submit("b")]
    bench.engine.start()
    assert bench.wait(*requests) == [FinishReason.STOPPED, FinishReason.ENGINE_FAILED]
    assert bench.wait(bench.submit("later")) == [FinishReason.LENGTH]


def test_numbers_that_are_not_finite_end_one_request_only(bench):
    bench.backend().token = lambda sequence: None if sequence.request.job_id == "b" else ord("x")
    requests = [bench.submit(job_id) for job_id in "abc"]
    bench.engine.start()
    assert bench.wait(*requests) == [FinishReason.LENGTH, FinishReason.ENGINE_FAILED, FinishReason.LENGTH]


def test_tokens_that_cannot_be_written_as_text_end_one_request_only(bench):
    def decode_badly(ids: list[int]) -> str:
        if ord("!") in ids:
            raise UnicodeError("with a secret prompt")
        return decode(ids)

    bench.backend().decode = decode_badly
    bench.backend().token = lambda each: ord("!") if each.request.job_id == "b" and len(each.output) == 2 else ord("x")
    requests = [bench.submit(job_id, samples=2) for job_id in "abc"]
    bench.engine.start()
    assert bench.wait(*requests) == [FinishReason.LENGTH, FinishReason.ENGINE_FAILED, FinishReason.LENGTH]
    assert bench.outlet.text("b") == "xx"
    assert all("secret" not in end.error for end in bench.outlet.ends)
    assert not bench.backend().slots


def test_a_prompt_on_which_the_tokenizer_breaks_touches_nobody_else(bench):
    encode = bench.backend().encode

    def encode_badly(prompt: str) -> list[int]:
        return encode(prompt) if prompt != "bad" else [][0]

    bench.backend().encode = encode_badly
    sound = bench.submit("sound")
    with pytest.raises(IndexError):
        bench.submit("broken", prompt="bad")
    bench.engine.start()
    assert bench.wait(sound) == [FinishReason.LENGTH]
    bench.engine.stop()
    assert all(lane.borrowers == 0 for lane in bench.shelf._lanes.values())


def test_a_lost_broker_ends_everything_that_runs_and_later_requests_run_again(bench):
    def lose() -> None:
        if bench.engine.steps == 3:
            raise OutletLostError

    bench.outlet.before_publish = lose
    requests = [bench.submit(f"j{at}") for at in range(6)]
    bench.engine.start()
    assert set(bench.wait(*requests)) == {FinishReason.BROKER_LOST}
    assert not bench.backend().slots
    assert bench.wait(bench.submit("later")) == [FinishReason.LENGTH]


def test_a_bug_in_a_step_ends_every_request_and_the_engine_goes_on(bench):
    def fail() -> None:
        if bench.engine.steps == 2:
            raise KeyError

    bench.outlet.before_publish = fail
    requests = [bench.submit("a", "a"), bench.submit("b", "b")]
    bench.engine.start()
    assert set(bench.wait(*requests)) == {FinishReason.ENGINE_FAILED}
    assert bench.wait(bench.submit("later")) == [FinishReason.LENGTH]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_engine_that_died_ends_what_it_held_and_refuses_the_rest(bench):
    def die() -> None:
        raise SystemExit

    bench.outlet.before_publish = die
    request = bench.submit("a")
    bench.engine.start()
    assert bench.wait(request) == [FinishReason.ENGINE_FAILED]
    wait_until(lambda: not bench.engine.is_healthy())
    with pytest.raises(RejectedError) as refusal:
        bench.submit("later")
    assert refusal.value.reason is FinishReason.ENGINE_FAILED


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"prompt": "é"}, "'é'"),
        ({"max_tokens": 98}, "takes 100 in all"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"samples": 0}, "samples"),
        ({"top_p": 0.0}, "top_p"),
        ({"temperature": -1.0}, "temperature"),
        ({"seed": 2**63}, "seed"),
        ({"repetition_penalty": 0.0}, "repetition_penalty"),
        ({"repetition_penalty": float("nan")}, "repetition_penalty"),
        ({"presence_penalty": 2.1}, "presence_penalty"),
        ({"frequency_penalty": -2.1}, "frequency_penalty"),
        ({"logit_bias": ((5, 101.0),)}, "logit_bias"),
        ({"logit_bias": ((5, 1.0), (0x110000, 1.0))}, "logit_bias names token 1114112"),
        ({"logit_bias": ((-1, 1.0),)}, "logit_bias names token -1"),
        ({"logprobs": 21}, "logprobs"),
        ({"watermark": True}, "watermark"),
    ],
)
def test_an_order_that_cannot_be_served_is_refused_and_its_neighbour_is_not(bench, settings, words):
    neighbour = bench.submit("neighbour", max_tokens=97)
    with pytest.raises(RejectedError, match=words) as refusal:
        bench.submit("wrong", **settings)
    assert refusal.value.reason is FinishReason.INVALID
    bench.engine.start()
    assert bench.wait(neighbour) == [FinishReason.LENGTH]
    assert list(bench.reasons()) == ["neighbour"]


def test_a_permit_for_another_function_is_refused(bench):
    with pytest.raises(RejectedError) as refusal:
        bench.engine.submit(make_permit(function="score"), make_order())
    assert refusal.value.reason is FinishReason.REFUSED


def test_weights_that_cannot_be_loaded_are_refused(bench):
    with pytest.raises(RejectedError) as refusal:
        bench.submit("j", "!gone")
    assert refusal.value.reason is FinishReason.ENGINE_FAILED


def test_a_full_queue_ends_the_newcomer_only():
    bench = Bench(waiting=2)
    taken, refused = bench.submit("taken", samples=2), bench.submit("refused", samples=2)
    bench.engine.start()
    assert bench.wait(taken, refused) == [FinishReason.LENGTH, FinishReason.OVERLOADED]
    assert [end.usage.prompt_tokens for end in bench.outlet.ends] == [0, 3]  # what was refused costs nothing
    bench.engine.stop()


def test_a_score_ends_complete_with_one_result(bench):
    bench.engine.start()
    request = bench.engine.submit(make_permit(function="score"), Order(Function.SCORE, "abc"))
    assert bench.wait(request) == [FinishReason.COMPLETE]
    assert [entry.kind for _, entry in bench.outlet.entries] == [StreamKind.RESULT]
    assert bench.outlet.ends[0].usage.prompt_tokens == 3


def test_an_idle_size_makes_room_and_a_busy_one_does_not():
    bench = Bench(budget=20)
    bench.backend("a"), bench.backend("b")
    bench.backend("a")
    busy = bench.submit("busy", "a")
    bench.backend("c")
    assert bench.shelf.loaded == ("a", "c")
    also_busy = bench.submit("also", "c")
    with pytest.raises(RejectedError, match="in use"):
        bench.submit("third", "d")
    bench.engine.start()
    assert bench.wait(busy, also_busy) == [FinishReason.LENGTH] * 2
    assert bench.wait(bench.submit("third", "d")) == [FinishReason.LENGTH]
    bench.engine.stop()


def test_draining_lets_requests_finish_and_takes_no_more(bench):
    request = bench.submit("a")
    bench.engine.start()
    bench.engine.drain(20)
    assert request.reason is FinishReason.LENGTH
    with pytest.raises(ReturnedError):
        bench.submit("late")


def test_draining_returns_what_has_not_begun_and_writes_no_end_for_it(bench):
    go_on, has_begun = threading.Event(), threading.Event()

    def hold() -> None:
        has_begun.set()
        go_on.wait(20)

    bench.backend().before_step = hold
    running = [bench.submit(f"r{at}", max_tokens=5) for at in range(4)]  # as many as there are slots
    bench.engine.start()
    has_begun.wait(20)
    waiting = [bench.submit(f"w{at}", max_tokens=5) for at in range(3)]
    draining = threading.Thread(target=bench.engine.drain, args=(20,))
    draining.start()
    go_on.set()
    draining.join(20)
    assert bench.wait(*running) == [FinishReason.LENGTH] * 4
    assert bench.wait(*waiting) == [None] * 3
    assert [request.is_returned for request in [*running, *waiting]] == [False] * 4 + [True] * 3
    assert set(bench.reasons()) == {request.job_id for request in running}
    assert bench.engine.counts() == (0, 0)
    assert not bench.backend().slots


def test_draining_goes_on_with_what_was_preempted_after_it_had_said_something():
    """Elsewhere it would begin anew, and its reader would see its beginning twice."""
    bench = Bench(slots=1)
    batch = bench.submit("batch", priority=Priority.BATCH, max_tokens=20)
    urgent: list[Request] = []
    draining = threading.Thread(target=bench.engine.drain, args=(20,))

    def disturb() -> None:
        if bench.engine.steps == 5:
            urgent.append(bench.submit("urgent", max_tokens=3))
        elif bench.engine.steps == 6:
            draining.start()
            wait_until(lambda: bench.engine._is_draining)
            assert not batch.has_begun, "urgent work has its slot"

    bench.outlet.before_publish = disturb
    bench.backend().token = lambda sequence: ord("a") + len(sequence.output)
    bench.engine.start()
    assert bench.wait(batch, *urgent) == [FinishReason.LENGTH] * 2
    assert bench.outlet.text("batch") == "abcdefghijklmnopqrst"
    draining.join(20)
    bench.engine.stop()


def test_draining_without_patience_ends_what_still_runs(bench):
    go_on, has_begun = threading.Event(), threading.Event()

    def hold() -> None:
        has_begun.set()
        go_on.wait(20)

    bench.backend().before_step = hold
    requests = [bench.submit("a", max_tokens=90), bench.submit("b", max_tokens=90)]
    bench.engine.start()
    has_begun.wait(20)
    bench.engine.drain(0)
    go_on.set()
    assert bench.wait(*requests) == [FinishReason.WORKER_LOST] * 2
    assert bench.engine.steps == 2


def test_a_step_that_never_returns_makes_the_engine_unhealthy(bench):
    go_on = threading.Event()
    bench.backend().before_step = lambda: go_on.wait(20)
    request = bench.submit("a")
    bench.engine.start()
    wait_until(lambda: bench.backend().steps == 1)
    assert not bench.engine.is_healthy(stuck_after=0)
    assert bench.engine.is_healthy(stuck_after=1000)
    go_on.set()
    bench.wait(request)


class FakePulse:
    """Counts heartbeats."""

    def __init__(self) -> None:
        self.states = []

    def beat(self, state) -> None:
        self.states.append(state)


def test_a_heartbeat_speaks_for_a_living_engine_and_is_silent_for_a_dead_one(bench):
    pulse = FakePulse()
    heartbeat = Heartbeat(bench.engine, pulse, Told("worker-1", "cpu", "bfloat16", ("a", "b"), slots=4, takes=20))
    bench.engine.start()
    bench.wait(bench.submit("a"))
    heartbeat.beat()
    (state,) = pulse.states
    assert (state.tokens, state.prompt_tokens, state.step) == (8, 3, 8)
    assert (state.precision, state.sizes, state.slots, state.takes) == ("bfloat16", ("a", "b"), 4, 20)
    assert WorkerState.from_json(json.dumps(asdict(state) | {"of_a_later_version": 1})) == state
    assert state.ended_per_second == pytest.approx(1 / 60)
    assert (state.max_running, state.max_waiting, state.max_waiting_of_share) == (4, 100, 100)
    assert (state.cache_used, state.cache_total) == (0, 1000)
    assert state.first_token_median == state.first_token_p95 > 0
    assert (state.worker_id, state.loaded, state.running, state.waiting) == ("worker-1", ("a",), 0, 0)
    bench.engine.stop()
    heartbeat.beat()
    assert len(pulse.states) == 1


def test_a_worker_that_takes_nothing_yet_tells_no_slots(bench):
    intake = Intake("worker-1", (), (), slots=4, held=lambda: 0)
    pulse = FakePulse()
    heartbeat = Heartbeat(bench.engine, pulse, Told("worker-1", "cpu", slots=4), intake)
    bench.engine.start()
    heartbeat.beat()
    assert pulse.states[0].slots == 0


def test_a_heartbeat_tells_what_runs_what_waits_and_what_of_the_cache_is_taken():
    bench, pulse = Bench(slots=2), FakePulse()
    for at in range(3):
        bench.submit(f"j{at}")
    bench.engine.step()
    heartbeat = Heartbeat(bench.engine, pulse, Told("worker-1", "cpu"))
    bench.engine.is_healthy = lambda: True  # nobody started its thread
    heartbeat.beat()
    (state,) = pulse.states
    assert (state.running, state.waiting, state.cache_used, state.tokens) == (2, 1, 2 * (3 + 8), 2)
    assert json.loads(json.dumps(asdict(state)))["cache_total"] == 1000


def test_times_to_the_first_token_are_those_of_the_last_minute():
    now = [100.0]
    figures = Figures(clock=lambda: now[0])
    assert figures.first_token() is None
    for seconds in range(1, 21):
        figures.count(Usage(), Usage(3, 1), arrived_at=now[0] - seconds)
        figures.count(Usage(3, 1), Usage(3, 2), arrived_at=0.0)
    assert figures.first_token() == (10.5, pytest.approx(19, abs=0.5))
    assert (figures.prompt_tokens, figures.tokens) == (60, 40)
    now[0] += 59
    figures.count(Usage(), Usage(1, 1), arrived_at=now[0] - 2)
    now[0] += 1
    assert figures.first_token() == (2, 2)


def test_the_pace_is_that_of_the_last_minute_and_after_a_rush_of_the_last_ends():
    now = [100.0]
    figures = Figures(clock=lambda: now[0])
    assert figures.ended_per_second() == 0
    for _ in range(30):
        figures.count_end(samples=4)
    assert figures.ended_per_second() == 2
    now[0] += 61
    assert figures.ended_per_second() == 0
    for _ in range(2 * MOST_TIMES):
        now[0] += 10 / MOST_TIMES
        figures.count_end(samples=1)
    assert figures.ended_per_second() == pytest.approx(MOST_TIMES / 10, rel=0.01)


def test_what_runs_is_asked_for_in_every_step_whatever_its_size_does_in_it():
    """Also while another size has its step, and while a long prompt is read and says nothing."""
    bench = Bench(slots=1, waiting=200)
    runs = [bench.submit(f"{digest}0", digest, prompt="p" * 80, max_tokens=4) for digest in "ab"]
    for at in range(1, 150):
        bench.submit(f"a{at}", "a")
    for _ in range(2):
        bench.engine.step()  # the first of both sizes has begun
    for _ in range(6):
        bench.engine.step()
        assert {request.job_id for request in runs} <= bench.outlet.checked[-1]


def test_an_idle_engine_takes_no_steps(bench):
    bench.engine.start()
    bench.wait(bench.submit("a"))
    steps = bench.engine.steps
    bench.engine.stop()
    assert bench.engine.steps == steps == 8


def test_what_was_drafted_behind_an_end_is_not_said(bench):
    """The backend cannot know where a text ends: a stop string, or the token that ends it, may stand amid a draft."""
    said = {"stopped": "xyzx", "ended": f"xy{chr(END)}x"}

    def speak(plan):
        ready = [*plan.decode, *(chunk.sequence for chunk in plan.prefill if chunk.is_last)]
        return [Sampled(each, ord(letter)) for each in ready for letter in said[each.request.job_id]]

    requests = [bench.submit(name, max_tokens=30, stop=("yz",)) for name in said]
    bench.backend().step = speak
    bench.engine.start()
    assert bench.wait(*requests) == [FinishReason.STOP, FinishReason.STOP]
    assert [request.samples[0].output for request in requests] == [[*map(ord, "xyz")], [*map(ord, "xy")]]
    assert [request.usage.completion_tokens for request in requests] == [3, 2]
    assert [bench.outlet.text(name) for name in said] == ["x", "xy"]


def test_end_of_text_ends_a_sample_and_mixed_samples_end_with_length(bench):
    bench.backend().token = lambda sequence: END if sequence.sample == 1 else ord("x")
    both, one = bench.submit("both", samples=2), bench.submit("one", samples=1, stop=("xxx",))
    bench.engine.start()
    assert bench.wait(both, one) == [FinishReason.LENGTH, FinishReason.STOP]
    finishes = {
        piece.sample: piece.finish
        for _, entry in bench.outlet.entries
        for piece in entry.pieces
        if entry.request is both and piece.finish
    }
    assert finishes == {0: "length", 1: "stop"}
