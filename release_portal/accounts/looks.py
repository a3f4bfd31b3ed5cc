"""Who looked: each time somebody with a role opens something about a person, that person can read of it.

A look is one short statement of its own, written before the page is shown and in no transaction of the page: where it
cannot be written nothing is shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import QuerySet

from release_portal.accounts.models import Look, User
from release_portal.core.actors import Actor

# What can be looked at, in the words of the person whom it is about.
THINGS: dict[str, str] = {
    "application": "your application",
    "file": "a file of your application",
    "grant": "your grant",
    "person": "your account and roles",
    "appeal": "your appeal",
    "seat": "your seat on a grant",
}
ONE_LOOK = timedelta(hours=1)


def note_look(actor: Actor, person: User, what: str, subject: str, *, at: datetime) -> None:
    """Write down that the actor opens something about a person; one's own things are no look.

    Args:
        actor: who opens it.
        person: whom it is about.
        what: key of THINGS.
        subject: which one, as the record names it.
        at: the time of opening.
    """
    note_looks(actor, [(person.pk, subject)], what, at=at)


def note_looks(actor: Actor, about: Iterable[tuple[int, str]], what: str, *, at: datetime) -> None:
    """Write down that the actor opens something about several people at once.

    Args:
        actor: who opens it.
        about: for each person the account, and which thing, as the record names it.
        what: key of THINGS.
        at: the time of opening.
    """
    if what not in THINGS:
        raise KeyError(what)
    others = {(person, subject) for person, subject in about if actor.is_person and person != actor.account_id}
    mine = Look.objects.filter(by_id=actor.id, subject__in={subject for _, subject in others})
    known = set(mine.filter(at__gt=at - ONE_LOOK, at__lte=at).values_list("person_id", "subject"))
    looks = [_look(actor, person, what, subject, at) for person, subject in sorted(others - known)]
    Look.objects.bulk_create(looks, ignore_conflicts=True)


def _look(actor: Actor, person: int, what: str, subject: str, at: datetime) -> Look:
    return Look(
        person_id=person,
        by_id=actor.id,
        by_name=actor.name,
        roles=", ".join(sorted(role.replace("_", " ") for role in actor.roles))[:200],
        what=what,
        subject=subject,
        at=at,
        hour=at.replace(minute=0, second=0, microsecond=0),
    )


def looks_at(person: User) -> QuerySet[Look]:
    """Return who looked at a person's things, newest first; for that person only."""
    return person.looks.all()
