"""What the portal and the worker say to each other: functions, settings, permits, keys in Redis, ends.

Standard library only. Both sides import this file; neither imports the other.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any

CONTRACT_VERSION = 2


class Function(StrEnum):
    """What a worker can be asked to do with a model size."""

    GENERATE = "generate"
    SCORE = "score"
    EMBED = "embed"
    CLASSIFY = "classify"


class Pooling(StrEnum):
    """How the hidden states of a text's tokens become one vector."""

    MEAN = "mean"  # of all tokens
    LAST = "last"  # of the last token, which has seen all others


class FinishReason(StrEnum):
    """Why a request ended; every request ends with exactly one of them."""

    STOP = "stop"  # end-of-text token or a stop string
    LENGTH = "length"  # max_tokens or the context is used up
    COMPLETE = "complete"  # a function without tokens of its own (score, embed, classify) is done
    CANCELLED = "cancelled"  # the person who asked pressed stop, or an API client went away
    READER_LOST = "reader_lost"  # nobody read the playground stream for READER_SECONDS
    STOPPED = "stopped"  # an epoch moved: what permitted the work was taken back
    LEASE_LOST = "lease_lost"  # no lease in Redis: the worker cannot know whether it still may
    EXPIRED = "expired"  # the permit ended before or while the request ran
    REFUSED = "refused"  # the permit is not valid for this worker
    INVALID = "invalid"  # the order cannot be served as written (prompt outside the vocabulary, too long ...)
    OVERLOADED = "overloaded"  # too much was waiting at the worker: nothing of it was begun
    TOO_LATE = "too_late"  # its deadline passed before it was done
    WORKER_LOST = "worker_lost"  # the worker that held the request stopped answering
    ENGINE_FAILED = "engine_failed"  # the engine or the model failed
    BROKER_LOST = "broker_lost"  # Redis lost the request; never charged

    @property
    def is_success(self) -> bool:
        """Whether the request ended as its asker wanted."""
        return self in (FinishReason.STOP, FinishReason.LENGTH, FinishReason.COMPLETE)


# --- Redis ---------------------------------------------------------------------------------------------------------

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


class StreamKind(StrEnum):
    """Field `kind` of an entry in a request's stream."""

    STARTED = "started"  # fields: step, worker
    TOKENS = "tokens"  # fields: step, body = pieces_to_json
    RESULT = "result"  # fields: body = JSON object (ScoreResult, EmbedResult or ClassifyResult)
    END = "end"  # fields: reason, error, usage = JSON of Usage; exactly one, the last


@dataclass(frozen=True)
class TokenLogprob:
    """What the model thought of one token when it was chosen, or read as a part of an echoed prompt.

    Log-probabilities are natural, of the model's own distribution: before penalties, bias, temperature and cuts.
    """

    token: str  # its text alone; of a broken character the replacement sign
    logprob: float | None  # None for the first token of a prompt: nothing stands before it
    top: tuple[tuple[str, float], ...] = ()  # the likeliest tokens, best first, as many as were asked for


@dataclass(frozen=True)
class Piece:
    """What one step added to one sample of a request."""

    sample: int
    text: str  # may be empty while a character or a possible stop string is incomplete
    tokens: int  # completion tokens of this sample so far, this step included
    finish: str | None = None  # FinishReason of the sample, when it ended with this step
    logprobs: tuple[TokenLogprob, ...] = ()  # of the tokens of this step, where the order asks for them


def pieces_to_json(pieces: Iterable[Piece]) -> str:
    """Body of a TOKENS entry; says nothing of log-probabilities where nobody asked, so that streams stay small."""
    fields = [asdict(piece) for piece in pieces]
    return json.dumps([{name: value for name, value in each.items() if name != "logprobs" or value} for each in fields])


def pieces_from_json(text: str | bytes) -> list[Piece]:
    """Read the body of a TOKENS entry back."""
    return [Piece(**{**each, "logprobs": _logprobs(each.get("logprobs", ()))}) for each in json.loads(text)]


def _logprobs(data: Iterable[Mapping[str, Any]]) -> tuple[TokenLogprob, ...]:
    pairs = ((each, tuple((name, value) for name, value in each["top"])) for each in data)
    return tuple(TokenLogprob(each["token"], each["logprob"], top) for each, top in pairs)


