"""Which generations of ours stand in a reported text: looked up once, kept with the report, for staff only."""

from __future__ import annotations

from datetime import datetime

from release_portal.misuse.models import MisuseReport, RecordMatch
from release_portal.provenance.services import jobs_matching

MOST_MATCHES = 5


def write_matches(report: MisuseReport, text: str, *, at: datetime) -> int:
    """Write down which generations stand in the text, inside the caller's transaction; return how many."""
    found = jobs_matching(text, limit=MOST_MATCHES)
    for match in found:
        RecordMatch.objects.update_or_create(
            report=report, job_id=match.job_id, defaults={"percent": round(match.share * 100), "found_at": at}
        )
    return len(found)
