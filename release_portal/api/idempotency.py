"""The same key is the same request: done once, answered alike however often it is sent.

A claim is written before the work begins, so of two requests with one key only one works; the other is told to come
back. A claim whose request died is taken over after a while, under the same id, by which services know the work again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from release_portal.accounts.models import ApiToken
from release_portal.api.bodies import body_of
from release_portal.api.models import IdempotencyRecord
from release_portal.core.errors import InvalidInput, NotNow
from release_portal.core.keys import keys_for, seal, unseal

HEADER = "Idempotency-Key"
PATTERN = r"^[!-~]{1,80}$"
REPLAY_HEADER = "Idempotent-Replay"
KEPT = timedelta(hours=24)
# Longer than any request may take; a claim this old was left by a process that died.
CLAIM_LASTS = timedelta(seconds=60)
COME_BACK = timedelta(seconds=1)


@dataclass(frozen=True)
class Asked:
    """A request as its key remembers it."""

    owner: str
    key: str
    target: str
    body_sha256: str


def read_key(request: Request) -> str | None:
    """Return the key of a request, if it has one; raise InvalidInput for one that is not visible ASCII."""
    key = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is not None and not re.fullmatch(PATTERN, key):
        reason = "The key must have 1 to 80 visible ASCII characters."
        raise InvalidInput(reason, field=HEADER, code="invalid_idempotency_key", change="Send a fresh UUID.")
    return key


def asked_of(request: Request, key: str, digest: str = "") -> Asked:
    """Return what a key stands for: who asks, where, and for what."""
    target = f"{request.method} {request.path}"[:300]
    told = digest or hashlib.sha256(body_of(request._request)).hexdigest()
    return Asked(_owner_of(request), key, target, told)


def _owner_of(request: Request) -> str:
    if isinstance(request.auth, ApiToken):  # an answer is not for another token, which may have other scopes
        return f"token:{request.auth.pk}"
    keys = keys_for("provenance")
    salt = keys.mac(keys.newest, "idempotency of visitors")
    address = str(request.META.get("REMOTE_ADDR", ""))
    return "visitor:" + hmac.new(salt, address.encode(), hashlib.sha256).hexdigest()


@transaction.atomic
def claim(asked: Asked, *, at: datetime) -> IdempotencyRecord:
    """Return the record of a key: with the answer, or claimed for the caller, who must then `keep` or `release`.

    Raises:
        NotNow: the key was used for something else, or the first request with it still runs.
    """
    IdempotencyRecord.objects.filter(owner=asked.owner, key=asked.key).made_before(at - KEPT).delete()
    record, is_new = IdempotencyRecord.objects.select_for_update().get_or_create(
        owner=asked.owner,
        key=asked.key,
        defaults={"target": asked.target, "body_sha256": asked.body_sha256, "created_at": at, "claimed_at": at},
    )
    if is_new or _is_answered(record, asked):
        return record
    if at - record.claimed_at < CLAIM_LASTS:
        raise NotNow(
            "The first request with this key is still running.",
            field=HEADER,
            code="idempotency_in_progress",
            rule="idempotency: one at a time",
            change="Send the same request again in a moment.",
            retry_at=at + COME_BACK,
        )
    record.claimed_at = at
    record.save(update_fields=["claimed_at"])
    return record


def _is_answered(record: IdempotencyRecord, asked: Asked) -> bool:
    if (record.target, record.body_sha256) != (asked.target, asked.body_sha256):
        raise NotNow(
            "This key was used for another request.",
            field=HEADER,
            code="idempotency_mismatch",
            rule="idempotency: one key, one request",
            change="Send a fresh key with a new request.",
        )
    return record.status is not None


def is_kept(status: int) -> bool:
    """Whether an answer is the last word: faults of ours and "too much for now" are not."""
    return status < 500 and status != 429


def keep(record: IdempotencyRecord, response: Response) -> None:
    """Store the answer, sealed."""
    answer = {"data": response.data, "location": response.get("Location")}
    text = JSONRenderer().render(answer).decode()
    IdempotencyRecord.objects.filter(pk=record.pk).update(status=response.status_code, sealed_answer=seal(text))


def release(record: IdempotencyRecord) -> None:
    """Give a claim back, so that the request can be sent again."""
    IdempotencyRecord.objects.filter(pk=record.pk).delete()


def replay(record: IdempotencyRecord) -> Response:
    """Return the stored answer."""
    assert record.sealed_answer is not None
    answer: dict[str, Any] = json.loads(unseal(record.sealed_answer))
    response = Response(answer["data"], status=record.status)
    response[REPLAY_HEADER] = "true"
    if answer["location"]:
        response["Location"] = answer["location"]
    return response


def purge(*, at: datetime) -> int:
    """Forget answers that nobody may ask for again; return how many."""
    count, _ = IdempotencyRecord.objects.all().made_before(at - KEPT).delete()
    return count