@dataclass(frozen=True)
class Usage:
    """Tokens read and written for a request; what is charged equals what was written to its stream."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True)
class WorkerState:
    """What a worker says of itself in its heartbeat."""

    worker_id: str
    device: str
    running: int
    waiting: int
    loaded: tuple[str, ...]  # weights digests in memory
    step: int
    at: float  # unix seconds
    max_running: int = 0  # sequences, in all sizes in memory
    max_waiting: int = 0  # sequences, in all sizes in memory; what comes beyond ends OVERLOADED
    max_waiting_of_share: int = 0  # sequences of one share, in one size
    cache_used: int = 0  # tokens of cache that are reserved
    cache_total: int = 0
    tokens: int = 0  # completion tokens published since the worker began
    prompt_tokens: int = 0  # of requests that published something since the worker began
    first_token_median: float | None = None  # seconds from arrival in the worker, over the last minute; None: none came
    first_token_p95: float | None = None
    precision: str = "float32"  # of weights and cache; seeds are a promise in float32 alone
    sizes: tuple[str, ...] = ()  # weights digests that it serves; empty: all
    slots: int = 0  # sequences of one size that run at once
    takes: int = 0  # requests that it holds at most, running and waiting; 0: not told
    ended_per_second: float = 0.0  # samples that ended, over the last minute

    @classmethod
    def from_json(cls, text: str | bytes) -> WorkerState:
        """Read a heartbeat, of another version too: what this one does not know is left out."""
        known = {each.name for each in fields(cls)}
        data = {name: value for name, value in json.loads(text).items() if name in known}
        lists = {name: tuple(data[name]) for name in ("loaded", "sizes") if name in data}
        return cls(**{**data, **lists})


# Sets the finish reason once; only the call that set it writes the end entry and the outcome. Worker and settlement run
# this same text, so whoever is first wins and the other writes nothing. Returns 1 to the winner, else 0.
FINISH_ONCE_LUA = """
local ended, stream, outcomes, order, claim, cancel, reader = unpack(KEYS)
local job, reason, err, usage, worker, seconds, maxlen = unpack(ARGV)
if not redis.call('SET', ended, reason, 'NX', 'EX', seconds) then
  return 0
end
redis.call('XADD', stream, 'MAXLEN', '~', maxlen, '*', 'kind', 'end', 'reason', reason, 'error', err, 'usage', usage)
redis.call('XADD', outcomes, '*', 'job', job, 'reason', reason, 'error', err, 'usage', usage, 'worker', worker)
redis.call('EXPIRE', stream, seconds)
redis.call('EXPIRE', claim, seconds)
redis.call('DEL', order, cancel, reader)
return 1
"""


def finish_once_call(
    job_id: str, reason: FinishReason, *, error: str = "", usage: Usage | None = None, worker: str = ""
) -> tuple[list[str], list[str]]:
    """Keys and arguments of FINISH_ONCE_LUA.

    With redis-py: `client.register_script(FINISH_ONCE_LUA)(keys=keys, args=args)`.
    """
    keys = [
        ended_key(job_id),
        stream_key(job_id),
        OUTCOMES_KEY,
        order_key(job_id),
        claim_key(job_id),
        cancel_key(job_id),
        reader_key(job_id),
    ]
    spent = json.dumps(asdict(usage or Usage()))
    return keys, [job_id, reason.value, error, spent, worker, str(STREAM_SECONDS), str(STREAM_MAXLEN)]


@dataclass(frozen=True)
class ScoredToken:
    """What a model size thought of one token of a text, given the tokens before it.

    Numbers are None for a first token without anything before it. `mean` and `variance` are those of the
    log-probability of the next token under the model's own distribution (natural logarithm), so that the analytic
    curvature of Fast-DetectGPT is sum(logprob - mean) / sqrt(sum(variance)).
    """

    text: str
    start: int | None  # character offsets in the text that was scored; None where the tokenizer knows none
    end: int | None
    logprob: float | None = None
    rank: int | None = None  # 1: the model's first choice
    entropy: float | None = None  # nats
    mean: float | None = None
    variance: float | None = None


@dataclass(frozen=True)
class ScoreResult:
    """Body of the RESULT entry of a score."""

    tokens: tuple[ScoredToken, ...]
    scored: int  # tokens that have numbers

    def to_json(self) -> str:
        """Write the result for the stream."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> ScoreResult:
        """Read the result back."""
        data = json.loads(text)
        return cls(tokens=tuple(ScoredToken(**token) for token in data["tokens"]), scored=data["scored"])


