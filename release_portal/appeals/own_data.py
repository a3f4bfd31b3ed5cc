"""What this room holds about a person."""

from release_portal.accounts.own_data import Holding, register


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
        )
    )  # fmt: skip
    register(
        Holding(
            "appeal_links",
            "Links to appeal that were mailed to you",
            "To let you appeal without signing in; the link itself is not stored.",
            lambda user: user.appeal_links.order_by("-created_at"),
            ("subject", "created_at", "used_at"),
        )
    )
