"""What a grant asks of its holder: terms, duties, close-out. A token hands in and accepts; it never looks or waives."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework.request import Request
from rest_framework.response import Response

from release_portal.access.activation import accept_terms
from release_portal.access.application_lookups import own_application
from release_portal.access.application_rules import WRITE_SCOPE
from release_portal.access.attachments.contents import MEDIA_TYPES
from release_portal.access.attachments.rules import Upload
from release_portal.access.closing import report_closing
from release_portal.access.extra_terms import OFFER_LASTS, Term
from release_portal.access.lookups import grant_for
from release_portal.access.models import Grant, Obligation, TermsOffer
from release_portal.access.obligations.files import duty_file_of, hand_in_with
from release_portal.access.obligations.lookups import obligation_of, obligations_of
from release_portal.access.obligations.rules import is_overdue
from release_portal.access.offers import answer_offer, every_term_of, waiting_offer
from release_portal.api.base import TokenView
from release_portal.api.documented import documented
from release_portal.api.serializers.applications import ApplicationFacts
from release_portal.api.serializers.duties import (
    AcceptTermsInput,
    CloseOutFacts,
    CloseOutInput,
    DutyFacts,
    DutyListFacts,
    GrantTermsFacts,
    HandInFileInput,
    HandInInput,
    OfferFacts,
    TermsAnswerInput,
)
from release_portal.api.uploads import MEDIA_TYPE, digest_of, download_of, read_upload
from release_portal.core.errors import NotFound

TAG = "grants"


class DutyView(TokenView):
    """What the addresses of a holder's duties share: the scope for applications."""

    scopes = (WRITE_SCOPE,)


class GrantTerms(DutyView):
    """The extra terms of a grant."""

    @documented("read_terms", GrantTermsFacts, tag=TAG, errors=(404,))
    def get(self, request: Request, grant_id: str) -> Response:
        """Return the terms that you accepted, and those that wait for you."""
        return Response(_terms(grant_for(self.actor, grant_id), self.at))


class TermsAnswer(DutyView):
    """Answer terms that wait."""

    @documented("answer_terms", GrantTermsFacts, tag=TAG, body=TermsAnswerInput, is_keyed=True, errors=(404,))
    def post(self, request: Request, grant_id: str) -> Response:
        """Accept terms, bound to their digest, or decline them; declining changes nothing."""
        return self.once(lambda _key: self._answered(grant_id, self.sent(TermsAnswerInput)))

    def _answered(self, grant_id: str, values: dict[str, Any]) -> Response:
        grant = grant_for(self.actor, grant_id)
        answer_offer(self.actor, grant.pk, values["digest"], is_accepted=values["accept"], at=self.at)
        return Response(_terms(grant_for(self.actor, grant.pk), self.at))


class ApplicationTerms(DutyView):
    """Terms of an approval."""

    @documented("read_offer", OfferFacts, tag="applications", errors=(404,))
    def get(self, request: Request, application_id: str) -> Response:
        """Return the terms under which your application was approved, while they wait for you."""
        offer = own_application(self.actor, application_id).offers.waiting().first()
        if offer is None:
            raise NotFound("No terms wait for you.", change="They do while the application is pending_terms.")
        return Response(_offer(offer))

    @documented(
        "accept_terms", ApplicationFacts, tag="applications", body=AcceptTermsInput, is_keyed=True, errors=(404,)
    )
    def post(self, request: Request, application_id: str) -> Response:
        """Accept the terms; everything is checked again, and the grant begins."""
        return self.once(lambda _key: self._accept(application_id, self.sent(AcceptTermsInput)))

    def _accept(self, application_id: str, values: dict[str, Any]) -> Response:
        own, version = own_application(self.actor, application_id), values["expected_version"]
        accept_terms(self.actor, own.pk, values["digest"], expected_version=version, at=self.at)
        return Response(ApplicationFacts(own_application(self.actor, application_id)).data)


