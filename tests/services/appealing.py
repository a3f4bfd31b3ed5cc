"""What tests of appeals share: a suspension, a revocation, and an appeal taken to its outcome."""

from __future__ import annotations

from datetime import datetime

from release_portal.access.models import Grant, Revocation, Suspension
from release_portal.access.revocations import propose_revocation, revoke_grant
from release_portal.access.services import suspend_grant
from release_portal.appeals.models import Appeal
from release_portal.appeals.services import accept_appeal, assign_appeal, decide_appeal, file_appeal
from tests.world import World

TEXT = "The work was inside the purpose."


def version(grant: Grant) -> int:
    """The version of the grant as the database holds it."""
    return Grant.objects.get(pk=grant.pk).version


def suspended(world: World, grant: Grant, at: datetime, by: str = "olu") -> Suspension:
    """An officer suspends the grant."""
    return suspend_grant(world.actor(by), grant.pk, reason="Volume.", expected_version=version(grant), at=at)


def proposed(world: World, grant: Grant, at: datetime, by: str = "ivy") -> Revocation:
    """A lead proposes to revoke the grant."""
    given = {"code": "misuse", "text": "Spam was sold.", "expected_version": version(grant)}
    return propose_revocation(world.actor(by), grant.pk, at=at, **given)  # type: ignore[arg-type]


def revoked(world: World, grant: Grant, at: datetime) -> Revocation:
    """Two leads revoke the grant."""
    proposed(world, grant, at)
    return revoke_grant(world.actor("hal"), grant.pk, reason="Checked.", expected_version=version(grant), at=at)


def assigned(world: World, appeal: Appeal, at: datetime, to: str = "ben") -> Appeal:
    """The appeal is taken in and given to somebody."""
    appeal = accept_appeal(world.actor(to), appeal.pk, expected_version=appeal.version, at=at)
    return assign_appeal(world.actor(to), appeal.pk, to=to, expected_version=appeal.version, at=at)


def decided(world: World, who: str, subject: str, verdict: str, at: datetime, *, by: str = "ben") -> Appeal:
    """An appeal from its filing to its outcome."""
    appeal = assigned(world, file_appeal(world.actor(who), subject, text=TEXT, at=at), at, by)
    given = {"verdict": verdict, "reason": "We looked again.", "expected_version": appeal.version, "at": at}
    return decide_appeal(world.actor(by), appeal.pk, **given)  # type: ignore[arg-type]
