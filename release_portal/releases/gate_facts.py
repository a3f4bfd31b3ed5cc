"""What an assessment of a gate rests on, as plain values (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from release_portal.evidence.facts import EvidenceFacts


@dataclass(frozen=True)
class WindowFacts:
    """A public comment window, or a notice to other labs, as far as a gate needs it.

    Args:
        opened_at: when it began.
        closes_at: when it ends.
        unanswered: objections in it that nobody has answered.
    """

    opened_at: datetime
    closes_at: datetime
    unanswered: int = 0


@dataclass(frozen=True)
class GateFacts:
    """Everything an assessment rests on; evidence by criterion id, the newest of each only.

    Args:
        size: slug.
        stage: slug of the stage on which the size stands.
        stage_since: since when.
        served_digest: weights digest that is served; empty without weights.
        evidence: newest evidence by criterion id.
        waivers: granted waivers by criterion id, with the time at which each ends.
        lint_errors: sentences that say what is wrong with the newest card at the target stage; empty when nothing is.
        card_number: number of the newest card version; None without a card.
        smaller: slug and stage slug of the next smaller size of the family; None for the smallest.
        smaller_since: when the next smaller size reached the target stage, or None when it has not.
        comment_window: the public comment window of this proposal or move, the newest.
        notice: the notice to other labs, the newest.
        partner_reports: partner reports deposited that are not adverse.
        adverse_reports: partner reports deposited that are adverse and not answered.
        external_reviews: external reviewers' reports deposited.
        open_objections: objections of voters that nobody has answered.
    """

    size: str
    stage: str
    stage_since: datetime
    served_digest: str = ""
    evidence: Mapping[str, EvidenceFacts] = field(default_factory=dict)
    waivers: Mapping[str, datetime] = field(default_factory=dict)
    lint_errors: tuple[str, ...] = ()
    card_number: int | None = None
    smaller: tuple[str, str] | None = None
    smaller_since: datetime | None = None
    comment_window: WindowFacts | None = None
    notice: WindowFacts | None = None
    partner_reports: int = 0
    adverse_reports: int = 0
    external_reviews: int = 0
    open_objections: int = 0
