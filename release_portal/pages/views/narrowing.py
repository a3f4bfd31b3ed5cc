"""What takes a size back beyond a hold: confirming a roll-back, withdrawal, recall, partner reports."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from release_portal.access.lookups import size_for
from release_portal.access.policy import Action
from release_portal.accounts.confirming import confirm_password
from release_portal.core.clock import now
from release_portal.core.declare import roles, signed_in
from release_portal.core.errors import NotFound
from release_portal.core.http import PortalRequest
from release_portal.moves.partner_reports import (
    ANSWERERS,
    answer_partner_report,
    deposit_partner_report,
    may_answer,
    may_deposit,
    partner_grant,
    reports_for,
)
from release_portal.moves.recall_rules import RECALL_STAFF, decide_command
from release_portal.moves.recalls import (
    acknowledge,
    add_recipient,
    close_recall,
    notice_for,
    open_recall,
    progress_of,
    recall_for,
    recalls_of,
    recipients_of,
    state_deletion,
    state_of,
)
from release_portal.pages import showing
from release_portal.pages.acting import Bound, carry_out, methods, visible_size
from release_portal.pages.forms import narrowing as forms
from release_portal.pages.forms.base import ServiceForm
from release_portal.pages.forms.move import ConfirmNarrowingForm
from release_portal.pages.narrowing_words import tombstone_facts
from release_portal.pages.views.sizes import move_page
from release_portal.registry.models import ModelSize
from release_portal.releases.hold_rules import HOLD_STAFF
from release_portal.releases.models import Narrowing, PartnerReport, Recall, RecallNotice
from release_portal.releases.narrowing_rules import WITHDRAW_STAFF, may_confirm_withdrawal, may_withdraw
from release_portal.releases.narrowings import confirm_narrowing
from release_portal.releases.withdrawals import FIELDS, confirm_withdrawal, was_open_weights, withdraw

# --- Roll-back and withdrawal ----------------------------------------------------------------------------------------


@roles(*HOLD_STAFF)
@methods
def confirm(request: PortalRequest, pk: int) -> HttpResponse:
    """Confirm somebody else's roll-back."""
    found = Narrowing.objects.select_related("size").filter(pk=pk).first()
    if found is None:
        raise NotFound("There is nothing here.", change="The roll-backs of a size are listed on its move page.")
    size = size_for(request.actor, found.size.slug, Action.VIEW, at=now()).size
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


# --- Recall ----------------------------------------------------------------------------------------------------------


@roles(*RECALL_STAFF)
@methods
def recall(request: PortalRequest, lab: str, name: str) -> HttpResponse:
    """Ask everybody who has the weights to delete them, and follow what they answer."""
    size = visible_size(request, lab, name)
    if request.method != "POST":
        return _recall_page(request, size, {})
    form = forms.RecallForm(request.POST)

    def page(refused: ServiceForm, status: int) -> HttpResponse:
        return _recall_page(request, size, {"open": refused}, status)

    return carry_out(
        request,
        form,
        lambda: open_recall(request.actor, size, reason=form.text("reason"), at=now()),
        page,
        _("The recall is open and its recipients are told."),
        showing.address("size-recall", size),
    )


@roles(*RECALL_STAFF)
@methods
def recall_command(request: PortalRequest, pk: int, name: str) -> HttpResponse:
    """Add a recipient to a recall, or close it."""
    found = recall_for(request.actor, pk)
    size = size_for(request.actor, found.size.slug, Action.VIEW, at=now()).size
    form_classes: dict[str, type[ServiceForm]] = {"add": forms.RecipientForm, "close": forms.CloseRecallForm}
    if name not in form_classes:
        raise NotFound("There is nothing here.", change="What can be done stands on the recall's page.")
    if request.method != "POST":
        return showing.see_other(showing.address("size-recall", size))
    form = form_classes[name](request.POST, auto_id=f"id_{name}_%s")

    def act() -> Any:
        if name == "add":
            given = {field: form.text(field) for field in ("name", "contact")}
            return add_recipient(request.actor, pk, **given, at=now())
        return close_recall(request.actor, pk, note=form.text("note"), expected_version=form.version(), at=now())

    def page(refused: ServiceForm, status: int) -> HttpResponse:
        found.refresh_from_db()
        refused.refresh(expected_version=found.version)
        return _recall_page(request, size, {name: refused}, status)

    said = _("The recipient is on the list.") if name == "add" else _("The recall is closed.")
    return carry_out(request, form, act, page, said, showing.address("size-recall", size))


def _recall_page(request: PortalRequest, size: ModelSize, bound: Bound, status: int = 200) -> HttpResponse:
    at = now()
    recalls = recalls_of(size)
    current = next((one for one in recalls if one.closed_at is None), None)
    context = {
        **showing.size_frame(request.actor, size, "size-recall", at=at),
        "rows": [{"recall": one, "progress": progress_of(one)} for one in recalls],
        "current": current,
        "recipients": [] if current else recipients_of(size),
        "cannot_recall": was_open_weights(size),
        "open_form": bound.get("open") or forms.RecallForm(),
        "add_form": bound.get("add") or forms.RecipientForm(auto_id="id_add_%s"),
        "close_form": bound.get("close") or _close_form(current),
    }
    return render(request, "narrowing/recall.html", context, status=status)


