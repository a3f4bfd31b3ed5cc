"""One's own seat on a grant, and the invitation to one."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from model_cards.render import render_markdown
from release_portal.access.agreements.services import agreement_in_force
from release_portal.access.models import Seat
from release_portal.access.people.ends import decline_by_link, leave_seat
from release_portal.access.people.joining import decide_joining, join_by_link
from release_portal.access.people.lookups import decide_seat, own_seat, seat_by_link
from release_portal.access.people.records import seat_subject
from release_portal.access.people.teams import team_of
from release_portal.audit.lookups import events_about
from release_portal.core.clock import now
from release_portal.core.declare import public, signed_in
from release_portal.core.errors import NotAllowed, PortalError
from release_portal.core.http import PortalRequest
from release_portal.pages import showing
from release_portal.pages.appealing import appeals_of_seat
from release_portal.pages.forms.teams import JoinForm, PlainForm
from release_portal.pages.teams import row_of_seat


@signed_in
def seat(request: PortalRequest, seat_id: int) -> HttpResponse:
    """What one's seat opens, until when, and how to give it up."""
    return _seat_page(request, own_seat(request.actor, seat_id))


@signed_in
def leave(request: PortalRequest, seat_id: int) -> HttpResponse:
    """Give a seat up."""
    shown = own_seat(request.actor, seat_id)
    address = reverse("seat", args=[shown.pk])
    if request.method != "POST":
        return showing.see_other(address)
    form = PlainForm(request.POST)
    try:
        leave_seat(request.actor, shown.pk, expected_version=form.version(), at=now())
    except PortalError as error:
        fresh = own_seat(request.actor, seat_id)
        form.refuse(error, expected_version=fresh.version)
        return _seat_page(request, fresh, form, error.status)
    messages.success(request, _("You have left. Nothing changes for the others."))
    return showing.see_other(address)


def _seat_page(request: PortalRequest, shown: Seat, bound: PlainForm | None = None, status: int = 200) -> HttpResponse:
    at, actor = now(), request.actor
    leaving = decide_seat("leave", actor, shown, at)
    context = {
        **row_of_seat(shown, at),
        "team": team_of(shown),
        "leaving": leaving,
        "form": bound or PlainForm(initial={"expected_version": shown.version}),
        "appeals": appeals_of_seat(actor, shown, at),
        "history": [showing.event_line(event) for event in events_about(seat_subject(shown))],
        "breadcrumbs": [{"label": _("Your grants"), "url": reverse("grants")}, {"label": _("Your seat")}],
    }
    return render(request, "teams/seat.html", context, status=status)


# --- The invitation --------------------------------------------------------------------------------------------------


@public
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: PortalRequest, token: str) -> HttpResponse:
    """Join or say no; a link that is wrong, used, taken back or too late has one answer."""
    at = now()
    invited = seat_by_link(token, at)
    if request.method != "POST":
        return _invitation_page(request, invited)
    if request.POST.get("act") == "decline":
        declined = decline_by_link(token, at=at)
        return render(request, "teams/declined.html", {"seat": declined})
    form = JoinForm(request.POST)
    given = {"agreement_hash": form.accepted(), "affiliation": form.text("affiliation")}
    try:
        joined = join_by_link(request.actor, token, at=at, **given)
    except NotAllowed:
        raise
    except PortalError as error:
        form.refuse(error, agreement_hash=agreement_in_force(at).sha256)
        if error.code == "agreement_changed":
            form.forget("agreement")  # what was accepted is another text
        return _invitation_page(request, seat_by_link(token, at), form, error.status)
    messages.success(request, _("You have joined. What you may use, and until when, stands here."))
    return showing.see_other(reverse("seat", args=[joined.pk]))


def _invitation_page(
    request: PortalRequest, invited: Seat, bound: JoinForm | None = None, status: int = 200
) -> HttpResponse:
    at = now()
    agreement = agreement_in_force(at)
    context = {
        "seat": invited,
        "team": team_of(invited),
        "decision": decide_joining(request.actor, invited, at),
        "form": bound or JoinForm(initial={"agreement_hash": agreement.sha256}),
        "agreement": agreement,
        "agreement_html": render_markdown(agreement.text),
    }
    return render(request, "teams/invitation.html", context, status=status)
