"""What the pages of an application show of its programme: checks, what is new in the form, who read what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from release_portal.access.application_rules import OURS, Answers
from release_portal.access.models import Application
from release_portal.access.programmes.applying import trace_now
from release_portal.access.programmes.form_rules import new_questions, readable_by, shown_answer
from release_portal.access.programmes.previews import own_preview
from release_portal.access.programmes.programme_changes import step_words
from release_portal.access.programmes.programme_rules import FILE, Programme
from release_portal.access.programmes.services import programme_facing, programme_of
from release_portal.access.programmes.slots import attached_keys
from release_portal.core.actors import Actor
from release_portal.pages.forms.programme_questions import hint
from release_portal.registry.models import ModelSize

# Outcome of a line -> tone of its glyph and word.
_OUTCOMES: dict[str, tuple[str, str | Promise]] = {
    "met": ("pass", _("met")),
    "not_met": ("fail", _("not met")),
    "needs_person": ("inconclusive", _("a person looks")),
}


def form_context(
    actor: Actor, size: ModelSize, programme: Programme, said: Answers, draft: Application | None, at: datetime
) -> dict[str, Any]:
    """Return what the apply page shows beside the questions."""
    renews = (draft.renews_id if draft else "") or ""
    trace = own_preview(actor, size, said, programme, at, renews=renews)
    old = programme_of(draft.programme_id) if draft and draft.programme_id else programme
    return {
        "programme": programme,
        "programme_url": reverse("programme", args=[programme.digest]),
        "checks": [check_row(one.code, one.asked, one.outcome, one.reason, one.change) for one in trace.lines],
        "failing": len(trace.failing),
        "moved_from": old if old.digest != programme.digest else None,
        "new_questions": new_questions(old, programme, said),
        "slots": slots_shown(programme, said.purpose_code, draft),
    }


def slots_shown(programme: Programme, purpose_code: str, draft: Application | None) -> list[dict[str, Any]]:
    """Return the questions that a file answers, and whether one is attached; a file is put to a saved draft."""
    attached = attached_keys(draft) if draft else frozenset()
    return [
        {"question": one, "hint": hint(one.why, one.readers), "is_attached": one.key in attached}
        for one in programme.asked_of(purpose_code)
        if one.kind == FILE
    ]


def check_row(code: str, asked: str, outcome: str, reason: str, change: str) -> dict[str, Any]:
    """Return one line of a trace as the pages show it."""
    glyph, word = _OUTCOMES[outcome]
    return {"code": code, "asked": asked, "glyph": glyph, "word": word, "reason": reason, "change": change}


def stored_checks(application: Application) -> dict[str, Any]:
    """Return the trace that was kept when the application was handed in, newest first; empty before."""
    trace = application.traces.select_related("programme").first()
    rows = [check_row(**line) for line in trace.lines] if trace else []
    return {"trace": trace, "checks": rows}


def checks_now(application: Application, at: datetime) -> dict[str, Any]:
    """Return what the rules say at this moment of an application that waits for a decision; nothing for others."""
    lines = trace_now(application, at).lines if application.state in OURS else ()
    return {"checks_now": [check_row(**asdict(line)) for line in lines]}


def answered(application: Application, roles: Iterable[str]) -> list[dict[str, Any]]:
    """Return the answers to the programme's questions that these roles read, in the order of the form."""
    programme, seen = programme_facing(application), frozenset(roles)
    given = application.form_answers
    return [
        {"label": one.label, "text": shown_answer(one, given[one.key])}
        for one in programme.questions
        if given.get(one.key) and readable_by(one, seen)
    ]


def own_answers(application: Application) -> list[dict[str, Any]]:
    """Return every answer of an application, for its applicant."""
    programme = programme_facing(application)
    return answered(application, {role for one in programme.questions for role in one.readers})


def programme_facts(application: Application, roles: Iterable[str] | None = None) -> dict[str, Any]:
    """Return what a page of a filed application shows of its programme.

    Args:
        application: which one.
        roles: those of the reader; None: the applicant, who reads what they wrote.
    """
    programme = programme_facing(application)
    shown = own_answers(application) if roles is None else answered(application, roles)
    return {
        "programme": programme,
        "form_answers": shown,
        "steps": [(tier, step_words(programme.step(tier))) for tier in range(len(programme.steps))],
        **stored_checks(application),
    }
