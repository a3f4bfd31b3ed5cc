"""Where things lie in Redis and in Celery, and for how long."""

from __future__ import annotations

EPOCHS_KEY = "epochs"  # hash "size:<id>" / "grant:<id>" -> number; written by the portal, only ever raised
POLICY_KEY = "policy"  # field of the hash above: mark of the access table by which permits are given now
LEASE_KEY = "epochs:lease"  # exists while one portal process vouches that every epoch above is current
LEASE_SECONDS = 2.0
OUTCOMES_KEY = "outcomes"  # stream of ended requests; one consumer, the settlement
WORKERS_KEY = "workers"  # set of worker ids that have ever announced themselves
QUEUE = "inference"  # Celery queue of all sizes: of portals that know no queue per size; see queue_of
ASKED_KEY = "asked"  # set of weights digests that something was ever sent for; their queues are known by it
TASK_NAME = "inference.run"  # Celery task; its only arguments are job id and permit

STREAM_MAXLEN = 10_000  # entries of one request's stream
STREAM_SECONDS = 3_600  # how long a request's stream, order and marks stay readable
ORDER_SECONDS = 900  # how long an order may wait in the queue
READER_SECONDS = 30  # how long a playground stream may go unread
RETURNED = "returned"  # in place of a worker's id: a worker that stopped has handed the request back to the queue
RETURNED_SECONDS = 120  # how long such a request may wait for another worker
HEARTBEAT_SECONDS = 5  # how long a worker's heartbeat lasts; renewed every second


def queue_of(digest: str) -> str:
    """Celery queue of one size, named by its weights digest."""
    return f"{QUEUE}.{digest}"


def order_key(job_id: str) -> str:
    """JSON of the order: prompt and settings; the queue itself carries only job id and permit."""
    return f"order:{job_id}"


def stream_key(job_id: str) -> str:
    """Stream of a request's entries (see StreamKind)."""
    return f"tokens:{job_id}"


def claim_key(job_id: str) -> str:
    """Id of the one worker that took the request, or RETURNED; whoever takes it finds nothing or RETURNED there."""
    return f"claim:{job_id}"


def ended_key(job_id: str) -> str:
    """Finish reason, SET NX: whoever sets it writes the end entry and the outcome, nobody else does."""
    return f"ended:{job_id}"


def cancel_key(job_id: str) -> str:
    """Exists when the request shall be aborted; its value is a FinishReason."""
    return f"cancel:{job_id}"


def reader_key(job_id: str) -> str:
    """Renewed by whoever reads the stream of an order with needs_reader; lasts READER_SECONDS."""
    return f"reader:{job_id}"


def worker_key(worker_id: str) -> str:
    """Heartbeat of a worker: JSON of WorkerState, lasts HEARTBEAT_SECONDS."""
    return f"worker:{worker_id}"
