"""Lists as tables to download: the rows that the reader's own list shows, and no other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse

from release_portal.access.models import Application, Grant
from release_portal.access.purposes import PURPOSES
from release_portal.jobs.models import Job
from release_portal.pages.sheets import sheet

CSV = "csv"
APPLICATIONS = (
    "application", "state", "applicant", "size", "purpose_code", "purpose", "affiliation", "functions",
    "requested_end", "submitted_at", "due_at",
)  # fmt: skip
GRANTS = (
    "grant", "state", "kind", "holder", "purpose", "sizes", "functions", "starts_at", "ends_at", "tokens_per_day",
)  # fmt: skip
GENERATIONS = (
    "generation", "size", "state", "finish_reason", "interface", "grant", "prompt", "output", "prompt_tokens",
    "completion_tokens", "charged_tokens", "created_at", "ended_at",
)  # fmt: skip


def is_wanted(request: HttpRequest) -> bool:
    """Whether a list is asked for as a table."""
    return request.GET.get("format") == CSV


def applications_sheet(found: Iterable[Application]) -> HttpResponse:
    """Return applications as the queue lists them."""
    return sheet("applications.csv", APPLICATIONS, (tuple(_application(one)) for one in found))


def _application(one: Application) -> Iterator[Any]:
    yield from (one.pk, one.state, one.applicant.username, one.size.slug, one.purpose_code)
    yield from (PURPOSES.get(one.purpose_code, ""), one.affiliation, " ".join(one.functions))
    yield from (one.requested_end, _time(one.submitted_at), _time(one.due_at))


def grants_sheet(found: Iterable[Grant], at: datetime) -> HttpResponse:
    """Return grants as the list of all grants shows them, in the state that counts at the time."""
    return sheet("grants.csv", GRANTS, (tuple(_grant(one, at)) for one in found))


def _grant(one: Grant, at: datetime) -> Iterator[Any]:
    yield from (one.pk, one.state_at(at), one.kind, one.holder.username, one.purpose)
    yield from (" ".join(size.slug for size in one.sizes.all()), " ".join(name.name for name in one.functions.all()))
    yield from (_time(one.starts_at), _time(one.ends_at), one.tokens_per_day)


def generations_sheet(found: Iterable[Job]) -> HttpResponse:
    """Return one's own generations with their texts."""
    return sheet("generations.csv", GENERATIONS, (tuple(_generation(one)) for one in found))


def _generation(one: Job) -> Iterator[Any]:
    texts = "\n---\n".join(str(sample.get("text", "")) for sample in one.output)
    yield from (one.pk, one.size.slug, one.state, one.finish_reason, one.interface, one.grant_id or "", one.prompt)
    yield from (texts, one.prompt_tokens, one.completion_tokens, one.charged_tokens)
    yield from (_time(one.created_at), _time(one.ended_at))


def _time(moment: datetime | None) -> str:
    return moment.isoformat(timespec="seconds") if moment else ""
