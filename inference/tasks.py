"""The Celery task: takes a request, hands it to the engine, waits for its end."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from celery import shared_task
from kombu.exceptions import OperationalError

from inference.contract import (
    TASK_NAME,
    FinishReason,
    Keys,
    Order,
    Permit,
    PermitEndedError,
    PermitError,
    queue_of,
)
from inference.engine.admission import RejectedError, ReturnedError
from inference.engine.failures import log_failure
from inference.engine.loop import Engine
from inference.engine.outlet import End, OutletLostError
from inference.engine.stream import RedisStream

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Runtime:
    """What the tasks of this process share."""

    engine: Engine
    stream: RedisStream
    keys: Keys


_runtime: list[Runtime] = []  # one, once the worker has started


def install(runtime: Runtime) -> None:
    """Give the tasks of this process their engine."""
    _runtime[:] = [runtime]


@shared_task(name=TASK_NAME, ignore_result=True, acks_late=False)
def run(job_id: str, permit: str) -> None:
    """Serve one request; returns after its end is written (or kept until the broker is back).

    Args:
        job_id: id of the job.
        permit: the signed permit, as text.
    """
    if not _runtime:
        raise RuntimeError("the worker has not started its engine")
    serve(_runtime[0], job_id, permit)


def serve(runtime: Runtime, job_id: str, token: str) -> None:
    """Serve one request with this engine; whatever happens, its end is written once."""
    try:
        _serve(runtime, job_id, token)
    except RejectedError as error:
        runtime.stream.finish([End(job_id, error.reason, str(error))])
    except (OutletLostError, OperationalError):
        runtime.stream.finish([End(job_id, FinishReason.BROKER_LOST, "the broker could not be reached")])
    except Exception as error:  # noqa: BLE001 - Celery would log the message, which could quote a prompt, and end nothing
        log_failure(logger, f"{job_id} failed", error)
        runtime.stream.finish([End(job_id, FinishReason.ENGINE_FAILED, f"the worker failed: {type(error).__name__}")])


def _serve(runtime: Runtime, job_id: str, token: str) -> None:
    permit = _verify(token, job_id, runtime.keys)
    if not runtime.stream.claim(job_id):
        logger.info("%s is claimed by another worker", job_id)
        return
    order = _read_order(runtime.stream, job_id)
    verdict = runtime.stream.announce(permit, needs_reader=order.needs_reader)
    if verdict.stop is not None:
        raise RejectedError(verdict.stop, verdict.error)
    try:
        request = runtime.engine.submit(permit, order)
    except ReturnedError:
        _hand_back(runtime, permit, token)
        return
    request.done.wait()
    if request.is_returned:
        _hand_back(runtime, permit, token)
    else:
        logger.info("%s ended: %s, %s", job_id, request.reason, request.usage)


def _hand_back(runtime: Runtime, permit: Permit, token: str) -> None:
    """Put a request that has not begun into the queue of its size again, for whoever takes it next."""
    if runtime.stream.give_back(permit.job_id):
        run.apply_async((permit.job_id, token), queue=queue_of(permit.weights_digest))
        logger.info("%s is handed back", permit.job_id)


def _verify(token: str, job_id: str, keys: Keys) -> Permit:
    try:
        permit = Permit.verify(token, keys, time.time())
    except PermitEndedError as error:
        raise RejectedError(FinishReason.EXPIRED, str(error)) from error
    except PermitError as error:
        raise RejectedError(FinishReason.REFUSED, "the permit is not valid for this worker") from error
    if permit.job_id != job_id:
        raise RejectedError(FinishReason.REFUSED, "the permit is for another job")
    if not any(name.startswith("size:") for name in permit.epochs):
        raise RejectedError(FinishReason.REFUSED, "a permit without a size's epoch could not be taken back")
    return permit


def _read_order(stream: RedisStream, job_id: str) -> Order:
    text = stream.order(job_id)
    if text is None:
        raise RejectedError(FinishReason.BROKER_LOST, "the order is no longer there")
    try:
        return Order.from_json(text)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RejectedError(FinishReason.INVALID, "the order cannot be read by this worker") from error
