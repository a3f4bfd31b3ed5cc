"""The addresses whose requests may come in a batch, registered by the interface that has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput, PortalError
from release_portal.jobs.models import Job

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """What a line is answered with, as the address itself would have answered."""

    status: int
    body: dict[str, Any]


@dataclass(frozen=True)
class Endpoint:
    """How the requests to one address are read, submitted and answered.

    Args:
        url: e.g. `/v1/completions`.
        checker: returns, for an actor and a time, what raises whatever would refuse a body whenever it came.
        submit: makes the body's job, behind interactive work; raises as the address would.
        answer: the answer of a job that succeeded, from its samples as the settlement knows them.
        failure: the answer of a job that did not.
        refusal: the answer of an error.
        example: what a body says of a text, beside its model, in an example for people.
    """

    url: str
    checker: Callable[[Actor, datetime], Callable[[Body], None]]
    submit: Callable[[Actor, Body, datetime], Job]
    answer: Callable[[Job, Body, list[dict[str, Any]]], Answer]
    failure: Callable[[Job], Answer]
    refusal: Callable[[PortalError], Answer]
    example: Callable[[str], dict[str, Any]]


_ENDPOINTS: dict[str, Endpoint] = {}


def register(endpoint: Endpoint) -> None:
    """Offer an address in batches; called in the `ready` of the interface that has it."""
    _ENDPOINTS[endpoint.url] = endpoint


def endpoints() -> tuple[str, ...]:
    """Return every address that is offered, in the order in which they were."""
    return tuple(_ENDPOINTS)


def endpoint_of(url: Any) -> Endpoint:
    """Return an address that is offered; raise InvalidInput naming those that are."""
    found = _ENDPOINTS.get(url) if isinstance(url, str) else None
    if found is None:
        reason = "endpoint must be one of: " + ", ".join(endpoints()) + "."
        raise InvalidInput(reason, field="endpoint", code="invalid_value")
    return found
