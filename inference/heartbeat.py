"""The worker's heartbeat: says every second that it lives, and falls silent when its engine does not."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import asdict, dataclass

from inference.contract import WorkerState
from inference.engine.loop import Engine
from inference.engine.outlet import OutletLostError
from inference.engine.stream import RedisStream
from inference.intake import Intake

logger = logging.getLogger(__name__)

PERIOD = 1.0  # seconds


@dataclass(frozen=True)
class Told:
    """What a worker was told when it started, and tells in every heartbeat.

    Args:
        worker_id: name of the worker.
        device: torch device, for those who look.
        precision: torch's name of the numbers it computes in.
        sizes: weights digests that it serves; empty: all.
        slots: sequences of one size that run at once.
        takes: requests that it holds at most.
    """

    worker_id: str
    device: str
    precision: str = "float32"
    sizes: tuple[str, ...] = ()
    slots: int = 0
    takes: int = 0


class Heartbeat:
    """A thread that renews the heartbeat and writes ends that were kept while the broker was away.

    Args:
        engine: silent when its thread is dead or stuck, so that the portal ends what it held.
        stream: where the heartbeat goes.
        told: what the worker was told when it started.
        intake: follows which sizes are asked for, and who else is free; None: nothing is taken from queues.
    """

    def __init__(self, engine: Engine, stream: RedisStream, told: Told, intake: Intake | None = None) -> None:
        self._engine = engine
        self._stream = stream
        self._told = told
        self._intake = intake
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Start the thread; the first beat is at once."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and withdraw the heartbeat."""
        self._stopping.set()
        self._thread.join(2 * PERIOD)
        try:
            self._stream.leave()
        except OutletLostError:
            logger.info("the broker was gone before the heartbeat could be withdrawn")

    def beat(self) -> None:
        """Say once that the worker lives, if it does."""
        if not self._engine.is_healthy():
            logger.error("the engine is dead or stuck: no heartbeat")
            return
        self._stream.beat(self._state())

    def _state(self) -> WorkerState:
        running, waiting = self._engine.counts()
        figures = self._engine.figures
        median, p95 = figures.first_token() or (None, None)
        # A worker that still loads takes nothing: nobody shall leave work to it.
        slots = self._told.slots if self._intake is None or self._intake.is_attached else 0
        return WorkerState(
            **{**asdict(self._told), "slots": slots},
            running=running,
            waiting=waiting,
            loaded=self._engine.loaded,
            step=self._engine.steps,
            at=time.time(),
            tokens=figures.tokens,
            prompt_tokens=figures.prompt_tokens,
            first_token_median=median,
            first_token_p95=p95,
            ended_per_second=figures.ended_per_second(),
            **asdict(self._engine.capacity()),
        )

    def _run(self) -> None:
        is_lost = False
        while True:
            try:
                self.beat()
                self._stream.write_kept()
                if self._intake is not None:
                    self._intake.update(self._stream.asked(), self._stream.workers())
                is_lost = False
            except OutletLostError:
                if not is_lost:
                    logger.warning("the broker cannot be reached")
                is_lost = True
            if self._stopping.wait(PERIOD):
                return
