"""Which commands the page of a proposal offers to its reader: each as a form, or as the reason why not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from django.http import QueryDict
from django.urls import reverse

from release_portal.accounts.lookups import holders_of
from release_portal.accounts.roles import Role
from release_portal.core.decisions import Decision, Refusal
from release_portal.pages.forms.base import ServiceForm
from release_portal.pages.forms.proposals import (
    AgreeForm,
    AnswerForm,
    EditForm,
    ExecuteForm,
    InviteForm,
    PlainForm,
    ReasonForm,
    ScheduleForm,
    VoteForm,
    WaiverForm,
    WindowForm,
)
from release_portal.pages.forms.times import not_before
from release_portal.pages.proposal_page import Case
from release_portal.pages.words_proposals import COMMANDS, WINDOWS, role_word
from release_portal.releases.consultation_rules import EXTERNAL_REVIEW, may_open_window
from release_portal.releases.executions import decide_execute
from release_portal.releases.models import Vote, Waiver
from release_portal.releases.preparation_rules import may_prepare
from release_portal.releases.proposal_lookups import has_deposited
from release_portal.releases.proposal_rules import (
    APPROVERS,
    NEW,
    PROPOSAL,
    decide_command,
    may_lock,
    may_schedule,
    relations,
)
from release_portal.releases.vote_rules import APPROVE, VoteFacts, may_vote
from release_portal.releases.waiver_rules import may_agree, may_ask, waivable
from release_portal.releases.waivers import facts_of

# The order of the page: what leads on first, what leads back last.
NAMES = (
    "vote", "execute", "schedule", "submit", "lock", "collect", "edit", "move_policy", "request_changes", "reopen",
    "abort",
)  # fmt: skip
LEADING = ("vote", "execute", "schedule", "submit", "lock", "collect")
PREPARATION = ("ask", "open_window", "invite")
DANGER = ("execute", "abort", "reopen", "request_changes")
URLS = {"vote": "proposal-vote", "ask": "waiver-ask", "open_window": "window-open", "invite": "reviewer-invite"}
PLAIN = ("collect", "lock", "submit", "move_policy")
# A refusal that only names the state would fill the page: these stand together, folded.
BY_STATE = "state"

Bound = Mapping[str, ServiceForm]


def offers_of(case: Case, bound: Bound) -> dict[str, list[dict[str, Any]]]:
    """Return what the reader can do now, what is in the way of the rest, and what comes at another time."""
    offers = [
        _offer(case, name, bound) for name in NAMES if name != "move_policy" or case.newer_policy or name in bound
    ]
    asked = [one for one in offers if _is_business(one) and not _is_early(case, one)]
    shut = [one for one in asked if not _is_open(one)]
    return {
        "leading": [one for one in asked if _is_open(one) and one["name"] in LEADING],
        "blocked": _each_reason_once(one for one in shut if one["decision"].code != BY_STATE),
        "others": [one for one in asked if _is_open(one) and one["name"] not in LEADING],
        "later": [one for one in shut if one["decision"].code == BY_STATE],
        "preparation": [one for one in (_offer(case, name, bound) for name in PREPARATION) if _is_shown(one)],
    }


def _is_open(offer: Mapping[str, Any]) -> bool:
    """Whether its form is shown: it is possible, or it was just refused and keeps what was typed."""
    return bool(offer["decision"]) or offer["form"].is_bound


def _is_business(offer: Mapping[str, Any]) -> bool:
    """Whether it concerns the reader: not where only other people may do it."""
    decision = offer["decision"]
    return decision.refusal is not Refusal.MAY_NOT or decision.code != "role" or offer["form"].is_bound


def _is_early(case: Case, offer: Mapping[str, Any]) -> bool:
    """Whether nobody could do it now: that it is one's own proposal matters only when others vote."""
    own = offer["decision"].code == "own_proposal" and not offer["form"].is_bound
    return own and not PROPOSAL.decide(offer["name"], case.proposal.state, APPROVERS)


