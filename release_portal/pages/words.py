"""The words and tones that pages give to states, actions and audiences."""

from __future__ import annotations

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from release_portal.access.policy import Action, Audience

Word = str | Promise

ACTIONS: dict[Action, Word] = {
    Action.VIEW: _("See that the size exists"),
    Action.READ_PAPER: _("Read the paper"),
    Action.READ_CARD: _("Read the model card"),
    Action.READ_SAMPLES: _("Read published samples"),
    Action.GENERATE: _("Generate in the playground"),
    Action.DETECT: _("Ask whether a text came from it"),
    Action.USE_DETECTOR: _("Use the detector"),
    Action.DOWNLOAD_WEIGHTS: _("Download the weights"),
    Action.READ_CODE: _("Read the code"),
    Action.READ_DATA: _("Read the data recipe"),
    Action.READ_LOGBOOK: _("Read the logbook"),
}
AUDIENCES: dict[Audience, Word] = {
    Audience.NOBODY: _("nobody"),
    Audience.STAFF: _("staff"),
    Audience.PARTNERS: _("partner grants"),
    Audience.GRANTEES: _("grant holders"),
    Audience.SIGNED_IN: _("signed in"),
    Audience.EVERYONE: _("everyone"),
}
FUNCTIONS: dict[str, Word] = {"generate": _("generate"), "detect": _("detect"), "weights": _("download weights")}
FINISHES: dict[str, Word] = {
    "stop": _("came to its end"),
    "length": _("reached the token limit"),
}

_TONES = {
    "done": "good",
    "active": "good",
    "queued": "info",
    "scheduled": "info",
    "stopped": "warn",
    "suspended": "bad",
    "paused": "warn",
    "effective": "good",
    "pending_terms": "warn",
    "handed_in": "info",
    "returned": "warn",
    "met": "good",
    "failed": "bad",
    "revoked": "bad",
    "submitted": "info",
    "needs_info": "warn",
    "second_review": "info",
    "granted": "good",
    "refused": "bad",
    "waiting": "info",
    "sent": "good",
    "invited": "info",
    "joined": "good",
    "removed": "bad",
}
_STATES: dict[str, Word] = {
    "queued": _("in progress"),
    "done": _("done"),
    "failed": _("failed"),
    "cancelled": _("cancelled"),
    "stopped": _("stopped"),
    "scheduled": _("scheduled"),
    "active": _("active"),
    "suspended": _("suspended"),
    "paused": _("paused"),
    "effective": _("in force"),
    "closed": _("closed"),
    "pending_terms": _("approved under terms that wait for acceptance"),
    "open": _("to be done"),
    "handed_in": _("handed in"),
    "returned": _("given back"),
    "met": _("done"),
    "superseded": _("superseded"),
    "retired": _("taken back"),
    "expired": _("expired"),
    "surrendered": _("surrendered"),
    "revoked": _("revoked"),
    "draft": _("draft"),
    "submitted": _("waits for a decision"),
    "needs_info": _("waits for an answer"),
    "second_review": _("waits for a second reviewer"),
    "granted": _("approved"),
    "refused": _("refused"),
    "withdrawn": _("withdrawn"),
    "lapsed": _("lapsed"),
    "invited": _("invited"),
    "joined": _("joined"),
    "left": _("left"),
    "removed": _("removed"),
    "declined": _("declined"),
    "proposed": _("asked for"),
    "waiting": _("waiting"),
    "sent": _("sent"),
}


def state_word(state: str) -> Word:
    """Return a state as people read it."""
    return _STATES.get(state, state)


def state_pill(state: str) -> dict[str, Any]:
    """Return a state with its word and its tone."""
    return {"slug": state, "label": state_word(state), "tone": _TONES.get(state, "")}


# An own application that waits for its writer, and what for.
APPLICATION_STATES_OF_HOLDER = {
    "draft": _("Draft to finish"),
    "needs_info": _("Question to answer"),
    "pending_terms": _("Terms to accept"),
}
