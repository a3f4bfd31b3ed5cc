"""Delete an account: ask, call back, carry out; what is kept for some time goes when that is over."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from datetime import datetime

from allauth.account.models import EmailAddress
from django.db import IntegrityError, transaction

from release_portal.accounts import deletion_rules as rules
from release_portal.accounts.deletion_rules import ASKED, CALLED_BACK, DELETION, DONE, NEW, Obstacle
from release_portal.accounts.models import Deletion, User
from release_portal.accounts.own_data import holdings
from release_portal.accounts.services import subject_of
from release_portal.accounts.telling import tell
from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import InvalidInput, NotAllowed, NotNow, error_of

WHEN = "%d %B %Y, %H:%M UTC"
PATH = "/account/data/"

_OBSTACLES: dict[str, Callable[[User, datetime], Iterable[Obstacle]]] = {}
_HOLDS: dict[str, Callable[[User, datetime], bool]] = {}


def register_obstacles(kind: str, find: Callable[[User, datetime], Iterable[Obstacle]]) -> None:
    """Declare what of a room stands in the way of a deletion; the same kind again replaces it."""
    _OBSTACLES[kind] = find


def obstacle_kinds() -> tuple[str, ...]:
    """Return what can stand in the way, by name."""
    return tuple(sorted(_OBSTACLES))


def obstacles_of(user: User, at: datetime) -> list[Obstacle]:
    """Return everything that stands in the way of deleting an account now."""
    return [one for kind in obstacle_kinds() for one in _OBSTACLES[kind](user, at)]


def register_hold(kind: str, holds: Callable[[User, datetime], bool]) -> None:
    """Declare what keeps a deletion waiting without being named to anybody; the same kind again replaces it."""
    _HOLDS[kind] = holds


def hold_kinds() -> tuple[str, ...]:
    """Return what can keep a deletion waiting, by name."""
    return tuple(sorted(_HOLDS))


def is_held(user: User, at: datetime) -> bool:
    """Whether something must be kept for now; which, and that it is so, is told to nobody."""
    return any(holds(user, at) for holds in _HOLDS.values())


def open_deletion(user: User) -> Deletion | None:
    """Return the deletion that a person asked for and that is not carried out."""
    return user.deletions.filter(state=ASKED).first()


@transaction.atomic
def ask_deletion(actor: Actor, user: User, *, password: str, typed: str, at: datetime) -> Deletion:
    """Ask that one's own account be deleted, fourteen days from now.

    Args:
        actor: the person, signed in.
        user: their account.
        password: typed again, so that nobody at an open screen does it.
        typed: the account's name, typed.
        at: the time of asking.

    Raises:
        InvalidInput: the password is wrong, or the name is another.
        NotNow: something stands in the way, or it was asked for already.
    """
    _check(_decide("ask", NEW, actor, user))
    _check(rules.may_delete(obstacles_of(user, at)))
    if typed.strip() != user.username:
        raise InvalidInput(f"Type the name of your account: {user.username}.", field="typed")
    if not user.check_password(password):
        raise InvalidInput("This is not your password.", field="password")
    try:
        with transaction.atomic():
            made = Deletion.objects.create(user=user, asked_at=at, due_at=at + rules.WAIT)
    except IntegrityError as error:
        raise NotNow("You asked for it already.", code="asked", change="Wait, or call it back.") from error
    _record("account.deletion_asked", actor, made, at)
    tell(user, "deletion_asked", {"due": f"{made.due_at:{WHEN}}"}, at=at, path=PATH)
    return made


@transaction.atomic
def call_back_deletion(actor: Actor, user: User, *, at: datetime) -> Deletion:
    """Keep the account after all."""
    found = Deletion.objects.select_for_update().filter(user=user, state=ASKED).first()
    _check(_decide("call_back", found.state if found else NEW, actor, user))
    assert found is not None  # the lifecycle refused what was not asked for
    found.state, found.ended_at = CALLED_BACK, at
    found.save(update_fields=["state", "ended_at"])
    _record("account.deletion_called_back", actor, found, at)
    return found


def carry_out_deletions(actor: Actor, *, at: datetime) -> int:
    """Carry out what is due, each in a transaction of its own; what is in the way or held waits."""
    due = Deletion.objects.filter(state=ASKED, due_at__lte=at).order_by("due_at", "pk")
    return sum(_carry_out(actor, pk, at) for pk in list(due.values_list("pk", flat=True)))


@transaction.atomic
def _carry_out(actor: Actor, deletion_id: int, at: datetime) -> bool:
    deletion = Deletion.objects.select_for_update(of=("self",)).select_related("user").get(pk=deletion_id)
    if deletion.state != ASKED or not rules.is_due(deletion.due_at, at):
        return False
    _check(DELETION.decide("carry_out", deletion.state, {"system"} if actor.is_system else ()))
    decision = rules.may_delete(obstacles_of(deletion.user, at))
    if not decision:
        facts = {"reason": decision.reason, "change": decision.change}
        tell(deletion.user, "deletion_waits", facts, at=at, path=PATH, dedupe_key=f"deletion:{deletion.pk}:waits")
        return False
    if is_held(deletion.user, at):
        return False  # without a word: to say it would tell that there is something
    tell(deletion.user, "deletion_done", {"account": deletion.user.username}, at=at)
    deletion.state, deletion.ended_at, deletion.erased = DONE, at, erase(deletion.user, at)
    deletion.save(update_fields=["state", "ended_at", "erased"])
    _record("account.deleted", actor, deletion, at, erased=deletion.erased)
    return True


@transaction.atomic
def erase(user: User, at: datetime) -> dict[str, int]:
    """Delete of every holding what may go now, the account's own row last; return how many rows of each kind."""
    kinds = sorted(holdings(), key=lambda one: one.kind == "account")
    counts = {one.kind: one.erase(user, at) for one in kinds if one.erase is not None}
    return {kind: count for kind, count in counts.items() if count}


