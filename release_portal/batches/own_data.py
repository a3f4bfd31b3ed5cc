"""What this room holds about a person."""

from __future__ import annotations

from release_portal.accounts.own_data import NOTHING_IS_KEPT, Holding, delete_all, register
from release_portal.batches.models import INPUT, BatchLine

WHY = "Encrypted and yours alone to read; kept until you delete them."


def declare() -> None:
    """Declare files of requests, batches, and each request with its answer."""
    _declare_batches()
    register(
        Holding(
            "batch_files",
            "Files of batches",
            WHY,
            lambda user: user.batch_files.filter(purpose=INPUT),
            ("id", "name", "size", "text", "created_at"),
            kept=NOTHING_IS_KEPT,
            erase=delete_all(lambda user: user.batch_files.all()),
        )
    )
    register(
        Holding(
            "batch_lines",
            "Requests of batches and their answers",
            WHY,
            lambda user: BatchLine.objects.filter(batch__owner=user).order_by("-batch__created_at", "number"),
            ("batch_id", "number", "state", "job_id", "request", "answer"),
            kept=NOTHING_IS_KEPT,
            erase=delete_all(lambda user: BatchLine.objects.filter(batch__owner=user)),
        )
    )


def _declare_batches() -> None:
    register(
        Holding(
            "batches",
            "Batches",
            "To work your requests off and to tell how far they are; kept until your account is deleted.",
            lambda user: user.batches.all(),
            (
                "id",
                "endpoint",
                "state",
                "metadata",
                "problems",
                "input_file_id",
                "created_at",
                "expires_at",
                "ended_at",
            ),
            kept=NOTHING_IS_KEPT,
            erase=delete_all(lambda user: user.batches.all()),
        )
    )
