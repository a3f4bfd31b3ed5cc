"""How the gates of sizes stand, and why sizes are not further: what the engine says, for all who see the size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from release_portal.access.lookups import proposals_for, sizes_for
from release_portal.access.policy import Action
from release_portal.api.documented import documented
from release_portal.api.examples import EXCUSES, GATE, SIZE_EXCUSES
from release_portal.api.paging import page_of, page_schema
from release_portal.api.serializers.gates import ExcuseQuery, ExcuseRow, NextGate
from release_portal.api.views.catalogue import CatalogueView, matching
from release_portal.api.views.policies import TAG
from release_portal.registry.models import ModelSize
from release_portal.releases.assessments import next_assessments
from release_portal.releases.excuses import Excuses, excuses_for
from release_portal.releases.gates import Assessment
from release_portal.releases.policy_services import policies_in_force
from release_portal.releases.proposal_rules import OPEN


class SizeGate(CatalogueView):
    """The next gate of a size."""

    @documented("read_gate", NextGate, tag=TAG, errors=(404,), example=GATE)
    def get(self, request: Request, lab: str, name: str) -> Response:
        """Return how every criterion of the next gate stands, computed now: the open proposal's gate, if there is one.

        An open gate moves nothing: people decide, signed in on the web. A token never does.
        """
        size = self.size(lab, name)
        proposal = proposals_for(self.actor, at=self.at).filter(size=size, state__in=OPEN).first()
        policy = proposal.policy if proposal else policies_in_force([size], self.at).get(size.pk)
        facts = {
            "size": size.slug,
            "stage": size.standing.stage,
            "policy": policy.digest if policy else None,
            "proposal": proposal,
            **_assessed(next_assessments([size], self.at).get(size.pk)),
        }
        return Response(NextGate(facts).data)


def _assessed(found: Assessment | None) -> dict[str, Any]:
    if found is None:
        return {"gate": None, "may_advance": False, "results": ()}
    return {"gate": found.gate, "may_advance": found.may_advance, "results": found.results}


class AllExcuses(CatalogueView):
    """Why sizes are not further."""

    query = ExcuseQuery

    @documented("list_excuses", page_schema("Excuse", ExcuseRow), tag=TAG, query=ExcuseQuery, example=EXCUSES)
    def get(self, request: Request) -> Response:
        """List the sizes that you may see, each with every reason why it is not at its next stage.

        With `owner`, only the reasons that this role can change, and only the sizes that have one.
        """
        sizes = matching(sizes_for(self.actor, Action.VIEW, at=self.at), self.asked_for)
        sizes = sizes.order_by("family__ordinal", "ordinal")
        if owner := self.asked_for.get("owner"):
            return page_of(owned(self._excuses(list(sizes)), owner), ExcuseRow, self.asked_for)
        return page_of(sizes, ExcuseRow, self.asked_for, load=self._excuses)

    def _excuses(self, sizes: Sequence[ModelSize]) -> list[Excuses]:
        found = excuses_for(sizes, self.at)
        return [found[size.pk] for size in sizes]


class SizeExcuses(CatalogueView):
    """Why one size is not further."""

    @documented("read_excuses", ExcuseRow, tag=TAG, errors=(404,), example=SIZE_EXCUSES)
    def get(self, request: Request, lab: str, name: str) -> Response:
        """Return every reason why a size is not at its next stage; none means that people may decide."""
        size = self.size(lab, name)
        return Response(ExcuseRow(excuses_for([size], self.at)[size.pk]).data)


def owned(found: list[Excuses], owner: str) -> list[Excuses]:
    """Keep the lines that a role can change, and the sizes that have one."""
    kept = (replace(one, lines=tuple(line for line in one.lines if line.owner == owner)) for one in found)
    return [one for one in kept if one.lines]
