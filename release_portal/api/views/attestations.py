"""Those who vouch for an application: list, name, swap, mail again, cancel, ask anew, as its applicant."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from release_portal.access.application_rules import WRITE_SCOPE
from release_portal.access.attestations.facts import voucher_of
from release_portal.access.attestations.lookups import own_attestation, own_attestations
from release_portal.access.attestations.offers import swaps_of
from release_portal.access.attestations.rules import MOST_SWAPS, counts
from release_portal.access.attestations.services import (
    Person,
    ask_again,
    cancel_attestation,
    name_attester,
    resend_link,
    swap_attester,
)
from release_portal.access.models import Attestation
from release_portal.api.base import TokenView
from release_portal.api.documented import documented
from release_portal.api.fields import Input
from release_portal.api.paging import PageQuery, page_of, page_schema
from release_portal.api.serializers.applications import VersionInput
from release_portal.api.serializers.attestations import AttestationFacts, NamingInput, SwapInput

TAG = "applications"


class AttestationView(TokenView):
    """What the addresses of attestations share."""

    scopes = (WRITE_SCOPE,)

    def commanded(self, application_id: str, form: type[Input], act: Callable[..., Attestation]) -> Response:
        """Answer a command with the attestation as it stands after it."""

        def give() -> Response:
            made = act(self.sent(form))
            return Response(AttestationFacts(self._read(application_id, made.pk)).data)

        return self.once(lambda _key: give())

    def _read(self, application_id: str, attestation_id: str) -> dict[str, Any]:
        return facts_of(own_attestation(self.actor, application_id, attestation_id), self.at)

    def own(self, application_id: str, attestation_id: str) -> tuple[str, str]:
        """Return the ids of one of the asker's own, or raise that there is none."""
        found = own_attestation(self.actor, application_id, attestation_id)
        return found.application_id, found.pk


class Attestations(AttestationView):
    """Those who vouch for one of your applications."""

    query = PageQuery

    @documented(
        "list_attestations", page_schema("Attestation", AttestationFacts), tag=TAG, query=PageQuery, errors=(404,)
    )
    def get(self, request: Request, application_id: str) -> Response:
        """List who was named, of each kind the newest last."""
        found = [facts_of(one, self.at) for one in own_attestations(self.actor, application_id)]
        return page_of(found, AttestationFacts, self.asked_for)

    @documented("name_attester", AttestationFacts, tag=TAG, body=NamingInput, is_keyed=True, errors=(404,))
    def post(self, request: Request, application_id: str) -> Response:
        """Name somebody; in a draft nobody is mailed before you hand it in, afterwards at once."""
        return self.commanded(application_id, NamingInput, lambda values: self._name(application_id, values))

    def _name(self, application_id: str, values: dict[str, Any]) -> Attestation:
        version = values["expected_version"]
        person = person_of(values)
        return name_attester(self.actor, application_id, values["kind"], person, expected_version=version, at=self.at)


class Swap(AttestationView):
    """Another person."""

    @documented("swap_attester", AttestationFacts, tag=TAG, body=SwapInput, is_keyed=True, errors=(404,))
    def post(self, request: Request, application_id: str, attestation_id: str) -> Response:
        """Name another person instead, at most twice for each kind; the answer is the new request."""
        return self.commanded(
            application_id, SwapInput, lambda values: self._swap(application_id, attestation_id, values)
        )

    def _swap(self, application_id: str, attestation_id: str, values: dict[str, Any]) -> Attestation:
        ids, version = self.own(application_id, attestation_id), values["expected_version"]
        return swap_attester(self.actor, *ids, person_of(values), expected_version=version, at=self.at)


class PlainCommand(AttestationView):
    """A command that needs nothing but the version."""

    def plain(self, application_id: str, attestation_id: str, act: Callable[..., Attestation]) -> Response:
        """Give the command."""
        return self.commanded(
            application_id,
            VersionInput,
            lambda values: act(self.actor, *self.own(application_id, attestation_id), at=self.at, **values),
        )


class Cancellation(PlainCommand):
    """Take a request back."""

    @documented("cancel_attestation", AttestationFacts, tag=TAG, body=VersionInput, is_keyed=True, errors=(404,))
    def post(self, request: Request, application_id: str, attestation_id: str) -> Response:
        """Take a request back; its link is dead."""
        return self.plain(application_id, attestation_id, cancel_attestation)


class Resending(PlainCommand):
    """Mail the link again."""

    @documented(
        "resend_attestation_link", AttestationFacts, tag=TAG, body=VersionInput, is_keyed=True, errors=(404, 429)
    )
    def post(self, request: Request, application_id: str, attestation_id: str) -> Response:
        """Mail a new link to the same address; the one before it is dead."""
        return self.plain(application_id, attestation_id, resend_link)


class AskingAgain(PlainCommand):
    """Ask somebody anew."""

    @documented("ask_attester_again", AttestationFacts, tag=TAG, body=VersionInput, is_keyed=True, errors=(404,))
    def post(self, request: Request, application_id: str, attestation_id: str) -> Response:
        """Ask the person again who confirmed something that no longer counts; the answer is the new request."""
        return self.plain(application_id, attestation_id, ask_again)


def person_of(values: dict[str, Any]) -> Person:
    """Return who is named."""
    return Person(values["name"], values["mail"], values["relation"], values.get("domain", ""))


def facts_of(found: Attestation, at: datetime) -> dict[str, Any]:
    """Return an attestation as its applicant reads it."""
    return {
        "id": found.pk,
        "kind": found.kind,
        "state": found.state_at(at),
        "version": found.version,
        "name": found.name,
        "mail": found.mail,
        "domain": found.domain,
        "relation": found.stated_relation,
        "counts": counts(voucher_of(found, at), at),
        "swaps_left": MOST_SWAPS - swaps_of(found),
        "asked_at": found.asked_at,
        "mailed_at": found.mailed_at,
        "expires_at": found.expires_at,
        "ended_at": found.ended_at,
        "valid_until": found.valid_until,
    }
