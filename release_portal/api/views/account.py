"""Who a token acts for, and what they hold."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from release_portal.access.application_rules import WRITE_SCOPE
from release_portal.access.grant_rules import PAUSED
from release_portal.access.lookups import grant_for, grants_for
from release_portal.access.models import Grant
from release_portal.access.pausing import pauses_on
from release_portal.access.quota import day_end
from release_portal.accounts.models import ApiToken
from release_portal.api.base import TokenView
from release_portal.api.documented import documented
from release_portal.api.paging import PageQuery, page_of, page_schema
from release_portal.api.serializers.account import GrantFacts, Me
from release_portal.jobs.quotas import limits_of, usage_of

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

    scopes = ("generate", "detect", WRITE_SCOPE)


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

    @documented("read_grant", GrantFacts, tag=TAG, errors=(404,))
    def get(self, request: Request, grant_id: str) -> Response:
        """Return one of your grants, with what is used today."""
        return Response(GrantFacts(facts_of(grant_for(self.actor, grant_id), self.at)).data)


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
        "starts_at": grant.starts_at,
        "ends_at": grant.ends_at,
        "suspension": suspension.reason if suspension else None,
        "pauses": [asdict(pause) for pause in pauses] if state == PAUSED else [],
        "limits": limits_of(grant),
        "today": _today(grant, at),
    }


def _today(grant: Grant, at: datetime) -> dict[str, Any]:
    usage = usage_of(f"grant:{grant.pk}", at)
    return {
        "day": at.date(),
        "used": usage.tokens,
        "reserved": usage.reserved,
        "left": max(0, grant.tokens_per_day - usage.tokens - usage.reserved),
        "running": usage.running,
        "starts_again_at": day_end(at),
    }
