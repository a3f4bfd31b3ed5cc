"""What an application still lacks before it can be handed in: one list for the form, the page and the command."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from release_portal.access.application_rules import Problem, missing
from release_portal.access.attestations.asking import attesters_missing
from release_portal.access.models import Application
from release_portal.access.obligations.services import overdue_duties
from release_portal.access.people.cohort_rules import PROPOSED, Wish, day_problems
from release_portal.access.programmes.applying import form_problems
from release_portal.access.review_desk import largest_open, risk_facing

# Each part of an application that must be complete adds its own line here: fields, people, attestations, files.
Check = Callable[[Application, datetime], list[Problem]]


def missing_from(application: Application, *, at: datetime) -> list[Problem]:
    """Return everything that is still missing, in the order of the form; the agreement is accepted on sending."""
    return [problem for check in CHECKS for problem in check(application, at)]


def _fields(application: Application, at: datetime) -> list[Problem]:
    return missing(application.answers(), application.size.standing.stage, at=at)


def _cohort(application: Application, at: datetime) -> list[Problem]:
    wish = getattr(application, "cohort", None)
    if wish is None or wish.state != PROPOSED:
        return []
    return day_problems(Wish(wish.kind, wish.seats, wish.first_day, wish.last_day), at)


def _duties(application: Application, at: datetime) -> list[Problem]:
    """A grant is renewed when what it asks for was done."""
    if application.renews is None:
        return []
    return [
        Problem("renews", f"Hand in what is overdue on the page of the grant {duty.grant_id}: {duty.what}")
        for duty in overdue_duties(application.renews, at)
    ]


def _attesters(application: Application, at: datetime) -> list[Problem]:
    return attesters_missing(application, risk_facing(application, largest_open(), at).tier, at)


CHECKS: tuple[Check, ...] = (_fields, form_problems, _cohort, _duties, _attesters)
