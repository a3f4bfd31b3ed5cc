"""What a gate needs to know of one piece of evidence (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

# How a reviewer other than the signer has judged it. What a system actor measured needs no review.
WAITING, ACCEPTED, REJECTED = "waiting", "accepted", "rejected"


@dataclass(frozen=True)
class EvidenceFacts:
    """One piece of evidence, as plain values.

    Args:
        id: primary key.
        criterion: id of the criterion that it bears on, e.g. `C07`.
        kind: one of `evidence.kinds.KINDS`.
        summary: sentence that says what it states.
        value: the figure, in the criterion's unit; None where the kind has none.
        ci_low: lower end of the 95 % interval; None when there is no interval.
        ci_high: upper end of it.
        n: how many were measured, counted or asked; None where the kind has none.
        subject_digest: weights digest that it was measured on; empty where it is not about weights.
        assurance: self, reproduced or third_party.
        measured_at: when what it states was measured or written.
        ttl_days: how long it counts by its own word; None: as long as the criterion says.
        signer_id: actor id of whoever signed it.
        signer: name of whoever signed it.
        is_measured_here: signed by a system actor of this portal.
        review: waiting, accepted or rejected.
        review_reason: why it was rejected.
        items: names, where the kind is set_equal.
        digest: SHA-256 over its content.
    """

    id: int
    criterion: str
    kind: str
    summary: str
    measured_at: datetime
    value: Decimal | None = None
    ci_low: Decimal | None = None
    ci_high: Decimal | None = None
    n: int | None = None
    subject_digest: str = ""
    assurance: str = "self"
    ttl_days: int | None = None
    signer_id: str = ""
    signer: str = ""
    is_measured_here: bool = False
    review: str = WAITING
    review_reason: str = ""
    items: tuple[str, ...] = field(default_factory=tuple)
    digest: str = ""
