"""Quotas of grants and accounts: what the database knows of them, and reserving under it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import redis
from django.db import transaction
from django.db.models import CharField, Count, F, Min, Q, Sum, Value

from release_portal.access.models import Grant, UsageDay
from release_portal.access.quota import PUBLIC_LIMITS, Limits, Usage, cut
from release_portal.core.actors import Actor
from release_portal.core.errors import Unavailable, error_of
from release_portal.core.redis_client import redis_client
from release_portal.jobs.models import Job
from release_portal.jobs.reservations import MINUTE, Claim, Fate, Numbers, Reservations
from release_portal.releases.hold_rules import Restriction

logger = logging.getLogger(__name__)

DAYS_SHOWN = 14


def quota_holder(actor: Actor, grant: Grant | None) -> str:
    """Return what a request of the actor counts against: the grant that carries it, or the account."""
    return holder_of(grant) if grant else f"account:{actor.id}"


def holder_of(grant: Grant) -> str:
    """Return the name under which the use of a grant is counted."""
    return f"grant:{grant.pk}"


def limits_of(grant: Grant | None, restrictions: Iterable[Restriction] = ()) -> Limits:
    """Return the limits of a grant, or those of an account where the stage needs no grant.

    Args:
        restrictions: what is in force on the size for which they are asked; R1 cuts every limit.
    """
    if grant is None:
        return cut(PUBLIC_LIMITS, restrictions)
    return cut(Limits(grant.tokens_per_day, grant.requests_per_minute, grant.concurrent), restrictions)


def usage_of(holder: str, at: datetime) -> Usage:
    """Return what one grant or account has used up to now, as the database knows it.

    Everything that is shown is read here; what is enforced stands in Redis, which is filled from the same rows.
    """
    day = at.astimezone(UTC).date()
    used = UsageDay.objects.filter(holder=holder, day=day).values_list("used", flat=True).first()
    jobs = Job.objects.of_holder(holder).order_by()
    unfinished = jobs.open().aggregate(running=Count("pk"), reserved=Sum("reserved_tokens", filter=Q(quota_day=day)))
    recent = jobs.filter(created_at__gt=at - MINUTE).aggregate(count=Count("pk"), oldest=Min("created_at"))
    return Usage(
        tokens=used or 0,
        reserved=unfinished["reserved"] or 0,
        # Of the last minute it is shown how many there were and when the first was: counted, since a grant may have
        # thousands, and every answer of the API tells them.
        recent=(recent["oldest"],) * recent["count"],
        running=unfinished["running"],
    )


@dataclass(frozen=True)
class UseOfDay:
    """What the requests of one day and purpose came to: counts, never content."""

    day: date
    purpose: str
    tokens: int
    requests: int


def use_by_purpose(holder: str, at: datetime) -> list[UseOfDay]:
    """Return the use of the last days by purpose, newest first."""
    since = at - timedelta(days=DAYS_SHOWN)
    jobs = Job.objects.of_holder(holder).filter(created_at__gt=since).order_by()
    counted = jobs.values_list("quota_day", "purpose").annotate(tokens=Sum("charged_tokens"), requests=Count("pk"))
    return [UseOfDay(*row) for row in counted.order_by("-quota_day", "purpose")]


class DatabaseBooks:
    """What the database knows, for a Redis that was emptied or holds something for too long."""

    def numbers(self, holder: str, at: datetime) -> Numbers:
        """Return used and open tokens by one statement: no end can be written between the two."""
        yesterday = at.astimezone(UTC).date() - timedelta(days=1)
        days = UsageDay.objects.filter(holder=holder, day__gte=yesterday)
        used = days.annotate(job=Value("", CharField())).values_list("job", "day", "used")
        jobs = Job.objects.of_holder(holder)
        rows = list(used.union(jobs.order_by().open().values_list("pk", "quota_day", "reserved_tokens"), all=True))
        recent = jobs.filter(created_at__gt=at - MINUTE).values_list("pk", "created_at")
        return Numbers(
            used={day.isoformat(): tokens for job, day, tokens in rows if not job},
            open={job: (day.isoformat(), tokens) for job, day, tokens in rows if job},
            recent=dict(recent),
        )

    def fates(self, job_ids: Iterable[str]) -> Mapping[str, Fate]:
        """Return what became of these jobs; one that is not there was never written."""
        wanted = list(job_ids)
        jobs = {job.pk: job for job in Job.objects.filter(pk__in=wanted)}
        known = {pk: Fate(job.is_open, job.charged_tokens) for pk, job in jobs.items()}
        return {job_id: known.get(job_id, Fate(is_unknown=True)) for job_id in wanted}


def _reservations() -> Reservations:
    return Reservations(redis_client(), DatabaseBooks())


@contextmanager
def reserved(claim: Claim, limits: Limits, *, at: datetime) -> Iterator[None]:
    """Hold tokens while the job is written; when that fails they are free again.

    Raises:
        TooMuch: they do not fit into the limits now.
        Unavailable: Redis does not answer, and without it nothing is permitted.
    """
    try:
        decision = _reservations().reserve(claim, limits, at=at)
    except redis.RedisError as error:
        change = "Nothing was stored or charged. Try again in a minute."
        raise Unavailable("The quota cannot be checked right now.", code="broker_down", change=change) from error
    if not decision:
        raise error_of(decision)
    try:
        yield
    except BaseException:
        _quietly(lambda: _reservations().forget(claim))
        raise


def is_reserved(job: Job) -> bool:
    """Keep the reservation of a committed job; False when Redis was emptied since, and the job must not run."""
    return _reservations().confirm(job.quota_holder, job.pk, until=job.permit_ends_at)


def charge(job: Job) -> None:
    """Write what a job used onto its day, in the settlement's transaction."""
    if job.charged_tokens:
        row, _ = UsageDay.objects.get_or_create(holder=job.quota_holder, day=job.quota_day)
        UsageDay.objects.filter(pk=row.pk).update(used=F("used") + job.charged_tokens)


def release_on_commit(job: Job) -> None:
    """Give back in Redis what an ended job had set aside; told twice, it counts once."""
    holder, job_id, charged = job.quota_holder, job.pk, job.charged_tokens
    transaction.on_commit(lambda: _quietly(lambda: _reservations().release(holder, job_id, charged=charged)))


def _quietly(act: Callable[[], object]) -> None:
    """Try; what Redis does not hear now it is told when the reservation is looked up."""
    try:
        act()
    except redis.RedisError as error:
        logger.warning("a reservation was not given back at once: %s", type(error).__name__)
