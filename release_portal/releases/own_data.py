"""What this room holds about a person: what they wrote, reviewed and agreed to."""

from __future__ import annotations

from release_portal.accounts.own_data import Holding, register
from release_portal.releases.models import Comment, ExternalReview, WaiverVote

_KEPT = "A decision rests on it, so it is kept with your name for as long as the record."


def declare() -> None:
    """Declare comments, external reviews and agreements to waivers."""
    register(
        Holding(
            "comments",
            "Comments on proposals",
            "A proposal is decided with them; one that is hidden is kept, with the reason.",
            lambda user: Comment.objects.filter(author_id=str(user.pk)).order_by("-pk"),
            ("id", "text", "is_objection", "at", "answer", "answered_at", "hidden_at", "hidden_reason"),
            kept=_KEPT,
        )
    )
    register(
        Holding(
            "external_reviews",
            "External reviews",
            _KEPT,
            lambda user: ExternalReview.objects.filter(reviewer_id=str(user.pk)).order_by("-pk"),
            (
                "id", "proposal_id", "terms", "fee", "edit_rights", "invited_at", "due_at", "accepted_at", "report",
                "report_digest", "finding", "deposited_at",
            ),
            kept=_KEPT,
        )
    )  # fmt: skip
    register(
        Holding(
            "waiver_votes",
            "Waivers that you agreed to",
            _KEPT,
            lambda user: WaiverVote.objects.filter(person_id=str(user.pk)).order_by("-pk"),
            ("waiver_id", "role", "reason", "at"),
            kept=_KEPT,
        )
    )
