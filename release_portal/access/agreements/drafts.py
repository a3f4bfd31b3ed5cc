"""Write a draft of the next version, approve and schedule somebody else's, retire what has not taken effect."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from release_portal.access.agreements.rules import NEW, RETIRED, SCHEDULED, decide_version
from release_portal.access.agreements.services import (
    LONGEST_REASON,
    check_day,
    clean_text,
    settle,
    version_subject,
)
from release_portal.access.models import AgreementDraft, AgreementVersion
from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import InvalidInput, NotAllowed, StaleVersion, error_of


@dataclass(frozen=True)
class Wording:
    """What a draft says.

    Args:
        text: Markdown.
        effective_from: from when it applies.
        is_material: whether people must accept it anew.
        reason: what changed, and why that is material or not; everybody reads it.
    """

    text: str
    effective_from: datetime
    is_material: bool
    reason: str


def draft_subject(draft: AgreementDraft) -> str:
    """Return how the audit log names a draft."""
    return f"agreement-draft:{draft.pk}"


def decide_draft(actor: Actor, draft: AgreementDraft | None, name: str) -> Decision:
    """Decide whether the actor may give a command on a draft now; pages ask the same as services."""
    if draft is None:
        return decide_version(actor, name, NEW)
    return decide_version(actor, name, draft.state, editors=draft.editor_ids)


@transaction.atomic
def write_draft(actor: Actor, wording: Wording, *, at: datetime) -> AgreementDraft:
    """Begin a draft."""
    _check_person(actor)
    _check(decide_draft(actor, None, "write"))
    draft = AgreementDraft(created_at=at, version=0)
    _keep(actor, draft, wording, at)
    record("agreement.drafted", actor=actor, subject=draft_subject(draft), at=at, reason=draft.reason)
    return draft


@transaction.atomic
def save_draft(actor: Actor, draft_id: int, wording: Wording, *, expected_version: int, at: datetime) -> AgreementDraft:
    """Change a draft; whoever does can no longer approve it."""
    draft = _locked(actor, "save", draft_id, expected_version)
    _keep(actor, draft, wording, at)
    return draft


@transaction.atomic
def schedule_draft(actor: Actor, draft_id: int, *, expected_version: int, at: datetime) -> AgreementVersion:
    """Approve somebody else's draft: it becomes a version with a number and a hash, and never changes again."""
    draft = _locked(actor, "schedule", draft_id, expected_version)
    _check_person(actor)
    check_day(draft.effective_from, at)
    version = settle(
        actor,
        clean_text(draft.text),
        effective_from=draft.effective_from,
        is_material=draft.is_material,
        reason=draft.reason,
        at=at,
        drafted_by=(draft.editor_ids[-1], draft.edited_by),
    )
    draft.agreement = version
    _set_state(draft, SCHEDULED)
    return version


@transaction.atomic
def retire_draft(actor: Actor, draft_id: int, *, reason: str, expected_version: int, at: datetime) -> AgreementDraft:
    """Drop a draft; its text stays on record."""
    draft = _locked(actor, "retire", draft_id, expected_version)
    why = _reason(reason)
    _set_state(draft, RETIRED)
    record("agreement.draft_retired", actor=actor, subject=draft_subject(draft), at=at, reason=why)
    return draft


@transaction.atomic
def retire_version(actor: Actor, number: int, *, reason: str, at: datetime) -> AgreementVersion:
    """Take back a version that has not taken effect; its number is not given again."""
    version = AgreementVersion.objects.select_for_update().get(number=number)
    newest = AgreementVersion.objects.in_force(at)
    state = version.state_at(at, newest=newest.number if newest else 0)
    _check(decide_version(actor, "retire", state))
    version.retired_at, version.retired_by, version.retire_reason = at, actor.name, _reason(reason)
    version.save(update_fields=["retired_at", "retired_by", "retire_reason"])
    why = version.retire_reason
    record("agreement.retired", actor=actor, subject=version_subject(version), at=at, reason=why)
    return version


def _keep(actor: Actor, draft: AgreementDraft, wording: Wording, at: datetime) -> None:
    draft.text = clean_text(wording.text)
    if not wording.reason.strip() or len(wording.reason) > LONGEST_REASON or "\x00" in wording.reason:
        raise InvalidInput("Say what changed, and why people must accept it anew or need not.", field="reason")
    draft.effective_from, draft.is_material, draft.reason = (
        wording.effective_from, wording.is_material, wording.reason.strip(),
    )  # fmt: skip
    check_day(draft.effective_from, at)
    draft.editor_ids = [*(one for one in draft.editor_ids if one != actor.id), actor.id]
    draft.edited_by, draft.edited_at, draft.version = actor.name, at, draft.version + 1
    draft.save()


def _locked(actor: Actor, name: str, draft_id: int, expected_version: int) -> AgreementDraft:
    draft = AgreementDraft.objects.select_for_update().get(pk=draft_id)
    _check(decide_draft(actor, draft, name))
    if draft.version != expected_version:
        raise StaleVersion("The draft changed while this page was open.", change="Look again, then decide.")
    return draft


def _check_person(actor: Actor) -> None:
    if not actor.is_person:
        raise NotAllowed("Versions of the agreement are the business of people.", change="Sign in.")


def _set_state(draft: AgreementDraft, state: str) -> None:
    draft.state, draft.version = state, draft.version + 1
    draft.save(update_fields=["state", "version", "agreement"])


def _reason(reason: str) -> str:
    if not reason.strip() or len(reason) > LONGEST_REASON or "\x00" in reason:
        raise InvalidInput("A reason is needed.", field="reason", change="Write why.")
    return reason.strip()


def _check(decision: Decision) -> None:
    if not decision:
        raise error_of(decision)
