"""The misuse desk: the queue, one report, and what is done about it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from release_portal.access.services import grant_subject
from release_portal.accounts.looks import note_looks
from release_portal.core.actors import Actor
from release_portal.core.clock import now
from release_portal.core.declare import roles
from release_portal.core.errors import NotFound, PortalError
from release_portal.core.http import PortalRequest
from release_portal.misuse.categories import category_of
from release_portal.misuse.engagements import engagements_beside
from release_portal.misuse.lookups import decision_on, report_for, reports_for
from release_portal.misuse.measures import Possible, possible_measures
from release_portal.misuse.models import MisuseReport, MisuseReportQuerySet
from release_portal.misuse.report_rules import REPORT, TRIAGE_ROLES, Verdict
from release_portal.misuse.services import act, case_holds, close_report, look_up_text, triage, write_to_reporter
from release_portal.pages import showing
from release_portal.pages.forms.misuse import sizes_to_name
from release_portal.pages.forms.misuse_desk import (
    CloseForm,
    DeskForm,
    LookUpForm,
    MeasureForm,
    TriageForm,
    WriteForm,
    measure_form,
)
from release_portal.pages.grant_duties import rules_shown
from release_portal.pages.paging import filter_text, page_of
from release_portal.pages.words_misuse import ACTIONS, STATES, report_pill, severity_pill

OPEN, EVERY = "open", "every"
# Which command of the lifecycle stands behind each form.
RULES = {"triage": Verdict.ACCEPT.value, "message": "write", "look-up": "write", "act": "act", "close": "close"}
SECTIONS = ("triage", "message", "look-up", "close")
Bound = dict[str, DeskForm]


@roles(*TRIAGE_ROLES)
def queue(request: PortalRequest) -> HttpResponse:
    """Reports by severity and clock."""
    at, state = now(), filter_text(request, "state") or OPEN
    found = _found(reports_for(request.actor), state)
    page = page_of(request, found.most_urgent_first())
    context = {
        "page_obj": page,
        "rows": [_row(report, at) for report in page],
        "states": [(OPEN, _("Open")), (EVERY, _("Every state")), *STATES.items()],
        "state_slug": state,
        "overdue": reports_for(request.actor).overdue(at).count(),
    }
    return render(request, "misuse/queue.html", context)


def _found(reports: MisuseReportQuerySet, state: str) -> MisuseReportQuerySet:
    if state in REPORT.states:
        return reports.filter(state=state)
    return reports if state == EVERY else reports.open()


@roles(*TRIAGE_ROLES)
@never_cache
def report(request: PortalRequest, pk: int) -> HttpResponse:
    """One report: what was written, what the record says, and what may be done."""
    return _page(request, report_for(request.actor, pk))


@roles(*TRIAGE_ROLES)
@never_cache
def command(request: PortalRequest, pk: int, name: str) -> HttpResponse:
    """Triage, write, look up, act or close."""
    shown = report_for(request.actor, pk)
    address = reverse("report-triage", args=[shown.pk])
    if name not in COMMANDS:
        raise NotFound("There is nothing here.", change="What can be done stands on the report's page.")
    if request.method != "POST":
        return showing.see_other(address)
    form = _bound(name, request)
    try:
        COMMANDS[name](request.actor, shown.pk, form, now())
    except PortalError as error:
        fresh = report_for(request.actor, pk)
        form.refuse(error, expected_version=fresh.version)
        return _page(request, fresh, {_key(name, request.POST): form}, error.status)
    messages.success(request, _done(name))
    return showing.see_other(address)


def _triage(actor: Actor, pk: int, form: Any, at: datetime) -> None:
    triage(actor, pk, form.triage(), expected_version=form.version(), at=at)


def _write(actor: Actor, pk: int, form: Any, at: datetime) -> None:
    is_question = form.ticked("is_question")
    write_to_reporter(actor, pk, form.text("message"), is_question=is_question, expected_version=form.version(), at=at)


def _look_up(actor: Actor, pk: int, form: Any, at: datetime) -> None:
    look_up_text(actor, pk, form.text("passage"), expected_version=form.version(), at=at)


def _act(actor: Actor, pk: int, form: Any, at: datetime) -> None:
    act(actor, pk, form.measure(), expected_version=form.version(), at=at)


def _close(actor: Actor, pk: int, form: Any, at: datetime) -> None:
    close_report(
        actor,
        pk,
        outcome_code=form.text("outcome_code"),
        outcome=form.text("outcome"),
        releases_hold=form.ticked("releases_hold"),
        expected_version=form.version(),
        at=at,
    )


COMMANDS: dict[str, Callable[[Actor, int, Any, datetime], None]] = {
    "triage": _triage,
    "message": _write,
    "look-up": _look_up,
    "act": _act,
    "close": _close,
}
FORMS: dict[str, type[DeskForm]] = {"message": WriteForm, "look-up": LookUpForm, "close": CloseForm}


def _done(name: str) -> str:
    return {
        "triage": _("The verdict is written down."),
        "message": _("The reporter reads your message under their code."),
        "look-up": _("The record was asked; matches stand below."),
        "act": _("It is done, and linked to this report."),
        "close": _("The case is closed. The reporter reads the outcome under their code."),
    }[name]


def _key(name: str, data: QueryDict) -> str:
    """Name of a form on the page; each measure has one of its own."""
    if name != "act":
        return name
    return f"{data.get('kind', '')}-{data.get('target', '')}".replace("/", "-").replace(".", "-")


def _bound(name: str, request: PortalRequest) -> DeskForm:
    if name == "triage":
        return TriageForm(request.POST, sizes=sizes_to_name(request.actor, now()), auto_id="id_triage_%s")
    if name == "act":
        return MeasureForm(request.POST, auto_id=f"id_{_key(name, request.POST)}_%s")
    return FORMS[name](request.POST, auto_id=f"id_{name}_%s")


def _page(request: PortalRequest, shown: MisuseReport, bound: Bound | None = None, status: int = 200) -> HttpResponse:
    at, actor, given = now(), request.actor, bound or {}
    grant_id = filter_text(request, "grant")
    covering = engagements_beside(actor, shown, at=at, grant_id=grant_id)
    note_looks(
        actor,
        [(one.engagement.grant.holder_id, grant_subject(one.engagement.grant)) for one in covering],
        "grant",
        at=at,
    )
    measures = [_measure(one, shown, given) for one in possible_measures(actor, shown, grant_id=grant_id)]
    known = {one["possible"].key for one in measures} | set(RULES)
    context = {
        **_row(shown, at),
        "matches": shown.matches.select_related("job__size", "job__grant"),
        "covering": [{"covering": one, **rules_shown(one.engagement)} for one in covering],
        "duplicates": shown.duplicates.all(),
        "case_holds": case_holds(shown),
        "conversation": shown.messages.all(),
        "actions": [{"action": one, "label": ACTIONS[one.kind]} for one in _actions(shown)],
        "sections": {name.replace("-", "_"): _section(name, actor, shown, given, at) for name in SECTIONS},
        "measures": measures,
        "grant_id": grant_id,
        "stray": next((form for key, form in given.items() if key not in known), None),
        "guess": category_of(shown.category_guess),
        "breadcrumbs": [{"label": _("Reports"), "url": reverse("report-queue")}, {"label": str(shown.pk)}],
    }
    return render(request, "misuse/triage.html", context, status=status)


def _actions(shown: MisuseReport) -> Any:
    return shown.actions.select_related("grant", "hold__size", "job")


def _measure(possible: Possible, shown: MisuseReport, bound: Bound) -> dict[str, Any]:
    return {
        "possible": possible,
        "label": ACTIONS[possible.kind],
        "form": bound.get(possible.key) or measure_form(possible, shown.version),
    }


def _section(name: str, actor: Actor, shown: MisuseReport, bound: Bound, at: datetime) -> dict[str, Any]:
    return {
        "decision": decision_on(RULES[name], actor, shown),
        "form": bound.get(name) or _fresh(name, actor, shown, at),
    }


def _fresh(name: str, actor: Actor, shown: MisuseReport, at: datetime) -> DeskForm:
    initial: dict[str, Any] = {"expected_version": shown.version}
    if name != "triage":
        return FORMS[name](initial=initial, auto_id=f"id_{name}_%s")
    match = shown.matches.select_related("job__size").first()
    size = shown.size or (match.job.size if match else shown.size_guess)
    initial |= {
        "severity": "" if shown.severity is None else str(shown.severity),
        "category": shown.category or shown.category_guess,
        "size": size.slug if size else "",
    }
    return TriageForm(sizes=sizes_to_name(actor, at), initial=initial, auto_id="id_triage_%s")


def _row(shown: MisuseReport, at: datetime) -> dict[str, Any]:
    return {
        "report": shown,
        "state": report_pill(shown.state),
        "severity": severity_pill(shown.urgency, is_chosen=shown.severity is not None),
        "category": category_of(shown.category or shown.category_guess),
        "is_overdue": shown.due_at is not None and shown.due_at < at,
    }
