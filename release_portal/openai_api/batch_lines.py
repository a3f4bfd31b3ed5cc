"""What all lines of batches have in common: how a size is open to their owner, and how refusals are told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from release_portal.access.lookups import SizeAccess, size_for
from release_portal.access.policy import Action
from release_portal.batches.endpoints import Answer, Body
from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput, NotFound, PortalError
from release_portal.jobs.models import Job
from release_portal.openai_api.answers import failure
from release_portal.openai_api.errors import body_of, no_model, status_of

Check = Callable[[SizeAccess, Body], None]


def terms_for(actor: Actor, model: str, at: datetime) -> SizeAccess:
    """Return how a size is open to an actor for what batches carry out; a hidden one is no model.

    Raises:
        PortalError: what the policy says.
    """
    try:
        return size_for(actor, model, Action.GENERATE, at=at)
    except NotFound as error:
        raise no_model(model) from error


class Checker:
    """Holds bodies against what is open to an actor at a time; each model is looked up once.

    Args:
        model_of: reads a body, and returns the model that it names.
        check: raises what would refuse a body whenever it came, by the client's names.
    """

    def __init__(self, actor: Actor, at: datetime, *, model_of: Callable[[Body], str], check: Check) -> None:
        self._actor, self._at, self._model_of, self._check = actor, at, model_of, check
        self._terms: dict[str, SizeAccess | PortalError] = {}

    def __call__(self, body: Body) -> None:
        """Raise what would refuse this body whenever it came, at a field of the line."""
        try:
            self._check(self._terms_of(self._model_of(body)), body)
        except PortalError as error:
            error.field = f"body.{error.field}" if error.field else "body"
            raise

    def _terms_of(self, model: str) -> SizeAccess:
        if model not in self._terms:
            try:
                self._terms[model] = terms_for(self._actor, model, self._at)
            except PortalError as error:
                error.field = "model"
                self._terms[model] = error
        terms = self._terms[model]
        if isinstance(terms, PortalError):
            raise _again(terms)
        return terms


def _again(error: PortalError) -> PortalError:
    """Return a refusal anew: each line says it at its own field."""
    return type(error)(
        error.reason, code=error.code, field=error.field, rule=error.rule, change=error.change, retry_at=error.retry_at
    )


def require_one(texts: Sequence[object], field: str) -> None:
    """Refuse a line that would be several jobs."""
    if len(texts) != 1:
        reason = f"A line of a batch has one {field}; this one has {len(texts)}."
        raise InvalidInput(reason, field=field, code="too_many_prompts", change="Write a line for each.")


def failed_line(job: Job) -> Answer:
    """Return what the address would have answered to a job that did not succeed."""
    return refused_line(failure(job.finish_reason, job.message))


def refused_line(error: PortalError) -> Answer:
    """Return what the address would have answered to a refusal."""
    return Answer(status_of(error), {"error": body_of(error)})
