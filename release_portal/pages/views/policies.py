"""The release policies: what every gate asks for, which policy is in force for whom, and what changed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from release_portal.access.lookups import sizes_for
from release_portal.access.policy import Action
from release_portal.core.actors import Actor
from release_portal.core.clock import now
from release_portal.core.declare import public
from release_portal.core.http import PortalRequest
from release_portal.pages.governance_words import days_word, need_word, owner_word, severity_word
from release_portal.releases.evidence_answers import need_of
from release_portal.releases.gate_policy import EVIDENCE, Criterion, Gate, ReleasePolicy
from release_portal.releases.ladder import stage_of
from release_portal.releases.models import PolicyAdoption, PolicyVersion
from release_portal.releases.policy_services import (
    adoptions_until,
    policy_diff,
    policy_of,
    stored_policies,
    stored_policy,
)

YAML = "yaml"


@public
def policies(request: PortalRequest) -> HttpResponse:
    """Every stored policy, and for whom it is in force."""
    adopted = _in_force(request.actor, now())
    rows = [{"policy": one, "adoptions": adopted.get(one.digest, [])} for one in stored_policies()]
    return render(request, "governance/policies.html", {"rows": rows})


@public
def policy(request: PortalRequest, digest: str) -> HttpResponse:
    """One policy: its gates, its figures, and the file itself."""
    stored = stored_policy(digest)
    if request.GET.get("format") == YAML:
        return _file(stored)
    read = policy_of(stored)
    others = stored_policies().exclude(pk=stored.pk)
    context = {
        "stored": stored,
        "adoptions": _in_force(request.actor, now()).get(stored.digest, []),
        "figures": _figures(read),
        "gates": [_gate(gate) for gate in read.gates],
        "others": [{"policy": one, "url": reverse("policy-diff", args=[one.digest, stored.digest])} for one in others],
        "breadcrumbs": _crumbs(str(stored)),
    }
    return render(request, "governance/policy.html", context)


@public
def diff(request: PortalRequest, old: str, new: str) -> HttpResponse:
    """What changes from one policy to another, in words."""
    before, after = stored_policy(old), stored_policy(new)
    context = {
        "before": before,
        "after": after,
        "changes": policy_diff(policy_of(before), policy_of(after)),
        "breadcrumbs": _crumbs(_("What changes")),
    }
    return render(request, "governance/policy_diff.html", context)


def _crumbs(label: str) -> list[dict[str, str]]:
    return [{"label": _("Policies"), "url": reverse("policies")}, {"label": label, "url": ""}]


def _file(stored: PolicyVersion) -> HttpResponse:
    response = HttpResponse(stored.text, content_type="text/yaml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{stored.name}-{stored.version}.yaml"'
    return response


def _in_force(actor: Actor, at: datetime) -> dict[str, list[PolicyAdoption]]:
    """Return the adoptions in force by digest; families of which the actor may not know are left out."""
    seen = set(sizes_for(actor, Action.VIEW, at=at).values_list("family_id", flat=True))
    latest: dict[int | None, PolicyAdoption] = {}
    for adoption in adoptions_until(at):
        latest[adoption.family_id] = adoption
    found: dict[str, list[PolicyAdoption]] = {}
    for family, adoption in latest.items():
        if family is None or family in seen:
            found.setdefault(adoption.policy_id, []).append(adoption)
    return found


def _figures(read: ReleasePolicy) -> list[tuple[str, str]]:
    reviews = [f"{stage_of(slug).label}: {days_word(span)}" for slug, span in read.review_every]
    return [
        (_("People on duty while a size is widened"), str(read.on_duty)),
        (_("Public comment, at least"), days_word(read.comment_window)),
        (_("Notice to other labs, at least"), days_word(read.notice_period)),
        (_("An external reviewer has, at least"), _("%(n)s working days") % {"n": read.review_working_days}),
        (_("A waiver counts, at most"), days_word(read.longest_waiver)),
        (_("A stage stands without a review"), "; ".join(reviews) or _("no limit")),
        (_("After a missed review: held"), days_word(read.sunset_hold)),
        (_("After a missed review: one stage down"), days_word(read.sunset_step_down)),
        (_("Fast path after a roll-back"), _fast(read)),
    ]


def _fast(read: ReleasePolicy) -> str:
    words = {
        "days": days_word(read.fast_path),
        "n": read.fast_approvals,
        "ids": ", ".join(read.fast_criteria) or _("no criterion"),
    }
    return _("within %(days)s, with %(n)s approvals and anew: %(ids)s") % words


def _gate(gate: Gate) -> dict[str, Any]:
    return {
        "gate": gate,
        "source": stage_of(gate.source),
        "target": stage_of(gate.target),
        "facts": [
            (_("Who approves"), "; ".join(need_word(need) for need in gate.approvals) or _("nobody")),
            (_("Cool-off after the approval"), days_word(gate.cool_off)),
            (_("Observed after the move"), days_word(gate.soak)),
            (_("Watched while it is observed"), ", ".join(gate.monitors) or _("nothing")),
        ],
        "criteria": _criteria(gate.criteria),
    }


def _criteria(criteria: Iterable[Criterion]) -> list[dict[str, Any]]:
    return [
        {
            "criterion": criterion,
            "need": _need(criterion),
            "is_computed": criterion.source != EVIDENCE,
            "owner": owner_word(criterion.owner),
            "severity": severity_word(criterion.severity),
            "age": days_word(criterion.max_age),
        }
        for criterion in criteria
    ]


def _need(criterion: Criterion) -> str:
    """What the portal computes and holds against no figure is stated by the title alone."""
    is_stated = criterion.source == EVIDENCE or criterion.threshold is not None
    return need_of(criterion) if is_stated else _("as the title says")
