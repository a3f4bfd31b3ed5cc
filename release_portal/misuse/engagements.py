"""Which rules of engagement stand beside a report: a fact for those who judge, never a verdict."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from release_portal.access.engagements import engagements_of
from release_portal.access.lookups import grant_for
from release_portal.access.models import Engagement
from release_portal.core.actors import Actor
from release_portal.jobs.models import Job
from release_portal.misuse.models import MisuseReport


@dataclass(frozen=True)
class Covering:
    """Rules of engagement of a grant that the report touches.

    Args:
        engagement: the rules, with their grant and its holder.
        jobs: matched generations that were made while the rules held.
        holds_now: whether they hold at the time of asking.
    """

    engagement: Engagement
    jobs: tuple[str, ...]
    holds_now: bool


def engagements_beside(actor: Actor, report: MisuseReport, *, at: datetime, grant_id: str = "") -> list[Covering]:
    """Return the rules that held when matched text was made, when the report came in, or that hold now.

    Args:
        actor: an officer who reads the report.
        report: which report.
        at: the time of asking.
        grant_id: a further grant that the officer names.
    """
    made = _made_under(report)
    acted = report.actions.exclude(grant=None).values_list("grant_id", flat=True)
    named = {grant_for(actor, grant_id).pk} if grant_id else set()
    found = engagements_of({*made, *acted, *named})
    covering = [_covering(one, made[one.grant_id], at) for one in found]
    return [one for one in covering if one.jobs or one.holds_now or one.engagement.held_at(report.received_at)]


def _made_under(report: MisuseReport) -> dict[str, list[Job]]:
    made: dict[str, list[Job]] = defaultdict(list)
    for match in report.matches.select_related("job").exclude(job__grant=None):
        made[str(match.job.grant_id)].append(match.job)
    return made


def _covering(engagement: Engagement, jobs: Iterable[Job], at: datetime) -> Covering:
    inside = tuple(job.pk for job in jobs if engagement.held_at(job.created_at))
    return Covering(engagement, inside, engagement.held_at(at))
