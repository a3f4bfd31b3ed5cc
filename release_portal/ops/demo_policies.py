"""The packaged policies, stored; the preset in force for all; two officers on duty."""

from __future__ import annotations

import datetime as dt

from django.db import transaction

from release_portal.accounts.actors import actor_of
from release_portal.accounts.duty import add_shift
from release_portal.accounts.models import DutyShift, User
from release_portal.accounts.roles import Role
from release_portal.core.actors import Actor
from release_portal.releases.models import PolicyAdoption, PolicyVersion
from release_portal.releases.policy_files import PACKAGED, packaged, packaged_text
from release_portal.releases.policy_services import adopt_policy, store_policy

IN_FORCE = "preset"
REASON = "the portal's preset"
OFFICERS = ("ben", "olu")
SHIFT = dt.timedelta(days=730)


@transaction.atomic
def write_policies(*, at: dt.datetime) -> None:
    """Store what the portal brings along and adopt the preset, unless that was done, or a policy was adopted."""
    manager = _manager()
    if manager is None:  # nobody may adopt anything; then nothing is in force
        return
    for name in PACKAGED:
        policy = packaged(name)
        if not PolicyVersion.objects.filter(name=policy.name, version=policy.version).exists():
            store_policy(manager, packaged_text(name), at=at)
    if not PolicyAdoption.objects.exists():
        newest = PolicyVersion.objects.filter(name=IN_FORCE).order_by("-version")[0]
        adopt_policy(manager, newest.digest, family=None, reason=REASON, at=at)


@transaction.atomic
def write_duty(*, at: dt.datetime) -> None:
    """Put the demo's duty officers on the roster for long, unless the roster was ever used."""
    manager = _manager()
    if manager is None or DutyShift.objects.exists():
        return
    for user in User.objects.filter(username__in=OFFICERS, role_assignments__role=Role.DUTY_OFFICER, is_active=True):
        add_shift(manager, user, starts_at=at, ends_at=at + SHIFT, at=at)


def _manager() -> Actor | None:
    """Return the first release manager of the demo's cast, as the database knows them now."""
    managers = User.objects.filter(role_assignments__role=Role.RELEASE_MANAGER, is_active=True)
    user = managers.filter(is_demo=True).order_by("pk").first()
    return actor_of(user) if user else None
