"""What this room holds about a person."""

from release_portal.accounts.own_data import NOTHING_IS_KEPT, Holding, delete_all, register


def declare() -> None:
    """Declare detection reports, with the texts that were asked about."""
    register(
        Holding(
            "detection_reports",
            "Detection reports",
            "The texts are encrypted and yours alone to read.",
            lambda user: user.detection_reports.all(),
            ("id", "size_id", "text", "match_data", "evidence_data", "detectors", "created_at", "scored_at"),
            kept=NOTHING_IS_KEPT,
            erase=delete_all(lambda user: user.detection_reports.all()),
        )
    )
