"""What this room holds about a person: what they signed."""

from release_portal.accounts.own_data import Holding, register
from release_portal.evidence.models import ChecklistVersion, Evidence, EvidenceReview

_KEPT = "A decision rests on it, so it is kept with your name for as long as the record."


def declare() -> None:
    """Declare evidence, reviews and checklists under the name of who signed them."""
    register(
        Holding(
            "evidence",
            "Evidence that you signed",
            _KEPT,
            lambda user: Evidence.objects.filter(signer_kind="user", signer_id=str(user.pk)).order_by("-pk"),
            ("id", "size_id", "criterion", "kind", "summary", "statement", "signer", "created_at", "digest"),
            kept=_KEPT,
        )
    )
    register(
        Holding(
            "evidence_reviews",
            "Evidence that you reviewed",
            _KEPT,
            lambda user: EvidenceReview.objects.filter(reviewer_id=str(user.pk)).order_by("-pk"),
            ("id", "evidence_id", "verdict", "reason", "reviewer", "at"),
            kept=_KEPT,
        )
    )
    register(
        Holding(
            "checklists",
            "Safety checklists that you signed",
            _KEPT,
            lambda user: ChecklistVersion.objects.filter(signed_by_id=str(user.pk)).order_by("-pk"),
            ("id", "size_id", "subject", "number", "answers", "signed_by", "signed_at", "digest"),
            kept=_KEPT,
        )
    )
