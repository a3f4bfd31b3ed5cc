"""What this room, and the record below it, hold about a person."""

from __future__ import annotations

from release_portal.accounts.deletions import register_obstacles, roles_in_the_way, strip_account
from release_portal.accounts.own_data import NOTHING_IS_KEPT, Holding, delete_all, register
from release_portal.audit.models import AuditEvent


def declare_accounts() -> None:
    """Declare accounts, roles and tokens."""
    register(
        Holding(
            "account",
            "Account",
            "To sign you in and to write to you; kept while you have the account.",
            lambda user: [user],
            ("username", "email", "first_name", "last_name", "date_joined", "last_login"),
            kept="Name, address and password go. A number stays, so that what is kept points to somebody.",
            erase=strip_account,
        )
    )
    register(
        Holding(
            "roles",
            "Roles",
            "To decide what you may do; kept while you hold them.",
            lambda user: user.role_assignments.all(),
            ("role", "given_at", "given_by"),
            kept="None is left: an administrator takes them before an account is deleted.",
        )
    )
    register_obstacles("roles", roles_in_the_way)
    register(
        Holding(
            "tokens",
            "API tokens",
            "To let programs act for you; the secret itself is not stored.",
            lambda user: user.api_tokens.all(),
            ("name", "service", "prefix", "scopes", "created_at", "last_used_at", "ends_at", "revoked_at"),
            kept=NOTHING_IS_KEPT,
            erase=delete_all(lambda user: user.api_tokens.all()),
        )
    )


def declare_duty() -> None:
    """Declare when a person was on duty."""
    register(
        Holding(
            "duty_shifts",
            "Times on duty",
            "To know who can act when; kept as long as you have the account.",
            lambda user: user.duty_shifts.order_by("-starts_at"),
            ("starts_at", "ends_at", "added_by"),
            kept=NOTHING_IS_KEPT,
            erase=delete_all(lambda user: user.duty_shifts.all()),
        )
    )


def declare_own_data() -> None:
    """Declare the record, who looked at a person's things, and their wish to be forgotten."""
    register(
        Holding(
            "record",
            "Your acts in the record",
            "The record of decisions is never changed or cut; your name stands beside what you did.",
            lambda user: AuditEvent.objects.filter(actor_kind="user", actor_id=str(user.pk)).order_by("-seq"),
            ("seq", "at", "kind", "subject", "reason", "data", "hash"),
            kept="All of it stays for as long as the record: each entry proves the one before it.",
        )
    )
    register(
        Holding(
            "looks",
            "Who looked at your things",
            "So that you know who with a role opened what about you; kept as long as you have the account.",
            lambda user: user.looks.all(),
            ("at", "by_name", "roles", "what", "subject"),
            kept=NOTHING_IS_KEPT,
            erase=delete_all(lambda user: user.looks.all()),
        )
    )
    register(
        Holding(
            "deletions",
            "Your wishes to delete the account",
            "To carry them out, and to be able to prove it.",
            lambda user: user.deletions.all(),
            ("asked_at", "due_at", "state", "ended_at", "erased"),
            kept="When you asked, when it was done, and how many entries went; without your name.",
        )
    )
