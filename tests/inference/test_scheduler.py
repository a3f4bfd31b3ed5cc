"""The scheduler keeps its slots, starves nobody, and forgets whom it must."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from inference.contract import FinishReason
from inference.engine.request import State
from inference.engine.scheduler import QueueFullError, Scheduler
from tests.inference.fakes import END, make_request

SLOTS, BUDGET, WAITING = 3, 8, 12


class SchedulerMachine(RuleBasedStateMachine):
    """Random arrivals, steps, aborts and failures against what must always hold."""

    def __init__(self) -> None:
        super().__init__()
        self.scheduler = Scheduler(SLOTS, BUDGET, WAITING)
        self.requests = []
        self.ends = []
        self.unplanned = {}  # waiting sequence -> steps it has waited while nobody before it waited

    @rule(length=st.integers(1, 30), samples=st.integers(1, 3), tokens=st.integers(1, 4))
    def arrive(self, length, samples, tokens):
        request = make_request(f"j{len(self.requests)}", "a" * length, samples=samples, max_tokens=tokens)
        if len(self.scheduler.waiting) + samples > WAITING:
            with pytest.raises(QueueFullError):
                self.scheduler.add(request)
            return
        self.scheduler.add(request)
        self.requests.append(request)

    @precondition(lambda self: self.live())
    @rule(data=st.data())
    def step(self, data):
        head = (*(s for s in self.scheduler.running if not s.is_prefilled), *self.scheduler.waiting)[:1]
        can_start = len(self.scheduler.running) < SLOTS or (head and head[0].state is State.RUNNING)
        plan = self.scheduler.schedule()
        assert plan
        assert sum(chunk.stop - chunk.start for chunk in plan.prefill) <= BUDGET
        assert all(chunk.start % BUDGET == 0 for chunk in plan.prefill)
        if head and can_start:
            assert plan.prefill[0].sequence is head[0]
        ready = [*plan.decode, *(chunk.sequence for chunk in plan.prefill if chunk.is_last)]
        assert len(set(ready)) == len(ready)
        for sequence in ready:
            sequence.take(data.draw(st.sampled_from([END, ord("x")])))
            if sequence.state is State.FINISHED:
                self.scheduler.retire(sequence)
        for request in self.live():
            if request.outcome is not None:
                self.finish(request, request.outcome)

    @precondition(lambda self: self.live())
    @rule(data=st.data(), reason=st.sampled_from([FinishReason.CANCELLED, FinishReason.STOPPED]))
    def abort(self, data, reason):
        self.finish(data.draw(st.sampled_from(self.live())), reason)

    @rule()
    def fail(self):
        for request in self.live():
            self.finish(request, FinishReason.ENGINE_FAILED)
        assert not self.scheduler.running
        assert not self.scheduler.waiting

    def finish(self, request, reason):
        request.end(reason)
        self.scheduler.abort(request)
        self.ends.append(request)

    def live(self):
        return [request for request in self.requests if request.reason is None]

    @invariant()
    def every_slot_is_held_by_a_live_sequence(self):
        running, waiting = self.scheduler.running, self.scheduler.waiting
        assert len(running) <= SLOTS
        assert all(each.state is State.RUNNING for each in running)
        assert all(each.state is State.WAITING for each in waiting)
        unfinished = {s for request in self.live() for s in request.samples if s.state is not State.FINISHED}
        assert {*running, *waiting} == unfinished

    @invariant()
    def every_request_ends_at_most_once(self):
        assert len(set(self.ends)) == len(self.ends)

    def teardown(self):
        for _ in range(10_000):
            if not self.live():
                break
            for chunk_or_sequence in self._ready():
                chunk_or_sequence.take(ord("x"))
                if chunk_or_sequence.state is State.FINISHED:
                    self.scheduler.retire(chunk_or_sequence)
            for request in self.live():
                if request.outcome is not None:
                    self.finish(request, request.outcome)
        assert set(self.ends) == set(self.requests)

    def _ready(self):
        plan = self.scheduler.schedule()
        return [*plan.decode, *(chunk.sequence for chunk in plan.prefill if chunk.is_last)]


TestScheduler = SchedulerMachine.TestCase
TestScheduler.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_a_request_ends_once_and_a_second_end_is_an_error():
    request = make_request()
    request.end(FinishReason.CANCELLED)
    with pytest.raises(RuntimeError, match="twice"):
        request.end(FinishReason.STOP)
    assert request.reason is FinishReason.CANCELLED


def test_samples_of_one_request_take_slots_one_at_a_time():
    scheduler = Scheduler(2, 100)
    request = make_request(samples=3)
    scheduler.add(request)
    assert len(scheduler.schedule().prefill) == 2
    request.samples[0].take(END)
    scheduler.retire(request.samples[0])
    plan = scheduler.schedule()
    assert [chunk.sequence.sample for chunk in plan.prefill] == [2]
    assert [sequence.sample for sequence in plan.decode] == [1]


def test_a_long_prompt_goes_in_by_chunks_of_its_own_while_others_decode():
    scheduler = Scheduler(4, 8)
    short, long = make_request("s", "ab"), make_request("l", "c" * 20)
    scheduler.add(short)
    scheduler.add(long)
    spans = []
    for _ in range(5):
        plan = scheduler.schedule()
        spans.append([(chunk.sequence.request.job_id, chunk.start, chunk.stop) for chunk in plan.prefill])
        assert [sequence.request.job_id for sequence in plan.decode][:1] == ([] if len(spans) == 1 else ["s"])
    assert spans == [[("s", 0, 2)], [("l", 0, 8)], [("l", 8, 16)], [("l", 16, 20)], []]


def test_end_of_text_is_not_counted_but_tokens_of_a_stop_string_are():
    ended, stopped = make_request(), make_request(stop=("yz",))
    assert [ended.samples[0].take(token).tokens for token in (ord("x"), END)] == [1, 1]
    pieces = [stopped.samples[0].take(ord(each)) for each in "xyz"]
    assert [(piece.text, piece.tokens, piece.finish) for piece in pieces] == [
        ("x", 1, None),
        ("", 2, None),
        ("", 3, "stop"),
    ]


def test_length_shows_what_was_held_back():
    request = make_request(stop=("yz",), max_tokens=2)
    pieces = [request.samples[0].take(ord(each)) for each in "xy"]
    assert [(piece.text, piece.finish) for piece in pieces] == [("x", None), ("y", "length")]
