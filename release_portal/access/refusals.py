"""Why an application can be refused, and what would change each answer (pure)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RefusalReason:
    """One line of the public catalogue of reasons.

    Args:
        code: stable slug.
        label: sentence for the applicant.
        change: what would change it.
    """

    code: str
    label: str
    change: str


REASONS: dict[str, RefusalReason] = {
    reason.code: reason
    for reason in (
        RefusalReason(
            "purpose_unclear",
            "The purpose is not clear enough to judge.",
            "Say which question you study, by which method, and what this size adds to it. Then apply again.",
        ),
        RefusalReason(
            "outside_agreement",
            "The intended use lies outside the research access agreement.",
            "Change the intended use so that the agreement allows it, and say what you changed.",
        ),
        RefusalReason(
            "affiliation_unconfirmed",
            "We could not confirm the affiliation.",
            "Name a public page of your institution that names you, or a person there who can confirm it.",
        ),
        RefusalReason(
            "more_open_size_suffices",
            "A size that is more open answers the same question.",
            "Use the more open size, or say why its results do not carry over.",
        ),
        RefusalReason(
            "safeguards_missing",
            "The safeguards that you describe do not match the risk of the work.",
            "Describe who sees the outputs, how they are kept, and who approved work with people.",
        ),
        RefusalReason(
            "already_covered",
            "Something that you hold, or that your group holds, covers this already.",
            "Use that grant, or say what it does not cover.",
        ),
        RefusalReason(
            "open_breach",
            "A breach of earlier terms is not settled.",
            "Settle the earlier case first; its statement of reasons says how.",
        ),
    )
}
