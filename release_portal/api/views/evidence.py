"""Evidence of a size: read it, attach more. A token attaches; only people review and decide."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from release_portal.access.policy import READ_SCOPE
from release_portal.api.auth import TokenNeeded
from release_portal.api.documented import documented
from release_portal.api.examples import ATTACHED, EVIDENCE, EVIDENCE_SENT
from release_portal.api.paging import page_of, page_schema
from release_portal.api.serializers.evidence import AttachedEvidence, EvidenceInput, EvidenceQuery
from release_portal.api.views.catalogue import CatalogueView
from release_portal.api.views.policies import TAG
from release_portal.evidence.lookups import evidence_of
from release_portal.evidence.rules import WRITE_SCOPE, EvidenceDraft
from release_portal.evidence.services import attach_evidence


class SizeEvidence(CatalogueView):
    """Evidence of a size."""

    query = EvidenceQuery
    scopes = (READ_SCOPE, WRITE_SCOPE)

    def get_permissions(self) -> list[Any]:
        """Everybody reads; evidence is signed, so who attaches it needs a token."""
        return [TokenNeeded() if self.request.method == "POST" else AllowAny()]

    @documented(
        "list_evidence",
        page_schema("Evidence", AttachedEvidence),
        tag=TAG,
        query=EvidenceQuery,
        errors=(404,),
        example=EVIDENCE,
    )
    def get(self, request: Request, lab: str, name: str) -> Response:
        """List the evidence of a size, newest first, superseded evidence included."""
        found = evidence_of(self.size(lab, name), self.asked_for.get("criterion"))
        return page_of(found.select_related("superseded_by"), AttachedEvidence, self.asked_for)

    @documented(
        "attach_evidence",
        AttachedEvidence,
        tag=TAG,
        body=EvidenceInput,
        is_keyed=True,
        status=201,
        errors=(404,),
        example=ATTACHED,
        body_example=EVIDENCE_SENT,
    )
    def post(self, request: Request, lab: str, name: str) -> Response:
        """Attach evidence in your name; it supersedes the newest for the same criterion, and another person reviews it.

        Needs the scopes evidence:write and catalogue:read, and an owner who is staff or an external reviewer.
        """
        return self.once(lambda _key: self._attach(lab, name, self.sent(EvidenceInput)))

    def _attach(self, lab: str, name: str, values: dict[str, Any]) -> Response:
        expected = values.pop("expected_newest")
        draft = EvidenceDraft(**{**values, "items": tuple(values.get("items", ()))})
        evidence = attach_evidence(self.actor, self.size(lab, name), draft, expected_newest=expected, at=self.at)
        return Response(AttachedEvidence(evidence).data, status=201)
