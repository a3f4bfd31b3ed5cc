"""Consultations: windows not shorter than the policy, comments that are answered or hidden, and not too many."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from release_portal.accounts.own_data import export_own_data
from release_portal.audit.models import AuditEvent
from release_portal.core.errors import InvalidInput, NotAllowed, NotFound, NotNow, TooMuch
from release_portal.releases.assessments import open_proposals
from release_portal.releases.consultations import add_comment, answer_comment, hide_comment, open_window
from release_portal.releases.models import Comment, CommentWindow, Proposal
from tests.services.proposing import proposal
from tests.world import World

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


@pytest.fixture
def prepared(world: World) -> Proposal:
    return proposal(world)


def opened(world: World, prepared: Proposal, *, kind: str = "comment", days: int = 14, by: str = "jo") -> CommentWindow:
    return open_window(
        world.actor(by), prepared.pk, kind=kind, text="What do you think?", closes_at=world.at + days * DAY, at=world.at
    )


def said(
    world: World, prepared: Proposal, *, by: str = "finn", at: datetime | None = None, is_objection: bool = False
) -> Comment:
    return add_comment(
        world.actor(by), prepared.pk, name="A reader", text="Too early.", is_objection=is_objection, at=at or world.at
    )


def unanswered(prepared: Proposal) -> int:
    """How many objections the gate waits for."""
    found = open_proposals([prepared.size])[prepared.size_id]
    return sum(len(window.open_objections) for window in found.windows.all())  # type: ignore[attr-defined]


# --- Windows ---------------------------------------------------------------------------------------------------------


def test_a_window_lasts_as_long_as_the_policy_asks_and_its_opening_is_public(world: World, prepared: Proposal) -> None:
    window = opened(world, prepared)
    assert window.is_open(world.at)
    assert not window.is_open(window.closes_at)
    event = AuditEvent.objects.get(kind="window.opened")
    assert event.reason.startswith("public comments, until ")
    assert event.data["proposal"] == prepared.pk


@pytest.mark.parametrize("kind", ["comment", "notice"])
def test_a_shorter_window_is_refused_and_the_shortest_end_is_named(world: World, prepared: Proposal, kind: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        opened(world, prepared, kind=kind, days=13)
    assert refused.value.field == "closes_at"
    assert f"{world.at + 14 * DAY:%d %B %Y}" in refused.value.reason


def test_without_waits_a_window_may_close_at_once_but_not_before(world: World) -> None:
    fast = proposal(world, policy="demo-fast")
    with pytest.raises(InvalidInput):
        opened(world, fast, days=-1)
    window = opened(world, fast, days=0)
    assert not window.is_open(world.at)


def test_a_proposal_has_one_window_of_each_kind(world: World, prepared: Proposal) -> None:
    opened(world, prepared)
    opened(world, prepared, kind="notice")
    with pytest.raises(NotNow) as refused:
        opened(world, prepared)
    assert refused.value.code == "window"


def test_a_window_needs_a_known_kind_and_a_text(world: World, prepared: Proposal) -> None:
    with pytest.raises(InvalidInput) as unknown:
        opened(world, prepared, kind="party")
    assert unknown.value.field == "kind"
    with pytest.raises(InvalidInput) as empty:
        open_window(
            world.actor("jo"), prepared.pk, kind="comment", text=" ", closes_at=world.at + 20 * DAY, at=world.at
        )
    assert empty.value.field == "text"


@pytest.mark.parametrize("name", ["ben", "kim", "finn", "anonymous"])
def test_only_release_managers_open_windows(world: World, prepared: Proposal, name: str) -> None:
    with pytest.raises(NotAllowed):
        opened(world, prepared, by=name)


@pytest.mark.parametrize("state", ["locked", "in_review", "completed", "aborted"])
def test_no_window_opens_after_the_lock(world: World, prepared: Proposal, state: str) -> None:
    Proposal.objects.filter(pk=prepared.pk).update(state=state)
    with pytest.raises(NotNow):
        opened(world, prepared)


# --- Comments --------------------------------------------------------------------------------------------------------


def test_people_comment_under_their_account_and_visitors_under_a_name(world: World, prepared: Proposal) -> None:
    opened(world, prepared)
    assert said(world, prepared).author == "finn"
    visitor = said(world, prepared, by="anonymous")
    assert (visitor.author, visitor.author_id) == ("A reader", "")
    with pytest.raises(InvalidInput) as unnamed:
        add_comment(world.actor("anonymous"), prepared.pk, name=" ", text="x", is_objection=False, at=world.at)
    assert unnamed.value.field == "name"


def test_comments_are_taken_while_the_window_is_open_only(world: World, prepared: Proposal) -> None:
    with pytest.raises(NotNow, match="No comment window"):
        said(world, prepared)
    opened(world, prepared, kind="notice")
    with pytest.raises(NotNow, match="No comment window"):
        said(world, prepared)
    window = opened(world, prepared)
    assert said(world, prepared, at=window.closes_at - timedelta(seconds=1))
    with pytest.raises(NotNow):
        said(world, prepared, at=window.closes_at)
    Proposal.objects.filter(pk=prepared.pk).update(state="aborted")
    with pytest.raises(NotNow, match="aborted"):
        said(world, prepared)


def test_comments_go_on_while_the_proposal_is_voted_on(world: World, prepared: Proposal) -> None:
    opened(world, prepared)
    Proposal.objects.filter(pk=prepared.pk).update(state="in_review")
    assert said(world, prepared)


@pytest.mark.parametrize("text", ["", "  ", "x" * 5_001, "a\x00b"])
def test_a_comment_is_a_text_of_at_most_5000_characters(world: World, prepared: Proposal, text: str) -> None:
    opened(world, prepared)
    with pytest.raises(InvalidInput) as refused:
        add_comment(world.actor("finn"), prepared.pk, name="", text=text, is_objection=False, at=world.at)
    assert refused.value.field == "text"
    assert add_comment(world.actor("finn"), prepared.pk, name="", text="x" * 5_000, is_objection=False, at=world.at)


def test_an_account_writes_five_comments_an_hour_and_is_told_when_the_next_is_taken(
    world: World, prepared: Proposal
) -> None:
    opened(world, prepared)
    for number in range(5):
        said(world, prepared, at=world.at + number * MINUTE)
    with pytest.raises(TooMuch) as refused:
        said(world, prepared, at=world.at + 10 * MINUTE)
    assert refused.value.retry_at == world.at + 60 * MINUTE
    assert said(world, prepared, by="cleo", at=world.at + 10 * MINUTE), "others are not held up"
    assert said(world, prepared, at=world.at + 60 * MINUTE)


def test_visitors_together_write_sixty_comments_an_hour_on_a_proposal(world: World, prepared: Proposal) -> None:
    window = opened(world, prepared)
    Comment.objects.bulk_create(Comment(window=window, author="A reader", text="x", at=world.at) for _ in range(59))
    said(world, prepared, by="anonymous")
    with pytest.raises(TooMuch):
        said(world, prepared, by="anonymous")
    assert said(world, prepared, by="finn"), "who signs in is not held up"


def test_an_objection_blocks_until_it_is_answered(world: World, prepared: Proposal) -> None:
    window = opened(world, prepared)
    said(world, prepared)
    objection = said(world, prepared, is_objection=True)
    assert unanswered(prepared) == 1
    with pytest.raises(NotAllowed):
        answer_comment(world.actor("ben"), prepared.pk, objection.pk, answer="No.", at=world.at)
    with pytest.raises(InvalidInput):
        answer_comment(world.actor("jo"), prepared.pk, objection.pk, answer=" ", at=world.at)
    answered = answer_comment(world.actor("ada"), prepared.pk, objection.pk, answer="Noted.", at=window.closes_at)
    assert (answered.answer, answered.answered_by) == ("Noted.", "ada")
    assert unanswered(prepared) == 0
    with pytest.raises(NotNow):
        answer_comment(world.actor("jo"), prepared.pk, objection.pk, answer="Again.", at=window.closes_at)


def test_a_hidden_comment_is_kept_with_the_reason_and_blocks_nothing(world: World, prepared: Proposal) -> None:
    opened(world, prepared)
    objection = said(world, prepared, is_objection=True)
    for name in ("jo", "kim", "finn"):
        with pytest.raises(NotAllowed):
            hide_comment(world.actor(name), prepared.pk, objection.pk, reason="Rude.", at=world.at)
    with pytest.raises(InvalidInput):
        hide_comment(world.actor("ben"), prepared.pk, objection.pk, reason="", at=world.at)
    hidden = hide_comment(world.actor("ben"), prepared.pk, objection.pk, reason="It names a person.", at=world.at)
    assert (hidden.text, hidden.hidden_reason, hidden.hidden_by) == ("Too early.", "It names a person.", "ben")
    assert unanswered(prepared) == 0
    with pytest.raises(NotNow):
        hide_comment(world.actor("ben"), prepared.pk, objection.pk, reason="Again.", at=world.at)
    with pytest.raises(NotNow):
        answer_comment(world.actor("jo"), prepared.pk, objection.pk, answer="x", at=world.at)


def test_a_comment_can_be_hidden_after_the_proposal_was_closed(world: World, prepared: Proposal) -> None:
    opened(world, prepared)
    comment = said(world, prepared)
    Proposal.objects.filter(pk=prepared.pk).update(state="completed")
    assert hide_comment(world.actor("ben"), prepared.pk, comment.pk, reason="Private data.", at=world.at).hidden_at


def test_what_is_not_there_is_not_found(world: World, prepared: Proposal) -> None:
    with pytest.raises(NotFound):
        answer_comment(world.actor("jo"), prepared.pk, 0, answer="x", at=world.at)
    with pytest.raises(NotFound):
        said(world, Proposal(pk=0))


def test_comments_are_in_the_record_and_in_the_own_data_of_their_author(world: World, prepared: Proposal) -> None:
    opened(world, prepared)
    comment = said(world, prepared)
    said(world, prepared, by="anonymous")
    answer_comment(world.actor("jo"), prepared.pk, comment.pk, answer="Thanks.", at=world.at)
    hide_comment(world.actor("ben"), prepared.pk, comment.pk, reason="Private data.", at=world.at)
    kinds = AuditEvent.objects.filter(data__comment=comment.pk).order_by("seq").values_list("kind", flat=True)
    assert list(kinds) == ["comment.added", "comment.answered", "comment.hidden"]
    held = export_own_data(world.actor("finn"), world.people["finn"], at=world.at)["holdings"]["comments"]
    assert [row["hidden_reason"] for row in held] == ["Private data."]
