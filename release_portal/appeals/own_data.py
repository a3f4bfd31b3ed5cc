"""What this room holds about a person."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from release_portal.accounts.deletion_rules import KEPT, Obstacle
from release_portal.accounts.deletions import register_obstacles
from release_portal.accounts.models import User
from release_portal.accounts.own_data import NOTHING_IS_KEPT, Holding, delete_all, register
from release_portal.appeals.models import AppealQuestion


def declare() -> None:
    """Declare appeals and the links to file them."""
    register(
        Holding(
            "appeals",
            "Appeals",
            "To have somebody else look at a decision, and to say later what came of it.",
            lambda user: user.appeals.all(),
            (
                "id", "kind", "subject", "title", "text", "is_by_link", "state", "filed_at", "due_at",
                "inadmissible_code", "outcome", "outcome_reason", "outcome_at", "effect", "executed_at", "closed_at",
            ),
            kept="What you wrote stays three years after the appeal is closed, because its outcome rests on it.",
            erase=erase_appeals,
        )
    )  # fmt: skip
    register(
        Holding(
            "appeal_links",
            "Links to appeal that were mailed to you",
            "To let you appeal without signing in; the link itself is not stored.",
            lambda user: user.appeal_links.order_by("-created_at"),
            ("subject", "created_at", "used_at"),
            kept=NOTHING_IS_KEPT,
            erase=delete_all(lambda user: user.appeal_links.all()),
        )
    )
    register_obstacles("appeals", open_appeals)


def open_appeals(user: User, at: datetime) -> Iterable[Obstacle]:
    """An appeal is answered before its writer goes."""
    for appeal in user.appeals.open():
        change = "It goes when the appeal is decided and closed."
        yield Obstacle("open_appeal", f"Your appeal {appeal.pk} is open.", change, f"/appeals/{appeal.pk}/")


def erase_appeals(user: User, at: datetime) -> int:
    """Blank what the person wrote, once nothing rests on it any more."""
    over = user.appeals.filter(closed_at__lte=at - KEPT)
    AppealQuestion.objects.filter(appeal__in=over).exclude(answer="").update(answer="-")
    return over.exclude(text="").update(text="")
