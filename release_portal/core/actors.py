"""Who asks: a person, an anonymous visitor or a named part of the system. Never None."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class ActorKind(StrEnum):
    """What kind of asker an actor is."""

    ANONYMOUS = "anonymous"
    USER = "user"
    SYSTEM = "system"


@dataclass(frozen=True)
class Actor:
    """A plain value that names the asker, as rules and the audit log know them.

    Args:
        kind: person, anonymous visitor or system.
        id: account id of a person, name of a system actor, empty for the anonymous visitor.
        name: what people read.
        roles: slugs of the roles that a person holds now.
        scopes: what an API token may be used for; None when the person signed in by themselves.
    """

    kind: ActorKind
    id: str
    name: str
    roles: frozenset[str] = field(default_factory=frozenset)
    scopes: frozenset[str] | None = None

    @property
    def account_id(self) -> int:
        """Primary key of the person's account; 0, which no account has, for everybody else."""
        return int(self.id) if self.is_person else 0

    @property
    def is_person(self) -> bool:
        """Whether a signed-in person asks."""
        return self.kind is ActorKind.USER

    @property
    def is_system(self) -> bool:
        """Whether a named part of the system asks."""
        return self.kind is ActorKind.SYSTEM

    def has_role(self, *roles: str) -> bool:
        """Whether the actor holds at least one of the roles."""
        return bool(self.roles.intersection(roles))


ANONYMOUS = Actor(ActorKind.ANONYMOUS, "", "anonymous visitor")


def system_actor(name: str) -> Actor:
    """Return the system actor of that name, e.g. `settlement`; it signs what no person did."""
    return Actor(ActorKind.SYSTEM, name, f"system: {name}")
