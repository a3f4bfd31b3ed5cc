"""How much may be used: tokens a day, requests a minute, concurrent requests (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from release_portal.core.decisions import Decision, allow, too_much
from release_portal.releases.hold_rules import Restriction


@dataclass(frozen=True)
class Limits:
    """Upper limits of a grant, or of an account where the stage needs no grant."""

    tokens_per_day: int
    requests_per_minute: int
    concurrent: int


# Where a stage opens a size to everyone signed in, without a grant.
PUBLIC_LIMITS = Limits(tokens_per_day=20_000, requests_per_minute=20, concurrent=2)


def cut(limits: Limits, restrictions: Iterable[Restriction]) -> Limits:
    """Return what restriction R1 leaves of every limit, one at least; of several cuts the deepest counts."""
    percent = min((one.percent for one in restrictions if one.percent is not None), default=100)
    values = (limits.tokens_per_day, limits.requests_per_minute, limits.concurrent)
    return Limits(*(max(1, value * percent // 100) for value in values)) if percent < 100 else limits


@dataclass(frozen=True)
class Usage:
    """What has been used up to now.

    Args:
        tokens: settled tokens of today (UTC), prompt and completion.
        reserved: tokens set aside for requests that have not ended.
        recent: times of the requests of the last minute, oldest first.
        running: requests that have not ended.
    """

    tokens: int
    reserved: int
    recent: tuple[datetime, ...]
    running: int


@dataclass(frozen=True)
class Left:
    """What is left now under each limit; never less than nothing, also where a limit was lowered meanwhile.

    Args:
        tokens: of the day.
        requests: of the minute.
        at_once: requests that may run beside those that do.
        tokens_return_at: when the count of the day starts again.
        request_returns_at: when the oldest request leaves the minute; None when there is none in it.
    """

    tokens: int
    requests: int
    at_once: int
    tokens_return_at: datetime
    request_returns_at: datetime | None


def left_of(limits: Limits, usage: Usage, at: datetime) -> Left:
    """Return what is left: pages, API and the headers of an answer say it by this one rule."""
    return Left(
        tokens=max(0, limits.tokens_per_day - usage.tokens - usage.reserved),
        requests=max(0, limits.requests_per_minute - len(usage.recent)),
        at_once=max(0, limits.concurrent - usage.running),
        tokens_return_at=day_end(at),
        request_returns_at=usage.recent[0] + timedelta(minutes=1) if usage.recent else None,
    )


def day_end(at: datetime) -> datetime:
    """Return when the daily count starts again: the next midnight UTC."""
    return datetime.combine(at.astimezone(UTC).date() + timedelta(days=1), time.min, UTC)


def decide_quota(limits: Limits, usage: Usage, asked: int, at: datetime) -> Decision:
    """Decide whether a request that may use `asked` tokens fits into the limits now."""
    left = limits.tokens_per_day - usage.tokens - usage.reserved
    if asked > left:
        reason = f"The request may use {asked:,} tokens; {max(left, 0):,} of {limits.tokens_per_day:,} are left today."
        change = "Ask for fewer tokens, or come back after midnight UTC."
        return too_much("tokens_per_day", reason, "quota: tokens a day", change, day_end(at))
    if usage.running >= limits.concurrent:
        reason = f"{usage.running} of your requests are running; {limits.concurrent} may run at once."
        return too_much(
            "concurrent",
            reason,
            "quota: concurrent requests",
            "Wait until one has ended, or stop one.",
            at + timedelta(seconds=5),
        )
    if len(usage.recent) >= limits.requests_per_minute:
        free_at = usage.recent[-limits.requests_per_minute] + timedelta(minutes=1)
        reason = f"{limits.requests_per_minute} requests were made within a minute."
        return too_much("requests_per_minute", reason, "quota: requests a minute", "Wait a moment.", free_at)
    return allow("within_quota", f"{left - asked:,} tokens are left today after this.", "quota")
