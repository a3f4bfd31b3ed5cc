"""What the services around a proposal share: the proposal under a lock, its policy, and its name in the record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from release_portal.core.decisions import Decision
from release_portal.core.errors import InvalidInput, NotFound, error_of
from release_portal.releases.consultation_rules import text_problem
from release_portal.releases.models import Proposal
from release_portal.releases.services import size_subject

LONGEST_REASON = 5_000


def locked_proposal(proposal_id: int, may: Callable[[str, str], Decision], rule: str) -> Proposal:
    """Return a proposal for writing beside it, so that nothing is added while it is being locked or closed.

    Args:
        proposal_id: primary key; the interface has found that the actor may see it.
        may: `may_prepare` or `may_go_on`.
        rule: what is being done, e.g. `waiver: ask`.
    """
    proposal = (
        Proposal.objects.select_for_update(of=("self",))
        .select_related("policy", "size", "size__family")
        .filter(pk=proposal_id)
        .first()
    )
    if proposal is None:
        raise NotFound("There is no such proposal.", change="The page of a size lists its proposals.")
    check(may(proposal.state, rule))
    return proposal


def check(decision: Decision) -> None:
    """Raise what a refusal says."""
    if not decision:
        raise error_of(decision)


def check_input(field: str, problem: str, change: str = "") -> None:
    """Refuse an input for which a rule has named a problem."""
    if problem:
        raise InvalidInput(problem, field=field, change=change)


def needed_text(field: str, text: str, change: str) -> str:
    """Return a reason without its margins; refuse one that is empty, too long, or no text."""
    check_input(field, text_problem(text, LONGEST_REASON), change)
    return text.strip()


def subject_of(proposal: Proposal) -> str:
    """Return how the record names what happens around a proposal: by its size, whose timeline shows it."""
    return size_subject(proposal.size.slug)


def named(proposal: Proposal, **more: Any) -> dict[str, Any]:
    """Return the data of an event, with the proposal to which it belongs."""
    return {"proposal": proposal.pk, **more}


def path_of(proposal: Proposal) -> str:
    """Return the address of the page on which a proposal is followed."""
    return f"/proposals/{proposal.pk}/"


def workspace_path_of(proposal: Proposal) -> str:
    """Return the address of the page on which an external reviewer works."""
    return f"{path_of(proposal)}review/"