def _each_reason_once(offers: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for one in offers:
        found.setdefault(one["decision"].reason, one)
    return list(found.values())


def _is_shown(offer: Mapping[str, Any]) -> bool:
    return _is_business(offer) and (_is_open(offer) or offer["decision"].code not in (BY_STATE, "closed", "window"))


def _offer(case: Case, name: str, bound: Bound) -> dict[str, Any]:
    label, note, _done = COMMANDS[name]
    return {
        "name": name,
        "label": label,
        "note": note,
        "decision": decision_on(case, name),
        "form": bound.get(name) or form_for(case, name),
        "url": url_of(case, name),
        "danger": name in DANGER,
    }


def url_of(case: Case, name: str) -> str:
    """Return where the form of a command goes."""
    if name in URLS:
        return reverse(URLS[name], args=[case.proposal.pk])
    return reverse("proposal-command", args=[case.proposal.pk, name])


# --- Decisions -------------------------------------------------------------------------------------------------------


def decision_on(case: Case, name: str) -> Decision:
    """Return whether the reader can give this command now, with what stands in the way."""
    for decision in _decisions(case, name):
        if not decision:
            break
    return decision


def _decisions(case: Case, name: str) -> Iterator[Decision]:
    """Yield each decision on a command; the next is asked only when the one before allows."""
    proposal = case.proposal
    if name in PREPARATION:
        yield _START[name](case)
        yield may_prepare(proposal.state, f"proposal: {name.replace('_', ' ')}")
        return
    yield decide_command(name, proposal.state, case.actor, proposal.opened_by_id)
    if name in _GUARDS:
        yield _GUARDS[name](case)


def _lock_guard(case: Case) -> Decision:
    return may_lock(case.assessment, case.unanswered)


def _schedule_guard(case: Case) -> Decision:
    ends = case.proposal.cool_off_until or case.at
    return may_schedule(ends, max(ends, case.at), case.at)


def _execute_guard(case: Case) -> Decision:
    return decide_execute(case.proposal, case.assessment, case.at)


def _vote_guard(case: Case) -> Decision:
    """The first role in which the reader can vote; where there is none, why not."""
    decisions = list(_vote_decisions(case).values())
    return next((one for one in decisions if one), decisions[0])


def _vote_decisions(case: Case) -> dict[str, Decision]:
    mine = _own_vote(case)
    has_voted = mine is not None and mine.answered_at is None
    deposited = has_deposited(case.actor, case.proposal)
    needs = case.gate.approvals
    asked = [need.role for need in needs if need.role in case.actor.roles]
    roles = asked or [role for role in APPROVERS if role in case.actor.roles] or list(APPROVERS[:1])
    return {
        role: may_vote(case.actor, role, APPROVE, needs=needs, has_voted=has_voted, has_deposited=deposited)
        for role in dict.fromkeys(roles)
    }


def _own_vote(case: Case) -> Vote | None:
    votes = case.lock.votes.all() if case.lock else ()
    return next((one for one in votes if one.replaced_at is None and one.person_id == case.actor.id), None)


def _ask_start(case: Case) -> Decision:
    return may_ask(case.actor, "", [facts_of(case.proposal, one) for one in case.waivers], case.at)


def _window_start(case: Case) -> Decision:
    opened = [window.kind for window in case.proposal.windows.all()]
    return next(
        (decision for kind in WINDOWS if (decision := may_open_window(case.actor, opened, kind))),
        may_open_window(case.actor, opened, next(iter(WINDOWS))),
    )


def _invite_start(case: Case) -> Decision:
    return EXTERNAL_REVIEW.decide("invite", NEW, relations(case.actor))


_GUARDS: dict[str, Callable[[Case], Decision]] = {
    "lock": _lock_guard,
    "schedule": _schedule_guard,
    "execute": _execute_guard,
    "vote": _vote_guard,
}
_START: dict[str, Callable[[Case], Decision]] = {
    "ask": _ask_start,
    "open_window": _window_start,
    "invite": _invite_start,
}


# --- Forms -----------------------------------------------------------------------------------------------------------


def form_for(case: Case, name: str, data: QueryDict | None = None) -> ServiceForm:
    """Return the form of a command, with what was typed or with its first values."""
    return _FORMS[name](case, data, f"id_{name}_%s")


def _plain(case: Case, data: Any, auto_id: str) -> ServiceForm:
    return PlainForm(data, initial={"expected_version": case.proposal.version}, auto_id=auto_id)


def _reason(case: Case, data: Any, auto_id: str) -> ServiceForm:
    return ReasonForm(data, initial={"expected_version": case.proposal.version}, auto_id=auto_id)


def _edit(case: Case, data: Any, auto_id: str) -> ServiceForm:
    one = case.proposal
    initial = {"rationale": one.rationale, "conditions": one.conditions, "expected_version": one.version}
    return EditForm(data, initial=initial, auto_id=auto_id)


def _schedule(case: Case, data: Any, auto_id: str) -> ServiceForm:
    earliest = max(case.proposal.cool_off_until or case.at, case.at)
    initial = {"execute_after": not_before(earliest), "expected_version": case.proposal.version}
    return ScheduleForm(data, initial=initial, auto_id=auto_id)


def _execute(case: Case, data: Any, auto_id: str) -> ServiceForm:
    initial = {"expected_version": case.proposal.version}
    return ExecuteForm(data, initial=initial, auto_id=auto_id, is_irreversible=case.gate.is_irreversible)


def _vote(case: Case, data: Any, auto_id: str) -> ServiceForm:
    roles = [(role, role_word(role)) for role, decision in _vote_decisions(case).items() if decision]
    initial = {"lock_digest": case.lock.digest if case.lock else ""}
    return VoteForm(data, initial=initial, auto_id=auto_id, roles=roles)


def _ask(case: Case, data: Any, auto_id: str) -> ServiceForm:
    titles = {one.id: f"{one.id}: {one.title}" for one in case.gate.criteria}
    unmet = {result.criterion.id for result in case.assessment.unmet}
    criteria = [(name, titles[name]) for name in waivable(case.gate) if name in unmet]
    return WaiverForm(data, auto_id=auto_id, criteria=criteria)


def _open_window(case: Case, data: Any, auto_id: str) -> ServiceForm:
    opened = {window.kind for window in case.proposal.windows.all()}
    kinds = [(kind, words) for kind, words in WINDOWS.items() if kind not in opened]
    return WindowForm(data, auto_id=auto_id, kinds=kinds)


def _invite(case: Case, data: Any, auto_id: str) -> ServiceForm:
    invited = {review.reviewer_id for review in case.proposal.external_reviews.all()}
    people = holders_of(Role.EXTERNAL_REVIEWER)
    reviewers = [(str(user.pk), user.name) for user in people if str(user.pk) not in invited]
    return InviteForm(data, auto_id=auto_id, reviewers=reviewers)


_FORMS: dict[str, Callable[[Case, Any, str], ServiceForm]] = {
    **dict.fromkeys(PLAIN, _plain),
    **dict.fromkeys(("request_changes", "reopen", "abort"), _reason),
    "edit": _edit,
    "schedule": _schedule,
    "execute": _execute,
    "vote": _vote,
    "ask": _ask,
    "open_window": _open_window,
    "invite": _invite,
}


# --- Beside a vote, beside a waiver ----------------------------------------------------------------------------------


def answer_to(case: Case, vote: Vote, bound: Bound) -> dict[str, Any] | None:
    """Return the form that answers an objection or a condition; None where nothing waits for this reader."""
    key = f"answer-{vote.pk}"
    facts = VoteFacts(vote.person_id, vote.person, vote.role, vote.verdict, vote.answered_at is not None)
    decision = decide_command("answer", case.proposal.state, case.actor, case.proposal.opened_by_id)
    form = bound.get(key) or answer_form(vote.pk)
    if not form.is_bound and not (facts.is_open and decision):
        return None
    return {"form": form, "url": reverse("proposal-answer", args=[case.proposal.pk, vote.pk])}


def answer_form(vote_id: int, data: QueryDict | None = None) -> ServiceForm:
    """Return the form of an answer to a vote."""
    return AnswerForm(data, auto_id=f"id_answer_{vote_id}_%s")


def agree_to(case: Case, waiver: Waiver, bound: Bound) -> dict[str, Any] | None:
    """Return the form that agrees to a waiver, or the reason why not; None for those whom it does not concern."""
    decisions = _agree_decisions(case, waiver)
    decision = next((one for one in decisions.values() if one), next(iter(decisions.values())))
    before = may_prepare(case.proposal.state, "waiver: agree")
    form = bound.get(f"agree-{waiver.pk}") or agree_form(case, waiver.pk)
    if not form.is_bound and (not before or decision.code == "role" or decision.code == BY_STATE):
        return None
    return {
        "form": form,
        "decision": decision,
        "url": reverse("waiver-agree", args=[case.proposal.pk, waiver.pk]),
    }


def agree_form(case: Case, waiver_id: int, data: QueryDict | None = None) -> ServiceForm:
    """Return the form of an agreement, with the roles in which the reader can agree."""
    waiver = next((one for one in case.waivers if one.pk == waiver_id), None)
    decisions = _agree_decisions(case, waiver) if waiver else {}
    roles = [(role, role_word(role)) for role, decision in decisions.items() if decision]
    return AgreeForm(data, auto_id=f"id_agree_{waiver_id}_%s", roles=roles)


def _agree_decisions(case: Case, waiver: Waiver) -> dict[str, Decision]:
    facts = facts_of(case.proposal, waiver)
    roles = [role for role in APPROVERS if role in case.actor.roles] or list(APPROVERS[:1])
    return {role: may_agree(case.actor, role, facts, case.at) for role in roles}
