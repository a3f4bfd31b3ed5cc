"""Several applications at once: so many single commands, each with its own checks, version and event.

Nothing is all or nothing: each is carried out or refused for itself. The preview carries each one out and takes it
back, so that it says exactly what would happen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from release_portal.access.application_lookups import applications_to_review
from release_portal.access.models import Application
from release_portal.access.programmes.applying import offered
from release_portal.access.review_notes import claim_application
from release_portal.access.reviews import approve_application, refuse_application
from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput, NotAllowed, NotFound, PortalError

COMMANDS = ("approve", "refuse", "claim")
MOST = 50


@dataclass(frozen=True)
class Item:
    """An application as it was seen when it was chosen."""

    application_id: str
    expected_version: int


@dataclass(frozen=True)
class Order:
    """What is to be done with each.

    Args:
        command: approve, refuse or claim.
        code: of the refusal.
        text: explanation of the refusal, note of the approval, or reason of the claim.
    """

    command: str
    code: str = ""
    text: str = ""


@dataclass(frozen=True)
class Result:
    """What became of one.

    Args:
        application_id: which one.
        application: as it stands after it; None when there is none for this person.
        error: why it was refused; None when it was carried out.
    """

    application_id: str
    application: Application | None
    error: PortalError | None

    @property
    def is_done(self) -> bool:
        """Whether it was carried out."""
        return self.error is None


def preview_batch(actor: Actor, items: Sequence[Item], order: Order, *, at: datetime) -> list[Result]:
    """Say for each whether it would be carried out, or why not; nothing is changed and nobody is told."""
    _check(actor, items, order)
    return [_tried(actor, item, order, at) for item in items]


def carry_out_batch(actor: Actor, items: Sequence[Item], order: Order, *, at: datetime) -> list[Result]:
    """Give the command for each, one after the other, each in its own transaction.

    Args:
        actor: whoever may give the single command.
        items: what was chosen, with the versions that were seen.
        order: the command and its words.
        at: the time of the act.

    Raises:
        InvalidInput: nothing is chosen, too much, one of them twice, or the command is unknown.
    """
    _check(actor, items, order)
    return [_carried_out(actor, item, order, at) for item in items]


def _check(actor: Actor, items: Sequence[Item], order: Order) -> None:
    if actor.scopes is not None or not actor.is_person:
        change = "Sign in on the pages; a token never decides."
        raise NotAllowed("A batch is given by a person.", rule="application: batch", change=change)
    if order.command not in COMMANDS:
        raise InvalidInput("Choose what shall be done.", field="command")
    if not items:
        raise InvalidInput("Choose at least one application.", field="chosen")
    if len(items) > MOST:
        raise InvalidInput(f"At most {MOST} applications at once.", field="chosen")
    if len({item.application_id for item in items}) < len(items):
        raise InvalidInput("An application is chosen twice.", field="chosen")


def _carried_out(actor: Actor, item: Item, order: Order, at: datetime) -> Result:
    try:
        _give(actor, _found(actor, item), item, order, at)
    except PortalError as error:
        return Result(item.application_id, _shown(actor, item), error)
    return Result(item.application_id, _shown(actor, item), None)


def _tried(actor: Actor, item: Item, order: Order, at: datetime) -> Result:
    with transaction.atomic():
        result = _carried_out(actor, item, order, at)
        transaction.set_rollback(True)
    return Result(item.application_id, _shown(actor, item), result.error)


def _give(actor: Actor, application: Application, item: Item, order: Order, at: datetime) -> None:
    key, seen = application.pk, item.expected_version
    if order.command == "claim":
        claim_application(actor, key, reason=order.text, at=at)
    elif order.command == "refuse":
        refuse_application(actor, key, code=order.code, text=order.text, expected_version=seen, at=at)
    else:
        approve_application(actor, key, offered(application, at), note=order.text, expected_version=seen, at=at)


def _found(actor: Actor, item: Item) -> Application:
    application = _shown(actor, item)
    if application is None:
        raise NotFound("There is nothing here.", change="Choose from the queue.")
    return application


def _shown(actor: Actor, item: Item) -> Application | None:
    return applications_to_review(actor).filter(pk=item.application_id).first()
