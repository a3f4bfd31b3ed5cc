"""Release policies: public, known by their digests."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch, prefetch_related_objects
from rest_framework.request import Request
from rest_framework.response import Response

from release_portal.access.lookups import families_for
from release_portal.access.policy import READ_SCOPE
from release_portal.api.base import ApiView
from release_portal.api.documented import documented
from release_portal.api.examples import POLICIES, POLICY
from release_portal.api.paging import PageQuery, page_of, page_schema
from release_portal.api.serializers.policies import PolicyFileFacts, PolicyFileRow
from release_portal.releases.policy_services import policy_of, shown_adoptions, stored_policies, stored_policy

TAG = "release gates"


class PolicyView(ApiView):
    """What the addresses of policies share."""

    scopes = (READ_SCOPE,)

    @property
    def adoptions(self) -> Prefetch[Any]:
        """Adoptions, without those for a family of which the asker may see nothing."""
        return shown_adoptions(families_for(self.actor, at=self.at))


class Policies(PolicyView):
    """Release policies."""

    query = PageQuery

    @documented("list_policies", page_schema("PolicyFile", PolicyFileRow), tag=TAG, query=PageQuery, example=POLICIES)
    def get(self, request: Request) -> Response:
        """List every policy that is stored, with when it came in force and for whom."""
        return page_of(stored_policies(with_text=True).prefetch_related(self.adoptions), PolicyFileRow, self.asked_for)


class OnePolicy(PolicyView):
    """One release policy."""

    @documented("read_policy", PolicyFileFacts, tag=TAG, errors=(404,), example=POLICY)
    def get(self, request: Request, digest: str) -> Response:
        """Return a policy by its digest, or the newest version of a name: the file, and every gate as it states it."""
        policy: Any = stored_policy(digest)
        prefetch_related_objects([policy], self.adoptions)
        policy.rules = policy_of(policy)
        return Response(PolicyFileFacts(policy).data)
