"""Which queues a worker empties, and when it leaves requests to another worker."""

from __future__ import annotations

import pytest

from inference.contract import QUEUE, WorkerState, queue_of
from inference.intake import Intake, is_free_elsewhere, queues_of
from inference.settings import WorkerSettings
from tests.inference.test_worker import SECRET


def other(running: int = 0, waiting: int = 0, *, sizes: tuple[str, ...] = (), slots: int = 4) -> WorkerState:
    return WorkerState("other", "cpu", running, waiting, (), 0, 0.0, sizes=sizes, slots=slots)


def test_a_worker_for_all_sizes_empties_every_known_queue_and_the_one_of_earlier_portals():
    assert queues_of((), ["a", "b"]) == {QUEUE, queue_of("a"), queue_of("b")}
    assert queues_of(("a",), ["a", "b"]) == {queue_of("a")}


@pytest.mark.parametrize(
    ("sizes", "theirs", "is_free"),
    [
        ((), other(), True),
        ((), other(3), True),
        ((), other(4), False),
        ((), other(2, 2), False),
        ((), other(sizes=("a",)), False),  # it cannot take all that this one can
        (("a",), other(), True),
        (("a",), other(sizes=("a", "b")), True),
        (("a", "b"), other(sizes=("a",)), False),
        ((), other(slots=0), False),  # of a version that empties the one old queue only
    ],
)
def test_another_worker_counts_when_it_has_a_free_slot_and_serves_the_same(sizes, theirs, is_free):
    assert is_free_elsewhere("me", sizes, [theirs]) is is_free
    assert not is_free_elsewhere("other", sizes, [theirs]), "nobody leaves work to itself"


def test_beyond_its_slots_a_worker_takes_only_while_nobody_else_is_free():
    held = [0]
    intake = Intake("me", (), (), slots=4, held=lambda: held[0])
    assert [intake.may_take(taken, 20) for taken in (3, 4, 19, 20)] == [True, True, True, False]
    intake.update((), [other()])
    assert [intake.may_take(taken, 20) for taken in (3, 4, 19, 20)] == [True, False, False, False]
    held[0] = 4  # one request of four samples fills it as well
    assert not intake.may_take(1, 20)
    intake.update((), [other(4)])
    assert intake.may_take(4, 20)


def test_a_worker_that_is_stopping_takes_nothing_more():
    intake = Intake("me", (), (), slots=4, held=lambda: 0)
    intake.close()
    assert not intake.may_take(0, 20)


class FakeConsumer:
    """Celery's consumer as the intake sees it."""

    def __init__(self) -> None:
        self.queues: list[str] = []
        self.wakes = 0
        self.task_consumer = self.channel = self.qos = self
        self.pool = self
        self.num_processes = 20
        self.add_task_queue = self.queues.append

    def can_consume(self) -> bool:
        return True

    def call_soon(self, call, *arguments) -> None:
        self.wakes += not arguments
        call(*arguments)


def test_queues_are_added_once_as_sizes_become_known_and_again_after_a_lost_connection():
    intake = Intake("me", (), ("a",), slots=4, held=lambda: 0)
    intake.update(("b",), [])  # before there is a consumer
    assert not intake.is_attached
    first, second = FakeConsumer(), FakeConsumer()
    intake.attach(first)
    assert intake.is_attached
    assert first.queues == [QUEUE, queue_of("a"), queue_of("b")]
    intake.update(("b", "c"), [])
    intake.update(("c",), [])
    assert first.queues[3:] == [queue_of("c")]
    assert first.wakes == 3
    intake.attach(second)
    assert second.queues == [QUEUE, *map(queue_of, "abc")]


def test_a_consumer_asks_the_intake_before_each_request():
    held = [0]
    intake, consumer = Intake("me", (), (), slots=4, held=lambda: held[0]), FakeConsumer()
    intake.update((), [other()])
    intake.attach(consumer)
    assert consumer.can_consume()
    held[0] = 4
    assert not consumer.can_consume()


@pytest.mark.parametrize(("text", "sizes"), [("", ()), ("all", ()), ("a" * 64 + ", " + "b" * 64, ("a" * 64, "b" * 64))])
def test_the_sizes_of_a_worker_are_all_or_those_that_are_named(text, sizes):
    assert WorkerSettings.read({**ENV, "INFERENCE_SIZES": text}).sizes == sizes


def test_a_size_that_is_no_digest_stops_the_start():
    with pytest.raises(ValueError, match="INFERENCE_SIZES must be all, or weights digests"):
        WorkerSettings.read({**ENV, "INFERENCE_SIZES": "gpt2"})


def test_a_worker_holds_what_runs_and_what_waits():
    assert WorkerSettings.read({**ENV, "INFERENCE_MAX_SLOTS": "8", "INFERENCE_MAX_WAITING": "100"}).takes == 108


ENV = {"REDIS_URL": "redis://localhost", "INFERENCE_STORE": "store", "INFERENCE_PERMIT_KEYS": SECRET}
