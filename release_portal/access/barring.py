"""Who may not decide on an application that an appeal opened again."""

from __future__ import annotations

from release_portal.appeals.models import Appeal


def barred_from(account_id: str) -> frozenset[str]:
    """Return the applications whose refusal an appeal undid and in which this account took part; others decide now."""
    undone = Appeal.objects.filter(subject__startswith="application:").exclude(executed_at=None)
    found = undone.values_list("subject", "decided_by_ids")
    return frozenset(subject.partition(":")[2] for subject, people in found if account_id in people)
