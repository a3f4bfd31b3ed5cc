"""People and their roles, for administrators."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from release_portal.accounts.looks import note_look
from release_portal.accounts.lookups import people_for, person_for
from release_portal.accounts.models import User
from release_portal.accounts.roles import Role
from release_portal.accounts.services import give_role, subject_of, take_role
from release_portal.audit.lookups import events_about
from release_portal.audit.models import AuditEvent
from release_portal.core.clock import now
from release_portal.core.declare import roles
from release_portal.core.errors import InvalidInput, PortalError
from release_portal.core.http import PortalRequest
from release_portal.pages import showing
from release_portal.pages.forms.people import RoleForm
from release_portal.pages.paging import filter_text, page_of

CHANGES = {"give": give_role, "take": take_role}
ROLE_EVENTS = ("role.given", "role.taken")


@roles("administrator")
def people(request: PortalRequest) -> HttpResponse:
    """Accounts with their roles."""
    q, role = filter_text(request, "q"), filter_text(request, "role")
    found = people_for(request.actor)
    if q:
        names = Q(username__icontains=q) | Q(email__icontains=q)
        found = found.filter(names | Q(first_name__icontains=q) | Q(last_name__icontains=q))
    if role:
        found = found.filter(role_assignments__role=role)
    context = {"page_obj": page_of(request, found), "q": q, "role": role, "all_roles": list(Role)}
    return render(request, "people/people.html", context)


@roles("administrator")
def person_roles(request: PortalRequest, pk: int) -> HttpResponse:
    """Give a role to a person, or take one."""
    person = person_for(request.actor, pk)
    if request.method != "POST":
        return _person_page(request, person)
    change = request.POST.get("change", "")
    form = RoleForm(request.POST, roles=Role, auto_id=f"id_{change}_%s")
    try:
        _change(request, person, change, form)
    except PortalError as error:
        form.refuse(error)
        return _person_page(request, person, {change if change in CHANGES else "other": form}, error.status)
    messages.success(request, _("The roles of %(name)s are changed.") % {"name": person.name})
    return showing.see_other(reverse("person-roles", args=[person.pk]))


def _change(request: PortalRequest, person: User, change: str, form: RoleForm) -> None:
    if change not in CHANGES:
        raise InvalidInput("The form does not say whether to give or to take.", change="Go back to the list of people.")
    CHANGES[change](request.actor, person, form.text("role"), reason=form.text("reason"), at=now())


def _person_page(
    request: PortalRequest, person: User, bound: dict[str, RoleForm] | None = None, status: int = 200
) -> HttpResponse:
    note_look(request.actor, person, "person", subject_of(person), at=now())
    held = list(person.role_assignments.all())
    slugs = {assignment.role for assignment in held}
    forms = {
        "give": _role_form("give", [role for role in Role if role not in slugs]),
        "take": _role_form("take", sorted(slugs)),
    } | (bound or {})
    events = events_about(subject_of(person)).filter(kind__in=ROLE_EVENTS)
    context = {
        "person": person,
        "held": held,
        "forms": forms,
        "history": [_event(event) for event in events],
        "breadcrumbs": [{"label": _("People"), "url": reverse("people")}, {"label": person.username}],
    }
    return render(request, "people/person.html", context, status=status)


def _role_form(change: str, offered: list[Any]) -> RoleForm:
    return RoleForm(roles=offered, initial={"change": change}, auto_id=f"id_{change}_%s")


def _event(event: AuditEvent) -> dict[str, Any]:
    role = str(event.data.get("role", "")).replace("_", " ")
    title = f"{event.label[:1].upper()}{event.label[1:]}: {role}"
    return {"at": event.at, "title": title, "body": event.reason, "actor": event.actor_name, "verified": None}
