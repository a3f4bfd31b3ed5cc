"""Narrow a running grant: one person, at once, and only narrower."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from release_portal.access.scope_rules import Scope, changes, narrowing_problems, stops_work
from release_portal.access.services import grant_subject, locked_grant, write_scope
from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput
from release_portal.epochs.services import advance_epoch, grant_key
from release_portal.notices.services import notify


@transaction.atomic
def restrict_grant(
    actor: Actor, grant_id: str, after: Scope, *, reason: str, expected_version: int, at: datetime
) -> list[str]:
    """Narrow a grant; return what changed, as the holder reads it.

    Work that runs is stopped where it may do what is no longer allowed; whoever still may asks again.

    Args:
        actor: a duty officer or a lead, not the holder.
        grant_id: which grant.
        after: what it shall open from now on.
        reason: sentence for the holder.
        expected_version: version that the actor saw.
        at: the time of the act.
    """
    grant = locked_grant(actor, "restrict", grant_id, expected_version)
    before = grant.scope()
    for problem in narrowing_problems(before, after):
        raise InvalidInput(problem.reason, field=problem.field)
    if not reason.strip():
        raise InvalidInput("A reason is needed.", field="reason", change="Write what the holder shall read.")
    grant.version += 1
    write_scope(grant, after)
    if stops_work(before, after):
        advance_epoch(grant_key(grant.pk))
    differences = changes(before, after)
    data = {"state": grant.state, "version": grant.version, "changes": differences}
    record("grant.restricted", actor=actor, subject=grant_subject(grant), at=at, reason=reason.strip(), data=data)
    facts = {"grant": grant.pk, "purpose": grant.purpose, "reason": reason.strip(), "changes": "; ".join(differences)}
    notify(grant.holder, "grant_restricted", facts, at=at, path=f"/grants/{grant.pk}/")
    return differences
