"""What a grant asks of its holder, as its page shows it: terms, duties, close-out, rules of engagement."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.urls import reverse

from release_portal.access.closing import close_out_of, decide_close_out, ended_without_report
from release_portal.access.engagement_rules import CLAUSES
from release_portal.access.engagements import decide_engagement, engagement_in_force, waiting_engagement
from release_portal.access.extra_terms import OFFER_LASTS
from release_portal.access.grant_rules import GRANT
from release_portal.access.models import Application, Engagement, Grant, Obligation, TermsOffer
from release_portal.access.obligations.rules import OBLIGATION, is_overdue
from release_portal.access.obligations.services import decide_duty
from release_portal.access.offers import every_term_of, terms_of, waiting_offer
from release_portal.access.services import relations_of
from release_portal.core.actors import Actor
from release_portal.pages.attaching import row_of
from release_portal.pages.forms import grant_duties as forms
from release_portal.pages.forms.base import ServiceForm
from release_portal.pages.forms.times import written
from release_portal.pages.words import state_pill

Bound = Mapping[str, ServiceForm]
Kinds = Mapping[str, type[ServiceForm]]
TERMS: Kinds = {"offer": forms.OfferTermsForm, "accept": forms.AcceptTermsForm, "decline": forms.DeclineTermsForm}
DUTY: Kinds = {
    "hand_in": forms.HandInForm,
    "accept": forms.AcceptDutyForm,
    "give_back": forms.GiveBackForm,
    "waive": forms.WaiveForm,
}
CLOSING: Kinds = {"report": forms.ReportForm, "close": forms.CloseForm}
ENGAGEMENT: Kinds = {"engage": forms.EngageForm, "agree": forms.AgreeForm, "disengage": forms.DisengageForm}


def duties_of(actor: Actor, shown: Grant, bound: Bound, at: datetime) -> dict[str, Any]:
    """Return everything that a grant asks, with a form where the reader may act, or the reason why not."""
    return {
        "terms": _terms(actor, shown, bound, at),
        "duties": [
            _duty(actor, one, bound, at) for one in shown.obligations.select_related("grant").prefetch_related("files")
        ],
        "closing": _closing(actor, shown, bound),
        "engagement": _engagement(actor, shown, bound, at),
    }


def holders_record(application: Application, at: datetime) -> dict[str, Any]:
    """Return what reviewers should know of the applicant's earlier grants: missing reports, duties, what was found."""
    renewed = application.renews.obligations.prefetch_related("files") if application.renews else ()
    return {
        "missing_reports": ended_without_report(application.applicant_id, at),
        "duties": [
            {
                "duty": one,
                "state": state_pill(one.state),
                "is_overdue": is_overdue(one.facts(), at),
                "files": [row_of(file) for file in one.files.all()],
            }
            for one in renewed
        ],
    }


def key_of(part: str, name: str, pk: int | str = "") -> str:
    """Return under which key a refused form is kept, and its fields are named."""
    return f"{part}_{pk}_{name}" if pk else f"{part}_{name}"


def sizes_of(shown: Grant) -> list[tuple[str, str]]:
    """Return the sizes of a grant as choices."""
    return [(size.slug, size.name) for size in shown.sizes.all()]


def new_form(kind: type[ServiceForm], key: str, data: Any = None, **more: Any) -> ServiceForm:
    """Return a form whose fields no other form of the page names."""
    return kind(data, auto_id=f"id_{key}_%s", **more)


def _terms(actor: Actor, shown: Grant, bound: Bound, at: datetime) -> dict[str, Any]:
    offer, who = waiting_offer(shown), relations_of(actor, shown)
    is_waiting = offer is not None and at < offer.offered_at + OFFER_LASTS
    names = []
    if offer is not None and is_waiting and GRANT.decide("answer_terms", shown.state, who):
        names = ["accept", "decline"]
    elif not is_waiting and GRANT.decide("amend", shown.state, who):
        names = ["offer"]
    first: dict[str, Any] = {"digest": offer.digest} if offer else forms.initial_terms(terms_of(shown))
    return {
        "accepted": every_term_of(shown),
        "offer": _offer(offer, shown) if offer is not None and is_waiting else None,
        "forms": [_shown(TERMS[name], "terms", name, shown, bound, initial=first) for name in names],
    }


