"""The files of an application: add one, remove one, and take one out, always as a download."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from release_portal.access.application_lookups import own_application
from release_portal.access.application_rules import DRAFT
from release_portal.access.attachments.lookups import readable_attachment
from release_portal.access.attachments.services import attach_file, detach_file
from release_portal.access.models import Application
from release_portal.accounts.looks import note_look
from release_portal.core.clock import now
from release_portal.core.declare import signed_in
from release_portal.core.errors import PortalError
from release_portal.core.http import PortalRequest
from release_portal.pages import showing
from release_portal.pages.attaching import attach_decision, download, files_shown
from release_portal.pages.forms.attachments import AttachForm


@signed_in
@never_cache
def attachments(request: PortalRequest, application_id: str) -> HttpResponse:
    """The files of one's own application, and the form that adds one."""
    shown = own_application(request.actor, application_id)
    if request.method != "POST":
        return _files_page(request, shown, AttachForm(initial={"field_key": request.GET.get("field", "")[:60]}))
    form = AttachForm(request.POST, request.FILES)
    try:
        kept = attach_file(request.actor, shown.pk, form.upload(), at=now(), field_key=form.text("field_key"))
    except PortalError as error:
        form.refuse(error)
        return _files_page(request, own_application(request.actor, shown.pk), form, error.status)
    messages.success(request, _("%(name)s is attached.") % {"name": kept.name})
    return showing.see_other(_page_of(shown))


@signed_in
def attachment(request: PortalRequest, application_id: str, attachment_id: str) -> HttpResponse:
    """One file, for its applicant and for those who may review the application."""
    opened = readable_attachment(request.actor, application_id, attachment_id)
    note_look(request.actor, opened.application.applicant, "file", f"file:{opened.attachment.pk}", at=now())
    return download(opened.attachment)


@signed_in
def remove(request: PortalRequest, application_id: str, attachment_id: str) -> HttpResponse:
    """Remove a file from a draft."""
    shown = own_application(request.actor, application_id)
    found = readable_attachment(request.actor, shown.pk, attachment_id).attachment
    if request.method == "POST":
        detach_file(request.actor, shown.pk, found.pk, at=now())
        messages.success(request, _("%(name)s is removed.") % {"name": found.name})
    return showing.see_other(reverse("attachments", args=[shown.pk]))


def _page_of(shown: Application) -> str:
    if shown.state == DRAFT:
        return showing.address("apply", shown.size) + "#files"
    return reverse("application", args=[shown.pk]) + "#files"


def _files_page(request: PortalRequest, shown: Application, form: AttachForm, status: int = 200) -> HttpResponse:
    files = files_shown(request.actor, shown)
    context = {
        "files": files,
        "application": shown,
        "form": form if files["may_attach"] or form.is_bound else None,
        "decision": attach_decision(request.actor, shown, len(files["rows"])),
        "back_url": _page_of(shown),
        "breadcrumbs": [
            {"label": _("Applications"), "url": reverse("applications")},
            {"label": shown.pk, "url": _page_of(shown)},
            {"label": _("Files")},
        ],
    }
    return render(request, "applications/attachments.html", context, status=status)