def erase_what_is_over(*, at: datetime) -> int:
    """Ask every holding of deleted accounts again: what was kept for some time goes when that is over."""
    gone = User.objects.filter(deletions__state=DONE).distinct()
    return sum(sum(erase(user, at).values()) for user in gone)


def strip_account(user: User, at: datetime) -> int:
    """Leave of an account what rows must point to: a number, and a name that says nothing."""
    if not user.is_active and user.username.startswith("deleted-"):
        return 0
    EmailAddress.objects.filter(user=user).delete()
    user.username = f"deleted-{secrets.token_hex(6)}"
    user.email = f"{user.username}@deleted.invalid"
    user.first_name = user.last_name = ""
    user.is_active, user.last_login = False, None
    user.set_unusable_password()
    user.save()
    return 1


def roles_in_the_way(user: User, at: datetime) -> Iterable[Obstacle]:
    """Roles are taken by people, so that nobody who is needed disappears."""
    names = [assignment.role.replace("_", " ") for assignment in user.role_assignments.all()]
    if names:
        change = "Ask an administrator to take them; another person may have to follow you first."
        yield Obstacle("roles", f"You hold roles: {', '.join(names)}.", change)


def _decide(name: str, state: str, actor: Actor, user: User) -> Decision:
    if actor.scopes is not None or actor.account_id != user.pk:
        raise NotAllowed("You can delete your own account only.", rule="own data", change="Sign in on the web.")
    return DELETION.decide(name, state, {"person"})


def _record(kind: str, actor: Actor, deletion: Deletion, at: datetime, **data: object) -> None:
    facts = {"deletion": deletion.pk, "due": deletion.due_at.isoformat(), **data}
    record(kind, actor=actor, subject=subject_of(deletion.user), at=at, data=facts)


def _check(decision: Decision) -> None:
    if not decision:
        raise error_of(decision)
