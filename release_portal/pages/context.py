"""What every page shows around its content: navigation, request id, the time it was made."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import resolve, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from release_portal.core.actors import ANONYMOUS, Actor
from release_portal.core.clock import now
from release_portal.core.declare import lets_in
from release_portal.notices.lookups import unread_count
from release_portal.pages.signing import terms_banner

# Name of the address and its label; who sees an item is what its view declares, so menu and guard cannot differ.
NAVIGATION = (
    ("catalogue", _("Catalogue")),
    ("board", _("Board")),
    ("proposals", _("Proposals")),
    ("home", _("Home")),
    ("generations", _("Generations")),
    ("batches", _("Batches")),
    ("detection", _("Detection")),
    ("review-queue", _("Review")),
    ("appeal-queue", _("Appeals")),
    ("agreement-desk", _("Agreement")),
    ("staff-grants", _("All grants")),
    ("staff-mail", _("Mail")),
    ("staff-service", _("Service")),
    ("report-queue", _("Reports")),
    ("audit", _("Record")),
    ("people", _("People")),
)
# Pages below these addresses are reached from elsewhere as well.
EXACT = ("catalogue", "grants")


def page(request: HttpRequest) -> dict[str, Any]:
    """Return the shared context."""
    actor: Actor = getattr(request, "actor", ANONYMOUS)
    return {
        "actor": actor,
        "at": now(),
        "request_id": getattr(request, "request_id", ""),
        "nav_items": [_item(request, name, label) for name, label in NAVIGATION if is_open_to(actor, name)],
        "unread_notices": unread_count(actor),
        "terms_banner": terms_banner(actor, now()),
        "notices_url": reverse("notices"),
        "account_items": [
            _item(request, "grants", gettext("Your grants")),
            _item(request, "applications", gettext("Your applications")),
            _item(request, "notices", gettext("Notices")),
            _item(request, "account", gettext("Account and tokens")),
            _item(request, "own-data", gettext("Your data")),
        ],
        "footer_items": [
            _item(request, "about-stages", gettext("About the stages")),
            _item(request, "policies", gettext("Release policies")),
            _item(request, "programmes", gettext("Programmes of access")),
            _item(request, "decisions", gettext("Decisions")),
            _item(request, "agreements", gettext("Agreement")),
            _item(request, "report-misuse", gettext("Report misuse")),
            _item(request, "api-docs", gettext("API reference")),
            _item(request, "healthz", gettext("Status")),
        ],
    }


def is_open_to(actor: Actor, name: str) -> bool:
    """Return whether the view behind an address lets this actor in, as it declares."""
    return lets_in(resolve(reverse(name)).func, actor)


def _item(request: HttpRequest, name: str, label: object) -> dict[str, Any]:
    url = reverse(name)
    is_current = request.path == url or (name not in EXACT and request.path.startswith(url))
    return {"label": label, "url": url, "current": is_current}
