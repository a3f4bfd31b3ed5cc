"""What waits for somebody: each room's own list, as lines for the home page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.urls import reverse
from django.utils.translation import gettext as _

from release_portal.access.application_lookups import applications_to_review, own_applications
from release_portal.access.grant_rules import CONFIRM_WITHIN
from release_portal.access.lookups import grants_for, sizes_for
from release_portal.access.obligations.lookups import obligations_to_look_at, own_duties
from release_portal.access.people.lookups import seats_to_confirm
from release_portal.access.people.suspensions import decide_officer
from release_portal.access.policy import Action
from release_portal.access.services import decide_command
from release_portal.audit.lookups import public_events_about
from release_portal.audit.models import AuditEvent
from release_portal.core.actors import Actor
from release_portal.misuse.lookups import decision_on, reports_for
from release_portal.pages.waiting_governance import MOST_OF_A_KIND, Waiting, governance_waiting
from release_portal.pages.words import APPLICATION_STATES_OF_HOLDER as OWN
from release_portal.releases.hold_rules import may_confirm
from release_portal.releases.lookups import unconfirmed_holds

# So long before its day a duty stands on the home page of who owes it.
SOON = timedelta(days=30)


def waiting_for(actor: Actor, *, at: datetime) -> list[Waiting]:
    """Return everything that waits for the actor, what ends soonest first."""
    lines = [
        *_suspensions(actor),
        *_seats(actor, at),
        *_restrictions(actor),
        *_reports(actor),
        *_reviews(actor),
        *_own_applications(actor),
        *_duties(actor, at),
        *governance_waiting(actor, at=at),
    ]
    return sorted(lines, key=lambda line: (line.until is None, line.until.timestamp() if line.until else 0.0))


def _suspensions(actor: Actor) -> Iterator[Waiting]:
    for grant in grants_for(actor).filter(suspensions__ended_at=None, suspensions__confirmed_at=None).distinct():
        suspension = grant.open_suspension
        if suspension and decide_command(actor, grant, "confirm"):
            title = _("%(name)s: %(reason)s") % {"name": grant.holder.name, "reason": suspension.reason}
            until = suspension.at + CONFIRM_WITHIN
            yield Waiting(_("Suspension to confirm"), title, reverse("grant", args=[grant.pk]), until)


def _seats(actor: Actor, at: datetime) -> Iterator[Waiting]:
    for seat in seats_to_confirm():
        suspension = seat.open_suspension
        if suspension and seat.grant and decide_officer("confirm", actor, seat, at):
            title = _("%(name)s: %(reason)s") % {"name": seat.name, "reason": suspension.reason}
            url = reverse("grant-team", args=[seat.grant.pk])
            yield Waiting(_("Suspension of a member to confirm"), title, url, suspension.at + CONFIRM_WITHIN)


def _restrictions(actor: Actor) -> Iterator[Waiting]:
    for hold in unconfirmed_holds():
        if may_confirm(actor, hold.facts()):
            kind = _("Stop of use to confirm") if hold.stops_use else _("Restriction to confirm")
            url = reverse("size-hold", args=[hold.size.lab_slug, hold.size.size_slug])
            yield Waiting(kind, f"{hold.size.name}: {hold.reason}", url, hold.lapses_at)


def _reports(actor: Actor) -> Iterator[Waiting]:
    for report in reports_for(actor).open().most_urgent_first()[:MOST_OF_A_KIND]:
        if decision_on("accept", actor, report) or decision_on("close", actor, report):
            title = _("Report %(number)s") % {"number": report.pk}
            yield Waiting(_("Misuse report"), title, reverse("report-triage", args=[report.pk]), report.due_at)


def _reviews(actor: Actor) -> Iterator[Waiting]:
    for application in applications_to_review(actor).waiting()[:MOST_OF_A_KIND]:
        title = _("%(name)s, for %(size)s") % {"name": application.applicant.name, "size": application.size.name}
        url = reverse("review", args=[application.pk])
        yield Waiting(_("Application to decide"), title, url, application.due_at)


def _own_applications(actor: Actor) -> Iterator[Waiting]:
    for application in own_applications(actor).filter(state__in=OWN)[:MOST_OF_A_KIND]:
        url = reverse("application", args=[application.pk])
        yield Waiting(str(OWN[application.state]), application.size.name, url, None)


def _duties(actor: Actor, at: datetime) -> Iterator[Waiting]:
    """What a holder owes soon, and what was handed in and waits for a lead."""
    for duty in own_duties(actor, due_by=at + SOON, at=at)[:MOST_OF_A_KIND]:
        yield Waiting(_("Duty of a grant"), duty.what, reverse("grant", args=[duty.grant_id]), duty.due_at)
    for duty in obligations_to_look_at(actor)[:MOST_OF_A_KIND]:
        title = _("%(name)s: %(what)s") % {"name": duty.grant.holder.name, "what": duty.what}
        yield Waiting(_("Duty to look at"), title, reverse("grant", args=[duty.grant_id]), None)


def changes_for(actor: Actor, *, at: datetime) -> list[AuditEvent]:
    """Return the last public changes of sizes; a size that the actor may not know of is left out."""
    subjects = [f"size:{slug}" for slug in sizes_for(actor, Action.VIEW, at=at).values_list("slug", flat=True)]
    return list(public_events_about(subjects)[:MOST_OF_A_KIND])
