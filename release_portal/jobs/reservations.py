"""Quota as Redis enforces it: what is set aside for open requests, and the windows of day and minute.

Each act is one script, so that two requests never share the same rest. The numbers are a copy: the database says what
was used and which requests are open, and a Redis that was emptied is filled from it before it answers again.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import redis

from release_portal.access.quota import Limits, Usage, decide_quota
from release_portal.core.decisions import Decision
from release_portal.core.errors import Unavailable

MINUTE = timedelta(minutes=1)
# A reservation whose transaction has not committed by then is looked up in the database.
HELD = timedelta(seconds=60)
# How long the numbers of somebody who asks for nothing are kept.
KEPT_SECONDS = 2 * 86_400
# Fills that are overtaken by the end of another request are tried again; so often at most.
ATTEMPTS = 20

# An entry of `open` is "<day> <tokens> <time in microseconds after which it is looked up> <mark>". The mark is
# `reserved` until the reservation is confirmed, then `kept`; what was filled in from the database is `kept` as well.
# The state says how many entries there are: where Redis has lost one key and not the other, both are filled anew.
RESERVE_LUA = """
local state, open, recent, ticket = unpack(KEYS)
local job, asked, day, yesterday, at, minute_ago, held_until, fresh, seconds = unpack(ARGV, 1, 9)
local per_day, per_minute, at_once = tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12])
local from = redis.call('HGET', state, 'from')
local is_whole = tonumber(redis.call('HGET', state, 'running') or -1) == redis.call('HLEN', open)
if not from or day < from or not is_whole then
  redis.call('SET', ticket, fresh, 'NX', 'EX', 10)
  return {'fill', redis.call('GET', ticket)}
