"""The effect of a move in words: who gains and loses what, which artefacts open, what cannot be recalled."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from release_portal.access.policy import Action
from release_portal.moves.previews import SIGNED_IN, preview_move
from release_portal.pages.words import ACTIONS, Word
from release_portal.pages.words_proposals import role_word
from release_portal.releases.models import Proposal
from release_portal.releases.preparation_rules import may_go_on

ROLE = "role:"


def effect_of(stored: Mapping[str, Any], proposal: Proposal, at: datetime) -> dict[str, Any]:
    """Return the effect as it is now, and whether it differs from the one that was locked.

    Once a proposal can no longer lead to a move, the locked effect is what happened.
    """
    goes_on = may_go_on(proposal.state, "proposal: effect")
    live = preview_move(proposal.size, proposal.target, at) if goes_on else {}
    shown = live or stored
    return {
        "rows": rows_of(shown),
        "lines": lines_of(shown),
        "is_live": bool(live),
        "differs": bool(live) and bool(stored) and dict(stored) != live,
        "stored": rows_of(stored),
        "is_known": bool(shown),
    }


def rows_of(preview: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one row for each action that somebody gains or loses."""
    return [
        {
            "action": ACTIONS[Action(line["action"])],
            "gains": _people(line["gains"]),
            "loses": _people(line["loses"]),
        }
        for line in preview.get("actions", [])
    ]


def lines_of(preview: Mapping[str, Any]) -> list[str]:
    """Return the rest of an effect: artefacts, work that stops, copies."""
    lines = []
    if opened := preview.get("artefacts_opened"):
        lines.append(_("Opens: %(kinds)s.") % {"kinds": ", ".join(opened)})
    if closed := preview.get("artefacts_closed"):
        lines.append(_("Closes: %(kinds)s.") % {"kinds": ", ".join(closed)})
    if stopped := sum(preview.get("jobs_stopped", {}).values()):
        lines.append(ngettext("%(n)d running job stops.", "%(n)d running jobs stop.", stopped) % {"n": stopped})
    if preview.get("copies_cannot_be_recalled"):
        lines.append(_("Copies that people make cannot be recalled."))
    return lines


def told(preview: Mapping[str, Any]) -> list[str]:
    """Return an effect as a list of sentences, for beside a form."""
    sentences = [f"{row['action']}: {row['gains']}" for row in rows_of(preview) if row["gains"]]
    return [*sentences, *lines_of(preview)]


def _people(side: Mapping[str, Any]) -> str:
    """Say who: classes of people, and how many holders of a grant; names of holders stand nowhere."""
    parts = [str(_class(name)) for name in side["classes"]]
    if holders := len(side["holders"]):
        parts.append(ngettext("%(n)d holder of a grant", "%(n)d holders of a grant", holders) % {"n": holders})
    if not parts:
        return ""
    accounts = side["accounts"]
    counted = ngettext("%(n)d account", "%(n)d accounts", accounts) % {"n": accounts}
    return f"{', '.join(parts)} ({counted})"


def _class(name: str) -> Word:
    words: dict[str, Word] = {"anonymous": _("visitors without account"), SIGNED_IN: _("everyone signed in")}
    return words.get(name) or role_word(name.removeprefix(ROLE))