@dataclass(frozen=True)
class EmbedResult:
    """Body of the RESULT entry of an embedding: one vector for the text."""

    vector: str  # base64 of little-endian float32, a third of what the digits would take
    width: int
    pooling: Pooling
    prompt_tokens: int

    @classmethod
    def of(cls, numbers: Sequence[float], pooling: Pooling, prompt_tokens: int) -> EmbedResult:
        """Pack the numbers of a vector."""
        packed = struct.pack(f"<{len(numbers)}f", *numbers)
        return cls(base64.b64encode(packed).decode(), len(numbers), pooling, prompt_tokens)

    @property
    def numbers(self) -> tuple[float, ...]:
        """The vector; raises ValueError when it is not as wide as it says."""
        try:
            return struct.unpack(f"<{self.width}f", base64.b64decode(self.vector, validate=True))
        except struct.error as error:
            raise ValueError("the vector is not as wide as it says") from error

    def to_json(self) -> str:
        """Write the result for the stream."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> EmbedResult:
        """Read the result back."""
        return cls.from_mapping(json.loads(text))

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any]) -> EmbedResult:
        """Read the result from its JSON object."""
        return cls(**{**data, "pooling": Pooling(data["pooling"])})


@dataclass(frozen=True)
class ClassifyResult:
    """Body of the RESULT entry of a classification."""

    labels: tuple[tuple[str, float], ...]  # label, probability; most probable first
    is_multi_label: bool  # each probability stands alone; else they sum to one
    prompt_tokens: int

    def to_json(self) -> str:
        """Write the result for the stream."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> ClassifyResult:
        """Read the result back."""
        data = json.loads(text)
        return cls(**{**data, "labels": tuple((label, probability) for label, probability in data["labels"])})


Result = ScoreResult | EmbedResult | ClassifyResult  # of a function without tokens of its own


# --- Orders --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SamplingSettings:
    """How tokens are chosen; temperature 0 is greedy.

    Seeds are a promise in fp32: noise is keyed by (seed, sample, position, token), never by the company in the batch.
    """

    max_tokens: int = 64
    temperature: float = 1.0
    top_k: int = 0  # 0: no limit
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int = 0  # 0 .. 2**63 - 1
    samples: int = 1
    repetition_penalty: float = 1.0  # above 0; divides positive logits of tokens seen in prompt or output
    presence_penalty: float = 0.0  # -2 .. 2; taken once from tokens seen in the output
    frequency_penalty: float = 0.0  # -2 .. 2; taken for each time a token was seen in the output
    logit_bias: tuple[tuple[int, float], ...] = ()  # token id, -100 .. 100
    logprobs: int | None = None  # None: not asked for; else how many of the likeliest tokens to name beside the chosen
    echo: bool = False  # say the prompt first

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any]) -> SamplingSettings:
        """Read the settings back from JSON."""
        bias = tuple((int(token), float(value)) for token, value in data.get("logit_bias", ()))
        return cls(**{**data, "stop": tuple(data.get("stop", ())), "logit_bias": bias})


class Priority(StrEnum):
    """Who waits for an answer; interactive work is planned before batch work."""

    INTERACTIVE = "interactive"  # a person or a client waits
    BATCH = "batch"  # nobody waits


