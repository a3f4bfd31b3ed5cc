"""Release proposals: the list, opening one, its page, and every command on it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db.models import Case as When
from django.db.models import IntegerField, QuerySet, Value
from django.db.models import When as Branch
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from release_portal.access.lookups import proposal_for, proposals_for, size_for
from release_portal.access.policy import Action
from release_portal.accounts.confirming import confirm_password
from release_portal.accounts.lookups import chosen_person
from release_portal.accounts.models import User
from release_portal.accounts.roles import Role
from release_portal.core.actors import Actor
from release_portal.core.clock import now
from release_portal.core.declare import public, roles, signed_in
from release_portal.core.errors import InvalidInput, NotFound, PortalError, StaleVersion
from release_portal.core.http import PortalRequest
from release_portal.moves import services as moves
from release_portal.pages import proposal_forms, showing
from release_portal.pages.context import is_open_to
from release_portal.pages.forms.base import ServiceForm
from release_portal.pages.forms.proposals import FAST, ProposeForm
from release_portal.pages.paging import filter_text, page_of
from release_portal.pages.proposal_page import Case, changes_since, context_of, row_of
from release_portal.pages.words_proposals import COMMANDS, EVERY, GROUPS, NEARBY
from release_portal.registry.models import ModelSize
from release_portal.releases import executions, external_reviews, proposals, votes, waivers
from release_portal.releases.consultations import open_window
from release_portal.releases.ladder import LADDER
from release_portal.releases.models import Proposal
from release_portal.releases.policy_services import policies_in_force
from release_portal.releases.proposal_lookups import fast_path_for, open_proposal_on
from release_portal.releases.proposal_rules import NEW, OPEN, decide_command

Bound = dict[str, ServiceForm]
Give = Callable[[Actor, Case, Any, datetime], object]


# --- The list --------------------------------------------------------------------------------------------------------


@public
def listed(request: PortalRequest) -> HttpResponse:
    """Every proposal about a size that the reader may see, open ones first."""
    at = now()
    groups = {slug: states for slug, _label, states in GROUPS}
    group = filter_text(request, "state")
    group = group if group in groups else EVERY
    found = _open_first(proposals_for(request.actor, at=at).filter(state__in=groups[group]))
    page = page_of(request, found)
    context = {
        "page_obj": page,
        "rows": [row_of(proposal, at) for proposal in page],
        "groups": [(slug, label) for slug, label, _states in GROUPS],
        "group": group,
        "places": [(name, label) for name, label in NEARBY if is_open_to(request.actor, name)],
    }
    return render(request, "proposals/proposals.html", context)


def _open_first(found: QuerySet[Proposal]) -> QuerySet[Proposal]:
    order = When(Branch(state__in=OPEN, then=Value(0)), default=Value(1), output_field=IntegerField())
    return found.order_by(order, "-opened_at", "-pk")


# --- Opening one -----------------------------------------------------------------------------------------------------


@roles(Role.RELEASE_MANAGER.value)
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: PortalRequest, lab: str, name: str) -> HttpResponse:
    """Propose a move of a size to a wider stage."""
    at = now()
    size = size_for(request.actor, f"{lab}/{name}", Action.VIEW, at=at).size
    targets = _targets(size, at)
    form = ProposeForm(request.POST if request.method == "POST" else None, targets=targets, keep=f"propose-{size.slug}")
    if request.method != "POST":
        return _new_page(request, size, form)
    try:
        opened = proposals.open_proposal(
            request.actor,
            size,
            form.stage(),
            rationale=form.text("rationale"),
            conditions=form.text("conditions"),
            fast_path=form.is_fast(),
            at=at,
        )
    except PortalError as error:
        form.refuse(error)
        return _new_page(request, size, form, error.status)
    messages.success(request, _("The proposal is open as a draft."))
    return showing.see_other(reverse("proposal", args=[opened.pk]))


def _targets(size: ModelSize, at: datetime) -> list[tuple[str, str]]:
    """Return every stage that can be proposed: by the policy's gates, and by the fast path after a roll-back."""
    policy = policies_in_force([size], at).get(size.pk)
    if policy is None:
        return []
    present, gates = size.standing.place, policy.gates_from(size.standing.stage)
    reached = {gate.target for gate in gates}
    wider = [stage for stage in LADDER if stage.ordinal > present.ordinal]
    fast = [stage for stage in wider if fast_path_for(size.standing, stage.slug, within=policy.fast_path, at=at)]
    return [
        *((stage.slug, f"{stage.label}: {stage.audience}") for stage in wider if stage.slug in reached),
        *((FAST + stage.slug, _("%(stage)s, on the fast path") % {"stage": stage.label}) for stage in fast),
    ]


