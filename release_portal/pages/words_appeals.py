"""The words and tones that pages give to the states of an appeal."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from release_portal.pages.words import Word

STATES: dict[str, Word] = {
    "filed": _("filed"),
    "accepted": _("taken in"),
    "inadmissible": _("inadmissible"),
    "assigned": _("being decided"),
    "info": _("waits for an answer"),
    "upheld": _("the decision stands"),
    "partly": _("changed in part"),
    "overturned": _("overturned"),
    "executed": _("carried out"),
    "closed": _("closed"),
}
_TONES = {
    "filed": "info",
    "accepted": "info",
    "assigned": "info",
    "info": "warn",
    "inadmissible": "bad",
    "upheld": "bad",
    "partly": "good",
    "overturned": "good",
    "executed": "good",
}


def appeal_pill(state: str) -> dict[str, Any]:
    """Return a state of an appeal with its word and its tone."""
    return {"slug": state, "label": STATES[state], "tone": _TONES.get(state, "")}
