"""The scheduler keeps its slots and its budgets, is fair, starves nobody, and forgets whom it must."""

from __future__ import annotations

from itertools import cycle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from inference.contract import FinishReason, Priority
from inference.engine.request import State
from inference.engine.scheduler import PART_OF_BATCH, QueueFullError, Scheduler
from inference.engine.shares import TURN_OF_AGE
from tests.inference.fakes import END, make_request

SLOTS, CHUNK, WAITING, OF_SHARE, CACHE, TOKENS = 3, 8, 12, 8, 60, 10
BATCH, INTERACTIVE = Priority.BATCH, Priority.INTERACTIVE
IS_CI = settings.get_current_profile_name() == "ci"


def said_by(sequence) -> int:
    """The token that a sequence says next: known from where it stands, so that a lost or doubled one shows."""
    return word_at(sequence.sample + len(sequence.output))


def word_at(place) -> int:
    """Tokens that come again after a while, so that some are drafted, and not for ever, so that some are not."""
    return ord("b") + place % 4 + 4 * (place // 9 % 2)


class Computer:
    """Computes plans without a model, and holds them to what a backend relies on."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.cached = {}  # sequence -> tokens in its slot
        self.steps = 0
        self.cuts = {}  # sequence -> where its prompt was cut, each time it was read
        self.admitted = []  # sequences in the order of their admissions

    def step(self, say=said_by):
        """Run one step; return the sequences that finished."""
        before = set(self.scheduler.running)
        plan = self.scheduler.schedule()
        self.steps += 1
        self.admitted += [sequence for sequence in self.scheduler.running if sequence not in before]
        assert not set(plan.preempted) & set(self.scheduler.running), "its cache would be released after it began again"
        for sequence in plan.preempted:
            del self.cached[sequence]
        for chunk in plan.prefill:
            self._read(chunk)
        for sequence in plan.decode:
            assert self.cached[sequence] == sequence.position
            assert sequence.length + len(plan.drafts.get(sequence, ())) < sequence.reserve
        assert set(plan.drafts) <= set(plan.decode)
        assert sum(map(len, plan.drafts.values())) <= self.scheduler.draft_tokens
        read = sum(chunk.stop - chunk.start for chunk in plan.prefill)
        assert read + len(plan.decode) + sum(map(len, plan.drafts.values())) <= self.scheduler.room.tokens
        assert plan
        ready = [*plan.decode, *(chunk.sequence for chunk in plan.prefill if chunk.is_last)]
        return [sequence for sequence in ready if self._speak(sequence, plan.drafts.get(sequence, ()), say)]

    def release(self, sequences):
        for sequence in sequences:
            self.cached.pop(sequence, None)

    def _read(self, chunk):
        sequence = chunk.sequence
        if chunk.start == 0:
            self.cuts.setdefault(sequence, []).append([])
        assert self.cached.get(sequence, 0) == chunk.start
        assert 0 < chunk.stop - chunk.start <= self.scheduler.prefill_tokens
        assert len(sequence.tokens(chunk.start, chunk.stop)) == chunk.stop - chunk.start
        self.cached[sequence] = chunk.stop
        if chunk.stop <= len(sequence.request.prompt_ids):
            self.cuts[sequence][-1].append(chunk.stop)

    def _speak(self, sequence, draft, say):
        """Say what comes, as long as it was drafted, and one token more; return whether that was the end."""
        if sequence.is_prefilled and sequence.length > self.cached[sequence]:
            self.cached[sequence] += 1  # the token that was said last
        for drafted in draft:
            if self._take(sequence, token := say(sequence)):
                return True
            if token != drafted:
                return False
            self.cached[sequence] += 1
        return self._take(sequence, say(sequence))

    def _take(self, sequence, token):
        assert self.cached[sequence] == sequence.length
        sequence.take(token)
        if sequence.state is State.FINISHED:
            self.scheduler.retire(sequence)
            self.release([sequence])
        return sequence.state is State.FINISHED


class SchedulerMachine(RuleBasedStateMachine):
    """Random arrivals, steps, aborts and failures against what must always hold.

    Each guard was taken away once and the machine failed: slots, cache and tokens of a step (one line each in
    `Room.holds`), both bounds in `add`, the preempted in the plan, the slot in `retire`, those that wait in `abort`,
    both bounds of a draft (the tokens left of a step, the length that a text may have).
    So did it with the guard against a second end, in `Request.end`.
    Guards that random moves seldom need have tests of their own below: the border at the prompt's end, the step that
    preempts and admits no batch work, the turns of batch work and of age, the floor of a newcomer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.scheduler = Scheduler(
            SLOTS, CHUNK, WAITING, max_waiting_of_share=OF_SHARE, cache_tokens=CACHE, step_tokens=TOKENS
        )
        self.computer = Computer(self.scheduler)
        self.requests = []
        self.ends = []
        self.reasons = []  # of these ends

    @rule(
        length=st.integers(1, 30),
        samples=st.integers(1, 3),
        tokens=st.integers(1, 12),
        priority=st.sampled_from(Priority),
        share=st.sampled_from("abc"),
    )
    def arrive(self, length, samples, tokens, priority, share):
        request = make_request(
            f"j{len(self.requests)}",
            "a" * length,
            samples=samples,
            max_tokens=tokens,
            priority=priority,
            share=share,
        )
        waiting = self.scheduler.waiting
        of_share = [each for each in waiting if _kind(each) == (priority, share)]
        if len(waiting) + samples > WAITING or len(of_share) + samples > OF_SHARE:
            with pytest.raises(QueueFullError):
                self.scheduler.add(request)
            return
        self.scheduler.add(request)
        self.requests.append(request)

    @precondition(lambda self: self.live())
    @rule(data=st.data())
    def step(self, data):
        self.computer.step(lambda each: END if data.draw(st.integers(0, 9)) == 0 else said_by(each))
        self.finish_complete()

    @precondition(lambda self: self.live())
    @rule(steps=st.integers(2, 6))
    def go_on(self, steps):
        for _ in range(steps):
            if self.live():
                self.computer.step()
                self.finish_complete()

    @precondition(lambda self: self.live())
    @rule(data=st.data(), reason=st.sampled_from([FinishReason.CANCELLED, FinishReason.STOPPED]))
    def abort(self, data, reason):
        self.finish(data.draw(st.sampled_from(self.live())), reason)

    @precondition(lambda self: self.ends)
    @rule(data=st.data(), reason=st.sampled_from(FinishReason))
    def end_again(self, data, reason):
        """A settlement, a broken step or a late cancel may try; the first end stands."""
        with pytest.raises(RuntimeError, match="twice"):
            data.draw(st.sampled_from(self.ends)).end(reason)

    @rule()
    def fail(self):
        for request in self.live():
            self.finish(request, FinishReason.ENGINE_FAILED)
        assert not self.scheduler.running
        assert not self.scheduler.waiting

    def finish_complete(self):
        for request in self.live():
            if request.outcome is not None:
                self.finish(request, request.outcome)

    def finish(self, request, reason):
        request.end(reason)
        self.computer.release(self.scheduler.abort(request))
        self.ends.append(request)
        self.reasons.append(reason)

    def live(self):
        return [request for request in self.requests if request.reason is None]

    @invariant()
    def every_slot_is_held_by_a_live_sequence(self):
        running, waiting = self.scheduler.running, self.scheduler.waiting
        assert len(running) <= SLOTS
        assert self.scheduler.counts == (len(running), len(waiting))
        assert all(each.state is State.RUNNING for each in running)
        assert all(each.state is State.WAITING for each in waiting)
        unfinished = {s for request in self.live() for s in request.samples if s.state is not State.FINISHED}
        assert {*running, *waiting} == unfinished
        assert set(self.computer.cached) == {each for each in running if each.prefilled}

    @invariant()
    def the_cache_is_never_overbooked(self):
        reserved = sum(each.reserve for each in self.scheduler.running)
        assert self.scheduler.cache_used == reserved <= CACHE
        assert all(self.computer.cached[each] <= each.reserve for each in self.computer.cached)

    @invariant()
    def every_request_ends_at_most_once(self):
        assert len(set(self.ends)) == len(self.ends)
        assert [request.reason for request in self.ends] == self.reasons, "the first end stands"

    @invariant()
    def nothing_is_lost_or_said_twice(self):
        for request in self.requests:
            for sample in request.samples:
                assert sample.output == [word_at(sample.sample + at) for at in range(len(sample.output))]

    @invariant()
    def a_prompt_is_cut_at_its_own_borders_each_time(self):
        for sequence, times in self.computer.cuts.items():
            length = len(sequence.request.prompt_ids)
            own = [*range(CHUNK, length, CHUNK), length]
            assert all(cuts == own[: len(cuts)] for cuts in times)

    def teardown(self):
        for _ in range(self.most_steps()):
            if not self.live():
                break
            self.computer.step()
            self.finish_complete()
        assert set(self.ends) == set(self.requests), "every request ends once arrivals have stopped"

    def most_steps(self):
        """If each ran alone, and each was preempted by each."""
        each = [
            len(sample.request.prompt_ids) // CHUNK + 2 + 2 * sample.request.order.settings.max_tokens
            for request in self.live()
            for sample in request.samples
        ]
        return sum(each) * (1 + len(each))


def _kind(sequence):
    return sequence.request.order.priority, sequence.request.order.share


TestScheduler = SchedulerMachine.TestCase
TestScheduler.settings = settings(
    max_examples=600 if IS_CI else 60, stateful_step_count=60 if IS_CI else 40, deadline=None
)


def test_a_request_ends_once_and_a_second_end_is_an_error():
    request = make_request()
    request.end(FinishReason.CANCELLED)
    with pytest.raises(RuntimeError, match="twice"):
        request.end(FinishReason.STOP)
    assert request.reason is FinishReason.CANCELLED


def test_samples_of_one_request_take_slots_one_at_a_time():
    scheduler = Scheduler(2, 100)
    request = make_request(samples=3)
    scheduler.add(request)
    assert len(scheduler.schedule().prefill) == 2
    request.samples[0].take(END)
    scheduler.retire(request.samples[0])
    plan = scheduler.schedule()
    assert [chunk.sequence.sample for chunk in plan.prefill] == [2]
    assert [sequence.sample for sequence in plan.decode] == [1]


def test_a_long_prompt_goes_in_by_chunks_of_its_own_while_others_decode():
    scheduler = Scheduler(4, 8)
    short, long = make_request("s", "ab"), make_request("l", "c" * 20)
    scheduler.add(short)
    scheduler.add(long)
    spans, decoding = [], []
    for _ in range(4):
        plan = scheduler.schedule()
        spans.append([(chunk.sequence.request.job_id, chunk.start, chunk.stop) for chunk in plan.prefill])
        decoding.append([sequence.request.job_id for sequence in plan.decode])
    assert spans == [[("s", 0, 2), ("l", 0, 8)], [("l", 8, 16)], [("l", 16, 20)], []]
    assert decoding == [[], ["s"], ["s"], ["s", "l"]]


def test_decoding_and_prompts_share_one_budget_of_tokens():
    scheduler = Scheduler(4, 8, step_tokens=10)
    computer = Computer(scheduler)
    for at in range(2):
        scheduler.add(make_request(f"d{at}", "ab"))
    computer.step()
    fits, waits = make_request("fits", "c" * 8), make_request("waits", "d")
    scheduler.add(fits)
    scheduler.add(waits)
    computer.step()  # two that decode and eight tokens of a prompt: ten
    assert (fits.samples[0].state, waits.samples[0].state) == (State.RUNNING, State.WAITING)
    computer.step()
    assert waits.samples[0].state is State.RUNNING


def test_a_text_that_repeats_itself_takes_fewer_steps_and_says_the_same():
    with_drafts, without = Scheduler(1, 8), Scheduler(1, 8, draft_tokens=0)
    steps, said = {}, {}
    for scheduler in (with_drafts, without):
        request, computer = make_request(max_tokens=36), Computer(scheduler)
        scheduler.add(request)
        while request.outcome is None:
            computer.step()
        steps[scheduler], said[scheduler] = computer.steps, request.samples[0].output
    assert said[with_drafts] == said[without] == [word_at(place) for place in range(36)]
    assert steps[with_drafts] < steps[without] == 36


def test_a_step_without_room_for_a_chunk_is_an_error():
    with pytest.raises(ValueError, match="chunk"):
        Scheduler(4, 8, step_tokens=7)


# --- Whose turn it is ---------------------------------------------------------------------------------------------


def order_of_admission(scheduler: Scheduler, requests, steps: int = 500) -> list[str]:
    """Let requests arrive at once; return their names as they were admitted."""
    for request in requests:
        scheduler.add(request)
    computer = Computer(scheduler)
    for _ in range(steps):
        if not any(scheduler.counts):
            return [sequence.request.job_id for sequence in computer.admitted]
        computer.step()
    raise AssertionError("not all ended")


def requests_of(share: str, number: int, **settings):
    return [make_request(f"{share}{at}", share=share, **{"max_tokens": 2, **settings}) for at in range(number)]


def test_interactive_work_is_admitted_before_batch_work_that_came_first():
    batch, interactive = requests_of("b", 2, priority=BATCH), requests_of("i", 2)
    assert order_of_admission(Scheduler(1, 8), [*batch, *interactive]) == ["i0", "i1", "b0", "b1"]


def test_one_of_eight_admissions_is_of_batch_work_that_waits():
    batch, interactive = requests_of("b", 2, priority=BATCH), requests_of("i", 20)
    names = order_of_admission(Scheduler(1, 8), [*batch, *interactive])
    assert [at for at, name in enumerate(names) if name.startswith("b")] == [PART_OF_BATCH - 1, 2 * PART_OF_BATCH - 1]


def test_a_share_with_much_waits_for_one_with_little_and_within_a_share_the_first_is_first():
    names = order_of_admission(Scheduler(1, 8), [*requests_of("a", 4), *requests_of("b", 2)])
    assert names == ["a0", "b0", "a1", "b1", "a2", "a3"]


def test_shares_get_the_same_tokens_not_the_same_requests():
    long, short = requests_of("l", 2, max_tokens=17), requests_of("s", 6, max_tokens=2)
    names = order_of_admission(Scheduler(1, 8), [*long, *short])
    assert names[:7] == ["l0", "s0", "s1", "s2", "s3", "s4", "l1"]  # 3 + 16 tokens against 3 + 1


def test_who_comes_later_does_not_bring_time_along():
    """Without the floor the newcomer, at nought, would have every turn until it had had as much as the other."""
    scheduler = Scheduler(1, 8)
    computer = Computer(scheduler)
    for request in requests_of("a", 6, max_tokens=8):
        scheduler.add(request)
    for _ in range(3 * 8):
        computer.step()
    for request in requests_of("n", 3, max_tokens=8):
        scheduler.add(request)
    while any(scheduler.counts):
        computer.step()
    assert {sequence.request.order.share for sequence in computer.admitted[3:6]} == {"a", "n"}


def test_a_share_that_has_left_is_forgotten():
    scheduler = Scheduler(1, 8)
    order_of_admission(scheduler, [*requests_of("a", 2), *requests_of("b", 2, priority=BATCH)])
    assert all(not queue._shares and not queue._at_work for queue in scheduler._queues.values())


def test_newcomers_without_end_do_not_pass_an_old_share_for_ever():
    scheduler = Scheduler(1, 8)
    computer = Computer(scheduler)
    old = requests_of("old", 2, max_tokens=30)
    for request in old:
        scheduler.add(request)
    for at in range(60):
        scheduler.add(make_request(f"n{at}", share=f"n{at}", max_tokens=1))
        scheduler.add(make_request(f"m{at}", share=f"m{at}", max_tokens=1))
        computer.step()
        if old[1].samples[0].state is not State.WAITING:
            break
    assert old[1].samples[0].state is State.RUNNING
    assert len(computer.admitted) <= 2 * TURN_OF_AGE


def test_too_much_of_one_share_is_refused_and_another_share_is_not():
    scheduler = Scheduler(1, 8, 10, max_waiting_of_share=2)
    scheduler.add(make_request(samples=2, share="a"))
    with pytest.raises(QueueFullError, match="of one share"):
        scheduler.add(make_request(share="a"))
    scheduler.add(make_request(share="b"))


# --- The cache, and preemption ------------------------------------------------------------------------------------


def test_a_sequence_waits_until_its_prompt_and_all_it_may_write_fit():
    scheduler = Scheduler(4, 8, cache_tokens=30)
    first, second = make_request("1", "a" * 10, max_tokens=10), make_request("2", "a" * 5, max_tokens=6)
    scheduler.add(first)
    scheduler.add(second)
    computer = Computer(scheduler)
    computer.step()
    assert (scheduler.cache_used, scheduler.counts) == (20, (1, 1))
    while first.samples[0].state is not State.FINISHED:
        computer.step()
    computer.step()
    assert (scheduler.cache_used, scheduler.counts) == (11, (1, 0))


def test_what_can_never_fit_is_an_error():
    with pytest.raises(ValueError, match="more cache"):
        Scheduler(4, 8, cache_tokens=10).add(make_request(prompt="abc", max_tokens=8))


@pytest.mark.parametrize("lack", [{"max_running": 2}, {"cache_tokens": 50}])
def test_interactive_work_that_lacks_room_preempts_the_youngest_batch_work(lack):
    scheduler = Scheduler(**{"max_running": 8, "prefill_tokens": 8, **lack})
    batch = [make_request(f"b{at}", "a" * 11, max_tokens=12, priority=BATCH) for at in range(2)]
    for request in batch:
        scheduler.add(request)
    computer = Computer(scheduler)
    for _ in range(6):
        computer.step()
    said = list(batch[1].samples[0].output)
    assert said
    scheduler.add(make_request("i", "a" * 5))
    computer.step()
    assert [each.request.job_id for each in scheduler.running] == ["b0", "i"]
    assert batch[1].samples[0].output == said
    while any(scheduler.counts):
        computer.step()
    assert batch[1].samples[0].output == [word_at(at) for at in range(12)]
    assert computer.cuts[batch[1].samples[0]] == [[8, 11], [8, 11]]


def test_a_step_that_preempts_admits_no_batch_work():
    """The small one would fit beside the newcomer at once, but its slot is still to be released."""
    scheduler = Scheduler(8, 8, cache_tokens=50, step_tokens=100)
    computer = Computer(scheduler)
    scheduler.add(make_request("big", "a" * 20, max_tokens=20, priority=BATCH, share="a"))
    scheduler.add(make_request("small", "a" * 2, max_tokens=8, priority=BATCH, share="b"))
    computer.step()
    scheduler.add(make_request("i", "a" * 25, max_tokens=10))
    computer.step()
    assert [each.request.job_id for each in scheduler.running] == ["i"]
    computer.step()
    assert [each.request.job_id for each in scheduler.running] == ["i", "small"]


def test_a_prompt_of_batch_work_pauses_for_interactive_work_and_goes_on_afterwards():
    scheduler = Scheduler(4, 8, step_tokens=12)
    computer = Computer(scheduler)
    batch, urgent = make_request("b", "a" * 40, max_tokens=2, priority=BATCH), make_request("i", "a" * 16, max_tokens=2)
    scheduler.add(batch)
    computer.step()
    scheduler.add(urgent)
    read = []
    for _ in range(4):
        computer.step()
        read.append((urgent.samples[0].prefilled, batch.samples[0].prefilled))
    assert read == [(8, 8), (16, 8), (16, 16), (16, 24)]
    assert computer.cuts[batch.samples[0]] == [[8, 16, 24]]


def test_a_prompt_does_not_pause_for_ever():
    """Every step has an urgent prompt that leaves no room for a chunk; what pauses holds a slot and does not wait."""
    scheduler = Scheduler(4, 8, step_tokens=12)
    computer = Computer(scheduler)
    batch = make_request("b", "a" * 40, max_tokens=1, priority=BATCH)
    scheduler.add(batch)
    computer.step()
    for at in range(2 * PART_OF_BATCH):
        scheduler.add(make_request(f"i{at}", "a" * 8, max_tokens=1))
        computer.step()
    assert batch.outcome is FinishReason.LENGTH


def test_nobody_is_preempted_for_the_tokens_of_a_step():
    scheduler = Scheduler(8, 8, step_tokens=12)
    computer = Computer(scheduler)
    for at in range(5):
        scheduler.add(make_request(f"b{at}", "a", max_tokens=20, priority=BATCH))
    computer.step()
    for at in range(2):
        scheduler.add(make_request(f"i{at}", "a" * 6))
    computer.step()
    assert [each.request.job_id for each in scheduler.running] == ["b0", "b1", "b2", "b3", "b4", "i0"]
    computer.step()
    assert [each.request.job_id for each in scheduler.running][-2:] == ["i0", "i1"]


@given(
    arrivals=st.lists(st.tuples(st.integers(1, 30), st.integers(1, 6), st.integers(0, 3)), min_size=1, max_size=8),
    batch=st.lists(st.tuples(st.integers(1, 40), st.integers(1, 10)), min_size=1, max_size=3),
    slots=st.integers(1, 9),
)
def test_batch_work_ends_whatever_interactive_work_comes_without_end(arrivals, batch, slots):
    """Fails when batch work has no turn, and when its turn keeps nothing."""
    scheduler = Scheduler(slots, CHUNK, 30, cache_tokens=CACHE, step_tokens=TOKENS + slots)
    computer, waiting = Computer(scheduler), []
    for length, tokens in batch:
        waiting.append(make_request("b", "a" * length, max_tokens=tokens, priority=BATCH))
        scheduler.add(waiting[-1])
    for at, (length, tokens, pause) in enumerate(cycle(arrivals)):
        if scheduler.counts[1] < 20:
            scheduler.add(make_request(f"i{at}", "a" * length, max_tokens=tokens, share=f"s{at}"))
        for _ in range(1 + pause):
            if any(scheduler.counts):
                computer.step()
        if all(request.outcome for request in waiting):
            break
        assert computer.steps < 1_000


def test_batch_work_preempts_nothing_and_interactive_work_not_its_like():
    scheduler = Scheduler(1, 8)
    computer = Computer(scheduler)
    scheduler.add(make_request("i"))
    computer.step()
    scheduler.add(make_request("b", priority=BATCH))
    scheduler.add(make_request("j"))
    computer.step()
    assert [each.request.job_id for each in scheduler.running] == ["i"]


def test_nothing_is_preempted_when_it_would_not_help():
    scheduler = Scheduler(4, 8, cache_tokens=40, step_tokens=20)
    computer = Computer(scheduler)
    scheduler.add(make_request("i", "a" * 10, max_tokens=15))
    scheduler.add(make_request("b", "a" * 5, max_tokens=6, priority=BATCH))
    computer.step()
    scheduler.add(make_request("big", "a" * 20))
    computer.step()
    assert [each.request.job_id for each in scheduler.running] == ["i", "b"]


def test_being_preempted_costs_a_share_nothing():
    scheduler = Scheduler(1, 8)
    batch = make_request("b", "a" * 8, max_tokens=10, priority=BATCH, share="b")
    scheduler.add(batch)
    computer = Computer(scheduler)
    for at in range(3):
        computer.step()
        scheduler.add(make_request(f"i{at}", max_tokens=1))
        computer.step()
    while any(scheduler.counts):
        computer.step()
    assert batch.samples[0].served == 8 + 10 - 1


@pytest.mark.parametrize("pause", [0, 1, 3])
def test_batch_work_comes_to_its_end_though_interactive_work_never_stops(pause):
    """With a pause batch work is admitted each time and preempted again before its prompt of five chunks is read."""
    scheduler = Scheduler(1, 8)
    computer = Computer(scheduler)
    batch = make_request("b", "a" * 40, max_tokens=5, priority=BATCH)
    scheduler.add(batch)
    for at in range(400):
        if at % (pause + 1) == 0 and scheduler.counts[1] < 3:
            scheduler.add(make_request(f"i{at}", max_tokens=1))
        computer.step()
        if batch.samples[0].state is State.FINISHED:
            break
    assert batch.samples[0].state is State.FINISHED
    assert computer.steps < 100


def test_kept_batch_work_takes_an_eighth_of_the_slots_at_most():
    scheduler = Scheduler(16, 8, step_tokens=1000)
    computer = Computer(scheduler)
    for at in range(20):
        scheduler.add(make_request(f"b{at}", max_tokens=80, priority=BATCH))
    for at in range(300):
        scheduler.add(make_request(f"i{at}", max_tokens=2))
    seen = []
    for _ in range(30):
        computer.step()
        running = [_kind(each)[0] for each in scheduler.running]
        seen.append((running.count(INTERACTIVE), running.count(BATCH)))
    assert max(batch for _, batch in seen) == 2
    assert max(interactive for interactive, _ in seen[20:]) == 14


# --- Pieces -------------------------------------------------------------------------------------------------------


def test_end_of_text_is_not_counted_but_tokens_of_a_stop_string_are():
    ended, stopped = make_request(), make_request(stop=("yz",))
    assert [ended.samples[0].take(token).tokens for token in (ord("x"), END)] == [1, 1]
    pieces = [stopped.samples[0].take(ord(each)) for each in "xyz"]
    assert [(piece.text, piece.tokens, piece.finish) for piece in pieces] == [
        ("x", 1, None),
        ("", 2, None),
        ("", 3, "stop"),
    ]


def test_length_shows_what_was_held_back():
    request = make_request(stop=("yz",), max_tokens=2)
    pieces = [request.samples[0].take(ord(each)) for each in "xy"]
    assert [(piece.text, piece.finish) for piece in pieces] == [("x", None), ("y", "length")]