def _new_page(request: PortalRequest, size: ModelSize, form: ProposeForm, status: int = 200) -> HttpResponse:
    at = now()
    context = {
        **showing.size_frame(request.actor, size, "proposal-new", at=at),
        "form": form,
        "decision": decide_command("open", NEW, request.actor, ""),
        "targets": form.fields["target"].choices,  # type: ignore[attr-defined]
        "policy": policies_in_force([size], at).get(size.pk),
        "open_one": open_proposal_on(size),
    }
    return render(request, "proposals/new.html", context, status=status)


# --- One -------------------------------------------------------------------------------------------------------------


@public
def proposal(request: PortalRequest, pk: int) -> HttpResponse:
    """One proposal: what waits for the reader, the gate, the votes, the effect, the history."""
    at = now()
    return _page(request, Case(request.actor, proposal_for(request.actor, pk, at=at), at))


def _page(
    request: PortalRequest, case: Case, bound: Bound | None = None, status: int = 200, since: int | None = None
) -> HttpResponse:
    given = bound or {}
    context = {**context_of(case), **proposal_forms.offers_of(case, given), "refused": next(iter(given.values()), None)}
    for row in context["votes"]["votes"]:
        row["answer"] = proposal_forms.answer_to(case, row["vote"], given)
    for row in context["waivers"]:
        row["agree"] = proposal_forms.agree_to(case, row["waiver"], given)
    context["meanwhile"] = changes_since(case.proposal, since) if since is not None else []
    return render(request, "proposals/proposal.html", context, status=status)


def _run(
    request: PortalRequest, pk: int, name: str, give: Give, key: str = "", form_of: Callable[..., Any] | None = None
) -> HttpResponse:
    """Give one command; what a service refuses stands on the page, beside what was typed."""
    at, actor = now(), request.actor
    case = Case(actor, proposal_for(actor, pk, at=at), at)
    if request.method != "POST":
        return showing.see_other(case.url)
    form = (form_of or proposal_forms.form_for)(case, name, request.POST)
    try:
        give(actor, case, form, at)
    except PortalError as error:
        fresh = Case(actor, proposal_for(actor, pk, at=at), at)
        since = _seen(form, error)
        form.refuse(error, **_renewed(form, fresh))
        return _page(request, fresh, {key or name: form}, error.status, since)
    messages.success(request, str(COMMANDS[name][2]))
    return showing.see_other(case.url)


def _renewed(form: Any, case: Case) -> dict[str, Any]:
    """Return what the form's hidden fields say now, so that the next try is made for what the page shows."""
    fresh = {"expected_version": case.proposal.version, "lock_digest": case.lock.digest if case.lock else ""}
    return {name: value for name, value in fresh.items() if name in form.fields}


def _seen(form: ServiceForm, error: PortalError) -> int | None:
    """Return the version that a stale form was made for."""
    is_stale = isinstance(error, StaleVersion) and "expected_version" in form.fields
    return form.version() if is_stale else None


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def command(request: PortalRequest, pk: int, name: str) -> HttpResponse:
    """Take one step in a proposal's life."""
    if name not in STEPS:
        raise NotFound("There is nothing here.", change="What can be done stands on the proposal's page.")
    return _run(request, pk, name, STEPS[name])


def _edit(actor: Actor, case: Case, form: Any, at: datetime) -> object:
    return proposals.edit_proposal(
        actor,
        case.proposal.pk,
        rationale=form.text("rationale"),
        conditions=form.text("conditions"),
        expected_version=form.version(),
        at=at,
    )


def _plain(service: Callable[..., object]) -> Give:
    def give(actor: Actor, case: Case, form: Any, at: datetime) -> object:
        return service(actor, case.proposal.pk, expected_version=form.version(), at=at)

    return give


def _reasoned(service: Callable[..., object]) -> Give:
    def give(actor: Actor, case: Case, form: Any, at: datetime) -> object:
        return service(actor, case.proposal.pk, reason=form.text("reason"), expected_version=form.version(), at=at)

    return give


def _lock(actor: Actor, case: Case, form: Any, at: datetime) -> object:
    return moves.lock_with_preview(actor, case.proposal, expected_version=form.version(), at=at)


