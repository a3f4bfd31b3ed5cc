"""What the page of one proposal shows: where it stands, what waits for the reader, the gate, the votes, the history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from release_portal.audit.models import AuditEvent
from release_portal.core.actors import Actor
from release_portal.evidence.checklist import ITEMS, unanswered
from release_portal.evidence.lookups import decide_attach, newest_checklist
from release_portal.evidence.measurers import measurable
from release_portal.pages import effects, showing
from release_portal.pages.words_proposals import WAITS, part_word, role_word, state_pill, verdict_pill
from release_portal.releases.assessments import assess_proposal, gate_of
from release_portal.releases.external_reviews import review_of
from release_portal.releases.gate_policy import EVIDENCE, Gate, ReleasePolicy
from release_portal.releases.gates import Assessment, Result
from release_portal.releases.models import Lock, Proposal, Vote, Waiver
from release_portal.releases.policy_services import policies_in_force, policy_diff, policy_of
from release_portal.releases.proposal_lookups import (
    events_of,
    material_of,
    proposal_subject,
    tally_of,
    votes_visible_to,
)
from release_portal.releases.proposal_rules import drift_of
from release_portal.releases.vote_rules import Place, Tally
from release_portal.releases.votes import UNDER_VOTE
from release_portal.releases.waivers import facts_of, people_needed_for, waivers_of

# Votes have a rule of their own about who may read them.
HIDDEN = ("proposal.voted", "proposal.answered")


@dataclass(frozen=True)
class Case:
    """One proposal as one reader sees it at one time; each part is loaded once.

    Args:
        actor: who reads.
        proposal: with size, standing, family and policy.
        at: the time of reading.
    """

    actor: Actor
    proposal: Proposal
    at: datetime

    @cached_property
    def gate(self) -> Gate:
        """What is asked for."""
        return gate_of(self.proposal)

    @cached_property
    def assessment(self) -> Assessment:
        """How each criterion stands."""
        return assess_proposal(self.proposal, self.at)

    @cached_property
    def locks(self) -> list[Lock]:
        """Every lock, newest first."""
        return list(self.proposal.locks.prefetch_related("votes"))

    @property
    def lock(self) -> Lock | None:
        """The lock in force, if there is one."""
        return next((lock for lock in self.locks if lock.voided_at is None), None)

    @cached_property
    def drift(self) -> tuple[str, ...]:
        """What differs now from what was locked, apart from an objection that waits for its answer."""
        found = drift_of(self.lock.material, material_of(self.proposal, self.assessment)) if self.lock else ()
        return tuple(part for part in found if part not in UNDER_VOTE)

    @cached_property
    def tally(self) -> Tally:
        """The state of the vote."""
        return tally_of(self.proposal)

    @cached_property
    def waivers(self) -> list[Waiver]:
        """Every waiver, with who agreed."""
        return waivers_of(self.proposal)

    @cached_property
    def unanswered(self) -> list[int]:
        """Ids of the checklist's items that are not answered."""
        newest = newest_checklist(self.proposal.size, proposal_subject(self.proposal))
        return unanswered(newest.answers if newest else {})

    @cached_property
    def newer_policy(self) -> ReleasePolicy | None:
        """The policy in force, where it is not the one of the proposal."""
        found = policies_in_force([self.proposal.size], self.at).get(self.proposal.size_id)
        return found if found and found.digest != self.proposal.policy_id else None

    @property
    def url(self) -> str:
        """Address of the page."""
        return reverse("proposal", args=[self.proposal.pk])


def crumbs_of(proposal: Proposal, label: str = "") -> list[dict[str, str]]:
    """Return the way to a page of a proposal; the label names a page below the proposal's own."""
    size, title = proposal.size, title_of(proposal)
    crumbs = [
        {"label": _("Proposals"), "url": reverse("proposals")},
        {"label": size.name, "url": showing.address("size", size)},
    ]
    if not label:
        return [*crumbs, {"label": title, "url": ""}]
    return [*crumbs, {"label": title, "url": reverse("proposal", args=[proposal.pk])}, {"label": label, "url": ""}]


