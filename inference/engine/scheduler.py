"""Which sequences run in the next step of one model size: prefill some, decode all. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from inference.contract import Priority
from inference.engine.request import Request, Sequence, State
from inference.engine.shares import FairQueue

DRAFT_TOKENS = 8  # a step that reads them besides takes hardly longer (docs/decisions/0020)
MOST_DRAFTING = 2  # of three texts together a step takes as long for their drafts as they save
PART_OF_BATCH = 8  # while batch work waits or yields, one of eight admissions is its turn


class QueueFullError(Exception):
    """Too many sequences wait already, of all or of one share."""


@dataclass(frozen=True)
class Chunk:
    """Tokens start..stop (end excluded) of a sequence, to be put into the cache in one step."""

    sequence: Sequence
    start: int
    stop: int

    @property
    def is_last(self) -> bool:
        """Whether all is in the cache with this chunk, so that the next token can be sampled."""
        return self.stop == self.sequence.to_prefill


@dataclass(frozen=True)
class Plan:
    """Work of one step."""

    prefill: tuple[Chunk, ...]
    decode: tuple[Sequence, ...]
    preempted: tuple[Sequence, ...] = ()  # to be released before the step
    drafts: Mapping[Sequence, tuple[int, ...]] = field(default_factory=dict)  # of some that decode: what may come next

    @property
    def tokens(self) -> int:
        """How many tokens the model reads in this step."""
        read = sum(chunk.stop - chunk.start for chunk in self.prefill)
        return read + len(self.decode) + sum(map(len, self.drafts.values()))

    def __bool__(self) -> bool:
        return bool(self.prefill or self.decode)


@dataclass(frozen=True)
class Room:
    """What sequences take: slots, tokens of cache, and tokens of a step."""

    slots: int
    cache: int
    tokens: int

    def __add__(self, other: Room) -> Room:
        return Room(self.slots + other.slots, self.cache + other.cache, self.tokens + other.tokens)

    def holds(self, other: Room) -> bool:
        """Whether the other fits in."""
        return self.slots >= other.slots and self.cache >= other.cache and self.tokens >= other.tokens


class Scheduler:
    """Admits sequences while they fit, and lets all that were admitted go on in every step.

    Budget. What a sequence takes of a step (a chunk of its prompt, then one token) and of the cache (its prompt and
    all that it may write, reserved when it is admitted) never grows after its admission. So what has been admitted
    goes on in every later step, and nothing runs out of cache halfway.

    Order. Interactive before batch, and within a priority as FairQueue says. The next one is never overtaken when it
    does not fit: room comes, since everything that runs ends. One of eight admissions is the turn of batch work: what
    yields of it is kept to its end from then on, else what waits is admitted and kept; an eighth of the slots (at
    least one) at most is kept so. Whatever interactive work passes brings the next turn nearer: nothing waits for ever.

    Yielding. For interactive work that lacks a slot or cache the youngest batch work that is not kept is preempted;
    with reservations no other need can arise. It loses its cache and keeps its output: once admitted again, prompt and
    output are prefilled, the prompt cut as before. For the tokens of a step nobody is preempted: prompts of batch work
    pause instead.

    Drafts. To read one token more costs a step next to nothing while few are read, since the weights take the time. So
    while one or two sequences decode, the model also reads what each of them probably says next, as far as tokens of
    the step are left; the backend keeps of it what the model itself would have said.

    Args:
        max_running: sequences that may hold a slot at once.
        prefill_tokens: length of a chunk, counted from the prompt's own start, so that how a prompt is cut never
            depends on its company.
        max_waiting: sequences that may wait.
        max_waiting_of_share: sequences of one share and priority that may wait; 0: as many as of all.
        cache_tokens: tokens of cache that may be reserved.
        step_tokens: tokens of a step, prompt and decoding together; 0: a chunk beside all that can decode.
        draft_tokens: tokens that are drafted in a step, of all sequences together; 0: none.
    """

    def __init__(
        self,
        max_running: int,
        prefill_tokens: int,
        max_waiting: int = 1024,
        *,
        max_waiting_of_share: int = 0,
        cache_tokens: int = 2**62,
        step_tokens: int = 0,
        draft_tokens: int = DRAFT_TOKENS,
    ) -> None:
        self.prefill_tokens = prefill_tokens
        self.draft_tokens = draft_tokens
        self.max_waiting = max_waiting
        self.max_waiting_of_share = max_waiting_of_share or max_waiting
        self.room = Room(max_running, cache_tokens, step_tokens or prefill_tokens + max_running)
        if self.room.tokens < prefill_tokens:
            raise ValueError("a step must have room for a chunk of a prompt")
        self._queues = {priority: FairQueue() for priority in Priority}
        self._running: dict[Sequence, None] = {}  # oldest first
        self._kept: set[Sequence] = set()  # batch work that is not preempted
        self._passed = 0  # admissions of interactive work since batch work, which waited or could yield, had its turn
        self.cache_used = 0  # tokens of cache that are reserved

    @property
    def waiting(self) -> tuple[Sequence, ...]:
        """Sequences without a slot; interactive ones first, each kind by age."""
        return tuple(sequence for queue in self._queues.values() for sequence in queue)

    @property
    def running(self) -> tuple[Sequence, ...]:
        """Sequences with a slot, oldest first."""
        return tuple(self._running)

    @property
    def counts(self) -> tuple[int, int]:
        """Sequences (running, waiting), without a walk over them."""
        return len(self._running), sum(map(len, self._queues.values()))

    def add(self, request: Request) -> None:
        """Let the samples of a request wait; raises QueueFullError when they do not all fit."""
        queue, samples = self._queue_of(request), request.samples
        if self.counts[1] + len(samples) > self.max_waiting:
            raise QueueFullError(f"more than {self.max_waiting} sequences waiting")
        if queue.waiting_of(request.order.share) + len(samples) > self.max_waiting_of_share:
            raise QueueFullError(f"more than {self.max_waiting_of_share} sequences of one share waiting")
        if samples[0].reserve > self.room.cache:
            raise ValueError("a sequence needs more cache than there is")
        for sequence in samples:
            queue.add(sequence)

    def schedule(self) -> Plan:
        """Plan one step; what is planned counts as done, since a step that fails ends its requests anyway."""
        self._keep_oldest()
        preempted = self._admit()
        decode = tuple(sequence for sequence in self._running if sequence.is_prefilled)
        chunks = self._chunks(self.room.tokens - len(decode))
        for chunk in chunks:
            chunk.sequence.prefilled = chunk.stop
            self._count(chunk.sequence, chunk.stop)
        for sequence in decode:
            self._count(sequence, sequence.position + 1)
        plan = Plan(tuple(chunks), decode, tuple(preempted))
        return replace(plan, drafts=self._drafts(decode, self.room.tokens - plan.tokens))

    def retire(self, sequence: Sequence) -> None:
        """Free the slot of a finished sequence."""
        if sequence.is_prefilled:
            self._count(sequence, sequence.position)  # what was drafted right in its last step as well
        self._leave(sequence)
        self._queue_of(sequence.request).drop(sequence)

    def abort(self, request: Request) -> list[Sequence]:
        """Forget a request; return its sequences that held a slot."""
        held = [sequence for sequence in request.samples if sequence in self._running]
        for sequence in held:
            self.retire(sequence)
        queue = self._queue_of(request)
        for sequence in request.samples:
            if sequence in queue:
                queue.drop(sequence)
        return held

    # --- admission ---

    def _admit(self) -> list[Sequence]:
        """Admit the next ones while they fit; return what was preempted for them.

        A step that preempts admits no batch work: the cache of what was preempted is released only after the plan.
        """
        preempted: list[Sequence] = []
        while (sequence := self._next()) is not None and not (preempted and _is_batch(sequence)):
            victims = self._victims_for(sequence)
            if victims is None:
                break
            for victim in victims:
                self._preempt(victim)
            preempted += victims
            self._start(sequence)
        return preempted

    def _next(self) -> Sequence | None:
        interactive, batch = self._queues[Priority.INTERACTIVE], self._queues[Priority.BATCH]
        if not interactive or (batch and self._is_turn_of_batch()):
            return batch.peek()
        return interactive.peek()

    def _keep_oldest(self) -> None:
        """Let batch work have its turn by keeping what runs of it already."""
        oldest = next(filter(self._yields, self._running), None)
        if oldest is not None and self._is_turn_of_batch():
            self._passed = 0
            self._kept.add(oldest)

    def _is_turn_of_batch(self) -> bool:
        return self._passed >= PART_OF_BATCH - 1 and len(self._kept) < max(1, self.room.slots // PART_OF_BATCH)

    def _victims_for(self, sequence: Sequence) -> list[Sequence] | None:
        """The youngest that must go so that a sequence fits; None when it does not fit even so."""
        need, free, victims = self._need(sequence), self._free(is_for_batch=_is_batch(sequence)), []
        for victim in reversed(self._running):
            if free.holds(need) or _is_batch(sequence):
                break
            if self._yields(victim):
                free += Room(1, victim.reserve, 0)
                victims.append(victim)
        return victims if free.holds(need) else None

    def _start(self, sequence: Sequence) -> None:
        if not _is_batch(sequence):
            self._passed += bool(self._queues[Priority.BATCH]) or any(map(self._yields, self._running))
        elif self._is_turn_of_batch():
            self._passed = 0
            self._kept.add(sequence)
        self._queue_of(sequence.request).take(sequence)
        sequence.start()
        self._running[sequence] = None
        self.cache_used += sequence.reserve

    def _preempt(self, sequence: Sequence) -> None:
        self._leave(sequence)
        sequence.state = State.WAITING
        self._queue_of(sequence.request).put_back(sequence)

    def _leave(self, sequence: Sequence) -> None:
        del self._running[sequence]
        self._kept.discard(sequence)
        self.cache_used -= sequence.reserve

    # --- what a sequence takes ---

    def _yields(self, sequence: Sequence) -> bool:
        """Whether a running sequence gives way to interactive work."""
        return _is_batch(sequence) and sequence not in self._kept

    def _free(self, *, is_for_batch: bool) -> Room:
        """What is left; a prompt that may pause takes no more than the token that it will be."""
        pausing = 0 if is_for_batch else sum(map(self._yields, self._running))
        going_on = [each for each in self._running if is_for_batch or not self._yields(each)]
        tokens = self.room.tokens - pausing - sum(map(self._tokens_of, going_on))
        return Room(self.room.slots - len(self._running), self.room.cache - self.cache_used, tokens)

    def _need(self, sequence: Sequence) -> Room:
        """What a waiting sequence takes once it runs."""
        return Room(1, sequence.reserve, min(self.prefill_tokens, sequence.length))

    def _tokens_of(self, sequence: Sequence) -> int:
        """What a running sequence takes of a step: the longest chunk that may still come, then a token at a time."""
        return max(1, min(self.prefill_tokens, sequence.to_prefill - sequence.prefilled))

    def _chunks(self, left: int) -> list[Chunk]:
        """The next chunk of every prompt for which tokens are left; those that may pause come last."""
        chunks = []
        unfinished = [sequence for sequence in self._running if not sequence.is_prefilled]
        for chunk in map(self._next_chunk, sorted(unfinished, key=self._yields)):
            if chunk.stop - chunk.start <= left:
                left -= chunk.stop - chunk.start
                chunks.append(chunk)
        return chunks

    def _drafts(self, decode: tuple[Sequence, ...], left: int) -> dict[Sequence, tuple[int, ...]]:
        """What may come next of those that decode; each has the same part of the tokens."""
        if len(decode) > MOST_DRAFTING or not decode:
            return {}
        most = min(left, self.draft_tokens) // len(decode)
        drafts = {sequence: sequence.draft(most) for sequence in decode}
        return {sequence: draft for sequence, draft in drafts.items() if draft}

    def _next_chunk(self, sequence: Sequence) -> Chunk:
        """The next chunk: cut at the prompt's end as well, so that a prompt is cut the same when it is read again."""
        start, prompt = sequence.prefilled, len(sequence.request.prompt_ids)
        end = prompt if start < prompt else sequence.to_prefill
        return Chunk(sequence, start, min(start + self.prefill_tokens, end))

    def _count(self, sequence: Sequence, upto: int) -> None:
        """Count against the share what is computed for the first time: being preempted costs nobody their part."""
        self._queue_of(sequence.request).serve(sequence, max(0, upto - sequence.served))
        sequence.served = max(upto, sequence.served)

    def _queue_of(self, request: Request) -> FairQueue:
        return self._queues[request.order.priority]


def _is_batch(sequence: Sequence) -> bool:
    return sequence.request.order.priority is Priority.BATCH