def _offer(offer: TermsOffer, shown: Grant) -> dict[str, Any]:
    before, now_offered = set(terms_of(shown)), set(offer.read())
    return {
        "offer": offer,
        "until": offer.offered_at + OFFER_LASTS,
        "kept": sorted(before & now_offered),
        "new": sorted(now_offered - before),
        "gone": sorted(before - now_offered),
    }


def _duty(actor: Actor, duty: Obligation, bound: Bound, at: datetime) -> dict[str, Any]:
    available = OBLIGATION.available(duty.state, {*OBLIGATION.command("accept").by, "holder"})
    names = [one.name for one in available if decide_duty(actor, duty, one.name)]
    first = {"expected_version": duty.version}
    return {
        "duty": duty,
        "state": state_pill(duty.state),
        "files": [row_of(one) for one in duty.files.all()],
        "is_overdue": is_overdue(duty.facts(), at),
        "is_waived": duty.waived_until is not None and at < duty.waived_until,
        "forms": [_shown(DUTY[name], "duty", name, duty.grant, bound, duty.pk, initial=first) for name in names],
    }


def _closing(actor: Actor, shown: Grant, bound: Bound) -> dict[str, Any]:
    given = close_out_of(shown)
    who = relations_of(actor, shown)
    rows = []
    for name, kind in CLOSING.items():
        if name not in {one.name for one in GRANT.available(shown.state, who)}:
            continue
        decision = decide_close_out(actor, shown, name)
        first: dict[str, Any] = {"expected_version": shown.version}
        if name == "report" and given:
            first |= {"report": given.report, "disposal": given.disposal, "statement": given.statement}
        row = _shown(kind, "closing", name, shown, bound, initial=first)
        rows.append({**row, "decision": None if decision or row["is_bound"] else decision})
    return {"given": given, "forms": rows}


def _engagement(actor: Actor, shown: Grant, bound: Bound, at: datetime) -> dict[str, Any]:
    who, rows = relations_of(actor, shown), []
    for name, kind in ENGAGEMENT.items():
        decision = decide_engagement(actor, shown, name, at)
        if not decision and (decision.code != "same_person" or name not in _names(shown, who)):
            continue
        row = _shown(kind, "engagement", name, shown, bound, **_first(shown, name))
        rows.append({**row, "decision": None if decision or row["is_bound"] else decision})
    holds, waits = engagement_in_force(shown, at), waiting_engagement(shown, at)
    in_force, waiting = (rules_shown(one) if one else None for one in (holds, waits))
    return {"in_force": in_force, "waiting": waiting, "forms": rows}


def _names(shown: Grant, who: frozenset[str]) -> set[str]:
    return {one.name for one in GRANT.available(shown.state, who)}


def _first(shown: Grant, name: str) -> dict[str, Any]:
    if name != "engage":
        return {}
    initial = {"tokens_per_day": shown.tokens_per_day, "ends_at": written(shown.ends_at)}
    return {"sizes": sizes_of(shown), "initial": initial}


def rules_shown(engagement: Engagement) -> dict[str, Any]:
    """Return rules of engagement clause by clause."""
    values = (
        ", ".join(engagement.targets), ", ".join(engagement.categories), f"{engagement.tokens_per_day:,}",
        engagement.keep_inside, f"{engagement.ends_at:%d %B %Y, %H:%M UTC}",
    )  # fmt: skip
    lines = [
        {"clause": clause, "says": says, "value": value}
        for (clause, says), value in zip(CLAUSES.items(), values, strict=True)
    ]
    return {"engagement": engagement, "lines": lines}


def _shown(
    kind: type[ServiceForm], part: str, name: str, shown: Grant, bound: Bound, pk: int | str = "", **more: Any
) -> dict[str, Any]:
    key = key_of(part, name, pk)
    args = [shown.pk, pk, name] if pk else [shown.pk, name]
    return {
        "name": name,
        "key": key,
        "url": reverse(f"grant-{part}", args=args),
        "form": bound.get(key) or new_form(kind, key, **more),
        "is_bound": key in bound,
        "decision": None,
    }