def title_of(proposal: Proposal) -> str:
    """Return the name of a proposal."""
    return _("Proposal %(number)s") % {"number": proposal.pk}


def head_of(proposal: Proposal) -> dict[str, Any]:
    """Return what stands on top of each page of a proposal."""
    return {
        "proposal": proposal,
        "size": proposal.size,
        "state": state_pill(proposal.state),
        "title": title_of(proposal),
        "marks": showing.marks_of(proposal.size.holds.open()),
    }


def context_of(case: Case) -> dict[str, Any]:
    """Return everything that the page shows beside its forms."""
    proposal = case.proposal
    return {
        **head_of(proposal),
        "breadcrumbs": crumbs_of(proposal),
        "lock": case.lock,
        "drift": [part_word(part) for part in case.drift],
        "waits": waits_of(case),
        "dates": _dates(proposal),
        "gate": _gate_rows(case),
        "votes": _votes(case),
        "lock_changes": _lock_changes(case.locks),
        "policy_changes": _policy_changes(case),
        "effect": effects.effect_of(case.lock.preview if case.lock else {}, proposal, case.at),
        "waivers": [_waiver(case, one) for one in case.waivers],
        "windows": list(proposal.windows.all()),
        "reviews": list(proposal.external_reviews.all()),
        "own_review": review_of(case.actor, proposal),
        "checklist": {"missing": len(case.unanswered), "all": len(ITEMS)},
        "history": history_of(proposal),
    }


# --- Where it stands -------------------------------------------------------------------------------------------------


def waits_of(case: Case) -> dict[str, Any]:
    """Say what the proposal waits for, and for whom: the roles that vote, for readers of votes those still missing."""
    what, who = WAITS[case.proposal.state]
    is_shown = bool(votes_visible_to(case.actor, case.proposal))
    missing = [role_word(place.role) for place in case.tally.places if not (is_shown and place.is_filled)]
    return {"what": what, "who": who or ", ".join(missing) or _("an answer to what is open")}


def row_of(proposal: Proposal, at: datetime) -> dict[str, Any]:
    """Return a proposal as a row of the list."""
    what, who = WAITS[proposal.state]
    end = proposal.closed_at or at
    return {
        "proposal": proposal,
        "state": state_pill(proposal.state),
        "what": what,
        "who": who or _("those who vote"),
        "days": max((end - proposal.opened_at).days, 0),
    }


def _dates(proposal: Proposal) -> list[tuple[str, datetime | None, str]]:
    rows = [
        (_("Opened"), proposal.opened_at, proposal.opened_by),
        (_("Approved"), proposal.approved_at, ""),
        (_("Cool-off ends"), proposal.cool_off_until, ""),
        (_("Not before"), proposal.execute_after, ""),
        (_("Carried out"), proposal.executed_at, proposal.executed_by),
        (_("Observed until"), proposal.soak_until, ""),
        (_("Closed"), proposal.closed_at, proposal.closing_reason),
    ]
    return [row for row in rows if row[1] is not None]


# --- The gate --------------------------------------------------------------------------------------------------------


def _gate_rows(case: Case) -> dict[str, Any]:
    rows = [_gate_row(case, result) for result in case.assessment.results]
    return {
        "unmet": [row for row in rows if not row["result"].is_met],
        "met": [row for row in rows if row["result"].is_met],
        "is_open": case.assessment.may_advance,
    }


def _gate_row(case: Case, result: Result) -> dict[str, Any]:
    criterion, size = result.criterion, case.proposal.size
    may_attach = bool(decide_attach(case.actor)) and criterion.source == EVIDENCE
    args = [size.lab_slug, size.size_slug, criterion.id]
    return {
        "result": result,
        "outcome": result.outcome.value,
        "owner": role_word(criterion.owner),
        "attach_url": reverse("evidence-attach", args=args) if may_attach else "",
        "measure_url": reverse("evidence-measure", args=args) if may_attach and criterion.id in measurable() else "",
    }


