"""Prove once more who one is, before an act that cannot be taken back."""

from __future__ import annotations

from datetime import datetime

from release_portal.accounts.models import User
from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput, NotAllowed


def confirm_password(actor: Actor, password: str, *, at: datetime) -> datetime:
    """Return the time of confirmation when the password is the actor's own.

    Raises:
        NotAllowed: a token or no person asks.
        InvalidInput: the password is wrong, or missing.
    """
    if not actor.is_person or actor.scopes is not None:
        raise NotAllowed("Only a person who signed in confirms an act.", rule="confirm", change="Sign in yourself.")
    if not password:
        raise InvalidInput("Your password is needed.", field="password", change="Enter it to confirm the act.")
    if not User.objects.get(pk=actor.account_id).check_password(password):
        raise InvalidInput("The password is not right.", field="password", change="Enter it again.")
    return at
