"""What is drafted of a text, how much of it, and that drafts never change what is said."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inference.engine.lookup import DRAFTED, PromptLookup
from inference.engine.request import State
from inference.engine.scheduler import DRAFT_TOKENS, MOST_DRAFTING, Scheduler
from tests.inference.fakes import END, make_request


def test_a_text_that_says_nothing_twice_gives_nothing_to_draft():
    assert PromptLookup(range(20)).draft(8) == ()
    assert PromptLookup(()).draft(8) == ()
    assert PromptLookup([5]).draft(8) == ()


def test_what_followed_the_last_tokens_when_they_stood_there_before_is_drafted():
    assert PromptLookup([1, 2, 3, 4, 5, 6, 7, 9, 1, 2, 3]).draft(8) == (4, 5, 6, 7, 9, 1, 2, 3)


def test_three_tokens_tell_more_than_two_and_two_more_than_one_and_one_will_do():
    assert PromptLookup([1, 2, 3, 4, 9, 2, 3, 5, 9, 1, 2, 3]).draft(1) == (4,)
    assert PromptLookup([1, 2, 3, 4, 9, 3, 5, 8, 2, 3]).draft(1) == (4,)
    assert PromptLookup([1, 2, 3, 4, 9, 8, 3]).draft(1) == (4,)


def test_the_last_place_counts_when_there_are_several():
    assert PromptLookup([1, 2, 4, 0, 1, 2, 5, 0, 1, 2]).draft(1) == (5,)


def test_a_text_that_goes_round_in_a_circle_is_thought_to_go_on_so():
    assert PromptLookup([1, 2, 3, 1, 2, 3]).draft(4) == (1, 2, 3, 1)
    assert PromptLookup([7, 7, 7, 7]).draft(3) == (7, 7, 7)


def test_never_more_is_drafted_than_was_asked_for():
    assert PromptLookup([1, 2, 3, 1, 2, 3]).draft(2) == (1, 2)
    assert PromptLookup([1, 2, 3, 1, 2, 3]).draft(0) == ()


def test_the_more_tokens_are_known_again_the_more_are_drafted():
    text = [1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13]
    lengths = [len(PromptLookup([*text, 99, *again]).draft(64)) for again in ([1, 2, 3], [2, 3], [3], [98])]
    assert lengths == [DRAFTED[3], DRAFTED[2], DRAFTED[1], 0]


def test_what_is_fed_in_parts_is_the_same_text():
    text = [1, 2, 3, 4, 1, 2, 5, 1, 2]
    whole, parts = PromptLookup(text), PromptLookup()
    for token in text:
        parts.feed([token])
        parts.draft(4)
    assert len(parts) == len(text)
    assert parts.draft(4) == whole.draft(4) == (5, 1, 2)


@given(st.lists(st.integers(0, 3), max_size=40), st.lists(st.integers(0, 3), max_size=40), st.integers(0, 12))
def test_what_is_drafted_stood_in_the_text_behind_what_it_ends_with(before, after, most):
    lookup = PromptLookup(before)
    lookup.draft(most)
    lookup.feed(after)
    text, draft = [*before, *after], lookup.draft(most)
    assert len(draft) <= most
    if draft:
        ends = [at for at in range(1, len(text)) if text[at - 1] == text[-1]]
        assert draft[0] in {text[at] for at in ends}


def drafts_of(scheduler: Scheduler):
    """Decode with what said itself before; return what was drafted in each step of decoding."""
    seen = []
    while plan := scheduler.schedule():
        ready = [*plan.decode, *(chunk.sequence for chunk in plan.prefill if chunk.is_last)]
        seen += [plan.drafts] if plan.decode else []
        for sequence in ready:
            for token in [*plan.drafts.get(sequence, ()), ord("a")]:
                if sequence.state is not State.FINISHED:
                    sequence.take(token)
            if sequence.state is State.FINISHED:
                scheduler.retire(sequence)
    return seen


def test_one_or_two_texts_share_drafts_and_more_get_none():
    alone, both, many = Scheduler(64, 16), Scheduler(64, 16), Scheduler(64, 16)
    for scheduler, count in ((alone, 1), (both, MOST_DRAFTING), (many, MOST_DRAFTING + 1)):
        scheduler.add(make_request(prompt="aaaa", samples=count, max_tokens=40))
    assert max(len(draft) for each in drafts_of(alone) for draft in each.values()) == DRAFT_TOKENS
    assert max(len(draft) for each in drafts_of(both) for draft in each.values()) == DRAFT_TOKENS // MOST_DRAFTING
    assert [each for each in drafts_of(many) if each] == []


def test_nothing_is_drafted_behind_the_last_token_that_may_be_said():
    scheduler = Scheduler(1, 16)
    request = make_request(prompt="aaaa", max_tokens=6)
    scheduler.add(request)
    lengths = [len(draft) for each in drafts_of(scheduler) for draft in each.values()]
    assert lengths == [4], "one token with the prompt, and behind four drafted ones the last"
    assert len(request.samples[0].output) == 6


def test_drafts_take_only_tokens_of_a_step_that_nobody_else_takes():
    scheduler = Scheduler(4, 8, step_tokens=12)
    for name in ("first", "second"):
        scheduler.add(make_request(name, prompt="aaaa", max_tokens=20))
    scheduler.schedule()
    for sequence in scheduler.running:
        sequence.take(ord("a"))
    scheduler.add(make_request("third", prompt="a" * 16))
    plan = scheduler.schedule()
    assert (len(plan.decode), sum(chunk.stop - chunk.start for chunk in plan.prefill)) == (2, 8)
    assert [len(draft) for draft in plan.drafts.values()] == [1, 1]
    assert plan.tokens == 12


def test_who_wants_no_drafts_gets_none():
    scheduler = Scheduler(1, 16, draft_tokens=0)
    scheduler.add(make_request(prompt="aaaa"))
    assert [each for each in drafts_of(scheduler) if each] == []


def test_a_slot_that_a_draft_reached_is_known_as_written():
    scheduler = Scheduler(1, 16)
    request = make_request(prompt="aaaa", max_tokens=20)
    scheduler.add(request)
    scheduler.schedule()
    (sequence,) = request.samples
    sequence.take(ord("a"))
    scheduler.schedule()
    assert sequence.cached == sequence.length + DRAFT_TOKENS
    sequence.take(END)
    sequence.start()
    assert sequence.cached == 0
