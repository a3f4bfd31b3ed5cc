"""Who may recall weights (R6), answer a recall, and close it (pure)."""

from __future__ import annotations

from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision, allow, may_not
from release_portal.core.lifecycle import Lifecycle, command

OPEN, CLOSED = "open", "closed"
RECALL_STAFF = ("duty_officer", "release_manager")

RECALL = Lifecycle(
    "recall",
    (OPEN, CLOSED),
    (
        command("add", "open", None, " ".join(RECALL_STAFF), "a recipient that no grant names"),
        command("acknowledge", "open", None, " ".join(("recipient", *RECALL_STAFF)), "the notice has been read"),
        command("delete", "open", None, " ".join(("recipient", *RECALL_STAFF)), "a signed statement of deletion"),
        command("close", "open", CLOSED, " ".join(RECALL_STAFF), "with a note on what could not be reached"),
    ),
)


def may_open(actor: Actor) -> Decision:
    """Decide whether the actor may recall the weights of a size."""
    rule = "recall: open"
    if actor.scopes is None and actor.has_role(*RECALL_STAFF):
        return allow("one_person", "One person is enough to ask for weights back.", rule)
    return may_not("role", "Weights are recalled by a duty officer or release manager.", rule, "Ask one of them.")


def decide_command(name: str, state: str, actor: Actor, recipient_id: str = "") -> Decision:
    """Decide whether the actor may give a command on a recall; recipients answer their own notice only."""
    if actor.scopes is not None:
        return RECALL.decide(name, state, frozenset())
    own = {"recipient"} if actor.is_person and actor.id == recipient_id else set()
    return RECALL.decide(name, state, actor.roles | own)


def percent_confirmed(total: int, deleted: int) -> int:
    """Return how much of the recipients have stated deletion, rounded down; all of none is none."""
    return 100 * deleted // total if total else 0
