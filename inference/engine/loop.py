"""The engine: one thread that schedules, computes, publishes, and ends every request exactly once."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable
from itertools import islice

from inference.contract import FinishReason, Order, Permit, Piece, StreamKind, pieces_to_json
from inference.engine.admission import RejectedError, ReturnedError, check_order, request_of
from inference.engine.backend import LoadError, Sampled, Scored
from inference.engine.failures import log_failure, reason_of
from inference.engine.figures import Capacity, Figures
from inference.engine.outlet import End, Entry, Outlet, OutletLostError, Verdict
from inference.engine.request import Request, State
from inference.engine.scheduler import QueueFullError
from inference.engine.shelf import Lane, Shelf

logger = logging.getLogger(__name__)

IN_TURN = 64  # requests that are looked at in each step besides those that run


class Engine:
    """Runs requests of several model sizes in alternating steps.

    In each step the outlet is asked whether they still may, and their deadlines are looked at, for every request that
    runs: what is taken back stops within two steps. Of those that wait the next 64 have their turn: the work of a step
    does not grow with the queue.

    Args:
        shelf: brings model sizes on demand.
        outlet: where pieces and ends are written, and where it is asked whether a request still may.
        clock: unix seconds, for deadlines.
    """

    def __init__(self, shelf: Shelf, outlet: Outlet, clock: Callable[[], float] = time.time) -> None:
        self._shelf = shelf
        self._outlet = outlet
        self._clock = clock
        self._live: OrderedDict[Request, Lane] = OrderedDict()  # whose turn it is to be looked at first
        self._lanes: Counter[Lane] = Counter()  # how many of them each lane has; a lane without any is not here
        self._inbox: deque[tuple[Request, Lane]] = deque()
        self._ending: dict[Request, tuple[FinishReason, str]] = {}  # decided in this step, written at its end
        self._last_digest = ""  # not the lane: it would keep a size in memory that was put away
        self._changed = threading.Condition()
        self._closed: tuple[FinishReason, str] | None = None  # why nothing is accepted any more
        self._is_draining = False
        self._is_aborting = False
        self._is_stopping = False
        self._busy_since: float | None = None
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self.steps = 0
        self.figures = Figures()

    # --- for other threads ---

    def start(self) -> None:
        """Start the engine thread."""
        self._thread.start()

    def submit(self, permit: Permit, order: Order) -> Request:
        """Load the size if need be, check the order and queue it; `done` of the request is set after its end.

        Raises:
            RejectedError: nothing was queued, and nothing was written.
            ReturnedError: the same, because the engine drains; another worker can serve it.
        """
        arrived_at = self.figures.clock()
        self._refuse_if_closed()
        check_order(permit, order)
        if order.is_late(self._clock()):
            raise RejectedError(FinishReason.TOO_LATE, "the deadline had passed before it began")
        try:
            lane = self._shelf.borrow(permit.weights_digest)
        except LoadError as error:
            raise RejectedError(FinishReason.ENGINE_FAILED, str(error)) from error
        try:
            request = request_of(permit, order, lane.backend, arrived_at)
            with self._changed:
                self._refuse_if_closed()
                self._inbox.append((request, lane))
                self._changed.notify_all()
        except BaseException:
            self._shelf.give_back(lane)
            raise
        return request

    def drain(self, seconds: float) -> None:
        """Accept nothing more and return what has not begun; what still runs after `seconds` ends as WORKER_LOST."""
        with self._changed:
            self._is_draining = True
            if not self._changed.wait_for(lambda: not (self._live or self._inbox), seconds):
                self._is_aborting = True
            self._changed.notify_all()

    def stop(self, seconds: float = 10.0) -> None:
        """Drain without patience, then end the thread."""
        self.drain(0)
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def is_healthy(self, stuck_after: float = 60.0) -> bool:
        """Whether the thread lives and its present step began less than `stuck_after` seconds ago."""
        since = self._busy_since
        return self._thread.is_alive() and (since is None or time.monotonic() - since < stuck_after)

    @property
    def loaded(self) -> tuple[str, ...]:
        """Weights digests in memory."""
        return self._shelf.loaded

    def capacity(self) -> Capacity:
        """What the sizes in memory have room for together."""
        return self._shelf.capacity()

    def counts(self) -> tuple[int, int]:
        """Sequences (running, waiting)."""
        with self._changed:
            counts = [lane.scheduler.counts for lane in self._lanes]
            arriving = sum(len(request.samples) for request, _ in self._inbox)
        return sum(running for running, _ in counts), sum(waiting for _, waiting in counts) + arriving

    # --- the engine thread ---

    def step(self) -> None:
        """Schedule, compute, publish, apply what came back, finish."""
        self.steps += 1
        self._admit()
        entries = self._entries(self._compute(self._next_lane()))
        verdicts = self._publish(entries)
        self._apply(entries, verdicts)
        self._finish()

    def _run(self) -> None:
        try:
            while self._wait_for_work():
                self._busy_since = time.monotonic()
                self._guarded_step()
                self._busy_since = None
        finally:
            with self._changed:
                self._closed = (FinishReason.ENGINE_FAILED, "the engine has stopped")
            self._end_all(*self._closed)

    def _wait_for_work(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._live or self._inbox or self._is_stopping)
            return bool(self._live or self._inbox)

    def _guarded_step(self) -> None:
        try:
            self.step()
        except Exception as error:  # noqa: BLE001 - an engine that dies silently leaves every request without an end
            log_failure(logger, "step failed", error)
            self._end_all(FinishReason.ENGINE_FAILED, f"the engine failed: {type(error).__name__}")

    def _admit(self) -> None:
        for request, lane in self._take_in():
            try:
                lane.scheduler.add(request)
            except QueueFullError as error:
                self._ending[request] = (FinishReason.OVERLOADED, str(error))
        if self._is_draining:
            self._return([each for each in self._live if each.is_untouched and each not in self._ending])
        if self._is_aborting:
            self._ending.update(dict.fromkeys(self._live, (FinishReason.WORKER_LOST, "the worker is shutting down")))

    def _return(self, requests: list[Request]) -> None:
        """Let go of untouched requests, without an end: another worker can serve them."""
        for request in requests:
            request.give_back()
        for request, lane in self._let_go(requests).items():
            self._free(request, lane)
            request.done.set()

    def _take_in(self) -> list[tuple[Request, Lane]]:
        with self._changed:
            arrived = list(self._inbox)
            self._inbox.clear()
            self._live.update(arrived)
            self._lanes.update(lane for _, lane in arrived)
        return arrived

    def _next_lane(self) -> Lane | None:
        """The lane after the one of the last step, so that no size waits for another's queue."""
        lanes = [lane for lane in self._lanes if any(lane.scheduler.counts)]
        if not lanes or self._is_aborting:
            return None
        digests = [lane.digest for lane in lanes]
        at = digests.index(self._last_digest) + 1 if self._last_digest in digests else 0
        lane = lanes[at % len(lanes)]
        self._last_digest = lane.digest
        return lane

    def _compute(self, lane: Lane | None) -> dict[Request, Entry]:
        """Run one step of a lane; return what its requests have to publish."""
        if lane is None:
            return {}
        try:
            return self._collect(lane, _run(lane))
        except Exception as error:  # noqa: BLE001 - whatever a model raises must end its requests, not the engine
            self._fail(lane, error)
            return {}

    def _entries(self, fresh: dict[Request, Entry]) -> list[Entry]:
        """An entry for every request that is looked at in this step, those that are late left out."""
        now, entries = self._clock(), []
        for request in self._looked_at(fresh):
            if request in self._ending:
                continue
            if request.order.is_late(now):
                self._ending[request] = (FinishReason.TOO_LATE, "the deadline passed before it was done")
            else:
                entries.append(fresh.get(request) or Entry(request))
        return entries

    def _looked_at(self, fresh: dict[Request, Entry]) -> list[Request]:
        running = [sequence.request for lane in self._lanes for sequence in lane.scheduler.running]
        with self._changed:
            in_turn = list(islice(self._live, IN_TURN))
            for request in in_turn:
                self._live.move_to_end(request)
        return list(dict.fromkeys([*fresh, *running, *in_turn]))

    def _collect(self, lane: Lane, results: list[Sampled | Scored]) -> dict[Request, Entry]:
        pieces: dict[Request, list[Piece]] = {}
        entries: dict[Request, Entry] = {}
        for result in results:
            request = result.sequence.request
            if _is_behind_the_end(result):
                continue
            if isinstance(result, Sampled) and result.token is not None:
                pieces.setdefault(request, []).extend(self._said(result, result.token))
            elif isinstance(result, Scored) and result.result is not None:
                result.sequence.end(FinishReason.COMPLETE)
                entries[request] = Entry(request, StreamKind.RESULT, result.result.to_json())
            else:
                self._ending[request] = (FinishReason.ENGINE_FAILED, "the model's numbers were not finite")
            if result.sequence.state is State.FINISHED:
                lane.scheduler.retire(result.sequence)
                lane.backend.release(result.sequence)
        for request, added in pieces.items():
            entries[request] = Entry(request, StreamKind.TOKENS, pieces_to_json(added), tuple(added))
        return entries

    def _said(self, result: Sampled, token: int) -> list[Piece]:
        """What a token adds for the reader; one that cannot be written as text ends its own request only."""
        sequence = result.sequence
        try:
            return [*sequence.opening(result.prompt_logprobs), sequence.take(token, result.logprobs)]
        except Exception as error:  # noqa: BLE001 - whatever a decoder raises
            log_failure(logger, "text failed", error)
            reason = f"its tokens could not be written as text: {type(error).__name__}"
            self._ending[sequence.request] = (FinishReason.ENGINE_FAILED, reason)
            return []

    def _fail(self, lane: Lane, error: Exception) -> None:
        """End the requests that a failed step had begun, and make the lane usable again or discard it.

        What has no slot goes on: the step did not touch it.
        """
        log_failure(logger, "model failed", error)
        self._end_of_lane(lane, reason_of(error), lambda request: request.has_begun)
        try:
            lane.backend.reset()
        except Exception as again:  # noqa: BLE001 - a backend that cannot even be reset is loaded anew by the next request
            log_failure(logger, "model cannot be reset", again)
            self._end_of_lane(lane, reason_of(again), lambda _: True)
            self._shelf.discard(lane)

    def _end_of_lane(self, lane: Lane, error: str, is_meant: Callable[[Request], bool]) -> None:
        meant = [request for request, its in self._live.items() if its is lane and is_meant(request)]
        self._ending.update(dict.fromkeys(meant, (FinishReason.ENGINE_FAILED, error)))

    def _publish(self, entries: list[Entry]) -> list[Verdict]:
        try:
            return self._outlet.publish(self.steps, entries) if entries else []
        except OutletLostError:
            # Nobody can say whether the requests still may: they end, and nothing of this step is shown.
            return [Verdict(FinishReason.BROKER_LOST, "the broker could not be reached") for _ in entries]

    def _apply(self, entries: list[Entry], verdicts: list[Verdict]) -> None:
        for entry, verdict in zip(entries, verdicts, strict=True):
            if verdict.stop is not None:
                self._ending[entry.request] = (verdict.stop, verdict.error)
                continue
            if entry.kind is not None:
                self._confirm(entry)
            if entry.request.outcome is not None:
                self._ending[entry.request] = (entry.request.outcome, "")

    def _confirm(self, entry: Entry) -> None:
        before = entry.request.usage
        entry.request.confirm(entry.pieces)
        self.figures.count(before, entry.request.usage, entry.request.arrived_at)

    def _finish(self) -> None:
        """Write the ends decided in this step, then let go of everything the requests held."""
        ending, self._ending = self._ending, {}
        for request, (reason, error) in ending.items():
            request.end(reason, error)
        lanes = self._let_go(ending)
        if ending:
            self._outlet.finish([End(each.job_id, *ending[each], usage=each.usage) for each in ending])
        for request, lane in lanes.items():
            self.figures.count_end(len(request.samples))
            self._free(request, lane)
            request.done.set()
        with self._changed:
            self._changed.notify_all()

    def _let_go(self, requests: Iterable[Request]) -> dict[Request, Lane]:
        with self._changed:
            lanes = {request: self._live.pop(request) for request in requests}
            self._lanes.subtract(lanes.values())
            self._lanes = +self._lanes  # those without any go
        return lanes

    def _free(self, request: Request, lane: Lane) -> None:
        try:
            for sequence in lane.scheduler.abort(request):
                lane.backend.release(sequence)
        except Exception as error:  # noqa: BLE001 - as in a step: what a model raises must not leave others without an end
            self._fail(lane, error)
        self._shelf.give_back(lane)

    def _end_all(self, reason: FinishReason, error: str) -> None:
        self._take_in()
        self._ending = dict.fromkeys(self._live, (reason, error))
        self._finish()

    def _refuse_if_closed(self) -> None:
        if self._is_draining:
            raise ReturnedError("the worker is shutting down")
        if self._closed is not None:
            raise RejectedError(*self._closed)


def _run(lane: Lane) -> list[Sampled | Scored]:
    """Run the next step of a lane, what it preempts put out of the cache first."""
    plan = lane.scheduler.schedule()
    for sequence in plan.preempted:
        lane.backend.release(sequence)
    return lane.backend.step(plan)


def _is_behind_the_end(result: Sampled | Scored) -> bool:
    """Whether its text has ended with a token of the same step, behind which this one had been drafted."""
    return result.sequence.state is State.FINISHED