@dataclass(frozen=True)
class Order:
    """What shall be done; it lies in Redis under order_key until the request has ended."""

    function: Function
    prompt: str
    settings: SamplingSettings = field(default_factory=SamplingSettings)
    needs_reader: bool = False  # playground: abort when unread for READER_SECONDS
    priority: Priority = Priority.INTERACTIVE
    share: str = ""  # whose part of the worker it counts against, e.g. "grant:7"; within a priority all get the same
    deadline: float = 0.0  # unix seconds after which nobody wants the answer any more; 0: none
    pooling: Pooling = Pooling.MEAN  # of an embedding

    def is_late(self, at: float) -> bool:
        """Whether nobody wants the answer any more at this unix second."""
        return 0 < self.deadline <= at

    def to_json(self) -> str:
        """Write the order for Redis."""
        return json.dumps({**asdict(self), "version": CONTRACT_VERSION})

    @classmethod
    def from_json(cls, text: str | bytes) -> Order:
        """Read the order back; raises ValueError for another contract version."""
        data = json.loads(text)
        if data.pop("version", None) != CONTRACT_VERSION:
            raise ValueError("order of another contract version")
        return cls(
            function=Function(data["function"]),
            prompt=data["prompt"],
            settings=SamplingSettings.from_mapping(data["settings"]),
            needs_reader=data["needs_reader"],
            priority=Priority(data["priority"]),
            share=data["share"],
            deadline=data["deadline"],
            pooling=Pooling(data.get("pooling", Pooling.MEAN)),  # an older portal does not say it
        )


# --- Permits -------------------------------------------------------------------------------------------------------


class PermitError(ValueError):
    """A permit that this worker must not act on."""


class PermitEndedError(PermitError):
    """A permit that was valid once, but whose end has passed."""


@dataclass(frozen=True)
class Permit:
    """Signed, short-lived order to the worker: what may be done, with which weights, under which epochs."""

    job_id: str
    size_id: str  # catalogue id, e.g. huggingfacetb/smollm2-135m-instruct
    weights_digest: str
    function: str
    expires_at: float  # unix seconds
    epochs: dict[str, int]  # "size:<id>", "policy" and, where a grant permits, "grant:<id>"

    def sign(self, keys: Keys) -> str:
        """Return the permit as text with the newest key's signature."""
        body = _encode(json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode())
        signed = f"{keys.newest}.{body}"
        return f"{signed}.{_encode(keys.mac(keys.newest, signed))}"

    @classmethod
    def verify(cls, token: str, keys: Keys, now: float) -> Permit:
        """Read a signed permit; raises PermitError for a wrong signature, unknown key or passed end."""
        try:
            version, body, signature = token.split(".")
            expected = keys.mac(version, f"{version}.{body}")
            if not hmac.compare_digest(expected, _decode(signature)):
                raise PermitError("signature does not match")
            permit = cls(**json.loads(_decode(body)))
        except (KeyError, TypeError, ValueError) as error:
            raise PermitError(f"not a permit: {error}") from error
        if now >= permit.expires_at:
            raise PermitEndedError("permit has ended")
        return permit


@dataclass(frozen=True)
class Keys:
    """Named, versioned secrets of one purpose; the first is used to sign, all are accepted."""

    secrets: dict[str, bytes]  # version -> secret, newest first

    @classmethod
    def parse(cls, text: str) -> Keys:
        """Read `v2:<base64>,v1:<base64>`; raises ValueError for anything else or a secret under 32 bytes."""
        secrets: dict[str, bytes] = {}
        for part in text.split(","):
            version, _, encoded = part.strip().partition(":")
            secret = base64.b64decode(encoded, validate=True)
            if not version or len(secret) < 32:
                raise ValueError("a key needs a version and at least 32 bytes, as version:base64")
            secrets[version] = secret
        return cls(secrets)

    @property
    def newest(self) -> str:
        """Version that signs."""
        return next(iter(self.secrets))

    def mac(self, version: str, text: str) -> bytes:
        """HMAC-SHA256 of text; raises KeyError for an unknown version."""
        return hmac.new(self.secrets[version], text.encode(), hashlib.sha256).digest()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _encode(data) != text:  # a permit has one spelling
        raise ValueError("not canonical base64")
    return data


# --- The weights store (content-addressed; written by the portal, read by the worker) --------------------------------
#
# <store>/blobs/<sha256>               bytes of one file
# <store>/manifests/<digest>.json      {"files": {"model.safetensors": {"sha256": ..., "size": ...}, ...}}
# The weights digest is the sha256 of the canonical JSON of that manifest.


def manifest_bytes(files: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Canonical JSON of a manifest: file name -> {"sha256", "size"}."""
    return json.dumps({"files": files}, sort_keys=True, separators=(",", ":")).encode()


def weights_digest(files: Mapping[str, Mapping[str, Any]]) -> str:
    """Digest that names exactly these files: sha256 of the canonical manifest, 64 lowercase hex digits."""
    return hashlib.sha256(manifest_bytes(files)).hexdigest()