def _schedule(actor: Actor, case: Case, form: Any, at: datetime) -> object:
    return executions.schedule_proposal(
        actor, case.proposal.pk, execute_after=form.moment(), expected_version=form.version(), at=at
    )


def _execute(actor: Actor, case: Case, form: Any, at: datetime) -> object:
    return moves.execute(
        actor,
        case.proposal,
        typed=form.text("typed"),
        confirmed_at=confirm_password(actor, form.text("password"), at=at),
        expected_version=form.version(),
        at=at,
    )


STEPS: dict[str, Give] = {
    "edit": _edit,
    "collect": _plain(proposals.collect),
    "lock": _lock,
    "submit": _plain(proposals.submit_proposal),
    "request_changes": _reasoned(proposals.request_changes),
    "reopen": _reasoned(proposals.reopen_proposal),
    "schedule": _schedule,
    "execute": _execute,
    "abort": _reasoned(proposals.abort_proposal),
    "move_policy": _plain(proposals.move_policy),
}


# --- Votes -----------------------------------------------------------------------------------------------------------


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def vote(request: PortalRequest, pk: int) -> HttpResponse:
    """Cast a vote on the lock that the form showed."""
    return _run(request, pk, "vote", _cast)


def _cast(actor: Actor, case: Case, form: Any, at: datetime) -> object:
    return votes.cast_vote(
        actor,
        case.proposal.pk,
        lock_digest=form.text("lock_digest"),
        role=form.text("role"),
        verdict=form.text("verdict"),
        reason=form.text("reason"),
        conflict_note=form.text("conflict_note"),
        confirmed_at=confirm_password(actor, form.text("password"), at=at),
        at=at,
    )


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def answer(request: PortalRequest, pk: int, vote_id: int) -> HttpResponse:
    """Answer an objection or a condition."""

    def give(actor: Actor, case: Case, form: Any, at: datetime) -> object:
        return votes.answer_vote(actor, case.proposal.pk, vote_id, answer=form.text("answer"), at=at)

    return _run(request, pk, "answer", give, f"answer-{vote_id}", _form_answer(vote_id))


def _form_answer(vote_id: int) -> Callable[..., ServiceForm]:
    return lambda case, name, data: proposal_forms.answer_form(vote_id, data)


# --- Waivers, windows, reviewers -------------------------------------------------------------------------------------


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def waiver_ask(request: PortalRequest, pk: int) -> HttpResponse:
    """Ask for an exception from one criterion."""
    return _run(request, pk, "ask", _ask)


def _ask(actor: Actor, case: Case, form: Any, at: datetime) -> object:
    return waivers.ask_waiver(
        actor,
        case.proposal.pk,
        criterion=form.text("criterion"),
        reason=form.text("reason"),
        ends_at=form.moment(),
        at=at,
    )


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def waiver_agree(request: PortalRequest, pk: int, waiver_id: int) -> HttpResponse:
    """Agree to a waiver."""

    def give(actor: Actor, case: Case, form: Any, at: datetime) -> object:
        return waivers.agree_to_waiver(
            actor, case.proposal.pk, waiver_id, role=form.text("role"), reason=form.text("reason"), at=at
        )

    def form_of(case: Case, name: str, data: Any) -> ServiceForm:
        return proposal_forms.agree_form(case, waiver_id, data)

    return _run(request, pk, "agree", give, f"agree-{waiver_id}", form_of)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def window_open(request: PortalRequest, pk: int) -> HttpResponse:
    """Open a comment window, or a notice to other labs."""
    return _run(request, pk, "open_window", _open_window)


def _open_window(actor: Actor, case: Case, form: Any, at: datetime) -> object:
    return open_window(
        actor, case.proposal.pk, kind=form.text("kind"), text=form.text("text"), closes_at=form.moment(), at=at
    )


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def reviewer_invite(request: PortalRequest, pk: int) -> HttpResponse:
    """Invite somebody from outside to review the case."""
    return _run(request, pk, "invite", _invite)


def _invite(actor: Actor, case: Case, form: Any, at: datetime) -> object:
    return external_reviews.invite_reviewer(
        actor,
        case.proposal.pk,
        reviewer=_person(form.text("reviewer")),
        terms=form.text("terms"),
        fee=form.text("fee"),
        edit_rights=form.text("edit_rights"),
        due_at=form.moment(),
        at=at,
    )


def _person(written: str) -> User:
    found = chosen_person(written)
    if found is None:
        raise InvalidInput("There is no such person.", field="reviewer", change="Choose one from the list.")
    return found
