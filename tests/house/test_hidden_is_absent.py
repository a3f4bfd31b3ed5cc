"""T19: what belongs to somebody else answers as what does not exist: same words, same queries, same mails.

Generated from the addresses: each that names an object of access is asked with somebody else's object and with one that
nobody has. A name in an address that says neither what is public nor whose object it is fails the first test.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from release_portal.access.models import Grant
from release_portal.accounts.roles import SCOPES
from release_portal.accounts.services import create_token
from release_portal.appeals.models import Appeal
from release_portal.audit.models import AuditEvent
from release_portal.batches.models import INPUT, Batch, BatchFile
from release_portal.jobs.models import Job
from release_portal.notices.models import MailOut, Notice
from tests.house.test_nested import application_of, seat_on
from tests.house.test_urls import BY_NAME, TABLE, address
from tests.services.appealing import suspended
from tests.world import World

# What an address names in public: everybody finds it or nobody does, or it is no object at all.
PUBLIC = {"lab", "name", "slug", "alias", "digest", "old", "new", "number", "rest", "criterion", "command", "kind"}
# Children under a parent that stands in the same address; the parent is asked for here, the child in T2.
CHILDREN = {"attachment_id", "attestation_id", "vote_id", "waiver_id", "comment_id"}
NOBODYS = {"application_id": "a-0000000000", "grant_id": "g-0000000000", "appeal_id": "p-0000000000",
           "job_id": "job-0000000000", "report_id": "d-0000000000", "proposal_id": "1000000",
           "seat_id": "1000000", "subject": "grant:g-0000000000:suspension:1", "token": "x" * 43,
           "batch_id": "batch_000000000000", "file_id": "file-000000000000"}  # fmt: skip

# Objects of access that the fixture makes for somebody else.
OWNED = ("application_id", "grant_id", "appeal_id", "job_id", "subject", "seat_id", "batch_id", "file_id")


@dataclass(frozen=True)
class Trace:
    """What an asker can see or measure of an answer."""

    status: int
    words: str
    queries: int
    mails: int
    notices: int
    events: int


@pytest.fixture
def foreign(world: World) -> dict[str, Any]:
    """Objects of cleo and finn, as addresses name them; one for each name in OWNED."""
    cleo, grant = world.people["cleo"], Grant.objects.get(pk=world.grants["cleo"].pk)
    suspension = suspended(world, grant, world.at)
    job = Job.objects.create(
        account=cleo, size=world.size, grant=grant, function="generate", interface="web", stage="x",
        policy_version="1", weights_digest="d" * 64, sealed_prompt=Job.sealed("x"), quota_holder="grant:x",
        quota_day=world.at.date(), created_at=world.at, permit_ends_at=world.at,
    )  # fmt: skip
    appeal = Appeal.objects.create(
        kind="suspension", subject="grant:x:suspension:1", title="x", appellant=cleo, text="x",
        decided_at=world.at, filed_at=world.at, due_at=world.at,
    )  # fmt: skip
    file = BatchFile.objects.create(
        owner=cleo, purpose=INPUT, name="x.jsonl", size=2, sealed_content=BatchFile.sealed(b"{}"), created_at=world.at
    )
    batch = Batch.objects.create(
        owner=cleo, endpoint="/v1/completions", input_file_id=file.pk, created_at=world.at, expires_at=world.at
    )
    return {
        "batch_id": batch.pk,
        "file_id": file.pk,
        "application_id": application_of(world).pk,
        "grant_id": grant.pk,
        "appeal_id": appeal.pk,
        "job_id": job.pk,
        "subject": f"grant:{grant.pk}:suspension:{suspension.pk}",
        "seat_id": str(seat_on(world, pk=987_654, grant=grant, person=world.people["dan"]).pk),
    }


def names_in(name: str) -> set[str]:
    """What an address asks for."""
    return set(BY_NAME[name].pattern.converters) | set(BY_NAME[name].pattern.regex.groupindex)


def routes() -> dict[str, str]:
    """Every address of ours that names an object of somebody -> the name of the object in it."""
    found = {}
    for name in TABLE:
        named = [one for one in NOBODYS if one in names_in(name)]  # the parent stands before the child
        if named:
            found[name] = named[0]
    return found


def test_T19_every_name_in_an_address_is_public_a_child_or_somebodys() -> None:
    for name in TABLE:
        assert names_in(name) <= PUBLIC | CHILDREN | set(NOBODYS) | {"pk"}, f"{name}: whose is that?"


def words_of(response: Any, value: str) -> str:
    """The answer without what is different each time."""
    text = response.content.decode().replace(value, "it").replace(value.replace(":", "%3A"), "it")
    text = re.sub(r'(csrfmiddlewaretoken" value|nonce|content)="[^"]*"', "", text)
    return re.sub(r"req-[0-9a-f]{16}|\d\d:\d\d:\d\d(\.\d+)?", "", text)


def traced(send: Callable[[], Any], value: str) -> Trace:
    """Ask, measure, and undo what was changed."""
    counts = [MailOut.objects.count(), Notice.objects.count(), AuditEvent.objects.count()]
    with transaction.atomic():
        with CaptureQueriesContext(connection) as queries:
            response = send()
        after = [MailOut.objects.count(), Notice.objects.count(), AuditEvent.objects.count()]
        transaction.set_rollback(True)
    mails, notices, events = (new - old for old, new in zip(counts, after, strict=True))
    return Trace(response.status_code, words_of(response, value), len(queries), mails, notices, events)


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(name for name, one in routes().items() if one in OWNED))
def test_T19_somebody_elses_object_answers_as_one_that_does_not_exist(
    world: World, foreign: dict[str, Any], client_of: Callable[[str], Any], name: str
) -> None:
    """Asked by lou, who holds nothing, on the web and with a token of every scope."""
    kind = routes()[name]
    _, secret = create_token(world.actor("lou"), world.people["lou"], name="t", scopes=tuple(SCOPES), at=world.at)
    headers = {"Authorization": f"Bearer {secret}"} if name.startswith(("api-", "openai-")) else {}
    client = client_of("lou")
    base = {**NOBODYS, "pk": 10**6, "name": "nothing", "kind": "referee", **dict.fromkeys(CHILDREN, 10**6)}
    for method in ("get", "post"):
        traces = []
        for value in (foreign[kind], NOBODYS[kind]):
            url = address(name, {**base, **command_of(name), kind: value})
            send = partial(getattr(client, method), url, headers=headers)
            traced(send, value)  # what is read once is read
            traces.append(traced(send, value))
        assert traces[0] == traces[1], f"{method} {name}"
        assert traces[0].status in (303, 400, 403, 404, 405, 415), "a stranger to it gets nothing"
        assert (traces[0].mails, traces[0].notices, traces[0].events) == (0, 0, 0)


def command_of(name: str) -> dict[str, str]:
    """A command that the address knows."""
    known = {"grant-command": "suspend", "application-command": "withdraw", "review-command": "approve",
             "appeal-command": "accept"}  # fmt: skip
    return {"name": known[name]} if name in known else {}
