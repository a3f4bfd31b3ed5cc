"""What this room holds about a person."""

from release_portal.accounts.own_data import Holding, register


def declare() -> None:
    """Declare grants, applications and signatures."""
    register(
        Holding(
            "grants",
            "Grants",
            "To know what you may use; kept as long as the record refers to them.",
            lambda user: user.grants.all(),
            ("id", "kind", "purpose", "state", "starts_at", "ends_at", "tokens_per_day", "created_at"),
        )
    )
    register(
        Holding(
            "applications",
            "Applications",
            "To decide on access, and to be able to say later why it was given or not.",
            lambda user: user.applications.all(),
            (
                "id", "state", "purpose_code", "purpose", "affiliation", "intended_use", "functions", "requested_end",
                "created_at", "submitted_at", "decided_at", "decided_by_name", "decision_code", "decision_text",
            ),
        )
    )  # fmt: skip
    register(
        Holding(
            "signatures",
            "Agreements that you signed",
            "To know to which text you agreed.",
            lambda user: user.signatures.all(),
            ("agreement_id", "sha256", "at"),
        )
    )
