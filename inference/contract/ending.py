"""The one end of a request, written by whoever is first."""

from __future__ import annotations

import json
from dataclasses import asdict

from inference.contract.broker import (
    OUTCOMES_KEY,
    STREAM_MAXLEN,
    STREAM_SECONDS,
    cancel_key,
    claim_key,
    ended_key,
    order_key,
    reader_key,
    stream_key,
)
from inference.contract.stream import Usage
from inference.contract.words import FinishReason

# Sets the finish reason once; only the call that set it writes the end entry and the outcome. Worker and settlement run
# this same text, so whoever is first wins and the other writes nothing. Returns 1 to the winner, else 0.
FINISH_ONCE_LUA = """
local ended, stream, outcomes, order, claim, cancel, reader = unpack(KEYS)
local job, reason, err, usage, worker, seconds, maxlen = unpack(ARGV)
if not redis.call('SET', ended, reason, 'NX', 'EX', seconds) then
  return 0
end
redis.call('XADD', stream, 'MAXLEN', '~', maxlen, '*', 'kind', 'end', 'reason', reason, 'error', err, 'usage', usage)
redis.call('XADD', outcomes, '*', 'job', job, 'reason', reason, 'error', err, 'usage', usage, 'worker', worker)
redis.call('EXPIRE', stream, seconds)
redis.call('EXPIRE', claim, seconds)
redis.call('DEL', order, cancel, reader)
return 1
"""


def finish_once_call(
    job_id: str, reason: FinishReason, *, error: str = "", usage: Usage | None = None, worker: str = ""
) -> tuple[list[str], list[str]]:
    """Keys and arguments of FINISH_ONCE_LUA.

    With redis-py: `client.register_script(FINISH_ONCE_LUA)(keys=keys, args=args)`.
    """
    keys = [
        ended_key(job_id),
        stream_key(job_id),
        OUTCOMES_KEY,
        order_key(job_id),
        claim_key(job_id),
        cancel_key(job_id),
        reader_key(job_id),
    ]
    spent = json.dumps(asdict(usage or Usage()))
    return keys, [job_id, reason.value, error, spent, worker, str(STREAM_SECONDS), str(STREAM_MAXLEN)]
