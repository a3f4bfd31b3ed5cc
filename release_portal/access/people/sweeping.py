"""Write down what time has ended for people on grants; at every use it counted already."""

from __future__ import annotations

from datetime import datetime

from release_portal.access.people.cohorts import close_ended_cohorts, note_lost_leads, pause_cohorts
from release_portal.access.people.ends import expire_seats
from release_portal.access.people.suspensions import lapse_seat_suspensions
from release_portal.core.actors import Actor


def sweep_people(actor: Actor, *, at: datetime) -> int:
    """End seats and cohorts whose time is over, lapse what nobody confirmed, pause cohorts without a lead."""
    ended = expire_seats(actor, at=at) + close_ended_cohorts(actor, at=at)
    return ended + lapse_seat_suspensions(actor, at=at) + note_lost_leads(actor, at=at) + pause_cohorts(actor, at=at)
