"""The agreement: its versions for everyone, and one's own signature."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from release_portal.access.agreements.lookups import version_for, version_in_force, versions_for
from release_portal.access.agreements.services import accept_in_force, agreement_numbered
from release_portal.access.agreements.signatures import signature_of
from release_portal.access.application_rules import WRITE_SCOPE
from release_portal.access.models import AgreementVersion
from release_portal.api.base import ApiView, TokenView
from release_portal.api.documented import documented
from release_portal.api.paging import PageQuery, page_of, page_schema
from release_portal.api.serializers.agreements import SignatureAnswer, SignatureInput, VersionFacts, VersionText

TAG = "applications"


class Versions(ApiView):
    """Versions of the agreement."""

    query = PageQuery

    @documented("list_agreements", page_schema("AgreementVersion", VersionFacts), tag=TAG, query=PageQuery)
    def get(self, request: Request) -> Response:
        """List every version that is or was in force, newest first."""
        found = versions_for(self.actor, at=self.at)
        newest = version_in_force(self.at)
        return page_of([facts_of(one, newest, self) for one in found], VersionFacts, self.asked_for)


class OneVersion(ApiView):
    """One version of the agreement."""

    @documented("read_agreement_version", VersionText, tag=TAG, errors=(404,))
    def get(self, request: Request, number: int) -> Response:
        """Return one version with its text."""
        found = version_for(self.actor, number, at=self.at)
        newest = version_in_force(self.at)
        return Response(VersionText(facts_of(found, newest, self)).data)


class OwnSignature(TokenView):
    """Your signature."""

    scopes = (WRITE_SCOPE,)

    @documented("read_signature", SignatureAnswer, tag=TAG)
    def get(self, request: Request) -> Response:
        """Return how your signature stands."""
        return Response(SignatureAnswer(signature_of(self.actor.account_id, self.at)).data)


class Signing(TokenView):
    """Sign a version."""

    scopes = (WRITE_SCOPE,)

    @documented("sign_agreement", SignatureAnswer, tag=TAG, body=SignatureInput, is_keyed=True, errors=(404,))
    def post(self, request: Request, number: int) -> Response:
        """Accept the version in force; grants that rested for want of it work again at once."""
        return self.once(lambda _key: self._sign(number, self.sent(SignatureInput)["sha256"]))

    def _sign(self, number: int, sha256: str) -> Response:
        agreement_numbered(number, at=self.at)
        accept_in_force(self.actor, sha256, at=self.at)
        return Response(SignatureAnswer(signature_of(self.actor.account_id, self.at)).data)


def facts_of(version: AgreementVersion, newest: AgreementVersion | None, view: ApiView) -> dict[str, Any]:
    """Return a version as clients read it."""
    return {
        "number": version.number,
        "state": version.state_at(view.at, newest=newest.number if newest else 0),
        "sha256": version.sha256,
        "effective_from": version.effective_from,
        "is_material": version.is_material,
        "reason": version.reason,
        "text": version.text,
    }
