"""The closed lists of roles and token scopes (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Role(StrEnum):
    """What a person may be trusted with; nobody holds one by default."""

    ADMINISTRATOR = "administrator"
    RELEASE_MANAGER = "release_manager"
    SAFETY_REVIEWER = "safety_reviewer"
    ACCESS_LEAD = "access_lead"
    PARTNER_LEAD = "partner_lead"
    EXTERNAL_REVIEWER = "external_reviewer"
    BOARD = "board"
    OPERATOR = "operator"
    DUTY_OFFICER = "duty_officer"

    @property
    def label(self) -> str:
        """The role as people read it."""
        return self.value.replace("_", " ")


# External reviewers see what they are shown; they are not staff.
STAFF_ROLES: frozenset[str] = frozenset(role.value for role in Role if role is not Role.EXTERNAL_REVIEWER)

SCOPES: dict[str, str] = {
    "catalogue:read": "read the catalogue, sizes and cards",
    "generate": "generate with the sizes that your grants or stages open to you",
    "detect": "ask whether a text came from a served model",
    "jobs:read": "read your own jobs",
    "applications:write": "file and follow access applications",
    "appeals:write": "file and follow appeals against decisions about you",
    "reports:write": "file misuse reports",
}
STAFF_SCOPES: dict[str, str] = {
    "staff:read": "read staff queues; a token can never decide",
    "evidence:write": "attach evidence; a token can never review or decide",
}


def scopes_for(roles: Iterable[str]) -> tuple[str, ...]:
    """Return every scope that an account with these roles may give to a token."""
    staff = tuple(STAFF_SCOPES) if STAFF_ROLES.intersection(roles) else ()
    return (*SCOPES, *staff)
