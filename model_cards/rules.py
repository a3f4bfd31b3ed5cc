"""Who may edit a card? (pure)"""

from __future__ import annotations

from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision, allow, may_not

EDITORS = ("release_manager", "safety_reviewer")
RULE = "model cards: edit"


def may_edit_card(actor: Actor) -> Decision:
    """Decide whether an actor may publish a version of a card.

    Args:
        actor: who asks; a token never edits, the system writes first cards.
    """
    if actor.is_system:
        return allow("system", "The system writes first cards from the catalogue.", RULE)
    if actor.scopes is not None:
        return may_not("token", "A token cannot edit cards.", RULE, "Sign in and edit the card in the browser.")
    if not actor.has_role(*EDITORS):
        names = " or ".join(role.replace("_", " ") for role in EDITORS)
        return may_not("role", f"Cards are edited by a {names}.", RULE, "Tell a release manager what should change.")
    return allow("editor", "Release managers and safety reviewers edit cards.", RULE)
