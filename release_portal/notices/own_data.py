"""What this room holds about a person."""

from release_portal.accounts.own_data import Holding, register


def declare() -> None:
    """Declare notices."""
    register(
        Holding(
            "notices",
            "Notices",
            "So that you can read again what you were told.",
            lambda user: user.notices.all(),
            ("kind", "subject", "body", "created_at", "read_at"),
        )
    )
