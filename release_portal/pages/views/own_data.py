"""Own data: what the portal holds about the reader, who looked, the file with all of it, and deleting the account."""

from __future__ import annotations

from typing import Any, cast

from allauth.core import ratelimit
from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from release_portal.accounts.deletion_rules import may_delete
from release_portal.accounts.deletions import ask_deletion, call_back_deletion, obstacles_of, open_deletion
from release_portal.accounts.looks import THINGS, looks_at
from release_portal.accounts.models import Look, User
from release_portal.accounts.own_data import counts_for, export_own_data, holdings
from release_portal.core.clock import now
from release_portal.core.declare import signed_in
from release_portal.core.errors import PortalError, TooMuch
from release_portal.core.http import PortalRequest
from release_portal.pages import showing
from release_portal.pages.forms.own_data import DeleteForm
from release_portal.pages.paging import page_of


@signed_in
def own_data(request: PortalRequest) -> HttpResponse:
    """What is held, why, and how much of it; and who looked."""
    person = cast(User, request.user)
    page = page_of(request, looks_at(person))
    context = {
        "held": counts_for(person),
        "page_obj": page,
        "looks": [_look(one) for one in page],
        "deletion": open_deletion(person),
    }
    return render(request, "account/own_data.html", context)


def _look(look: Look) -> dict[str, Any]:
    return {"look": look, "what": THINGS.get(look.what, look.what), "id": look.subject.partition(":")[2]}


@signed_in
def own_data_export(request: PortalRequest) -> HttpResponse:
    """Everything that is held, as one JSON file."""
    if request.method != "POST":
        return showing.see_other(reverse("own-data"))
    content = export_own_data(request.actor, cast(User, request.user), at=now())
    response = JsonResponse(content, json_dumps_params={"indent": 1, "ensure_ascii": False})
    response["Content-Disposition"] = f'attachment; filename="own-data-{request.actor.name}.json"'
    response["Cache-Control"] = "no-store"
    return response


# --- Deleting the account --------------------------------------------------------------------------------------------


@signed_in
@never_cache
def delete(request: PortalRequest) -> HttpResponse:
    """What deleting the account would remove, what stays and why, and the form that asks for it."""
    if request.method != "POST":
        return _delete_page(request, DeleteForm())
    form, person = DeleteForm(request.POST), cast(User, request.user)
    try:
        _not_too_often(request, person)
        asked = ask_deletion(request.actor, person, password=form.text("password"), typed=form.text("typed"), at=now())
    except PortalError as error:
        form.refuse(error)
        form.forget("password")
        return _delete_page(request, form, error.status)
    messages.success(request, _("Your account is deleted on %(day)s.") % {"day": f"{asked.due_at:%d %B %Y}"})
    return showing.see_other(reverse("own-data"))


@signed_in
def keep(request: PortalRequest) -> HttpResponse:
    """Keep the account after all."""
    if request.method == "POST":
        call_back_deletion(request.actor, cast(User, request.user), at=now())
        messages.success(request, _("Your account stays. Nothing was deleted."))
    return showing.see_other(reverse("own-data"))


def _not_too_often(request: PortalRequest, person: User) -> None:
    """Whoever sits at an open screen does not try passwords all day."""
    if not ratelimit.consume(request, action="reauthenticate", user=person):
        change = "Wait a few minutes, then try again."
        raise TooMuch("The password was tried too often.", rule="deletion: password", change=change)


def _delete_page(request: PortalRequest, form: DeleteForm, status: int = 200) -> HttpResponse:
    at, person = now(), cast(User, request.user)
    asked, obstacles = open_deletion(person), obstacles_of(person, at)
    context = {
        "deletion": asked,
        "obstacles": obstacles,
        "decision": may_delete(obstacles),
        "form": form if not asked and not obstacles else None,
        "holdings": holdings(),
        "breadcrumbs": [{"label": _("Own data"), "url": reverse("own-data")}, {"label": _("Delete the account")}],
    }
    return render(request, "account/delete.html", context, status=status)
