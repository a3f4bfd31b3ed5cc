"""Several applications at once: so many single commands, nothing more and nothing less."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.forms.models import model_to_dict

from release_portal.access.application_rules import STATES
from release_portal.access.models import AgreementVersion, Application, Grant, GrantFunction, ReviewVote
from release_portal.access.programmes.applying import offered
from release_portal.access.queue.batch import (
    MOST,
    Item,
    Order,
    Result,
    carry_out_batch,
    preview_batch,
)
from release_portal.access.review_notes import claim_application
from release_portal.access.reviews import approve_application, refuse_application
from release_portal.audit.models import AuditEvent
from release_portal.core.actors import Actor, system_actor
from release_portal.core.errors import InvalidInput, NotAllowed, PortalError
from release_portal.notices.models import MailOut, Notice
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from tests.services.applying import submit
from tests.world import World

DAY = timedelta(days=1)
REFUSAL = Order("refuse", "purpose_unclear", "Say which question you study.")
ORDERS = [Order("approve", text="Welcome."), REFUSAL, Order("claim")]


@pytest.fixture(autouse=True)
def agreement(world: World, at: datetime) -> AgreementVersion:
    """The shipped agreement, in force for some time."""
    return write_agreement(DEMO, at=at - 100 * DAY)


@pytest.fixture
def items(world: World, at: datetime) -> list[Item]:
    """Of each kind one: ordinary, risky, one's own, from one's lab, looked at by another, changed since, withdrawn."""
    ordinary, risky = submit(world, "finn", at), submit(world, "lou", at, purpose_code="P05")
    own = submit(world, "ivy", at, affiliation="Text laboratory")
    same_lab = submit(world, "gia", at, affiliation="text laboratory")
    taken = submit(world, "jo", at, purpose_code="P05")
    claim_application(world.actor("ben"), taken.pk, at=at)
    changed, gone = submit(world, "kim", at), submit(world, "olu", at)
    Application.objects.filter(pk=changed.pk).update(version=changed.version + 1)
    Application.objects.filter(pk=gone.pk).update(state="withdrawn")
    found = [Item(one.pk, one.version) for one in (ordinary, risky, own, same_lab, taken, changed, gone)]
    return [*found, Item("a-nothing", 1)]


def single(actor: Actor, item: Item, order: Order, at: datetime) -> str:
    """The same by the single command; what it was refused with, or nothing."""
    version: dict[str, Any] = {"expected_version": item.expected_version, "at": at}
    application = Application.objects.filter(pk=item.application_id).first()
    if application is None:
        return "not_found"
    try:
        if order.command == "claim":
            claim_application(actor, item.application_id, at=at)
        elif order.command == "refuse":
            refuse_application(actor, item.application_id, code=order.code, text=order.text, **version)
        else:
            approve_application(actor, item.application_id, offered(application, at), note=order.text, **version)
    except PortalError as error:
        return error.code
    return ""


def written() -> str:
    """Every row that a decision can touch, with the random ids of new grants put into their order."""
    rows: list[Any] = []
    for model in (Application, Grant, GrantFunction, ReviewVote, Notice, MailOut):
        found = (
            model.objects.order_by("pk") if model not in (Grant,) else model.objects.order_by("created_at", "holder")
        )
        rows += [[model.__name__, {k: v for k, v in model_to_dict(one).items() if k not in IDS}] for one in found]
    rows += [[one.kind, one.subject, one.actor_id, one.reason, one.data] for one in AuditEvent.objects.order_by("seq")]
    text = json.dumps(rows, default=str, sort_keys=True)
    for number, grant in enumerate(Grant.objects.order_by("created_at", "holder")):
        text = text.replace(grant.pk, f"grant {number}")
    return text


IDS = ("id", "sealed_tail", "key", "dedupe_key")


def taken_back(work: Callable[[], Any]) -> tuple[Any, str]:
    """Do something, look at what was written, and take it back."""
    with transaction.atomic():
        answer, after = work(), written()
        transaction.set_rollback(True)
    return answer, after


def codes(results: list[Result]) -> list[str]:
    return [one.error.code if one.error else "" for one in results]


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: order.command)
@pytest.mark.parametrize("name", ["ivy", "ben"])
def test_T5_a_batch_equals_so_many_single_commands(
    world: World, at: datetime, items: list[Item], order: Order, name: str
) -> None:
    actor = world.actor(name)
    together, rows = taken_back(lambda: carry_out_batch(actor, items, order, at=at))
    alone, expected = taken_back(lambda: [single(actor, item, order, at) for item in items])
    assert codes(together) == alone
    assert rows == expected


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: order.command)
def test_T5_the_preview_says_what_would_happen_and_changes_nothing(
    world: World, at: datetime, items: list[Item], order: Order
) -> None:
    ivy, before = world.actor("ivy"), written()
    preview = preview_batch(ivy, items, order, at=at)
    assert written() == before, "nothing is written and nobody is told"
    results = carry_out_batch(ivy, items, order, at=at)
    assert codes(preview) == codes(results)
    assert [one.error.reason if one.error else "" for one in preview] == [
        one.error.reason if one.error else "" for one in results
    ]


def test_T5_each_is_decided_for_itself(world: World, at: datetime, items: list[Item]) -> None:
    results = carry_out_batch(world.actor("ivy"), items, REFUSAL, at=at)
    assert codes(results) == [
        "", "", "own_application", "same_lab", "claimed", "stale_version", "state", "not_found",
    ]  # fmt: skip
    states = [one.application.state if one.application else "" for one in results]
    assert states[:2] == ["refused", "second_review"], "the first is decided, the second waits for another person"
    assert Application.objects.filter(state="refused").count() == 1


def test_T4_T24_neither_applicant_nor_token_nor_system_gives_a_batch(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at)
    item, ivy = Item(sent.pk, sent.version), world.actor("ivy")
    for order in ORDERS:
        for name in ("finn", "cleo", "ada", "gia"):
            assert codes(carry_out_batch(world.actor(name), [item], order, at=at)) == ["not_found"]
        token = Actor(ivy.kind, ivy.id, ivy.name, ivy.roles, frozenset({"applications:write"}))
        for nobody in (token, system_actor("sweeper"), world.actor("anonymous")):
            with pytest.raises(NotAllowed):
                carry_out_batch(nobody, [item], order, at=at)
    assert Application.objects.get(pk=sent.pk).state == "submitted"


@pytest.mark.parametrize(
    ("items", "order", "field"),
    [
        ([], REFUSAL, "chosen"),
        ([Item("a-1", 1), Item("a-1", 1)], REFUSAL, "chosen"),
        ([Item(f"a-{number}", 1) for number in range(MOST + 1)], REFUSAL, "chosen"),
        ([Item("a-1", 1)], Order("grant"), "command"),
        ([Item("a-1", 1)], Order("reopen"), "command"),
    ],
)
def test_a_batch_that_makes_no_sense_is_refused_as_a_whole(
    world: World, at: datetime, items: list[Item], order: Order, field: str
) -> None:
    for work in (preview_batch, carry_out_batch):
        with pytest.raises(InvalidInput) as caught:
            work(world.actor("ivy"), items, order, at=at)
        assert caught.value.field == field


@pytest.mark.parametrize("state", STATES)
def test_T3_T5_from_every_state_a_batch_does_what_the_table_says(world: World, at: datetime, state: str) -> None:
    sent = submit(world, "finn", at)
    grant = world.grants["cleo"] if state == "granted" else None
    Application.objects.filter(pk=sent.pk).update(state=state, grant=grant)
    (result,) = carry_out_batch(world.actor("ivy"), [Item(sent.pk, sent.version)], REFUSAL, at=at)
    assert result.is_done == (state in ("submitted", "second_review"))
