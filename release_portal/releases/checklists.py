"""The safety checklist of a proposal: signed while the proposal may still lead to a move."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import error_of
from release_portal.evidence.checklist import Answer
from release_portal.evidence.checklist_services import save_checklist
from release_portal.evidence.models import ChecklistVersion
from release_portal.evidence.rules import may_sign_checklist
from release_portal.releases.models import Proposal
from release_portal.releases.preparation import locked_proposal
from release_portal.releases.preparation_rules import may_go_on
from release_portal.releases.proposal_lookups import proposal_subject

SIGN = "checklist: sign"


@transaction.atomic
def sign_checklist(
    actor: Actor, proposal_id: int, answers: Mapping[str, Answer], *, expected_number: int, at: datetime
) -> ChecklistVersion:
    """Sign the next version of a proposal's checklist.

    Args:
        proposal_id: primary key; the interface has found that the actor may see it.
        answers: answer by item id.
        expected_number: number of the version that the form showed; 0 for none.

    Raises:
        NotAllowed, NotNow: the actor may not sign; the proposal has ended.
        StaleVersion: somebody signed another version meanwhile.
        UnfitChecklist: an answer cannot be stored, named item by item.
    """
    decision = may_sign_checklist(actor)
    if not decision:
        raise error_of(decision)
    proposal = locked_proposal(proposal_id, may_go_on, SIGN)
    subject = proposal_subject(proposal)
    return save_checklist(actor, proposal.size, subject, answers, expected_number=expected_number, at=at)


def decide_signing(actor: Actor, proposal: Proposal) -> Decision:
    """Decide whether the actor may sign: by role first, then by whether the proposal goes on."""
    decision = may_sign_checklist(actor)
    return may_go_on(proposal.state, SIGN) if decision else decision
