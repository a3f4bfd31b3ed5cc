"""The rate-limit headers of an answer."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.http import HttpResponseBase

from release_portal.access.lookups import size_for
from release_portal.access.policy import Action
from release_portal.access.quota import Limits, day_end
from release_portal.core.actors import Actor
from release_portal.jobs.models import Job
from release_portal.jobs.quotas import limits_of, quota_holder, usage_of
from release_portal.releases.lookups import restrictions_on


def rate_headers(job: Job, at: datetime) -> dict[str, str]:
    """Return what is left of the quota on which a job counts."""
    return _headers(limits_of(job.grant, restrictions_on(job.size)), job.quota_holder, at)


def refused_headers(actor: Actor, slug: str, at: datetime) -> dict[str, str]:
    """Return what is left of the quota that refused a request for a size."""
    access = size_for(actor, slug, Action.GENERATE, at=at)
    return _headers(limits_of(access.grant, access.restrictions), quota_holder(actor, access.grant), at)


def _headers(limits: Limits, holder: str, at: datetime) -> dict[str, str]:
    usage = usage_of(holder, at)
    minute_ends = usage.recent[0] + timedelta(minutes=1) if usage.recent else at
    return {
        "x-ratelimit-limit-requests": str(limits.requests_per_minute),
        "x-ratelimit-remaining-requests": str(max(0, limits.requests_per_minute - len(usage.recent))),
        "x-ratelimit-reset-requests": _span(minute_ends - at),
        "x-ratelimit-limit-tokens": str(limits.tokens_per_day),
        "x-ratelimit-remaining-tokens": str(max(0, limits.tokens_per_day - usage.tokens - usage.reserved)),
        "x-ratelimit-reset-tokens": _span(day_end(at) - at),
    }


def add_headers(response: HttpResponseBase, headers: dict[str, str]) -> None:
    """Put headers onto a response."""
    for name, value in headers.items():
        response[name] = value


def _span(span: timedelta) -> str:
    return f"{max(0, int(span.total_seconds()))}s"
