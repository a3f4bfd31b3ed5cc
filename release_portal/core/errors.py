"""Every error that the portal tells people about, with its code and HTTP status.

Interfaces give them their shape (`errors.py` in each interface); rules and services only raise them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from release_portal.core.decisions import Decision, Refusal


class PortalError(Exception):
    """Base of all errors meant for people.

    Args:
        reason: sentence that says what is wrong.
        code: stable slug; the class has a default.
        field: name of the input that is wrong, where there is one.
        rule: the rule that decided.
        change: the way out.
        retry_at: when it is worth trying again.
    """

    status = 500
    code = "error"
    number: int | None = None  # of several requests that are made together: which one it is about

    def __init__(
        self,
        reason: str,
        *,
        code: str = "",
        field: str = "",
        rule: str = "",
        change: str = "",
        retry_at: datetime | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code or type(self).code
        self.field = field
        self.rule = rule
        self.change = change
        self.retry_at = retry_at


class InvalidInput(PortalError):
    """Something that was sent cannot be read or lies outside its limits."""

    status = 400
    code = "invalid_input"


class NotAuthenticated(PortalError):
    """Nobody is signed in, or the token is not valid."""

    status = 401
    code = "not_authenticated"


class NotAllowed(PortalError):
    """You may not."""

    status = 403
    code = "not_allowed"


class NotFound(PortalError):
    """There is nothing here, or nothing that this actor may know of."""

    status = 404
    code = "not_found"


class NotNow(PortalError):
    """Not now, because: something is missing or in the way."""

    status = 409
    code = "not_now"


class StaleVersion(NotNow):
    """Somebody changed the object while the form was open."""

    code = "stale_version"


class Incomplete(NotNow):
    """Something must be filled in first, at several places perhaps.

    Args:
        reason: sentence that says what is wrong.
        problems: pairs of input and sentence.
    """

    code = "incomplete"

    def __init__(self, reason: str, problems: Sequence[tuple[str, str]], *, rule: str = "", change: str = "") -> None:
        super().__init__(reason, field=problems[0][0] if problems else "", rule=rule, change=change)
        self.problems = tuple(problems)


class TooLarge(PortalError):
    """The request is larger than the portal reads."""

    status = 413
    code = "too_large"


class TooMuch(PortalError):
    """Too much, until."""

    status = 429
    code = "too_much"


class Unavailable(PortalError):
    """A part of the portal does not answer; nothing was changed."""

    status = 503
    code = "unavailable"


_BY_REFUSAL: dict[Refusal, type[PortalError]] = {
    Refusal.MAY_NOT: NotAllowed,
    Refusal.NOT_NOW: NotNow,
    Refusal.TOO_MUCH: TooMuch,
}


def error_of(decision: Decision) -> PortalError:
    """Turn a refusal into the error that interfaces show; a hidden one says only that nothing is there."""
    if decision.hide:
        return NotFound("There is nothing here.", change="Check the address, or look in the catalogue.")
    if decision.refusal is None:
        raise ValueError("an allowed decision is no error")
    return _BY_REFUSAL[decision.refusal](
        decision.reason,
        code=decision.code,
        rule=decision.rule,
        change=decision.change,
        retry_at=decision.retry_at,
    )
