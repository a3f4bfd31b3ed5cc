"""Model cards: editing with preview and checks, comparing two versions, downloading one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from model_cards.diff import compare
from model_cards.lookups import card_version, check_card, check_version, latest_card
from model_cards.models import CardVersion
from model_cards.render import read_document
from model_cards.rules import EDITORS
from model_cards.services import checked_text, publish_card
from release_portal.access.lookups import size_for
from release_portal.access.policy import Action
from release_portal.core.clock import now
from release_portal.core.declare import public, roles
from release_portal.core.errors import PortalError, StaleVersion
from release_portal.core.http import PortalRequest
from release_portal.pages import showing
from release_portal.pages.forms.cards import CardForm, form_for
from release_portal.registry.models import ModelSize
from release_portal.releases.ladder import neighbours


@roles(*EDITORS)
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: PortalRequest, lab: str, name: str) -> HttpResponse:
    """Edit the whole text of a card; a preview comes from here as well where there is no script."""
    at = now()
    shown = size_for(request.actor, f"{lab}/{name}", Action.READ_CARD, at=at).size
    if request.method != "POST":
        return _edit_page(request, shown, form_for(latest_card(shown)))
    form = CardForm(request.POST)
    try:
        if "preview" in request.POST:
            return _edit_page(request, shown, form, document=read_document(checked_text(form.text("card"))))
        card = publish_card(
            request.actor,
            shown,
            form.text("card"),
            summary=form.text("summary"),
            expected_number=form.version(),
            at=at,
        )
    except StaleVersion as error:
        return _conflict(request, shown, form, error)
    except PortalError as error:
        form.refuse(error)
        return _edit_page(request, shown, form, error.status)
    _say_published(request, shown, card, form.version())
    return showing.see_other(showing.address("size-card", shown))


@roles(*EDITORS)
@require_POST
def preview(request: PortalRequest, lab: str, name: str) -> HttpResponse:
    """The card as readers would see it, and what the checks say: a part of the page for editing."""
    shown = size_for(request.actor, f"{lab}/{name}", Action.READ_CARD, at=now()).size
    text = CardForm(request.POST).text("card")
    try:
        context = {"checks": _checks(shown, text), "document": read_document(checked_text(text))}
    except PortalError as error:
        return render(request, "cards/check.html", {"error": error}, status=error.status)
    return render(request, "cards/check.html", context)


@public
@require_GET
def diff(request: PortalRequest, lab: str, name: str) -> HttpResponse:
    """What changed between two versions; without numbers, with the newest version."""
    at = now()
    shown = size_for(request.actor, f"{lab}/{name}", Action.READ_CARD, at=at).size
    after = card_version(shown, request.GET.get("to", ""))
    before = card_version(shown, request.GET.get("from", "") or str(max(after.number - 1, 1)))
    context = {
        **_frame(request, shown, _("Changes")),
        "before": before,
        "after": after,
        "versions": shown.card_versions.all(),
        "changes": compare(before.text, after.text),
    }
    return render(request, "cards/diff.html", context)


@public
@require_GET
def raw(request: PortalRequest, lab: str, name: str) -> HttpResponse:
    """The text of a version as a file that Hub clients know."""
    shown = size_for(request.actor, f"{lab}/{name}", Action.READ_CARD, at=now()).size
    card = card_version(shown, request.GET.get("version", ""))
    headers = {"Content-Disposition": 'attachment; filename="README.md"'}
    return HttpResponse(card.text, content_type="text/markdown; charset=utf-8", headers=headers)


def _edit_page(
    request: PortalRequest, shown: ModelSize, form: CardForm, status: int = 200, **more: Any
) -> HttpResponse:
    text = form.text("card") if form.is_bound else form.initial["card"]
    number = form.text("expected_version") if form.is_bound else form.initial["expected_version"]
    form.keep_draft(shown, int(number) if str(number).isdecimal() else 0)
    context = {**_frame(request, shown, _("Edit")), "form": form, "checks": _checks(shown, text), **more}
    return render(request, "cards/edit.html", context, status=status)


def _conflict(request: PortalRequest, shown: ModelSize, form: CardForm, error: StaleVersion) -> HttpResponse:
    """Keep the text, and show what it would change in the version that came meanwhile; saving again is then meant."""
    newest = latest_card(shown)
    assert newest is not None
    form.refuse(error, expected_version=newest.number)
    changes = compare(newest.text, checked_text(form.text("card")))
    return _edit_page(request, shown, form, error.status, newest=newest, changes=changes)


def _say_published(request: PortalRequest, shown: ModelSize, card: CardVersion, before: int) -> None:
    if card.number == before:
        messages.info(request, _("The text is the same, so version %(n)s stays the newest.") % {"n": card.number})
        return
    messages.success(request, _("Version %(n)s is published.") % {"n": card.number})
    found = [one for one in check_version(card, shown.standing.stage, at=now()) if one.is_error]
    if found:
        words = ngettext(
            "%(n)s error remains for the present stage: %(what)s",
            "%(n)s errors remain for the present stage, first: %(what)s",
            len(found),
        )
        messages.warning(request, words % {"n": len(found), "what": found[0].reason})


def _checks(shown: ModelSize, text: str) -> list[dict[str, Any]]:
    """Return what is wrong with a text at the present stage and at the next."""
    present = shown.standing.place
    above = neighbours(present.slug)[1]
    stages = [(present, _("Now: %(stage)s")), *([(above, _("Next: %(stage)s"))] if above else [])]
    return [
        {"title": words % {"stage": stage.label}, "findings": check_card(shown, text, stage.slug)}
        for stage, words in stages
    ]


def _frame(request: PortalRequest, shown: ModelSize, label: str) -> dict[str, Any]:
    frame = showing.size_frame(request.actor, shown, "size-card", at=now())
    *crumbs, card = frame["breadcrumbs"]
    card_url = showing.address("size-card", shown)
    return {**frame, "card_url": card_url, "breadcrumbs": [*crumbs, {**card, "url": card_url}, {"label": label}]}