def _waiver(case: Case, waiver: Waiver) -> dict[str, Any]:
    return {
        "waiver": waiver,
        "state": facts_of(case.proposal, waiver).state(case.at),
        "votes": list(waiver.votes.all()),
        "needed": people_needed_for(case.proposal),
    }


# --- Votes -----------------------------------------------------------------------------------------------------------


def _votes(case: Case) -> dict[str, Any]:
    """Return places and votes; what the reader may not see yet is not in it at all."""
    decision = votes_visible_to(case.actor, case.proposal)
    lock = case.lock
    standing = [vote for vote in (lock.votes.all() if lock else ()) if vote.replaced_at is None]
    return {
        "decision": decision,
        "places": [_place(place, is_shown=bool(decision)) for place in case.tally.places],
        "votes": [_vote(vote) for vote in standing] if decision else [],
        "void": sum(len(one.votes.all()) for one in case.locks if one.voided_at is not None),
    }


def _place(place: Place, *, is_shown: bool) -> dict[str, Any]:
    people = place.people if is_shown else ()
    return {
        "role": role_word(place.role),
        "needed": place.needed,
        "filled": len(people) if is_shown else None,
        "people": ", ".join(people),
        "outcome": "pass" if is_shown and place.is_filled else "not_run",
    }


def _vote(vote: Vote) -> dict[str, Any]:
    return {"vote": vote, "role": role_word(vote.role), "verdict": verdict_pill(vote.verdict)}


# --- What changed ----------------------------------------------------------------------------------------------------


def _lock_changes(locks: list[Lock]) -> dict[str, Any] | None:
    """Compare the two newest locks: parts, and criteria whose result is another one."""
    if len(locks) < 2:
        return None
    new, old = locks[0], locks[1]
    before, after = (_by_criterion(lock.results) for lock in (old, new))
    changed = [name for name in sorted({*before, *after}) if _outcome(before, name) != _outcome(after, name)]
    parts = [part for part in drift_of(old.material, new.material) if part not in {*before, *after}]
    return {
        "old": old,
        "new": new,
        "parts": [part_word(part) for part in parts],
        "criteria": [_changed(name, before, after) for name in changed],
    }


def _by_criterion(results: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {result["criterion"]: result for result in results}


def _outcome(results: Mapping[str, dict[str, Any]], name: str) -> tuple[Any, ...]:
    found = results.get(name, {})
    return found.get("outcome"), found.get("evidence_digest")


def _changed(name: str, before: Mapping[str, dict[str, Any]], after: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    old, new = before.get(name, {}), after.get(name, {})
    return {"id": name, "title": (new or old)["title"], "old": old, "new": new}


def _policy_changes(case: Case) -> dict[str, Any] | None:
    newer = case.newer_policy
    if newer is None:
        return None
    return {"policy": newer, "changes": policy_diff(policy_of(case.proposal.policy), newer)}


# --- History ---------------------------------------------------------------------------------------------------------


def history_of(proposal: Proposal) -> list[dict[str, Any]]:
    """Return the public events of a proposal, newest first."""
    return [_told(event) for event in events_of(proposal).public().order_by("-seq")]


def changes_since(proposal: Proposal, version: int) -> list[dict[str, Any]]:
    """Return what happened to a proposal after the version that a form showed."""
    events = events_of(proposal).filter(kind__startswith="proposal.").exclude(kind__in=HIDDEN).order_by("seq")
    return [_told(event) for event in events if event.data.get("version", 0) > version]


def _told(event: AuditEvent) -> dict[str, Any]:
    label = event.label[:1].upper() + event.label[1:]
    return {"at": event.at, "title": label, "body": event.reason, "actor": event.actor_name, "verified": None}