class Duties(DutyView):
    """The duties of a grant."""

    @documented("list_duties", DutyListFacts, tag=TAG, errors=(404,))
    def get(self, request: Request, grant_id: str) -> Response:
        """List what the grant asks of you, by the day on which it is due."""
        found = [_duty(one, self.at) for one in obligations_of(self.actor, grant_id)]
        return Response({"results": found})


class HandIn(DutyView):
    """Hand a duty in."""

    @documented(
        "hand_in",
        DutyFacts,
        tag=TAG,
        body={"application/json": HandInInput, MEDIA_TYPE: HandInFileInput},
        is_keyed=True,
        errors=(404,),
    )
    def post(self, request: Request, grant_id: str, pk: int) -> Response:
        """Hand in what is due, with a file as multipart/form-data; a grant that rested for it works again at once."""
        if request._request.content_type != MEDIA_TYPE:
            return self.once(lambda _key: self._hand_in(grant_id, pk, self.sent(HandInInput)))
        upload, more = read_upload(request._request, "said", "link", "expected_version")
        return self.once(
            lambda _key: self._hand_in(grant_id, pk, self._read(more), upload), digest=digest_of(upload, more)
        )

    def _read(self, more: dict[str, str]) -> dict[str, Any]:
        """Parts are text, also where JSON has a number."""
        version = more["expected_version"]
        number = int(version) if version.isascii() and version.isdecimal() and len(version) < 10 else version
        return self.checked(HandInInput, {**more, "expected_version": number})

    def _hand_in(self, grant_id: str, pk: int, values: dict[str, Any], upload: Upload | None = None) -> Response:
        done = hand_in_with(self.actor, obligation_of(self.actor, grant_id, pk).pk, upload, at=self.at, **values)
        return Response(_duty(done, self.at))


class DutyFileContent(DutyView):
    """The bytes of a file that was handed in."""

    @documented("download_duty_file", OpenApiTypes.BINARY, tag=TAG, errors=(404,), media_types=MEDIA_TYPES)
    def get(self, request: Request, grant_id: str, pk: int, file_id: str) -> HttpResponse:
        """Return a file as it was sent, as a download."""
        return download_of(duty_file_of(obligation_of(self.actor, grant_id, pk), file_id))


class CloseOuts(DutyView):
    """The close-out of a grant."""

    @documented("report_closing", CloseOutFacts, tag=TAG, body=CloseOutInput, is_keyed=True, errors=(404,))
    def post(self, request: Request, grant_id: str) -> Response:
        """Say what came of a grant that has ended and what became of copies."""
        return self.once(lambda _key: self._report(grant_id, self.sent(CloseOutInput)))

    def _report(self, grant_id: str, values: dict[str, Any]) -> Response:
        given = report_closing(self.actor, grant_for(self.actor, grant_id).pk, at=self.at, **values)
        return Response(CloseOutFacts(given).data)


def _terms(grant: Grant, at: datetime) -> dict[str, Any]:
    offer = waiting_offer(grant)
    is_waiting = offer is not None and at < offer.offered_at + OFFER_LASTS
    accepted = [_term(one) for one in every_term_of(grant)]
    return dict(
        GrantTermsFacts(
            {"accepted": accepted, "offer": _offer(offer) if offer is not None and is_waiting else None}
        ).data
    )


def _offer(offer: TermsOffer) -> dict[str, Any]:
    terms = [_term(one) for one in offer.read()]
    until = offer.offered_at + OFFER_LASTS
    return dict(OfferFacts({"digest": offer.digest, "terms": terms, "reason": offer.reason, "until": until}).data)


def _term(term: Term) -> dict[str, str]:
    return {"code": term.code, "value": term.value, "sentence": term.sentence}


def _duty(duty: Obligation, at: datetime) -> dict[str, Any]:
    plain = ("id", "code", "what", "due_at", "state", "text", "link", "note", "waived_until", "version")
    stored = {name: getattr(duty, name) for name in plain} | {"files": duty.files.all()}
    return dict(DutyFacts(stored | {"is_overdue": is_overdue(duty.facts(), at)}).data)
