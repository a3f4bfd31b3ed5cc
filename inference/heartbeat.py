"""The worker's heartbeat: says every second that it lives, and falls silent when its engine does not."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import asdict

from inference.contract import WorkerState
from inference.engine.loop import Engine
from inference.engine.outlet import OutletLostError
from inference.engine.stream import RedisStream

logger = logging.getLogger(__name__)

PERIOD = 1.0  # seconds


class Heartbeat:
    """A thread that renews the heartbeat and writes ends that were kept while the broker was away.

    Args:
        engine: silent when its thread is dead or stuck, so that the portal ends what it held.
        stream: where the heartbeat goes.
        worker_id: name of the worker.
        device: torch device, for those who look.
    """

    def __init__(
        self, engine: Engine, stream: RedisStream, worker_id: str, device: str, precision: str = "float32"
    ) -> None:
        self._engine = engine
        self._stream = stream
        self._worker_id = worker_id
        self._device = device
        self._precision = precision
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
        return WorkerState(
            worker_id=self._worker_id,
            device=self._device,
            precision=self._precision,
            running=running,
            waiting=waiting,
            loaded=self._engine.loaded,
            step=self._engine.steps,
            at=time.time(),
            tokens=figures.tokens,
            prompt_tokens=figures.prompt_tokens,
            first_token_median=median,
            first_token_p95=p95,
            **asdict(self._engine.capacity()),
        )

    def _run(self) -> None:
        is_lost = False
        while True:
            try:
                self.beat()
                self._stream.write_kept()
                is_lost = False
            except OutletLostError:
                if not is_lost:
                    logger.warning("the broker cannot be reached")
                is_lost = True
            if self._stopping.wait(PERIOD):
                return
