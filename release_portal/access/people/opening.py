"""With an approval the people of the application get their seats on the grant, and a cohort its number and its end."""

from __future__ import annotations

from datetime import UTC, datetime, time

from release_portal.access.application_rules import end_of
from release_portal.access.models import Application, Cohort, Grant, Seat, Signature
from release_portal.access.models.people import cohort_of
from release_portal.access.people import cohort_rules, seat_rules
from release_portal.access.people.cohort_rules import CLOSED, COHORT, RUNNING
from release_portal.access.people.ends import SWEEPER
from release_portal.access.people.records import end_seat, record_seat
from release_portal.access.people.seat_rules import JOINED, TAKEN
from release_portal.access.people.teams import Team
from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.errors import NotNow
from release_portal.epochs.services import seat_key, start_epoch
from release_portal.notices.services import notify


def open_team(actor: Actor, application: Application, grant: Grant, *, at: datetime, seats: int | None = None) -> None:
    """Bring the team of an approved application onto its grant; runs in the transaction of the approval.

    Args:
        actor: who decided last.
        application: approved; named people who have not joined yet keep their invitation.
        grant: new, or the one that was renewed.
        at: the time of the approval.
        seats: how many seats the approval gives a cohort; None: as many as were asked for.

    Raises:
        NotNow: more people sit on the grant than the cohort is given seats.
    """
    for seat in Team(application).rows().select_for_update(of=("self",)).filter(state__in=sorted(TAKEN)):
        _bring(seat, grant, at)
    wish = getattr(application, "cohort", None)
    if wish is not None and wish.state == cohort_rules.PROPOSED:
        _open_cohort(actor, wish, wish.seats if seats is None else seats, grant, at)
    for seat in Seat.objects.filter(grant=grant, application=application, state=JOINED).select_related("person"):
        assert seat.person is not None
        facts = {"grant": grant.pk, "purpose": grant.purpose}
        notify(seat.person, "seat_opened", facts, at=at, path="/grants/", dedupe_key=f"seat:{seat.pk}:opened")


def _bring(seat: Seat, grant: Grant, at: datetime) -> None:
    """Who sits on the renewed grant already keeps that seat."""
    there = Seat.objects.filter(grant=grant, state__in=sorted(TAKEN))
    is_double = there.filter(mail=seat.mail).exists() or (
        seat.person_id is not None and there.filter(person=seat.person_id).exists()
    )
    if is_double or seat.person_id == grant.holder_id:
        command = "undo" if seat.state == seat_rules.INVITED else "remove"
        end_seat(SWEEPER, seat, command, reason="has a seat on this grant already", at=at, kind="seat.removed")
        return
    seat.grant = grant
    seat.version += 1
    seat.save(update_fields=["grant", "version"])


def _open_cohort(actor: Actor, wish: Cohort, seats: int, grant: Grant, at: datetime) -> None:
    running = cohort_of(grant)
    cohort = running if running is not None and running.state in RUNNING else wish
    used = Seat.objects.filter(grant=grant).taken(at).count() + (1 if cohort is wish else 0)
    if used > seats:
        raise NotNow(
            f"{used} people sit on this grant, and {seats} seats are given.",
            code="no_seat",
            rule="cohort: open",
            change="The applicant takes seats back first, or more are asked for and given.",
        )
    if cohort is not wish:
        wish.state, wish.version = CLOSED, wish.version + 1
        wish.save()
    else:
        cohort.grant, cohort.lead, cohort.state = grant, grant.holder, COHORT.command("open").target or ""
        _seat_lead(actor, wish.application, grant, at)
    data: dict[str, str | int] = {"asked": wish.seats} if seats != wish.seats else {}
    cohort.seats = seats
    assert wish.last_day is not None
    first = datetime.combine(wish.first_day, time.min, UTC) if wish.first_day else at
    cohort.starts_at, cohort.ends_at = cohort.starts_at or first, end_of(wish.last_day)
    cohort.version += 1
    cohort.save()
    data |= {"cohort": cohort.pk, "seats": cohort.seats, "ends_at": cohort.ends_at.isoformat()}
    record("cohort.opened", actor=actor, subject=f"grant:{grant.pk}", at=at, data=data)


def _seat_lead(actor: Actor, application: Application, grant: Grant, at: datetime) -> None:
    """The lead of a cohort uses it by a seat like everybody, so that it ends with the lead's own leaving."""
    assert application.agreement is not None
    holder = grant.holder
    signature = Signature.objects.get(account=holder, agreement=application.agreement)
    seat = Seat.objects.create(
        application=application,
        grant=grant,
        mail=holder.email.casefold(),
        person=holder,
        signature=signature,
        affiliation=application.affiliation,
        state=JOINED,
        invited_by_id=str(holder.pk),
        invited_by_name=holder.name,
        invited_at=at,
        joined_at=at,
    )
    start_epoch(seat_key(seat.pk))
    record_seat("seat.joined", actor, seat, at, agreement=signature.sha256)
