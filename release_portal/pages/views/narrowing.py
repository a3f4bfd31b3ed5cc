"""Narrowing a size: confirm somebody's roll-back, or withdraw the size for ever."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from release_portal.access.governed import narrowing_for
from release_portal.accounts.confirming import confirm_password
from release_portal.core.clock import now
from release_portal.core.declare import roles
from release_portal.core.http import PortalRequest
from release_portal.pages import showing
from release_portal.pages.acting import Bound, carry_out, methods, visible_size
from release_portal.pages.forms import narrowing as forms
from release_portal.pages.forms.base import ServiceForm
from release_portal.pages.forms.move import ConfirmNarrowingForm
from release_portal.pages.narrowing_words import tombstone_facts
from release_portal.pages.views.sizes import move_page
from release_portal.registry.models import ModelSize
from release_portal.releases.hold_rules import HOLD_STAFF
from release_portal.releases.narrowing_rules import WITHDRAW_STAFF, may_confirm_withdrawal, may_withdraw
from release_portal.releases.narrowings import confirm_narrowing
from release_portal.releases.withdrawals import FIELDS, confirm_withdrawal, was_open_weights, withdraw


@roles(*HOLD_STAFF)
@methods
def confirm(request: PortalRequest, pk: int) -> HttpResponse:
    """Confirm somebody else's roll-back."""
    found = narrowing_for(request.actor, pk, at=now())
    size = found.size
    url = showing.address("size-move", size)
    if request.method != "POST":
        return showing.see_other(url)
    form = ConfirmNarrowingForm(request.POST, auto_id=f"id_confirm_{pk}_%s")

    def act() -> Any:
        version = form.version()
        return confirm_narrowing(request.actor, pk, reason=form.text("reason"), expected_version=version, at=now())

    def page(refused: ServiceForm, status: int) -> HttpResponse:
        found.refresh_from_db()
        refused.refresh(expected_version=found.version)
        return move_page(request, size, bound={pk: refused}, status=status)

    return carry_out(request, form, act, page, _("The roll-back is confirmed and no longer lapses."), url)


@roles(*WITHDRAW_STAFF)
@methods
def withdrawal(request: PortalRequest, lab: str, name: str) -> HttpResponse:
    """Propose to withdraw a size for ever, or be the second person who makes it final."""
    size = visible_size(request, lab, name)
    if request.method != "POST":
        return _withdrawal_page(request, size, {})
    is_second = bool(size.standing.tombstone)
    form_class = forms.ConfirmWithdrawalForm if is_second else forms.WithdrawForm
    form: ServiceForm = form_class(request.POST)

    def page(refused: ServiceForm, status: int) -> HttpResponse:
        size.standing.refresh_from_db()
        refused.refresh(expected_version=size.standing.version, password="")
        return _withdrawal_page(request, size, {"withdraw": refused}, status)

    said = _("The size is withdrawn.") if is_second else _("Another person must confirm the withdrawal in 72 hours.")
    act = _second_word if is_second else _first_word
    url = showing.address("size" if is_second else "size-withdraw", size)
    return carry_out(request, form, lambda: act(request, size, form), page, said, url)


def _first_word(request: PortalRequest, size: ModelSize, form: ServiceForm) -> Any:
    at = now()
    confirmed_at = confirm_password(request.actor, form.text("password"), at=at)
    return withdraw(
        request.actor,
        size,
        tombstone={field: form.text(field) for field in FIELDS},
        typed=form.text("typed"),
        confirmed_at=confirmed_at,
        expected_version=form.version(),
        at=at,
    )


def _second_word(request: PortalRequest, size: ModelSize, form: ServiceForm) -> Any:
    at = now()
    confirmed_at = confirm_password(request.actor, form.text("password"), at=at)
    version = form.version()
    return confirm_withdrawal(request.actor, size, confirmed_at=confirmed_at, expected_version=version, at=at)


def _withdrawal_page(request: PortalRequest, size: ModelSize, bound: Bound, status: int = 200) -> HttpResponse:
    at, standing = now(), size.standing
    form_class, decide = (
        (forms.ConfirmWithdrawalForm, may_confirm_withdrawal)
        if standing.tombstone
        else (forms.WithdrawForm, may_withdraw)
    )
    context = {
        **showing.size_frame(request.actor, size, "size-withdraw", at=at),
        "decision": decide(request.actor, standing.ending, standing.tombstone),
        "form": bound.get("withdraw") or form_class(initial={"expected_version": standing.version}),
        "tombstone": tombstone_facts(standing.tombstone),
        "proposed_by": standing.tombstone.get("proposed_by", ""),
        "effects": _withdrawal_effects(size),
    }
    return render(request, "narrowing/withdraw.html", context, status=status)


def _withdrawal_effects(size: ModelSize) -> list[str]:
    effects = [
        _("The size goes back to Disclosed at once; running work ends."),
        _("After the second person's word nobody uses it again, at any stage."),
        _("Its card and its timeline stay readable, with what you write here."),
    ]
    if was_open_weights(size):
        effects.append(_("Copies cannot be recalled."))
    return effects
