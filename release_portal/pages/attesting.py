"""How people who vouch look to the applicant, to those who review, and to themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from release_portal.access.attestations.facts import asked_of, latest_of, needs_of, signals_on, voucher_of
from release_portal.access.attestations.offers import offered, swaps_of
from release_portal.access.attestations.rules import INSTITUTION, KINDS, MOST_SWAPS, REFEREE, RELATIONS, counts
from release_portal.access.attestations.statements import sentences
from release_portal.access.models import Application, Attestation
from release_portal.access.review_desk import largest_open, risk_facing
from release_portal.core.actors import Actor
from release_portal.notices.retry_rules import FAILED

KIND_WORDS = {REFEREE: lazy("Referee"), INSTITUTION: lazy("Officer of the institution")}
_STATES: dict[str, tuple[Any, str]] = {
    "named": (lazy("named; not asked yet"), ""),
    "requested": (lazy("asked"), "info"),
    "opened": (lazy("has opened the request"), "info"),
    "confirmed": (lazy("confirmed"), "good"),
    "declined": (lazy("declined"), "bad"),
    "disputed": (lazy("says: not me"), "bad"),
    "expired": (lazy("no answer in 21 days"), "warn"),
    "cancelled": (lazy("cancelled"), ""),
}


def attestation_pill(state: str) -> dict[str, Any]:
    """Return a state with its word and its tone."""
    label, tone = _STATES[state]
    return {"slug": state, "label": label, "tone": tone}


# --- The applicant ---------------------------------------------------------------------------------------------------


def attesters_of(actor: Actor, application: Application, at: datetime) -> list[dict[str, Any]]:
    """Return a row for each kind that is needed or was ever named, for the applicant: states, never words."""
    needs = {one.kind: one.why for one in needs_of(application, risk_facing(application, largest_open(), at).tier)}
    latest = latest_of(application)
    return [
        _own_row(actor, application, kind, needs.get(kind, ""), at) for kind in KINDS if kind in needs or kind in latest
    ]


def _own_row(actor: Actor, application: Application, kind: str, why: str, at: datetime) -> dict[str, Any]:
    rows = [one for one in application.attestations.all() if one.kind == kind]
    found = rows[-1] if rows else None
    may = offered(actor, application, kind, at)
    address = reverse("attestation", args=[application.pk, kind])
    return {
        "kind": kind,
        "label": KIND_WORDS[kind],
        "why": why,
        "found": found,
        "state": attestation_pill(found.state_at(at)) if found else None,
        "counts": bool(found and counts(voucher_of(found, at), at)),
        "is_undelivered": bool(found and found.link_mail and found.link_mail.state == FAILED),
        "earlier": [{"name": one.name, "state": attestation_pill(one.state_at(at))} for one in rows[:-1]],
        "name_url": address if may["name"] or may["swap"] else "",
        "is_swap": bool(may["swap"]),
        "swaps_left": MOST_SWAPS - swaps_of(found) if found else MOST_SWAPS,
        "commands": [
            {"url": reverse("attestation-command", args=[application.pk, kind, name]), "label": label, "name": name}
            for name, label in _COMMANDS.items()
            if may[name]
        ],
    }


_COMMANDS = {
    "resend": lazy("Mail the link again"),
    "again": lazy("Ask this person again"),
    "cancel": lazy("Cancel"),
}


# --- Those who review ------------------------------------------------------------------------------------------------


def attesters_to_review(application: Application, at: datetime) -> list[dict[str, Any]]:
    """Return everybody who was asked, newest first within a kind, with what they wrote and what to look at."""
    found = application.attestations.select_related("link_mail").exclude(asked_at=None).order_by("kind", "-number")
    return [_review_row(application, one, at) for one in found]


def _review_row(application: Application, found: Attestation, at: datetime) -> dict[str, Any]:
    found.application = application
    names = RELATIONS[found.kind]
    return {
        "found": found,
        "label": KIND_WORDS[found.kind],
        "state": attestation_pill(found.state_at(at)),
        "counts": counts(voucher_of(found, at), at),
        "stated": names.get(found.stated_relation, ""),
        "said": names.get(found.relation, ""),
        "signals": signals_on(found),
    }


# --- Whoever holds the link ------------------------------------------------------------------------------------------


def asked_facts(found: Attestation) -> dict[str, Any]:
    """Return what the page behind the link says before and after "this is me"."""
    return {
        "found": found,
        "applicant": found.application.applicant.name,
        "size": found.application.size,
        "role": _ROLES[found.kind],
        "asked": asked_of(found),
        "sentences": sentences(found.kind, asked_of(found)),
        "is_referee": found.kind == REFEREE,
    }


_ROLES = {
    REFEREE: lazy("a referee: somebody who knows their work"),
    INSTITUTION: lazy("an officer who may sign for their institution"),
}


def outcome_words(state: str) -> str:
    """Return what somebody reads who has answered."""
    return {
        "confirmed": _("You have confirmed. Your confirmation counts for 12 months, for exactly what you confirmed."),
        "declined": _("You have declined. The applicant is told that you did, not what you wrote."),
        "disputed": _("Thank you for saying so. Those who review the application are told to check who is behind it."),
    }[state]
