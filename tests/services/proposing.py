"""What tests around proposals share: one that is being prepared, and accounts that hold a role."""

from __future__ import annotations

from release_portal.accounts.models import RoleAssignment, User
from release_portal.releases.models import PolicyVersion, Proposal
from release_portal.releases.proposal_rules import COLLECTING
from tests.world import World


def proposal(world: World, *, by: str = "jo", state: str = COLLECTING, policy: str = "preset") -> Proposal:
    """A proposal to open the served size to the public, as somebody collects evidence for it."""
    standing = world.size.standing
    return Proposal.objects.create(
        size=world.size,
        source=standing.stage,
        target="public_hosted",
        policy=PolicyVersion.objects.get(name=policy),
        state=state,
        rationale="Six months without misuse.",
        opened_by_id=world.actor(by).id,
        opened_by=by,
        opened_at=world.at,
    )


def person_with(world: World, name: str, *roles: str) -> User:
    """A new account with these roles."""
    user = User.objects.create_user(name, f"{name}@example.org", first_name=name.capitalize())
    for role in roles:
        RoleAssignment.objects.create(user=user, role=role, given_at=world.at, given_by="tests")
    return user
