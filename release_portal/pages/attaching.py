"""How the files of an application look to its applicant and to those who review it."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _

from release_portal.access.attachments.lookups import file_decision, files_facing
from release_portal.access.attachments.rules import MOST_FILES, label_of, room_for_another
from release_portal.access.attachments.services import content_of
from release_portal.access.models import Application, KeptFile
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision

# What is opened in place all the same runs nothing, loads nothing and is on no origin of ours.
SANDBOX = "sandbox; default-src 'none'"


def files_shown(actor: Actor, application: Application | None) -> dict[str, Any]:
    """Return the files of an application, and whether the actor may add or remove any."""
    if application is None:
        return {"rows": [], "application": None, "may_attach": False, "may_detach": False, "most": MOST_FILES}
    rows = [row_of(one) for one in files_facing(actor, application)]
    return {
        "application": application,
        "rows": rows,
        "may_attach": bool(attach_decision(actor, application, len(rows))),
        "may_detach": bool(file_decision("detach", actor, application)),
        "most": MOST_FILES,
    }


def attach_decision(actor: Actor, application: Application, count: int) -> Decision:
    """Return whether another file may be attached: by state and person, then by number."""
    decision = file_decision("attach", actor, application)
    return room_for_another(count) if decision else decision


def row_of(attachment: KeptFile) -> dict[str, Any]:
    """Return a file as a row."""
    return {"file": attachment, "kind": label_of(attachment.kind), "size": size_words(attachment.size)}


def download(found: KeptFile) -> HttpResponse:
    """Return a file as something to save, never as something to show."""
    response = HttpResponse(content_of(found), content_type=found.media_type)
    response["Content-Disposition"] = content_disposition_header(True, found.name) or "attachment"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = SANDBOX
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    response["Cache-Control"] = "no-store"
    return response


def size_words(size: int) -> str:
    """Return a number of bytes as people read it."""
    if size < 1_000:
        return _("%(n)s bytes") % {"n": size}
    return f"{size / 1_000:,.0f} kB" if size < 1_000_000 else f"{size / 1_000_000:,.1f} MB"
