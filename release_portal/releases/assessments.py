"""Load what gates need to know and assess: one size or a thousand, in a constant number of queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Prefetch

from model_cards.lookups import errors_for, newest_cards
from model_cards.models import CardVersion
from release_portal.evidence.facts import EvidenceFacts
from release_portal.evidence.lookups import newest_evidence
from release_portal.registry.models import ModelSize, Revision
from release_portal.releases.gate_policy import Gate, ReleasePolicy
from release_portal.releases.gates import Assessment, GateFacts, WindowFacts, assess
from release_portal.releases.ladder import neighbours, stage_of
from release_portal.releases.models import (
    Comment,
    Lock,
    PartnerReport,
    Proposal,
    StageEntry,
    Standing,
    Vote,
)
from release_portal.releases.models.consultation import COMMENT, NOTICE
from release_portal.releases.policy_services import policies_in_force, policy_of
from release_portal.releases.proposal_rules import fast_gate
from release_portal.releases.vote_rules import OBJECT


@dataclass(frozen=True)
class Case:
    """One question for the gate: this size, through this gate, under this proposal if there is one."""

    size: ModelSize
    gate: Gate
    proposal: Proposal | None = None


def gate_of(proposal: Proposal) -> Gate:
    """Return the gate of a proposal: its own policy's, or the fast path's."""
    policy = policy_of(proposal.policy)
    if proposal.is_fast_path:
        return fast_gate(policy, proposal.source, proposal.target)
    gate = policy.gate(proposal.source, proposal.target)
    if gate is None:
        raise LookupError(f"{proposal} has no gate in its policy")  # open_proposal refuses this
    return gate


def assess_proposal(proposal: Proposal, at: datetime) -> Assessment:
    """Return how the gate of a proposal stands at that time."""
    case = Case(proposal.size, gate_of(proposal), open_proposals([proposal.size], only=proposal.pk)[proposal.size_id])
    return assess(case.gate, gate_facts([case], at)[proposal.size_id], at)


def next_assessments(sizes: Sequence[ModelSize], at: datetime) -> dict[int, Assessment]:
    """Return for each size how its next gate stands: the open proposal's, else the one to the next stage."""
    cases = next_cases(sizes, at)
    facts = gate_facts(cases, at)
    return {case.size.pk: assess(case.gate, facts[case.size.pk], at) for case in cases}


def next_cases(sizes: Sequence[ModelSize], at: datetime) -> list[Case]:
    """Return the gate that each size stands before; a size on the widest stage, or one that ended, has none."""
    proposals, policies = open_proposals(sizes), policies_in_force(sizes, at)
    cases = []
    for size in sizes:
        proposal = proposals.get(size.pk)
        gate = gate_of(proposal) if proposal else _next_gate(policies.get(size.pk), size.standing)
        if gate is not None and not size.standing.ending:
            cases.append(Case(size, gate, proposal))
    return cases


def _next_gate(policy: ReleasePolicy | None, standing: Standing) -> Gate | None:
    above = neighbours(standing.stage)[1]
    return policy.gate(standing.stage, above.slug) if policy and above else None


def open_proposals(sizes: Sequence[ModelSize], *, only: int | None = None) -> dict[int, Proposal]:
    """Return the open proposal of each size, with all that an assessment reads of it.

    Args:
        sizes: the sizes asked about.
        only: primary key of one proposal, open or not, instead.
    """
    objections = Vote.objects.standing().filter(verdict=OBJECT, answered_at=None)
    comments = Comment.objects.filter(is_objection=True, answered_at=None, hidden_at=None)
    found = Proposal.objects.filter(size__in=[size.pk for size in sizes])
    found = found.open() if only is None else found.filter(pk=only)
    found = found.select_related("policy").prefetch_related(
        "waivers",
        "external_reviews",
        Prefetch("windows__comments", queryset=comments, to_attr="open_objections"),
        Prefetch("locks", queryset=Lock.objects.filter(voided_at=None)),
        Prefetch("locks__votes", queryset=objections, to_attr="objections"),
    )
    return {proposal.size_id: proposal for proposal in found}


