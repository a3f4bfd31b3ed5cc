"""Watch what was carried out: monitors are assessed again, a failure holds the size, the end completes the proposal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction

from release_portal.core.actors import Actor
from release_portal.core.errors import PortalError
from release_portal.evidence.measurers import measurer_of
from release_portal.evidence.services import measure_evidence
from release_portal.releases.assessments import assess_proposal, gate_of
from release_portal.releases.executions import complete, mark_rolled_back
from release_portal.releases.gate_policy import STEP_DOWN
from release_portal.releases.gates import Outcome, Result
from release_portal.releases.hold_services import raise_hold
from release_portal.releases.ladder import neighbours
from release_portal.releases.models import Hold, Proposal, Standing
from release_portal.releases.proposal_lookups import served_digest
from release_portal.releases.proposal_steps import locked, record_step
from release_portal.releases.services import set_stage

# What the portal measures by itself is measured again when the last figure is older than this.
MEASURE_EVERY = timedelta(days=1)


def observe_proposals(actor: Actor, *, at: datetime) -> int:
    """Assess the monitors of everything that is being observed; return how many proposals were completed."""
    waiting = Proposal.objects.filter(state="observing").values_list("pk", flat=True)
    return sum(_observe(actor, proposal_id, at) for proposal_id in list(waiting))


def _observe(actor: Actor, proposal_id: int, at: datetime) -> bool:
    proposal = Proposal.objects.select_related("size__standing", "policy").get(pk=proposal_id)
    _measure_again(actor, proposal, at)
    with transaction.atomic():
        proposal = locked(proposal_id)
        if proposal.state != "observing":
            return False
        failing = failing_monitors(proposal, at)
        for name, sentence, on_fail in failing:
            _respond(actor, proposal, name, sentence, on_fail, at)
        if failing or proposal.state != "observing" or proposal.soak_until is None or at < proposal.soak_until:
            return False
        complete(proposal, actor, at)
    return True


def failing_monitors(proposal: Proposal, at: datetime) -> list[tuple[str, str, str]]:
    """Return each monitor that does not pass: its name, why, and what the policy does then.

    Inconclusive and stale count as failures: nothing goes on without an answer.
    """
    names = gate_of(proposal).monitors
    results = [result for result in assess_proposal(proposal, at).results if result.criterion.id in names]
    found = [
        (result.criterion.id, _sentence(result), result.criterion.on_fail)
        for result in results
        if result.outcome not in (Outcome.PASS, Outcome.WAIVED)
    ]
    return _drifted_weights(proposal) + found


def _drifted_weights(proposal: Proposal) -> list[tuple[str, str, str]]:
    lock = proposal.locks.filter(voided_at=None).first()
    if lock is None or lock.material["manifest"] == served_digest(proposal.size):
        return []
    return [
        ("weights", "Monitor weights is fail: the weights that are served are not those that were approved.", "hold")
    ]


def _sentence(result: Result) -> str:
    return f"Monitor {result.criterion.id} is {result.outcome.value.replace('_', ' ')}: {result.reason}"


def _respond(actor: Actor, proposal: Proposal, name: str, sentence: str, on_fail: str, at: datetime) -> None:
    """Do what the policy says, once for each failure: step down, else hold."""
    if on_fail == STEP_DOWN and _may_step_down(proposal):
        _step_down(actor, proposal, sentence, at)
        return
    if not _is_answered(actor, proposal, name, at):
        raise_hold(actor, proposal.size, reason=sentence, at=at)
        record_step("monitor", actor, proposal, at, sentence, {"monitor": name})


def _is_answered(actor: Actor, proposal: Proposal, name: str, at: datetime) -> bool:
    """Whether a hold for this monitor is open, or people released one within a day."""
    mine = Hold.objects.filter(size=proposal.size, raised_by_id=actor.id, reason__startswith=f"Monitor {name} ")
    return mine.open().exists() or mine.filter(raised_at__gt=at - MEASURE_EVERY).exists()


def _may_step_down(proposal: Proposal) -> bool:
    return proposal.to_stage.is_reversible and proposal.size.standing.stage == proposal.target


def _step_down(actor: Actor, proposal: Proposal, sentence: str, at: datetime) -> None:
    below = neighbours(proposal.target)[0]
    if below is None:
        return
    standing = Standing.objects.select_for_update().get(size=proposal.size)
    set_stage(actor, standing, below.slug, kind="stage.stepped_down", reason=sentence, at=at, granted=below.slug)
    mark_rolled_back(actor, proposal.size, below.slug, at=at)
    proposal.refresh_from_db()


def _measure_again(actor: Actor, proposal: Proposal, at: datetime) -> None:
    """Measure anew what the portal can measure by itself and has not for a day; outside of any lock."""
    for name in _due(gate_of(proposal).monitors, proposal, at):
        measure = measurer_of(name)
        if measure is None:
            continue
        try:
            draft = measure(proposal.size, at)
            measure_evidence(actor, proposal.size, draft, at=at)
        except PortalError:
            continue  # what cannot be measured becomes stale, and the monitor says so


def _due(names: Sequence[str], proposal: Proposal, at: datetime) -> list[str]:
    newest = {result.criterion.id: result.evidence_id for result in assess_proposal(proposal, at).results}
    fresh = set(
        proposal.size.evidence.filter(
            pk__in=[pk for pk in newest.values() if pk], measured_at__gt=at - MEASURE_EVERY
        ).values_list("criterion", flat=True)
    )
    return [name for name in names if name not in fresh]
