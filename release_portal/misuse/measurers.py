"""C16: how fast are reports of misuse answered? C12 asks for a search outside as well, so people attest it."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from decimal import ROUND_UP, Decimal
from statistics import median_high

from django.db.models import Min, Q

from release_portal.core.errors import NotNow
from release_portal.evidence.kinds import MEASURED
from release_portal.evidence.measurers import measurer
from release_portal.evidence.rules import EvidenceDraft
from release_portal.misuse.models import MisuseReport
from release_portal.registry.models import ModelSize

LOOK_BACK = timedelta(days=90)
HOUR, TENTH = timedelta(hours=1), Decimal("0.1")
RULE = "evidence: measure"


@measurer("C16")
def measure_first_answers(size: ModelSize, at: datetime) -> EvidenceDraft:
    """Take the median time to the first answer over all reports of the last 90 days; the desk is one for all sizes.

    Raises:
        NotNow: there is no such report, or half of them wait for their first answer.
    """
    waits = _hours_to_first_answer(at)
    if not waits:
        raise NotNow(
            f"No report of misuse came in the last {LOOK_BACK.days} days, so there is nothing to measure.",
            code="no_reports",
            rule=RULE,
            change="Attach evidence of a drill, or ask for a waiver.",
        )
    median = median_high(waits)
    if math.isinf(median):
        reason = (
            f"At least half of the {len(waits)} reports of the last {LOOK_BACK.days} days wait for their first answer."
        )
        raise NotNow(reason, code="unanswered", rule=RULE, change="Answer them, then measure again.")
    hours = Decimal(median).quantize(TENTH, ROUND_UP)
    waiting = sum(map(math.isinf, waits))
    return EvidenceDraft(
        criterion="C16",
        kind=MEASURED,
        summary=f"Median time to the first answer: {hours} hours, over {len(waits):,} reports.",
        measured_at=at,
        statement=(
            "The first answer is the first message of staff or the verdict of triage, whichever came first. "
            f"Reports without one count as slower than all others: {waiting:,}."
        ),
        value=hours,
        ci_low=hours,  # every report is counted, so the interval has no width
        ci_high=hours,
        n=len(waits),
        unit="hours (median)",
        harness="median over the desk's own record, version 1",
        dataset=f"every report of misuse of the {LOOK_BACK.days} days before",
    )


def _hours_to_first_answer(at: datetime) -> list[float]:
    """Return the hours of each report of the last 90 days; endless where nobody has answered."""
    reports = MisuseReport.objects.filter(received_at__gt=at - LOOK_BACK, received_at__lte=at).order_by()
    written_at = Min("messages__at", filter=Q(messages__is_from_staff=True))
    rows = reports.annotate(written_at=written_at).values_list("received_at", "triaged_at", "written_at")
    return [_hours(received, [one for one in answers if one and one <= at]) for received, *answers in rows]


def _hours(received: datetime, answers: list[datetime]) -> float:
    return (min(answers) - received) / HOUR if answers else math.inf