def _close_form(current: Recall | None) -> ServiceForm:
    initial = {"expected_version": current.version if current else 0}
    return forms.CloseRecallForm(initial=initial, auto_id="id_close_%s")


@signed_in
def recall_notice(request: PortalRequest, pk: int) -> HttpResponse:
    """One recipient's notice: what is asked, and what was answered."""
    return _notice_page(request, notice_for(request.actor, pk))


@signed_in
@methods
def recall_notice_command(request: PortalRequest, pk: int, name: str) -> HttpResponse:
    """Acknowledge a recall, or state that every copy is deleted."""
    found = notice_for(request.actor, pk)
    if name not in ("acknowledge", "delete"):
        raise NotFound("There is nothing here.", change="What can be done stands on the notice's page.")
    url = reverse("recall-notice", args=[pk])
    if request.method != "POST":
        return showing.see_other(url)
    form = (forms.AcknowledgeForm if name == "acknowledge" else forms.DeletionForm)(request.POST)

    def act() -> Any:
        if name == "acknowledge":
            return acknowledge(request.actor, pk, at=now())
        return state_deletion(request.actor, pk, statement=form.text("statement"), at=now())

    def page(refused: ServiceForm, status: int) -> HttpResponse:
        return _notice_page(request, found, refused, status)

    said = _("Thank you. It is written down.")
    return carry_out(request, form, act, page, said, url)


def _notice_page(
    request: PortalRequest, notice: RecallNotice, form: ServiceForm | None = None, status: int = 200
) -> HttpResponse:
    state = state_of(notice.recall)
    context = {
        "notice": notice,
        "recall": notice.recall,
        "acknowledging": decide_command("acknowledge", state, request.actor, notice.account_id),
        "deleting": decide_command("delete", state, request.actor, notice.account_id),
        "acknowledge_form": forms.AcknowledgeForm(),
        "deletion_form": form if form is not None and "statement" in form.fields else forms.DeletionForm(),
        "at": now(),
    }
    return render(request, "narrowing/recall_notice.html", context, status=status)


# --- Partner reports -------------------------------------------------------------------------------------------------


@signed_in
@methods
def partner_reports(request: PortalRequest, lab: str, name: str) -> HttpResponse:
    """Deposit a partner's report on a size; staff read and answer them."""
    size = visible_size(request, lab, name)
    if request.method != "POST":
        return _reports_page(request, size, {})
    form = forms.PartnerReportForm(request.POST)

    def act() -> Any:
        is_adverse = form.ticked("is_adverse")
        return deposit_partner_report(request.actor, size, report=form.text("report"), is_adverse=is_adverse, at=now())

    def page(refused: ServiceForm, status: int) -> HttpResponse:
        return _reports_page(request, size, {"deposit": refused}, status)

    return carry_out(
        request, form, act, page, _("The report is deposited."), showing.address("size-partner-reports", size)
    )


@roles(*ANSWERERS)
@methods
def partner_report_answer(request: PortalRequest, pk: int) -> HttpResponse:
    """Answer what a partner reported."""
    found = PartnerReport.objects.select_related("size").filter(pk=pk).first()
    if found is None:
        raise NotFound("There is nothing here.", change="The reports on a size are listed on its page.")
    size = size_for(request.actor, found.size.slug, Action.VIEW, at=now()).size
    url = showing.address("size-partner-reports", size)
    if request.method != "POST":
        return showing.see_other(url)
    form = forms.AnswerReportForm(request.POST, auto_id=f"id_answer_{pk}_%s")

    def page(refused: ServiceForm, status: int) -> HttpResponse:
        return _reports_page(request, size, {f"answer-{pk}": refused}, status)

    return carry_out(
        request,
        form,
        lambda: answer_partner_report(request.actor, pk, answer=form.text("answer"), at=now()),
        page,
        _("The answer is written down."),
        url,
    )


def _reports_page(request: PortalRequest, size: ModelSize, bound: Bound, status: int = 200) -> HttpResponse:
    at, actor = now(), request.actor
    context = {
        **showing.size_frame(actor, size, "size-partner-reports", at=at),
        "decision": may_deposit(actor, partner_grant(actor, size, at)),
        "form": bound.get("deposit") or forms.PartnerReportForm(),
        "rows": [
            {
                "report": one,
                "may_answer": may_answer(actor, is_answered=one.answered_at is not None),
                "form": bound.get(f"answer-{one.pk}") or forms.AnswerReportForm(auto_id=f"id_answer_{one.pk}_%s"),
            }
            for one in reports_for(actor, size)
        ],
    }
    return render(request, "narrowing/partner_reports.html", context, status=status)
