"""Who looked: each time somebody with a role opens something about a person, that person can read of it.

A look is one short statement of its own, written before the page is shown and in no transaction of the page: where it
cannot be written nothing is shown.
"""

from __future__ import annotations

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
    if what not in THINGS:
        raise KeyError(what)
    if not actor.is_person or actor.account_id == person.pk:
        return
    mine = Look.objects.filter(person=person, by_id=actor.id, subject=subject)
    if mine.filter(at__gt=at - ONE_LOOK, at__lte=at).exists():
        return
    look = Look(
        person=person,
        by_id=actor.id,
        by_name=actor.name,
        roles=", ".join(sorted(role.replace("_", " ") for role in actor.roles))[:200],
        what=what,
        subject=subject,
        at=at,
        hour=at.replace(minute=0, second=0, microsecond=0),
    )
    Look.objects.bulk_create([look], ignore_conflicts=True)


def looks_at(person: User) -> QuerySet[Look]:
    """Return who looked at a person's things, newest first; for that person only."""
    return person.looks.all()
