"""The suspension of one seat can be appealed like that of a grant, by the member whom it stops."""

from __future__ import annotations

from datetime import datetime

from release_portal.access.grant_rules import SUSPENDED
from release_portal.access.models import Seat, SeatSuspension
from release_portal.access.people.records import record_seat
from release_portal.access.people.suspensions import end_suspension, tell_given_back
from release_portal.access.revocation_rules import took_part
from release_portal.appeals.handlers import Appealable, Effect, Order
from release_portal.appeals.rules import SUSPENSION
from release_portal.core.decisions import allow, not_now

RULE = "appeal: file"


def find_seat_suspension(subject: str, at: datetime) -> Appealable | None:
    """Return the suspension of a seat."""
    written = subject.rpartition(":")[2]
    number = int(written) if written.isascii() and written.isdecimal() and len(written) < 19 else 0
    found = SeatSuspension.objects.select_related("seat__person").filter(pk=number).first()
    if found is None or subject != f"seat:{found.seat_id}:suspension:{found.pk}" or found.seat.person is None:
        return None
    stands = found.seat.state == SUSPENDED and found.ended_at is None
    over = not_now("state", f"This seat is {found.seat.state}.", RULE, "There is nothing to give back.")
    return Appealable(
        kind=SUSPENSION,
        subject=subject,
        title="Suspension of your seat",
        person=found.seat.person,
        decided_by=took_part(found.by_id, found.confirmed_by_id, holder_id=str(found.seat.person_id)),
        decided_at=found.at,
        may_appeal=allow("stands", "This decision stands.", RULE) if stands else over,
        path=f"/seats/{found.seat_id}/",
    )


def restore_seat(order: Order) -> Effect:
    """Give a seat back whose suspension an appeal found wrong; a seat has no time of its own to give back."""
    suspension = SeatSuspension.objects.select_for_update(of=("self",)).get(pk=order.subject.rpartition(":")[2])
    seat = (
        Seat.objects.select_for_update(of=("self",))
        .select_related("person", "grant__cohort")
        .get(pk=suspension.seat_id)
    )
    before = {"state": seat.state}
    if suspension.ended_at is None:
        end_suspension(
            suspension, seat, "reinstate", by_name=order.by.name, reason=f"appeal {order.appeal_id}", at=order.at
        )
    record_seat("seat.reinstated", order.by, seat, order.at, reason=order.reason, appeal=order.appeal_id)
    tell_given_back(seat, order.reason, order.at)
    return Effect(f"The seat is {seat.state}.", before)
