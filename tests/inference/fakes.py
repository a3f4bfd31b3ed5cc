"""A backend without a model and an outlet without Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from inference.contract import FinishReason, Function, Order, Permit, SamplingSettings, ScoreResult
from inference.engine.backend import InvalidPromptError, LoadError, Sampled, Scored
from inference.engine.outlet import End, Entry, Verdict
from inference.engine.request import Request, Sequence
from inference.engine.scheduler import Plan

END = 0


def make_permit(job_id: str = "job", digest: str = "a", function: str = "generate", **changes) -> Permit:
    fields = {"expires_at": 4e9, "epochs": {"size:1": 1, "grant:7": 3}, **changes}
    return Permit(job_id, "size", digest, function, **fields)


def make_order(prompt: str = "abc", **settings) -> Order:
    """An order; `priority`, `share` and `deadline` are its own, the rest are settings."""
    own = {name: settings.pop(name) for name in ("priority", "share", "deadline") if name in settings}
    return Order(Function.GENERATE, prompt, SamplingSettings(**{"max_tokens": 8, **settings}), **own)


def make_request(job_id: str = "job", prompt: str = "abc", **settings) -> Request:
    order = make_order(prompt, **settings)
    ids = [ord(each) for each in prompt]
    return Request(order, make_permit(job_id), ids, decode=decode, end_ids=frozenset({END}))


def decode(ids: list[int]) -> str:
    return "".join(map(chr, ids))


class FakeBackend:
    """Says "x" for ever; does what `before_step` says first."""

    functions = frozenset(Function)
    context = 100
    vocabulary_size = 0x110000
    cache_tokens = 1000
    end_ids = frozenset({END})
    can_watermark = False
    memory_bytes = 10

    def __init__(self) -> None:
        self.before_step: Callable[[], object] = lambda: None
        self.slots: set[Sequence] = set()
        self.steps = 0
        self.max_slots_seen = 0
        self.token: Callable[[Sequence], int | None] = lambda _: ord("x")

    def encode(self, prompt: str) -> list[int]:
        if "é" in prompt:
            raise InvalidPromptError("the vocabulary of this size cannot represent 'é'")
        return [ord(each) for each in prompt]

    def decode(self, ids: list[int]) -> str:
        return decode(ids)

    def step(self, plan: Plan) -> list[Sampled | Scored]:
        self.steps += 1
        self.before_step()
        self.slots |= {chunk.sequence for chunk in plan.prefill}
        self.max_slots_seen = max(self.max_slots_seen, len(self.slots))
        ready = [*plan.decode, *(chunk.sequence for chunk in plan.prefill if chunk.is_last)]
        assert set(ready) <= self.slots
        return [self._result(sequence) for sequence in ready]

    def _result(self, sequence: Sequence) -> Sampled | Scored:
        if sequence.request.order.function is Function.SCORE:
            return Scored(sequence, ScoreResult((), 0))
        return Sampled(sequence, self.token(sequence))

    def release(self, sequence: Sequence) -> None:
        self.slots.discard(sequence)

    def reset(self) -> None:
        self.slots.clear()


class FakeLoader:
    """Loads a fake backend for every digest that does not begin with a bang."""

    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.backends: dict[str, FakeBackend] = {}

    def weigh(self, digest: str) -> int:
        return 10

    def load(self, digest: str) -> FakeBackend:
        if digest.startswith("!"):
            raise LoadError("no readable manifest")
        self.loaded.append(digest)
        self.backends[digest] = FakeBackend()
        return self.backends[digest]


class FakeOutlet:
    """Remembers what was published; `stops` says which job is stopped, and why."""

    def __init__(self) -> None:
        self.entries: list[tuple[int, Entry]] = []
        self.checked: list[set[str]] = []
        self.ends: list[End] = []
        self.stops: dict[str, FinishReason] = {}
        self.before_publish: Callable[[], object] = lambda: None

    def publish(self, step: int, entries: list[Entry]) -> list[Verdict]:
        self.before_publish()
        self.checked.append({entry.request.job_id for entry in entries})
        verdicts = [Verdict(self.stops.get(entry.request.job_id)) for entry in entries]
        self.entries += [
            (step, entry)
            for entry, verdict in zip(entries, verdicts, strict=True)
            if entry.kind and verdict.stop is None
        ]
        return verdicts

    def finish(self, ends: Iterable[End]) -> None:
        self.ends += ends

    def text(self, job_id: str, sample: int = 0) -> str:
        pieces = [piece for _, entry in self.entries if entry.request.job_id == job_id for piece in entry.pieces]
        return "".join(piece.text for piece in pieces if piece.sample == sample)
