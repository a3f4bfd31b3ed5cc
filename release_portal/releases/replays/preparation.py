"""Prepare a record for an assessment: which criteria it can answer, with which facts, and what it leaves open (pure).

The assessment itself is that of the portal. Only here is a criterion read more mildly than the policy states it, each
time with a marker that says so; the markers travel with the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from release_portal.evidence.facts import ACCEPTED, EvidenceFacts
from release_portal.releases.gate_facts import GateFacts
from release_portal.releases.gate_policy import COMPUTED, Criterion, Gate, ReleasePolicy
from release_portal.releases.ladder import stage_of
from release_portal.releases.replays.record import THING, Opening, Piece, Record

FIRST, TARGET = "registered", "open_weights"
CARD_RULE, PARTNER_RULE, REVIEW_RULE = "card_lint", "partner_reports", "external_reviews"
# Rules that the dates of the openings answer, and rules that pieces of the record answer.
DATE_RULES = frozenset({"days_since_smaller", "smaller_size"})
PIECE_RULES = frozenset({CARD_RULE, PARTNER_RULE, REVIEW_RULE})

POINT_VALUE = "Compared by its point value: the record gives no interval."
NO_COUNT = "The record does not say how many were measured."
NO_SUBJECT = "The record does not name the digest of the weights."
SILENT = "The record says nothing on it."
NO_FIGURE = "The record states it in words; the policy asks for a figure."
OTHER_RULE = "The record knows no stages, votes or windows of this portal from which it could be computed."


@dataclass(frozen=True)
class Prepared:
    """What one assessment of a replay rests on.

    Args:
        gate: the criteria that the record can answer, as mild as its evidence demands.
        facts: what the record holds.
        at: time of the assessment.
        pieces: the piece that answers a criterion, by criterion id; what is answered by its absence has none.
        markers: sentences on what was read more mildly, by criterion id.
    """

    gate: Gate
    facts: GateFacts
    at: datetime
    pieces: Mapping[str, Piece]
    markers: Mapping[str, tuple[str, ...]]


def union_gate(policy: ReleasePolicy) -> Gate:
    """Return all criteria of the gates up to open weights as one gate; a wider gate overrides a narrower one."""
    limit = stage_of(TARGET).ordinal
    places = [(stage_of(gate.target).ordinal, stage_of(gate.source).ordinal, gate) for gate in policy.gates]
    upward = sorted((one for one in places if one[1] < one[0] <= limit), key=lambda one: one[:2])
    criteria = {criterion.id: criterion for _target, _source, gate in upward for criterion in gate.criteria}
    last = upward[-1][2] if upward else None
    return Gate(
        source=FIRST,
        target=TARGET,
        criteria=tuple(criteria[name] for name in sorted(criteria)),
        approvals=last.approvals if last else (),
        cool_off=last.cool_off if last else timedelta(),
        soak=last.soak if last else timedelta(),
        is_irreversible=True,
    )


def why_not_assessable(record: Record, criterion: Criterion, opening: Opening) -> str:
    """Return why the record cannot answer the criterion for this size; empty when it can."""
    if criterion.source == COMPUTED and criterion.rule in DATE_RULES:
        return ""
    if _readable(record, criterion, opening):
        return ""
    if any(piece.criterion == criterion.id for piece in record.about_size(opening.size)):
        return NO_FIGURE if criterion.source != COMPUTED else OTHER_RULE
    gap = record.gap(criterion.id, opening.size)
    if gap is not None:
        return gap.reason
    return OTHER_RULE if criterion.source == COMPUTED and criterion.rule not in PIECE_RULES else SILENT


def prepare(record: Record, gate: Gate, opening: Opening, day: date, known_by: date | None) -> Prepared:
    """Return what an assessment of this opening rests on.

    Args:
        record: what is known.
        gate: criteria of the policy.
        opening: the opening that is assessed.
        day: the day on which it is assessed: things that came later were not there.
        known_by: the last day of which findings count; None: all of them, whenever they became known.
    """
    asked = [one for one in gate.criteria if not why_not_assessable(record, one, opening)]
    pieces: dict[str, Piece] = {}
    for criterion in asked:
        there = [one for one in _readable(record, criterion, opening) if _counts(one, day, known_by)]
        if there:
            pieces[criterion.id] = there[-1]
    milder = {criterion.id: _milder(criterion, pieces.get(criterion.id)) for criterion in asked}
    return Prepared(
        gate=replace(gate, criteria=tuple(milder[one.id][0] for one in asked)),
        facts=_facts(record, asked, pieces, opening, day),
        at=noon(day),
        pieces=pieces,
        markers={name: markers for name, (_criterion, markers) in milder.items()},
    )


def noon(day: date) -> datetime:
    """Return the moment of a day at which everything is assessed, so that days between days are whole."""
    return datetime.combine(day, time(12), UTC)


def _readable(record: Record, criterion: Criterion, opening: Opening) -> list[Piece]:
    """Return the pieces that can answer the criterion, the earliest first."""
    pieces = [piece for piece in record.about_size(opening.size) if piece.criterion == criterion.id]
    if criterion.source == COMPUTED:
        return pieces if criterion.rule in PIECE_RULES else []
    if criterion.items:
        return []
    return [piece for piece in pieces if criterion.threshold is None or piece.value is not None]


def _counts(piece: Piece, day: date, known_by: date | None) -> bool:
    if piece.nature == THING:
        return piece.on <= day
    return known_by is None or piece.on <= known_by


def _milder(criterion: Criterion, piece: Piece | None) -> tuple[Criterion, tuple[str, ...]]:
    """Return the criterion as this piece can answer it, and a marker for everything that is read more mildly."""
    if piece is None:
        return criterion, ()
    markers = [piece.caveat] if piece.caveat else []
    if criterion.source == COMPUTED:
        return criterion, tuple(markers)
    if criterion.ci_side and piece.ci_low is None:
        criterion, markers = replace(criterion, ci_side=""), [*markers, POINT_VALUE]
    if criterion.min_n and piece.n is None:
        criterion, markers = replace(criterion, min_n=0), [*markers, NO_COUNT]
    if criterion.needs_subject:
        criterion, markers = replace(criterion, needs_subject=False), [*markers, NO_SUBJECT]
    return criterion, tuple(markers)


def _facts(
    record: Record, asked: list[Criterion], pieces: Mapping[str, Piece], opening: Opening, day: date
) -> GateFacts:
    by_rule = {one.rule: pieces[one.id] for one in asked if one.source == COMPUTED and one.id in pieces}
    smaller = record.smaller(opening)
    is_open = smaller is not None and smaller.opened_on <= day
    kinds = {one.id: one.kind for one in asked if one.source != COMPUTED}
    return GateFacts(
        size=opening.size,
        stage=FIRST,
        stage_since=noon(record.openings[0].opened_on),
        evidence={name: _evidence(piece, kinds[name], day) for name, piece in pieces.items() if name in kinds},
        card_number=1 if CARD_RULE in by_rule else None,
        smaller=(smaller.label, TARGET if is_open else FIRST) if smaller else None,
        smaller_since=noon(smaller.opened_on) if smaller and is_open else None,
        partner_reports=_count(by_rule.get(PARTNER_RULE)),
        external_reviews=_count(by_rule.get(REVIEW_RULE)),
    )


def _count(piece: Piece | None) -> int:
    """Return how many reports a piece stands for: its value, or one."""
    return int(piece.value or 1) if piece else 0


def _evidence(piece: Piece, kind: str, day: date) -> EvidenceFacts:
    """Return a piece as evidence; a thing that is there is as fresh as the day, a later finding cannot be too old."""
    return EvidenceFacts(
        id=0,
        criterion=piece.criterion,
        kind=kind,
        summary=piece.summary,
        measured_at=noon(day if piece.nature == THING else min(piece.on, day)),
        value=piece.value,
        ci_low=piece.ci_low,
        ci_high=piece.ci_high,
        n=piece.n,
        signer=piece.source.text,
        review=ACCEPTED,
    )
