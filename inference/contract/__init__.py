"""What the portal and the worker say to each other: functions, settings, permits, keys in Redis, ends.

Standard library only. Both sides import this package; neither imports the other.
"""

from inference.contract.broker import (
    ASKED_KEY,
    EPOCHS_KEY,
    HEARTBEAT_SECONDS,
    LEASE_KEY,
    LEASE_SECONDS,
    ORDER_SECONDS,
    OUTCOMES_KEY,
    POLICY_KEY,
    QUEUE,
    READER_SECONDS,
    RETURNED,
    RETURNED_SECONDS,
    STREAM_MAXLEN,
    STREAM_SECONDS,
    TASK_NAME,
    WORKERS_KEY,
    cancel_key,
    claim_key,
    ended_key,
    order_key,
    queue_of,
    reader_key,
    stream_key,
    worker_key,
)
from inference.contract.ending import FINISH_ONCE_LUA, finish_once_call
from inference.contract.heartbeat import WorkerState
from inference.contract.orders import CONTRACT_VERSION, Order, SamplingSettings
from inference.contract.permits import Keys, Permit, PermitEndedError, PermitError
from inference.contract.results import ClassifyResult, EmbedResult, Result, ScoredToken, ScoreResult
from inference.contract.stream import Piece, StreamKind, TokenLogprob, Usage, pieces_from_json, pieces_to_json
from inference.contract.weights import manifest_bytes, weights_digest
from inference.contract.words import FinishReason, Function, Pooling, Priority

__all__ = [
    "ASKED_KEY",
    "CONTRACT_VERSION",
    "ClassifyResult",
    "EPOCHS_KEY",
    "EmbedResult",
    "FINISH_ONCE_LUA",
    "FinishReason",
    "Function",
    "HEARTBEAT_SECONDS",
    "Keys",
    "LEASE_KEY",
    "LEASE_SECONDS",
    "ORDER_SECONDS",
    "OUTCOMES_KEY",
    "Order",
    "POLICY_KEY",
    "Permit",
    "PermitEndedError",
    "PermitError",
    "Piece",
    "Pooling",
    "Priority",
    "QUEUE",
    "READER_SECONDS",
    "RETURNED",
    "RETURNED_SECONDS",
    "Result",
    "STREAM_MAXLEN",
    "STREAM_SECONDS",
    "SamplingSettings",
    "ScoreResult",
    "ScoredToken",
    "StreamKind",
    "TASK_NAME",
    "TokenLogprob",
    "Usage",
    "WORKERS_KEY",
    "WorkerState",
    "cancel_key",
    "claim_key",
    "ended_key",
    "finish_once_call",
    "manifest_bytes",
    "order_key",
    "pieces_from_json",
    "pieces_to_json",
    "queue_of",
    "reader_key",
    "stream_key",
    "weights_digest",
    "worker_key",
]
