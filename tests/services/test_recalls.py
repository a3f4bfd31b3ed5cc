"""Recall (R6): everybody who had the weights is told, answers are kept, and what is confirmed is counted."""

from __future__ import annotations

from datetime import timedelta

import pytest

from release_portal.access.models import Grant, GrantFunction
from release_portal.audit.models import AuditEvent
from release_portal.core.errors import InvalidInput, NotAllowed, NotFound, NotNow, StaleVersion
from release_portal.moves.recalls import (
    acknowledge,
    add_recipient,
    close_recall,
    notice_for,
    open_recall,
    progress_of,
    recall_for,
    recipients_of,
    state_deletion,
)
from release_portal.notices.models import MailOut, Notice
from release_portal.releases.models import Recall, RecallNotice
from tests.world import World

DAY = timedelta(days=1)


def grant(world: World, name: str, *functions: str, state: str = "active", ended: bool = False) -> Grant:
    made = Grant.objects.create(
        holder=world.people[name], kind="research", purpose="x", state=state, starts_at=world.at - 9 * DAY,
        ends_at=world.at - DAY if ended else world.at + DAY, tokens_per_day=10, requests_per_minute=10, concurrent=1,
        created_at=world.at,
    )  # fmt: skip
    made.sizes.add(world.size)
    GrantFunction.objects.bulk_create([GrantFunction(grant=made, name=name) for name in functions])
    return made


@pytest.fixture
def opened(world: World) -> Recall:
    grant(world, "cleo", "generate", "weights")
    grant(world, "dan", "weights", state="expired", ended=True)
    grant(world, "finn", "generate")
    return open_recall(world.actor("ben"), world.size, reason="A flaw in the weights.", at=world.at)


def test_everybody_who_ever_had_the_weights_is_told_once_and_nobody_else(world: World, opened: Recall) -> None:
    grant(world, "cleo", "weights")
    assert {one.holder.username for one in recipients_of(world.size)} == {"cleo", "dan"}
    assert set(opened.notices.values_list("recipient", flat=True)) == {
        world.people["cleo"].name,
        world.people["dan"].name,
    }
    told = Notice.objects.filter(kind="weights_recalled")
    assert {notice.recipient.username for notice in told} == {"cleo", "dan"}
    assert all("A flaw in the weights." in notice.body for notice in told)
    assert MailOut.objects.filter(subject__contains="delete your copies").count() == 2


def test_the_public_reads_that_weights_are_recalled_and_not_by_whom_they_are_held(opened: Recall) -> None:
    event = AuditEvent.objects.public().get(kind="recall.opened")
    assert event.data == {"recall": opened.pk, "recipients": 2}


@pytest.mark.parametrize("name", ["ivy", "hal", "kim", "cleo", "anonymous"])
def test_nobody_but_officers_and_managers_recalls(world: World, name: str) -> None:
    with pytest.raises(NotAllowed):
        open_recall(world.actor(name), world.size, reason="x", at=world.at)


def test_one_recall_at_a_time_and_never_without_a_reason(world: World, opened: Recall) -> None:
    with pytest.raises(NotNow):
        open_recall(world.actor("ada"), world.size, reason="again", at=world.at)
    with pytest.raises(InvalidInput):
        open_recall(world.actor("ada"), world.size, reason=" ", at=world.at)


def test_a_recipient_acknowledges_and_states_deletion_for_themselves_only(world: World, opened: Recall) -> None:
    cleo, dan = world.actor("cleo"), world.actor("dan")
    own = opened.notices.get(account_id=cleo.id)
    for stranger in (dan, world.actor("ivy"), world.actor("anonymous")):
        with pytest.raises(NotFound):
            acknowledge(stranger, own.pk, at=world.at)
        with pytest.raises(NotFound):
            notice_for(stranger, own.pk)
    assert acknowledge(cleo, own.pk, at=world.at).acknowledged_at == world.at
    assert acknowledge(cleo, own.pk, at=world.at + DAY).acknowledged_at == world.at
    with pytest.raises(InvalidInput):
        state_deletion(cleo, own.pk, statement=" ", at=world.at)
    state_deletion(cleo, own.pk, statement="Both copies erased.", at=world.at + DAY)
    with pytest.raises(NotNow):
        state_deletion(cleo, own.pk, statement="Again.", at=world.at + DAY)
    assert AuditEvent.objects.filter(kind__startswith="recall.").count() == 3


def test_staff_add_a_recipient_and_enter_the_answer(world: World, opened: Recall) -> None:
    olu = world.actor("olu")
    added = add_recipient(olu, opened.pk, name="A mirror", contact="mail of 1 May", at=world.at)
    with pytest.raises(NotAllowed):
        add_recipient(world.actor("ivy"), opened.pk, name="x", contact="x", at=world.at)
    state_deletion(olu, added.pk, statement="By mail: erased.", at=world.at)
    found = progress_of(opened)
    assert (found.total, found.acknowledged, found.deleted, found.percent) == (3, 1, 1, 33)


def test_a_recall_is_closed_with_a_note_and_answered_no_more(world: World, opened: Recall) -> None:
    ada = world.actor("ada")
    with pytest.raises(InvalidInput):
        close_recall(ada, opened.pk, note="", expected_version=1, at=world.at)
    with pytest.raises(StaleVersion):
        close_recall(ada, opened.pk, note="Done.", expected_version=9, at=world.at)
    closed = close_recall(ada, opened.pk, note="Nobody answered.", expected_version=1, at=world.at)
    assert closed.closing_note == "Nobody answered."
    notice = RecallNotice.objects.filter(recall=opened)[0]
    with pytest.raises(NotNow):
        acknowledge(ada, notice.pk, at=world.at)
    with pytest.raises(NotNow):
        close_recall(ada, opened.pk, note="x", expected_version=2, at=world.at)
    assert AuditEvent.objects.public().get(kind="recall.closed").data["deleted"] == 0


def test_recalls_are_looked_up_by_staff_only(world: World, opened: Recall) -> None:
    assert recall_for(world.actor("ben"), opened.pk) == opened
    for name in ("cleo", "ivy", "anonymous"):
        with pytest.raises(NotFound):
            recall_for(world.actor(name), opened.pk)
