"""The own account: who you are here, and the tokens that act for you."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from release_portal.accounts.lookups import tokens_of
from release_portal.accounts.models import User
from release_portal.accounts.roles import Role
from release_portal.accounts.services import create_token, revoke_token
from release_portal.core.clock import now
from release_portal.core.declare import signed_in
from release_portal.core.errors import PortalError
from release_portal.core.http import PortalRequest
from release_portal.pages import showing
from release_portal.pages.forms.account import TokenForm


@signed_in
def account(request: PortalRequest) -> HttpResponse:
    """Name, roles and tokens."""
    return _account_page(request, TokenForm(roles=request.actor.roles))


@signed_in
def token_create(request: PortalRequest) -> HttpResponse:
    """Make a token and show its secret on this answer only."""
    if request.method != "POST":
        return showing.see_other(reverse("account"))
    form = TokenForm(request.POST, roles=request.actor.roles)
    person = cast(User, request.user)
    try:
        token, secret = create_token(
            request.actor,
            person,
            name=form.text("name"),
            scopes=form.texts("scopes"),
            at=now(),
            ends_at=form.end(),
            service=form.text("service").strip(),
        )
    except PortalError as error:
        form.refuse(error)
        return _account_page(request, form, error.status)
    response = render(request, "account/token.html", {"token": token, "secret": secret})
    response["Cache-Control"] = "no-store"
    return response


@signed_in
def token_revoke(request: PortalRequest, pk: int) -> HttpResponse:
    """End one of the own tokens."""
    if request.method == "POST":
        token = revoke_token(request.actor, pk, at=now())
        messages.success(request, _("The token %(name)s no longer opens anything.") % {"name": token.name})
    return showing.see_other(reverse("account"))


def _account_page(request: PortalRequest, form: TokenForm, status: int = 200) -> HttpResponse:
    at = now()
    tokens = tokens_of(request.actor)
    usable = list(tokens.usable(at))
    context = {
        "form": form,
        "tokens": usable,
        "ended": tokens.exclude(pk__in=[token.pk for token in usable])[:20],
        "roles": [Role(role).label for role in sorted(request.actor.roles)],
    }
    return render(request, "account/account.html", context, status=status)
