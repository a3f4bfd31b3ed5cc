"""The rate-limit headers of an answer."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.http import HttpResponseBase

from release_portal.access.lookups import size_for
from release_portal.access.policy import Action
from release_portal.access.quota import Limits, left_of
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
    left = left_of(limits, usage_of(holder, at), at)
    return {
        "x-ratelimit-limit-requests": str(limits.requests_per_minute),
        "x-ratelimit-remaining-requests": str(left.requests),
        "x-ratelimit-reset-requests": _span((left.request_returns_at or at) - at),
        "x-ratelimit-limit-tokens": str(limits.tokens_per_day),
        "x-ratelimit-remaining-tokens": str(left.tokens),
        "x-ratelimit-reset-tokens": _span(left.tokens_return_at - at),
    }


def add_headers(response: HttpResponseBase, headers: dict[str, str]) -> None:
    """Put headers onto a response."""
    for name, value in headers.items():
        response[name] = value


def _span(span: timedelta) -> str:
    return f"{max(0, int(span.total_seconds()))}s"
