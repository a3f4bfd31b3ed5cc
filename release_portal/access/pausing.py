"""What rests a grant for whoever asks: facts of the person, and facts of the grant.

Nothing of it is written anywhere: it is asked at each use, so that a duty that is done ends its pause at once and no
sweeper is needed for one to begin.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from django.db.models import Exists, OuterRef, Q

from release_portal.access.agreements.rules import pause_of
from release_portal.access.agreements.signatures import lapsed, signatures_of
from release_portal.access.grant_rules import Pause
from release_portal.access.models import Grant, Obligation
from release_portal.access.obligations.rules import pause_for


def person_pauses(account_id: int, at: datetime) -> tuple[Pause, ...]:
    """Return what rests every grant that this person uses, whoever holds it; for everybody else nothing."""
    return people_pauses({account_id}, at)[account_id] if account_id else ()


def pauses_on(grants: Iterable[Grant], at: datetime) -> dict[str, tuple[Pause, ...]]:
    """Return what rests each grant for its holder, in a constant number of queries."""
    grants = list(grants)
    people = people_pauses({grant.holder_id for grant in grants}, at) if grants else {}
    duties = duty_pauses([grant.pk for grant in grants], at)
    return {grant.pk: people[grant.holder_id] + duties.get(grant.pk, ()) for grant in grants}


def rests(at: datetime) -> Q:
    """Return the condition under which a grant rests for its holder: as `pauses_on`, answered by the database."""
    duties = Obligation.objects.resting(at).filter(grant=OuterRef("pk"))
    return Q(Exists(duties)) | lapsed(at, "holder")


def duty_pauses(grants: Collection[str], at: datetime) -> dict[str, tuple[Pause, ...]]:
    """Return what rests grants for whoever uses them: duties that have been overdue for long; one query."""
    found: dict[str, tuple[Pause, ...]] = {}
    for grant, what, due_at in (
        Obligation.objects.resting(at).filter(grant__in=grants).values_list("grant_id", "what", "due_at")
    ):
        assert due_at is not None
        found[grant] = (*found.get(grant, ()), pause_for(what, due_at))
    return found


def state_of(grant: Grant, at: datetime) -> str:
    """Return the state of one grant as it counts for its holder."""
    return grant.state_at(at, pauses_on([grant], at)[grant.pk])


def people_pauses(accounts: set[int], at: datetime) -> dict[int, tuple[Pause, ...]]:
    """Return what rests every grant that each of these people uses, in a constant number of queries."""
    found = signatures_of(accounts, at) if accounts else {}
    pauses = {account: pause_of(facts) for account, facts in found.items()}
    return {account: (pause,) if pause else () for account, pause in pauses.items()}
