"""A size: where it stands, what you may do, its card, its timeline, and the move to another stage."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from model_cards.models import CardVersion
from model_cards.render import read_document
from model_cards.rules import may_edit_card
from release_portal.access.lookups import size_for, sizes_for
from release_portal.access.policy import ARTEFACT_ACTIONS, Action
from release_portal.core.actors import Actor
from release_portal.core.clock import now
from release_portal.core.decisions import Decision
from release_portal.core.declare import public, roles
from release_portal.core.errors import NotFound, PortalError
from release_portal.core.http import PortalRequest
from release_portal.pages import showing
from release_portal.pages.forms.as_of import looking_back
from release_portal.pages.forms.base import ServiceForm
from release_portal.pages.forms.move import ConfirmNarrowingForm, MoveForm
from release_portal.pages.marks import marks_of
from release_portal.pages.narrowing_words import narrowing_pages, standing_notices
from release_portal.pages.paging import page_of
from release_portal.pages.words import ACTIONS
from release_portal.registry.models import ModelSize
from release_portal.releases.history import standing_as_of
from release_portal.releases.hold_rules import HOLD_STAFF
from release_portal.releases.ladder import LADDER, artefacts_open_at, neighbours, stage_of
from release_portal.releases.lookups import open_narrowings, roll_backs_for
from release_portal.releases.models import Narrowing
from release_portal.releases.narrowing_rules import may_confirm
from release_portal.releases.narrowings import roll_back
from release_portal.releases.openness import Level, openness_of

# What the first box of a size answers, and where each answer leads.
FIRST_ACTIONS = (Action.GENERATE, Action.READ_CARD, Action.DOWNLOAD_WEIGHTS, Action.DETECT)
PAGES_OF = {Action.GENERATE: "playground", Action.READ_CARD: "size-card"}
ACTION_OF_ARTEFACT = {kind: action for action, kind in ARTEFACT_ACTIONS.items()} | {"weights": Action.DOWNLOAD_WEIGHTS}
PREVIEW = 4


@public
def size(request: PortalRequest, lab: str, name: str) -> HttpResponse:
    """What a size is, where it stands, and what the reader may do with it."""
    at, slug = now(), f"{lab}/{name}"
    try:
        shown = size_for(request.actor, slug, Action.VIEW, at=at).size
    except NotFound:
        return _to_canonical(request.actor, slug)  # some aliases hold a slash
    frame = showing.size_frame(request.actor, shown, "size", at=at)
    history = showing.size_history(request.actor, shown, at=at)
    context = {
        **frame,
        "may": _may(shown, frame["decisions"]),
        "facts": _facts(shown),
        "files": _files(shown),
        "artefacts": _artefacts(shown, frame["decisions"]),
        "openness": _openness(shown),
        "aliases": [alias for alias in shown.aliases.all() if alias.note],
        "history": history[:PREVIEW],
        "history_more": max(len(history) - PREVIEW, 0),
        "standing_notices": standing_notices(shown, at),
    }
    return render(request, "sizes/size.html", context)


@public
def size_alias(request: PortalRequest, alias: str) -> HttpResponse:
    """Lead from another name to the size, when exactly one visible size has it."""
    return _to_canonical(request.actor, alias)


def _to_canonical(actor: Actor, alias: str) -> HttpResponse:
    named = sizes_for(actor, Action.VIEW, at=now()).filter(aliases__name__iexact=alias).distinct()[:2]
    if len(named) != 1:
        raise NotFound("There is nothing here.", change="Check the address, or look in the catalogue.")
    return redirect(showing.address("size", named[0]))


@public
def card(request: PortalRequest, lab: str, name: str) -> HttpResponse:
    """The model card, newest version or an older one."""
    at = now()
    shown = size_for(request.actor, f"{lab}/{name}", Action.READ_CARD, at=at).size
    versions = list(shown.card_versions.all())
    version = _version(versions, request.GET.get("version", ""))
    context = {
        **showing.size_frame(request.actor, shown, "size-card", at=at),
        "versions": versions,
        "version": version,
        "newest": versions[0] if versions else None,
        "edit": may_edit_card(request.actor),
        "document": read_document(version.text) if version else None,
    }
    return render(request, "sizes/card.html", context)


def _version(versions: list[CardVersion], asked: str) -> CardVersion | None:
    if not asked:
        return versions[0] if versions else None
    for version in versions:
        if str(version.number) == asked:
            return version
    raise NotFound("This card has no such version.", change="Choose one from the list on the card's page.")


@public
def timeline(request: PortalRequest, lab: str, name: str) -> HttpResponse:
    """Everything that the public may know of how a size came to stand where it stands, or stood at an earlier time."""
    at = now()
    shown = size_for(request.actor, f"{lab}/{name}", Action.VIEW, at=at).size
    form, asked, status = looking_back(request, at)
    history = showing.size_history(request.actor, shown, at=at)
    context = {
        **showing.size_frame(request.actor, shown, "size-timeline", at=at),
        "page_obj": page_of(request, showing.until(history, asked)),
        "form": form,
        "asked": asked,
        "then": _stood(shown, asked) if asked else None,
    }
    return render(request, "sizes/timeline.html", context, status=status)


def _stood(shown: ModelSize, asked: datetime) -> dict[str, Any]:
    """Return where the size stood at an earlier time, from its record alone."""
    then = standing_as_of(shown.slug, asked)
    return {"stage": then.place, "since": then.since, "marks": marks_of(then.holds.values(), ending=then.ending)}


@roles(*HOLD_STAFF)
@require_http_methods(["GET", "HEAD", "POST"])
def move(request: PortalRequest, lab: str, name: str) -> HttpResponse:
    """Roll a size back at once, with a reason that the public reads; widening is proposed elsewhere."""
    at = now()
    shown = size_for(request.actor, f"{lab}/{name}", Action.VIEW, at=at).size
    if request.method != "POST":
        return move_page(request, shown, MoveForm(initial={"expected_version": shown.standing.version}))
    form = MoveForm(request.POST)
    try:
        narrowing = roll_back(
            request.actor,
            shown,
            form.text("stage"),
            reason=form.text("reason"),
            expected_version=form.version(),
            at=at,
        )
    except PortalError as error:
        shown.standing.refresh_from_db()
        form.refuse(error, expected_version=shown.standing.version)
        return move_page(request, shown, form, status=error.status)
    words = {"size": shown, "stage": stage_of(narrowing.target).label}
    messages.success(request, _("%(size)s stands at %(stage)s now. Another person must confirm it.") % words)
    return showing.see_other(showing.address("size-move", shown))


def move_page(
    request: PortalRequest,
    shown: ModelSize,
    form: MoveForm | None = None,
    bound: Mapping[int, ServiceForm] | None = None,
    status: int = 200,
) -> HttpResponse:
    """Show what can be rolled back, what waits for a second person, and where wider stages are proposed."""
    at = now()
    chosen = form.text("stage") if form is not None and form.is_bound else ""
    options = [
        {
            "stage": stage,
            "decision": decision,
            "is_chosen": stage.slug == chosen,
            "effects": _effects(shown, stage.slug),
        }
        for stage, decision in roll_backs_for(request.actor, shown)
    ]
    context = {
        **showing.size_frame(request.actor, shown, "size-move", at=at),
        "form": form or MoveForm(initial={"expected_version": shown.standing.version}),
        "options": options,
        "is_possible": any(option["decision"] for option in options),
        "above": neighbours(shown.standing.stage)[1],
        "narrowings": [_narrowing_row(request.actor, one, bound or {}) for one in open_narrowings(shown)],
        "more": narrowing_pages(request.actor, shown),
        "standing_notices": standing_notices(shown, at),
    }
    return render(request, "sizes/move.html", context, status=status)


def _narrowing_row(actor: Actor, narrowing: Narrowing, bound: Mapping[int, ServiceForm]) -> dict[str, Any]:
    form = bound.get(narrowing.pk) or ConfirmNarrowingForm(
        initial={"expected_version": narrowing.version}, auto_id=f"id_confirm_{narrowing.pk}_%s"
    )
    return {
        "narrowing": narrowing,
        "source": stage_of(narrowing.source),
        "target": stage_of(narrowing.target),
        "decision": may_confirm(actor, narrowing.facts()),
        "form": form,
    }


def _effects(shown: ModelSize, target: str) -> list[str]:
    """Say what a roll-back would do, in the words of the ladder."""
    present, there = shown.standing.place, stage_of(target)
    closed = [kind for stage in LADDER if there.ordinal < stage.ordinal <= present.ordinal for kind in stage.artefacts]
    effects = [there.audience]
    if closed:
        effects.append(_("Closes: %(kinds)s.") % {"kinds": ", ".join(closed)})
    if not present.is_reversible and there.is_reversible:
        effects.append(_("Copies that were made cannot be recalled."))
    return effects


def _may(shown: ModelSize, decisions: Mapping[Action, Decision]) -> list[dict[str, Any]]:
    return [
        {
            "label": ACTIONS[action],
            "decision": decisions[action],
            "url": showing.address(PAGES_OF[action], shown) if action in PAGES_OF else "",
        }
        for action in FIRST_ACTIONS
    ]


def _facts(shown: ModelSize) -> list[tuple[str, str, str]]:
    unverified = "" if shown.parameters_verified else _("not verified")
    rows = [
        (_("Parameters"), shown.parameters, unverified),
        (_("Layers"), shown.layers, ""),
        (_("Width (d_model)"), shown.d_model, ""),
        (_("Attention heads"), shown.heads, ""),
        (_("Context"), shown.context, _("tokens")),
        (_("Vocabulary"), shown.vocabulary, _("tokens")),
    ]
    return [(term, f"{value:,}" if value else _("not published"), note if value else "") for term, value, note in rows]


def _files(shown: ModelSize) -> dict[str, Any] | None:
    revision = shown.current_revision
    return {"revision": revision, "files": list(revision.files.all())} if revision else None


def _artefacts(shown: ModelSize, decisions: Mapping[Action, Decision]) -> list[dict[str, Any]]:
    return [
        {"artefact": artefact, "decision": decisions[ACTION_OF_ARTEFACT[artefact.kind]]}
        for artefact in shown.artefacts.all()
    ]


def _openness(shown: ModelSize) -> tuple[Level, ...]:
    """Return how open the size is on public scales; computed from what is open to everyone, never typed."""
    known = {artefact.kind for artefact in shown.artefacts.all()}
    known |= {"card"} if shown.card_versions.exists() else set()
    known |= {"weights"} if shown.current_revision else set()
    opened = known.intersection(artefacts_open_at(shown.standing.stage))
    return openness_of(shown.standing.stage, opened, shown.family.licence)
