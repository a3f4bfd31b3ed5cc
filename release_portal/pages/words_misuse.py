"""The words and tones that pages give to misuse reports."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from release_portal.misuse.report_rules import CLOSED, DECLINED, DUPLICATE, NEEDS_INFO, RECEIVED, TRIAGED, ActionKind
from release_portal.pages.words import Word

STATES: dict[str, Word] = {
    RECEIVED: _("received"),
    NEEDS_INFO: _("question open"),
    TRIAGED: _("accepted"),
    DECLINED: _("declined"),
    DUPLICATE: _("merged"),
    CLOSED: _("closed"),
}
TONES = {RECEIVED: "info", NEEDS_INFO: "warn", TRIAGED: "bad", CLOSED: "good"}
WAITING: dict[str, Word] = {
    RECEIVED: _("A person has not looked yet."),
    NEEDS_INFO: _("We asked you something below and wait for your answer."),
    TRIAGED: _("We accepted the report and work on it."),
    DECLINED: _("We looked and do not act on it."),
    CLOSED: _("The case is closed."),
}
ACTIONS: dict[str, Word] = {
    ActionKind.SUSPEND_GRANT: _("Suspend the grant"),
    ActionKind.HOLD_SIZE: _("Hold the size"),
    ActionKind.STOP_SIZE: _("Stop use of the size"),
}
SEVERITY_TONES = ("", "", "warn", "bad", "bad")


def report_pill(state: str) -> dict[str, Any]:
    """Return the state of a report with its word and its tone."""
    return {"slug": state, "label": STATES[state], "tone": TONES.get(state, "")}


def severity_pill(level: int, *, is_chosen: bool) -> dict[str, Any]:
    """Return a severity; one that no person has chosen yet says so."""
    name = f"SEV{level}"
    return {"slug": name, "label": name if is_chosen else f"{name} ?", "tone": SEVERITY_TONES[level]}


def waiting_word(state: str) -> Word:
    """Return what a state means for the reporter."""
    return WAITING.get(state, "")
