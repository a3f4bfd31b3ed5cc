"""Write accounts, roles and tokens."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction

from release_portal.accounts.models import ApiToken, RoleAssignment, User
from release_portal.accounts.roles import Role, scopes_for
from release_portal.accounts.token_rules import Wish, fault_of
from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput, NotAllowed, NotAuthenticated, NotFound

TOKEN_PREFIX = "rp_"  # noqa: S105 - the visible beginning, not a secret
# Writing last_used_at at every request would serialise all requests of a busy token.
LAST_USED_GRAIN = timedelta(minutes=1)


def subject_of(user: User) -> str:
    """Return how the audit log names an account."""
    return f"account:{user.pk}"


@transaction.atomic
def give_role(actor: Actor, user: User, role: str, *, reason: str, at: datetime) -> None:
    """Give a role to a person; giving it twice changes nothing."""
    _check_role_change(actor, role, reason)
    _, is_new = RoleAssignment.objects.get_or_create(
        user=user, role=role, defaults={"given_at": at, "given_by": actor.name}
    )
    if is_new:
        record(
            "role.given",
            actor=actor,
            subject=subject_of(user),
            at=at,
            reason=reason,
            data={"role": role, "account": user.username},
        )


@transaction.atomic
def take_role(actor: Actor, user: User, role: str, *, reason: str, at: datetime) -> None:
    """Take a role from a person; the last administrator keeps theirs."""
    _check_role_change(actor, role, reason)
    is_last = not RoleAssignment.objects.filter(role=role).exclude(user=user).exists()
    if role == Role.ADMINISTRATOR and is_last:
        raise InvalidInput(
            "The last administrator cannot be removed.", field="role", change="Give the role to another."
        )
    gone, _ = RoleAssignment.objects.filter(user=user, role=role).delete()
    if gone:
        record(
            "role.taken",
            actor=actor,
            subject=subject_of(user),
            at=at,
            reason=reason,
            data={"role": role, "account": user.username},
        )


def _check_role_change(actor: Actor, role: str, reason: str) -> None:
    if not (actor.is_system or actor.has_role(Role.ADMINISTRATOR)):
        raise NotAllowed("Roles are given and taken by administrators.", rule="roles", change="Ask an administrator.")
    if role not in set(Role):
        raise InvalidInput(f"{role!r} is not a role.", field="role", change="Choose one of: " + ", ".join(Role) + ".")
    if not reason.strip():
        raise InvalidInput("A reason is needed.", field="reason", change="Write one sentence; the record keeps it.")


@transaction.atomic
def create_token(
    actor: Actor,
    user: User,
    *,
    name: str,
    scopes: Iterable[str],
    at: datetime,
    ends_at: datetime | None = None,
    service: str = "",
) -> tuple[ApiToken, str]:
    """Create an API token and return it with its secret, which is shown this once and never stored.

    Args:
        actor: the owner, signed in.
        user: the owner's account.
        name: what the owner calls it.
        scopes: what it may be used for.
        at: the time of creation.
        ends_at: when it ends.
        service: the program that acts with it, as the record names it; its token must end.
    """
    if not (actor.is_system or actor.id == str(user.pk)) or actor.scopes is not None:
        raise NotAllowed("Tokens are created by their owner, signed in.", rule="tokens", change="Sign in on the web.")
    wanted = sorted(set(scopes))
    _check_token(user, Wish(name, tuple(wanted), ends_at, service), at)
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        user=user,
        name=name.strip(),
        service=service,
        prefix=secret[:8],
        digest=_digest(secret),
        scopes=wanted,
        created_at=at,
        ends_at=ends_at,
    )
    record(
        "token.created",
        actor=actor,
        subject=subject_of(user),
        at=at,
        data={"token": token.pk, "name": token.name, "scopes": wanted, **({"service": service} if service else {})},
    )
    return token, secret


def _check_token(user: User, wish: Wish, at: datetime) -> None:
    held = scopes_for(user.role_assignments.values_list("role", flat=True))
    fault = fault_of(wish, held, at)
    if fault is not None:
        raise InvalidInput(fault.reason, field=fault.field, change=fault.change)


@transaction.atomic
def revoke_token(actor: Actor, token_id: int, *, at: datetime) -> ApiToken:
    """End one of the actor's own tokens at once."""
    token = ApiToken.objects.select_for_update().filter(pk=token_id, user_id=actor.account_id).first()
    if token is None or actor.scopes is not None:
        raise NotFound("There is no such token of yours.", change="Your tokens are listed on your account page.")
    if token.revoked_at is None:
        token.revoked_at = at
        token.save(update_fields=["revoked_at"])
        record(
            "token.revoked",
            actor=actor,
            subject=subject_of(token.user),
            at=at,
            data={"token": token.pk, "name": token.name},
        )
    return token


def authenticate_token(secret: str, *, at: datetime) -> ApiToken:
    """Return the usable token for a secret; raises NotAuthenticated with the reason otherwise."""
    token = ApiToken.objects.select_related("user").filter(digest=_digest(secret)).first()
    if token is None or not token.user.is_active:
        change = "Create a token on your account page."
        if secret.startswith(("hf_", "sk-")):
            change = "This looks like a token of another service: revoke it there, and create one here."
        raise NotAuthenticated("This token is not known here.", code="token_unknown", change=change)
    if not token.is_usable(at):
        word = "was revoked" if token.revoked_at else "has ended"
        raise NotAuthenticated(
            f"This token {word}.", code="token_ended", change="Create a new token on your account page."
        )
    if token.last_used_at is None or at - token.last_used_at > LAST_USED_GRAIN:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=at)
    return token


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
