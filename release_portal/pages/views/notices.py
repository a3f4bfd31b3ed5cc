"""Notices: what a person is told; and the mail that goes out, for operators."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from release_portal.core.clock import now
from release_portal.core.declare import roles, signed_in
from release_portal.core.http import PortalRequest
from release_portal.notices.lookups import mail_for, notices_for, unread_count
from release_portal.notices.retry_rules import FAILED, MOST_ATTEMPTS, SENT, WAITING
from release_portal.notices.services import mark_all_read, mark_read, retry_mail
from release_portal.pages import showing
from release_portal.pages.paging import filter_text, page_of
from release_portal.pages.words import state_pill, state_word


@signed_in
def notices(request: PortalRequest) -> HttpResponse:
    """What the reader was told, newest first."""
    context = {"page_obj": page_of(request, notices_for(request.actor)), "unread": unread_count(request.actor)}
    return render(request, "notices/notices.html", context)


@signed_in
def read(request: PortalRequest, pk: int) -> HttpResponse:
    """Mark one notice as read."""
    if request.method == "POST":
        mark_read(request.actor, pk, at=now())
    return showing.see_other(reverse("notices"))


@signed_in
def read_all(request: PortalRequest) -> HttpResponse:
    """Mark every notice as read."""
    if request.method == "POST":
        mark_all_read(request.actor, at=now())
    return showing.see_other(reverse("notices"))


@roles("operator")
def mail(request: PortalRequest) -> HttpResponse:
    """The mail that goes out: what waits, what failed, and why. Its text is nobody's here."""
    found, state = mail_for(request.actor), filter_text(request, "state")
    counts = {one: found.filter(state=one).count() for one in (FAILED, WAITING, SENT)}
    page = page_of(request, found.filter(state=state) if state in counts else found)
    context = {
        "page_obj": page,
        "rows": [{"mail": one, "state": state_pill(one.state), "may_retry": one.state == FAILED} for one in page],
        "failed": counts[FAILED],
        "most": MOST_ATTEMPTS,
        "tab_items": [
            {"label": label, "url": f"?state={slug}", "current": state == slug, "count": counts.get(slug, 0)}
            for slug, label in (("", _("All")), *((one, state_word(one)) for one in counts))
        ],
    }
    return render(request, "notices/mail.html", context)


@roles("operator")
def mail_again(request: PortalRequest, pk: int) -> HttpResponse:
    """Try a failed mail again."""
    if request.method == "POST":
        tried = retry_mail(request.actor, pk, at=now())
        messages.success(request, _("The mail to %(to)s is tried again.") % {"to": tried.to})
    return showing.see_other(reverse("staff-mail"))