end
local reserved, running, doubtful = 0, 0, {}
local entries = redis.call('HGETALL', open)
for i = 1, #entries, 2 do
  local of, tokens, until_ = string.match(entries[i + 1], '^(%S+) (%d+) (%d+)')
  if entries[i] ~= job then
    if tonumber(until_) <= tonumber(at) then doubtful[#doubtful + 1] = entries[i] end
    running = running + 1
    if of == day then reserved = reserved + tonumber(tokens) end
  end
end
if #doubtful > 0 then return {'doubtful', unpack(doubtful)} end
if redis.call('HEXISTS', state, 'used:' .. day) == 0 then
  for _, name in ipairs(redis.call('HKEYS', state)) do
    local of = string.match(name, '^used:(.*)$')
    if of and of < yesterday then redis.call('HDEL', state, name) end
  end
  redis.call('HSET', state, 'used:' .. day, 0)
  if from < yesterday then redis.call('HSET', state, 'from', yesterday) end
end
local used = tonumber(redis.call('HGET', state, 'used:' .. day))
redis.call('ZREMRANGEBYSCORE', recent, '-inf', minute_ago)
local count = redis.call('ZCARD', recent)
local is_held = redis.call('HEXISTS', open, job) == 1
if is_held and redis.call('ZSCORE', recent, job) then count = count - 1 end
local code, free = 'within_quota', ''
if is_held then code = 'within_quota'
elseif tonumber(asked) > per_day - used - reserved then code = 'tokens_per_day'
elseif running >= at_once then code = 'concurrent'
elseif count >= per_minute then
  code = 'requests_per_minute'
  free = redis.call('ZRANGE', recent, -per_minute, -per_minute, 'WITHSCORES')[2]
else
  redis.call('HSET', open, job, day .. ' ' .. asked .. ' ' .. held_until .. ' reserved')
  redis.call('HINCRBY', state, 'running', 1)
  redis.call('ZADD', recent, at, job)
end
for _, key in ipairs({state, open, recent}) do redis.call('EXPIRE', key, seconds) end
return {code, used, reserved, running, count, free}
"""

# Keep an entry for as long as its request may run; 0 when Redis does not hold it (any more). What was filled in from
# the database since does not confirm a reservation: of several that each found room before Redis was emptied, and were
# in the database before it was filled, all would be found there, and together they may be too many.
CONFIRM_LUA = """
local open, ticket = unpack(KEYS)
local job, until_, is_confirmation = unpack(ARGV)
redis.call('DEL', ticket)
local entry = redis.call('HGET', open, job)
if not entry then return 0 end
if is_confirmation == '1' and not string.match(entry, ' reserved$') then return 0 end
redis.call('HSET', open, job, string.match(entry, '^%S+ %d+ ') .. until_ .. ' kept')
return 1
"""

# Turn what was set aside into what was used, once: a second call finds no entry. A request that never was leaves the
# window of the minute too. A fill that was begun before this act is void.
RELEASE_LUA = """
local state, open, recent, ticket = unpack(KEYS)
local job, charged, is_forgotten = unpack(ARGV)
redis.call('DEL', ticket)
local entry = redis.call('HGET', open, job)
if not entry then return 0 end
redis.call('HDEL', open, job)
if redis.call('EXISTS', state) == 1 then
  redis.call('HINCRBY', state, 'running', -1)
  if tonumber(charged) > 0 then
    redis.call('HINCRBY', state, 'used:' .. string.match(entry, '^%S+'), charged)
  end
end
if is_forgotten == '1' then redis.call('ZREM', recent, job) end
return 1
"""

# Fill an empty Redis in one go, unless a request was confirmed or ended since the ticket was given.
FILL_LUA = """
local state, open, recent, ticket = unpack(KEYS)
local given, numbers, seconds = unpack(ARGV)
if redis.call('GET', ticket) ~= given then return 0 end
redis.call('DEL', ticket, state, open, recent)
numbers = cjson.decode(numbers)
redis.call('HSET', state, 'generation', given, 'from', numbers.from)
for day, used in pairs(numbers.used) do redis.call('HSET', state, 'used:' .. day, used) end
for job, entry in pairs(numbers.open) do redis.call('HSET', open, job, entry) end
redis.call('HSET', state, 'running', redis.call('HLEN', open))
for job, moment in pairs(numbers.recent) do redis.call('ZADD', recent, moment, job) end
for _, key in ipairs({state, open, recent}) do redis.call('EXPIRE', key, seconds) end
return 1
"""


@dataclass(frozen=True)
class Claim:
    """What a request would set aside.

    Args:
        holder: "grant:<id>" or "account:<id>".
        job_id: id of the job that will be written.
        tokens: the most that it may use.
    """

    holder: str
    job_id: str
    tokens: int


@dataclass(frozen=True)
class Numbers:
    """What the database knows of one holder.

    Args:
        used: settled tokens by day (ISO), from yesterday on.
        open: day and reserved tokens of each open job.
        recent: when the jobs of the last minute were made.
    """

    used: Mapping[str, int]
    open: Mapping[str, tuple[str, int]]
    recent: Mapping[str, datetime]


@dataclass(frozen=True)
class Fate:
    """What the database says of a job that Redis holds for longer than expected.

    Args:
        is_open: it has not ended.
        charged: what it cost, once it has ended.
        is_unknown: it was never written.
    """

    is_open: bool = False
    charged: int = 0
    is_unknown: bool = False


class Books(Protocol):
    """The side of the database."""

    def numbers(self, holder: str, at: datetime) -> Numbers:
        """Return what was used and what is open, as one moment saw it."""

    def fates(self, job_ids: Iterable[str]) -> Mapping[str, Fate]:
        """Return what became of these jobs."""


class Reservations:
    """The reservations of every holder.

    Args:
        client: Redis with decoded strings.
        books: where an empty Redis is filled from.
        fresh: makes a ticket that was never given before.
    """

    def __init__(self, client: redis.Redis, books: Books, fresh: Callable[[], str] = secrets.token_hex) -> None:
        self._books, self._fresh = books, fresh
        self._reserve, self._confirm = client.register_script(RESERVE_LUA), client.register_script(CONFIRM_LUA)
        self._release, self._fill = client.register_script(RELEASE_LUA), client.register_script(FILL_LUA)

    def reserve(self, claim: Claim, limits: Limits, *, at: datetime) -> Decision:
        """Set tokens aside if they fit into the limits; return the decision, which is `decide_quota`'s.

        Raises:
            Unavailable: requests of this holder ended too fast to fill an empty Redis.
        """
        for _ in range(ATTEMPTS):
            answer = self._reserve(keys=_keys(claim.holder), args=self._asked(claim, limits, at))
            if answer[0] == "fill":
                self._fill_from_books(claim.holder, answer[1], at)
            elif answer[0] == "doubtful":
                self._look_up(claim.holder, answer[1:], at)
            else:
                return _decision(answer, claim, limits, at)
        raise Unavailable("The quota could not be read.", code="quota_busy", change="Try again in a moment.")

    def confirm(self, holder: str, job_id: str, *, until: datetime) -> bool:
        """Keep a reservation, once, until its job must have ended; False when Redis has lost it."""
        return self._keep(holder, job_id, until, is_confirmation=True)

    def release(self, holder: str, job_id: str, *, charged: int) -> bool:
        """Give back what a job had set aside and count what it used; False when that was done before."""
        return bool(self._release(keys=_keys(holder), args=[job_id, charged, 0]))

    def forget(self, claim: Claim) -> None:
        """Undo a reservation whose job was never written."""
        self._release(keys=_keys(claim.holder), args=[claim.job_id, 0, 1])

    def _keep(self, holder: str, job_id: str, until: datetime, *, is_confirmation: bool) -> bool:
        keys = _keys(holder)
        args = [job_id, _micros(until + HELD), int(is_confirmation)]
        return bool(self._confirm(keys=[keys[1], keys[3]], args=args))

    def _asked(self, claim: Claim, limits: Limits, at: datetime) -> list[Any]:
        day = at.astimezone(UTC).date()
        moments = [_micros(at), _micros(at - MINUTE), _micros(at + HELD)]
        most = [limits.tokens_per_day, limits.requests_per_minute, limits.concurrent]
        days = [day.isoformat(), (day - timedelta(days=1)).isoformat()]
        return [claim.job_id, claim.tokens, *days, *moments, self._fresh(), KEPT_SECONDS, *most]

    def _fill_from_books(self, holder: str, ticket: str, at: datetime) -> None:
        numbers = self._books.numbers(holder, at)
        until = _micros(at + HELD)  # those that are open longer are looked up again
        filled = {
            "from": (at.astimezone(UTC).date() - timedelta(days=1)).isoformat(),
            "used": {day: str(used) for day, used in numbers.used.items()},
            "open": {job: f"{day} {tokens} {until} kept" for job, (day, tokens) in numbers.open.items()},
            "recent": {job: _micros(moment) for job, moment in numbers.recent.items()},
        }
        self._fill(keys=_keys(holder), args=[ticket, json.dumps(filled), KEPT_SECONDS])

    def _look_up(self, holder: str, job_ids: list[str], at: datetime) -> None:
        """Ask the database about reservations that are older than their requests can be."""
        for job_id, fate in self._books.fates(job_ids).items():
            if fate.is_open:
                self._keep(holder, job_id, at, is_confirmation=False)
            elif fate.is_unknown:
                self.forget(Claim(holder, job_id, 0))
            else:
                self.release(holder, job_id, charged=fate.charged)


def _keys(holder: str) -> list[str]:
    return [f"quota:{{{holder}}}:{part}" for part in ("state", "open", "recent", "ticket")]


def _micros(moment: datetime) -> str:
    """Return a time as whole microseconds, as text: the script would write a number of this size rounded."""
    return str((moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1))


def _decision(answer: list[Any], claim: Claim, limits: Limits, at: datetime) -> Decision:
    """Say what the script decided in the words of the one rule, from the numbers that the script saw."""
    code, used, reserved, running, count, free = answer
    filling = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(float(free))) if free else at
    # Of the last minute the rule reads how many there are and the one that must leave; the script tells these two.
    usage = Usage(used, reserved, (filling,) * count, running)
    decision = decide_quota(limits, usage, claim.tokens, at)
    if decision.code != code:
        raise RuntimeError(f"the script says {code}, the rule says {decision.code}")
    return decision
