"""Which decisions can be appealed: the rooms that decide register how a decision is found and restored."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from release_portal.accounts.models import User
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import NotFound


@dataclass(frozen=True)
class Appealable:
    """A decision as the appeal machine needs to know it.

    Args:
        kind: refusal, suspension or revocation.
        subject: its key.
        title: the decision in words.
        person: whom it is about.
        decided_by: accounts that took part in it.
        decided_at: when it was taken.
        may_appeal: whether it can be appealed as things stand.
        path: page on which the person reads of it.
    """

    kind: str
    subject: str
    title: str
    person: User
    decided_by: tuple[str, ...]
    decided_at: datetime
    may_appeal: Decision
    path: str


@dataclass(frozen=True)
class Order:
    """What an appeal orders to be carried out.

    Args:
        appeal_id: the appeal.
        subject: key of the decision.
        outcome: partly or overturned.
        reason: why.
        by: who carries it out.
        at: the time of carrying it out.
    """

    appeal_id: str
    subject: str
    outcome: str
    reason: str
    by: Actor
    at: datetime


@dataclass(frozen=True)
class Effect:
    """What was changed, in words, and what stood there before."""

    words: str
    before: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Handler:
    """How decisions of one kind are found, and how an outcome is carried out.

    Args:
        kind: refusal, suspension or revocation.
        owns: says whether a key names a decision of this kind.
        find: returns the decision as it stands at a time, or None.
        execute: restores, tells everybody who was told before, and says what it did.
        about: returns the keys of the decisions about a person.
    """

    kind: str
    owns: Callable[[str], bool]
    find: Callable[[str, datetime], Appealable | None]
    execute: Callable[[Order], Effect]
    about: Callable[[User], Iterable[str]] = lambda user: ()


_HANDLERS: dict[str, Handler] = {}


def register(handler: Handler) -> None:
    """Declare how one kind is handled; the same kind again replaces it."""
    _HANDLERS[handler.kind] = handler


def handler_of(kind: str) -> Handler:
    """Return the handler of a kind; raises KeyError for one that no room registered."""
    return _HANDLERS[kind]


def find_decision(subject: str, at: datetime) -> Appealable:
    """Return the decision of that key as it stands at a time, or raise NotFound."""
    handler = next((one for one in _HANDLERS.values() if one.owns(subject)), None)
    found = handler.find(subject, at) if handler else None
    if found is None:
        raise NotFound("There is nothing here.", change="Decisions that can be appealed say so on their page.")
    return found


def decisions_about(user: User, at: datetime) -> list[Appealable]:
    """Return every decision about a person, of each kind, as it stands at a time."""
    found = (handler.find(subject, at) for handler in _HANDLERS.values() for subject in handler.about(user))
    return [one for one in found if one is not None and one.person == user]
