"""What of applications and grants stands in the way of deleting an account, and what of them goes when."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Q

from release_portal.access.application_rules import DRAFT, OPEN
from release_portal.access.applications import WRITTEN, lapse_application, path_of
from release_portal.access.attachments.services import remove_files
from release_portal.access.grant_rules import EXPIRED, GRANT
from release_portal.access.models import (
    AnswerChange,
    Application,
    CloseOut,
    EligibilityTrace,
    Obligation,
    Question,
    Seat,
)
from release_portal.access.models.applications import ApplicationQuerySet
from release_portal.access.people.seat_rules import SEATED
from release_portal.accounts.deletion_rules import KEPT, Obstacle
from release_portal.accounts.models import User
from release_portal.core.actors import system_actor

ERASER = system_actor("own data")
NOWHERE = "@deleted.invalid"
FORGOTTEN = ("", "-")  # what stands where words were that had to be there


def open_applications(user: User, at: datetime) -> Iterable[Obstacle]:
    """Somebody works on an application that was sent; a draft goes without further ado."""
    for application in user.applications.filter(state__in=OPEN).exclude(state=DRAFT).select_related("size"):
        reason = f"Your application {application.pk} for {application.size.name} is open."
        yield Obstacle("open_application", reason, "Withdraw it, or wait for the decision.", path_of(application))


def grants_in_force(user: User, at: datetime) -> Iterable[Obstacle]:
    """A grant has a holder for as long as it opens something or could again."""
    can_end = GRANT.command("expire").sources | GRANT.command("surrender").sources
    for grant in user.grants.all():
        state = grant.state_at(at)
        if state in can_end and state != EXPIRED:
            reason = f"You hold the grant {grant.pk}, which is {state}."
            yield Obstacle("active_grant", reason, "Give it up, or wait for its end.", f"/grants/{grant.pk}/")


def seats_in_force(user: User, at: datetime) -> Iterable[Obstacle]:
    """Whoever sits on the grant of another leaves it first, so that its lead knows."""
    for seat in user.seats.filter(state__in=sorted(SEATED)):
        if seat.state_at(at) in SEATED:
            reason = f"You have a seat on {seat.grant_id or seat.application_id}, which is {seat.state_at(at)}."
            yield Obstacle("seat", reason, "Leave it, or wait for its end.", f"/seats/{seat.pk}/")


def erase_seats(user: User, at: datetime) -> int:
    """Forget address and affiliation of seats that nobody sits on, open invitations among them."""
    theirs = Seat.objects.filter(Q(person=user) | Q(person=None, mail=user.email.casefold()))
    gone = list(theirs.exclude(state__in=sorted(SEATED)).exclude(mail__endswith=NOWHERE))
    for seat in gone:
        seat.mail, seat.affiliation = f"seat-{seat.pk}{NOWHERE}", ""
        seat.save(update_fields=["mail", "affiliation"])
    return len(gone)


def erase_applications(user: User, at: datetime) -> int:
    """End drafts and blank what nobody was sent; blank what was sent three years after it ended."""
    for draft in user.applications.filter(state=DRAFT).select_related("size", "applicant"):
        lapse_application(ERASER, draft, at=at)
    gone = user.applications.exclude(state__in=OPEN).filter(Q(submitted_at=None) | _long_over(at))
    Question.objects.filter(application__in=gone).exclude(answer="").update(answer="-")
    return _blank(gone)


def _blank(gone: ApplicationQuerySet) -> int:
    is_written = Q(pk__in=[])
    for column, empty in WRITTEN.items():
        is_written |= ~Q(**{column: empty})
    return gone.filter(is_written).update(**WRITTEN)


def _long_over(at: datetime, of: str = "") -> Q:
    """Say to the database which applications ended three years ago: decided, or left alone since.

    Args:
        of: the way to the application, for rows that belong to one.
    """
    decided, saved = f"{of}decided_at", f"{of}saved_at"
    return Q(**{f"{decided}__lte": at - KEPT}) | Q(**{decided: None, f"{saved}__lte": at - KEPT})


def erase_changes(user: User, at: datetime) -> int:
    """Delete what was changed in applications that are over: its old and new words are the applicant's."""
    mine = AnswerChange.objects.filter(application__applicant=user).exclude(application__state__in=OPEN)
    gone = mine.filter(_long_over(at, "application__"))
    return gone.delete()[0]


def erase_traces(user: User, at: datetime) -> int:
    """Delete what the rules said of applications that are over: their lines name answers."""
    mine = EligibilityTrace.objects.filter(application__applicant=user)
    return mine.filter(_long_over(at, "application__")).delete()[0]


def erase_files(user: User, at: datetime) -> int:
    """Remove every file: nothing that is open needs one any more."""
    mine = Application.objects.filter(applicant=user)
    return remove_files(ERASER, mine, at=at, why="the account is deleted")


def erase_grants(user: User, at: datetime) -> int:
    """Blank what a grant was for, three years after its end."""
    return user.grants.filter(ends_at__lte=at - KEPT).exclude(purpose="").update(purpose="")


def erase_duties(user: User, at: datetime) -> int:
    """Forget what was handed in for a grant, three years after its end."""
    over = Obligation.objects.filter(grant__holder=user, grant__ends_at__lte=at - KEPT)
    return over.exclude(text__in=FORGOTTEN, link="").update(text=FORGOTTEN[1], link="")


def erase_close_outs(user: User, at: datetime) -> int:
    """Forget what was said at the end of a grant, three years after it."""
    over = CloseOut.objects.filter(grant__holder=user, grant__ends_at__lte=at - KEPT)
    return over.exclude(report__in=FORGOTTEN, statement__in=FORGOTTEN).update(
        report=FORGOTTEN[1], statement=FORGOTTEN[1]
    )
