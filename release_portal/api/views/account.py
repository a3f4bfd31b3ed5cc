"""Who a token acts for, and what they hold."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from release_portal.access.application_lookups import own_application
from release_portal.access.application_rules import WRITE_SCOPE
from release_portal.access.applications import start_renewal
from release_portal.access.grant_rules import PAUSED
from release_portal.access.lookups import grant_for, grants_for
from release_portal.access.models import Grant
from release_portal.access.pausing import pauses_on
from release_portal.access.purposes import PURPOSES
from release_portal.access.quota import left_of
from release_portal.access.services import surrender_grant
from release_portal.accounts.models import ApiToken
from release_portal.api.base import TokenView
from release_portal.api.documented import documented
from release_portal.api.paging import PageQuery, page_of, page_schema
from release_portal.api.serializers.account import GrantFacts, Me, RenewalInput, SurrenderInput, WholeGrant
from release_portal.api.serializers.applications import ApplicationFacts
from release_portal.core.actors import Actor
from release_portal.jobs.quotas import holder_of, limits_of, usage_of, use_by_purpose
from release_portal.jobs.receipts import receipts_for

TAG = "account"


class Account(TokenView):
    """The account behind the token."""

    @documented("read_me", Me, tag=TAG)
    def get(self, request: Request) -> Response:
        """Return for whom the token acts, and within which scopes."""
        token = request.auth
        assert isinstance(token, ApiToken)  # TokenView lets nobody else in
        me = {
            "account": token.user.username,
            "name": token.user.name,
            "token": token.name,
            "service": token.service,
            "scopes": sorted(token.scopes),
            "token_ends_at": token.ends_at,
        }
        return Response(Me(me).data)


class GrantView(TokenView):
    """A token that uses grants, or asks for them, may read them."""

    scopes: tuple[str, ...] = ("generate", "detect", WRITE_SCOPE)


class Grants(GrantView):
    """Your grants."""

    query = PageQuery

    @documented("list_grants", page_schema("Grant", GrantFacts), tag=TAG, query=PageQuery)
    def get(self, request: Request) -> Response:
        """List your grants, newest first, with what is used today."""
        grants = [facts_of(grant, self.at) for grant in grants_for(self.actor)]
        return page_of(grants, GrantFacts, self.asked_for)


class OneGrant(GrantView):
    """One of your grants."""

    @documented("read_grant", WholeGrant, tag=TAG, errors=(404,))
    def get(self, request: Request, grant_id: str) -> Response:
        """Return one of your grants: what it opens, what is used of it and for what, and what happened to it."""
        return Response(WholeGrant(page_facts_of(self.actor, grant_for(self.actor, grant_id), self.at)).data)


class Surrender(GrantView):
    """Give a grant up."""

    scopes = (WRITE_SCOPE,)

    @documented("surrender_grant", WholeGrant, tag=TAG, body=SurrenderInput, is_keyed=True, errors=(404,))
    def post(self, request: Request, grant_id: str) -> Response:
        """Give one of your grants up: work under it stops at once, and only a new application opens the size again."""
        return self.once(lambda _key: self._surrender(grant_id, self.sent(SurrenderInput)))

    def _surrender(self, grant_id: str, values: dict[str, Any]) -> Response:
        grant = grant_for(self.actor, grant_id)
        version, reason = values["expected_version"], values.get("reason", "")
        surrender_grant(self.actor, grant.pk, reason=reason, expected_version=version, at=self.at)
        fresh = grant_for(self.actor, grant_id)
        return Response(WholeGrant(page_facts_of(self.actor, fresh, self.at)).data)


class Renewal(GrantView):
    """Ask for a renewal."""

    scopes = (WRITE_SCOPE,)

    @documented("start_renewal", ApplicationFacts, tag=TAG, body=RenewalInput, is_keyed=True, status=201, errors=(404,))
    def post(self, request: Request, grant_id: str) -> Response:
        """Start the application that renews a grant, as a draft filled from the last one; hand it in when it is right.

        A renewal goes on from the old end, so asking early loses nothing.
        """
        return self.once(lambda _key: self._start(grant_id, self.sent(RenewalInput)))

    def _start(self, grant_id: str, values: dict[str, Any]) -> Response:
        grant = grant_for(self.actor, grant_id)
        draft = start_renewal(self.actor, grant, values.get("size", ""), at=self.at)
        response = Response(ApplicationFacts(own_application(self.actor, draft.pk)).data, status=201)
        response["Location"] = reverse("api-application", args=[draft.pk])
        return response


def page_facts_of(actor: Actor, grant: Grant, at: datetime) -> dict[str, Any]:
    """Return a grant with its use and its past."""
    return facts_of(grant, at) | {
        "use": use_by_purpose(holder_of(grant), at),
        "suspensions": grant.suspensions.all(),
        "receipts": receipts_for(actor, grant.pk),
    }


def facts_of(grant: Grant, at: datetime) -> dict[str, Any]:
    """Return a grant as it counts at a time."""
    suspension, pauses = grant.open_suspension, pauses_on([grant], at)[grant.pk]
    state = grant.state_at(at, pauses)
    return {
        "id": grant.pk,
        "kind": grant.kind,
        "state": state,
        "version": grant.version,
        "sizes": [size.slug for size in grant.sizes.all()],
        "functions": [function.name for function in grant.functions.all()],
        "purpose": grant.purpose,
        "purposes": [{"code": code, "name": PURPOSES[code]} for code in grant.purposes],
        "sampler": [{"setting": name, **vars(span)} for name, span in grant.bounds().items()],
        "starts_at": grant.starts_at,
        "ends_at": grant.ends_at,
        "suspension": suspension.reason if suspension else None,
        "pauses": [asdict(pause) for pause in pauses] if state == PAUSED else [],
        "limits": limits_of(grant),
        "today": _today(grant, at),
    }


def _today(grant: Grant, at: datetime) -> dict[str, Any]:
    usage = usage_of(holder_of(grant), at)
    left = left_of(limits_of(grant), usage, at)
    return {
        "day": at.date(),
        "used": usage.tokens,
        "reserved": usage.reserved,
        "left": left.tokens,
        "running": usage.running,
        "last_minute": len(usage.recent),
        "starts_again_at": left.tokens_return_at,
    }
