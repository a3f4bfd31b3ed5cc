"""How the files of an application look to its applicant and to those who review it."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from release_portal.access.attachments.lookups import file_decision, files_facing
from release_portal.access.attachments.rules import MOST_FILES, label_of, room_for_another
from release_portal.access.models import Application, Attachment
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision


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


def row_of(attachment: Attachment) -> dict[str, Any]:
    """Return a file as a row."""
    return {"file": attachment, "kind": label_of(attachment.kind), "size": size_words(attachment.size)}


def size_words(size: int) -> str:
    """Return a number of bytes as people read it."""
    if size < 1_000:
        return _("%(n)s bytes") % {"n": size}
    return f"{size / 1_000:,.0f} kB" if size < 1_000_000 else f"{size / 1_000_000:,.1f} MB"