def gate_facts(cases: Sequence[Case], at: datetime) -> dict[int, GateFacts]:
    """Return the facts of every case by the size's key; each kind of fact costs one query for all of them."""
    sizes = [case.size for case in cases]
    evidence, cards = newest_evidence(sizes), newest_cards(sizes)
    errors = errors_for({case.size.pk: case.gate.target for case in cases}, cards)
    digests = _digests(sizes)
    smaller = _smaller(sizes)
    reached = _reached({case.size.pk: (smaller[case.size.pk], case.gate.target) for case in cases})
    reports = _reports(sizes)
    return {
        case.size.pk: _facts_of(
            case,
            GateFacts(
                size=case.size.slug,
                stage=case.size.standing.stage,
                stage_since=case.size.standing.since,
                served_digest=digests.get(case.size.pk, ""),
                evidence=_still_counting(case, evidence.get(case.size.pk, {})),
                lint_errors=errors[case.size.pk],
                card_number=_number(cards.get(case.size.pk)),
                smaller=_named(smaller[case.size.pk]),
                smaller_since=reached[case.size.pk],
                partner_reports=reports.get(case.size.pk, (0, 0))[0],
                adverse_reports=reports.get(case.size.pk, (0, 0))[1],
            ),
        )
        for case in cases
    }


def _facts_of(case: Case, facts: GateFacts) -> GateFacts:
    """Add what the proposal brings: waivers, windows, external reviews, objections of voters."""
    proposal = case.proposal
    if proposal is None:
        return facts
    windows = {window.kind: window for window in proposal.windows.all()}
    votes = [vote for lock in proposal.locks.all() for vote in _objections(lock)]
    return replace(
        facts,
        waivers={waiver.criterion: waiver.ends_at for waiver in proposal.waivers.all() if waiver.granted_at},
        comment_window=_window(windows.get(COMMENT)),
        notice=_window(windows.get(NOTICE)),
        external_reviews=sum(1 for review in proposal.external_reviews.all() if review.deposited_at),
        open_objections=len(votes),
    )


def _objections(lock: Lock) -> list[Vote]:
    return list(getattr(lock, "objections", []))


def _window(window: object) -> WindowFacts | None:
    if window is None:
        return None
    return WindowFacts(window.opened_at, window.closes_at, len(window.open_objections))  # type: ignore[attr-defined]


def _still_counting(case: Case, evidence: Mapping[str, EvidenceFacts]) -> Mapping[str, EvidenceFacts]:
    """On the fast path only what was measured after the roll-back counts."""
    proposal = case.proposal
    if proposal is None or not proposal.is_fast_path:
        return evidence
    since = case.size.standing.since
    return {name: facts for name, facts in evidence.items() if facts.measured_at >= since}


def _number(card: CardVersion | None) -> int | None:
    return card.number if card else None


def _digests(sizes: Sequence[ModelSize]) -> dict[int, str]:
    current = Revision.objects.filter(size__in=[size.pk for size in sizes], is_current=True)
    return dict(current.values_list("size_id", "digest"))


def _smaller(sizes: Sequence[ModelSize]) -> dict[int, ModelSize | None]:
    """Return the next smaller size of each size's family."""
    families = {size.family_id for size in sizes}
    members: dict[int, list[ModelSize]] = {}
    for size in ModelSize.objects.filter(family__in=families).select_related("standing").order_by("ordinal"):
        members.setdefault(size.family_id, []).append(size)
    return {
        size.pk: next((one for one in reversed(members[size.family_id]) if one.ordinal < size.ordinal), None)
        for size in sizes
    }


def _named(smaller: ModelSize | None) -> tuple[str, str] | None:
    return (smaller.slug, smaller.standing.stage) if smaller and not smaller.standing.ending else None


def _reached(asked: Mapping[int, tuple[ModelSize | None, str]]) -> dict[int, datetime | None]:
    """Return since when each smaller size has stood at the target stage or wider without a break."""
    keys = {smaller.pk for smaller, _target in asked.values() if smaller}
    entries: dict[int, list[tuple[int, datetime]]] = {}
    rows = StageEntry.objects.filter(size__in=keys).order_by("id").values_list("size_id", "ordinal", "entered_at")
    for key, ordinal, entered_at in rows:
        entries.setdefault(key, []).append((ordinal, entered_at))
    return {
        key: _unbroken(entries.get(smaller.pk, []), stage_of(target).ordinal) if smaller else None
        for key, (smaller, target) in asked.items()
    }


def _unbroken(entries: Sequence[tuple[int, datetime]], least: int) -> datetime | None:
    since: datetime | None = None
    for ordinal, entered_at in entries:
        if ordinal < least:
            since = None
        elif since is None:
            since = entered_at
    return since


def _reports(sizes: Sequence[ModelSize]) -> dict[int, tuple[int, int]]:
    """Return how many partner reports each size has: not adverse, and adverse without an answer."""
    counts: dict[int, tuple[int, int]] = {}
    rows = PartnerReport.objects.filter(size__in=[size.pk for size in sizes])
    for key, is_adverse, answered_at in rows.values_list("size_id", "is_adverse", "answered_at"):
        good, bad = counts.get(key, (0, 0))
        is_open = is_adverse and answered_at is None
        counts[key] = (good + (not is_adverse), bad + is_open)
    return counts
