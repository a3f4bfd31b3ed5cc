"""The states of a job and how the worker's finish reasons map to them (pure)."""

from __future__ import annotations

from inference.contract import FinishReason

QUEUED, DONE, FAILED, CANCELLED, STOPPED = "queued", "done", "failed", "cancelled", "stopped"
STATES = (QUEUED, DONE, FAILED, CANCELLED, STOPPED)
OPEN = frozenset({QUEUED})

STATE_OF: dict[FinishReason, str] = {
    FinishReason.STOP: DONE,
    FinishReason.LENGTH: DONE,
    FinishReason.COMPLETE: DONE,
    FinishReason.CANCELLED: CANCELLED,
    FinishReason.READER_LOST: CANCELLED,
    FinishReason.STOPPED: STOPPED,
    FinishReason.EXPIRED: STOPPED,
    FinishReason.LEASE_LOST: FAILED,
    FinishReason.REFUSED: FAILED,
    FinishReason.INVALID: FAILED,
    FinishReason.OVERLOADED: FAILED,
    FinishReason.TOO_LATE: FAILED,
    FinishReason.WORKER_LOST: FAILED,
    FinishReason.ENGINE_FAILED: FAILED,
    FinishReason.BROKER_LOST: FAILED,
}

MESSAGES: dict[FinishReason, str] = {
    FinishReason.STOP: "Finished: the text came to its end.",
    FinishReason.LENGTH: "Finished: the limit of tokens is reached.",
    FinishReason.COMPLETE: "Finished.",
    FinishReason.CANCELLED: "Stopped by you.",
    FinishReason.READER_LOST: "Stopped: nobody was reading for 30 seconds.",
    FinishReason.STOPPED: "Stopped: what permitted this was taken back while it ran.",
    FinishReason.EXPIRED: "Stopped: the permission ended while it ran.",
    FinishReason.LEASE_LOST: "Failed: the worker could not check that this is still permitted. Try again.",
    FinishReason.REFUSED: "Failed: the worker did not accept the permit. Try again, or tell an operator.",
    FinishReason.INVALID: "Failed: the model cannot take this input.",
    FinishReason.OVERLOADED: "Not begun: too much was waiting at the worker. Try again in a minute; it cost nothing.",
    FinishReason.TOO_LATE: "Stopped: its deadline passed before it was done.",
    FinishReason.WORKER_LOST: "Failed: the worker stopped answering. Try again.",
    FinishReason.ENGINE_FAILED: "Failed: the model could not finish. Try again, or tell an operator.",
    FinishReason.BROKER_LOST: "Failed: the connection to the worker was lost. Nothing was charged. Try again.",
}

# Redis lost what was delivered, so nobody can say how much it was: nothing is charged.
UNCHARGED = frozenset({FinishReason.BROKER_LOST, FinishReason.REFUSED, FinishReason.INVALID, FinishReason.OVERLOADED})
