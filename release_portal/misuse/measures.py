"""Which measures a report may lead to, and what each measure's own rule says of this officer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from release_portal.access.grant_rules import GRANT
from release_portal.access.lookups import grant_for
from release_portal.access.models import Grant
from release_portal.access.services import relations_of
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.misuse.lookups import decision_on
from release_portal.misuse.models import MisuseReport, RecordMatch
from release_portal.misuse.report_rules import ActionKind
from release_portal.registry.models import ModelSize
from release_portal.releases.hold_rules import PLAIN, STOP, may_raise
from release_portal.releases.models import Hold


@dataclass(frozen=True)
class Possible:
    """One measure that the page shows, with the decision on it.

    Args:
        kind: suspend_grant, hold_size or stop_size.
        target: id of the grant, or slug of the size.
        label: what people read of the target.
        version: version of the grant.
        job_id: the match in the record that is its ground; empty when a person's finding is needed.
        decision: whether this officer may order it now.
    """

    kind: ActionKind
    target: str
    label: str
    version: int
    job_id: str
    decision: Decision

    @property
    def key(self) -> str:
        """Name of this measure on its page."""
        return f"{self.kind.value}-{self.target}".replace("/", "-").replace(".", "-")


def possible_measures(actor: Actor, report: MisuseReport, *, grant_id: str = "") -> list[Possible]:
    """Return the measures on every grant and size that the record, the triage or the officer names."""
    on_report = decision_on("act", actor, report)
    matches = list(report.matches.select_related("job__grant", "job__size", "job__size__family"))
    return [
        *_on_grants(actor, matches, grant_id, on_report),
        *_on_sizes(actor, report, matches, on_report),
    ]


def _on_grants(actor: Actor, matches: list[RecordMatch], grant_id: str, first: Decision) -> Iterator[Possible]:
    grounds = {match.job.grant_id: match for match in reversed(matches) if match.job.grant_id}
    named = {grant_id} if grant_id else set()
    for name in sorted(set(grounds) | named):
        grant = grant_for(actor, name)
        match = grounds.get(name)
        decision = first and GRANT.decide("suspend", grant.state, relations_of(actor, grant))
        yield _on_grant(grant, match.job_id if match else "", decision)


def _on_grant(grant: Grant, job_id: str, decision: Decision) -> Possible:
    return Possible(ActionKind.SUSPEND_GRANT, grant.pk, grant.pk, grant.version, job_id, decision)


def _on_sizes(actor: Actor, report: MisuseReport, matches: list[RecordMatch], first: Decision) -> Iterator[Possible]:
    grounds = {match.job.size_id: match for match in reversed(matches)}
    sizes = {match.job.size_id: match.job.size for match in matches}
    sizes |= {size.pk: size for size in (report.size,) if size is not None}
    for pk, size in sorted(sizes.items()):
        match = grounds.get(pk)
        yield from _on_size(actor, size, match.job_id if match else "", first)


def _on_size(actor: Actor, size: ModelSize, job_id: str, first: Decision) -> Iterator[Possible]:
    holds = [hold.facts() for hold in Hold.objects.open().filter(size=size)]
    for kind, level in ((ActionKind.HOLD_SIZE, PLAIN), (ActionKind.STOP_SIZE, STOP)):
        decision = first and may_raise(actor, holds, level=level)
        yield Possible(kind, size.slug, size.name, 0, job_id, decision)
