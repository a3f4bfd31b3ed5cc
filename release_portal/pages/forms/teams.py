"""The forms of teams: invite, take back, suspend one member, ask for a cohort, lead it, join."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.access.models import Seat
from release_portal.access.people.cohort_rules import FEWEST, KINDS, MOST
from release_portal.pages.forms.base import ServiceForm, reason_field, version_field


class NameForm(ServiceForm):
    mails = forms.CharField(
        label=_("Mail addresses"),
        help_text=_("One or several, parted by commas or lines. Each is sent a link of its own, for 21 days."),
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
    )


class InviteForm(NameForm):
    until = forms.CharField(
        label=_("Last day of these seats"),
        help_text=_("Year-month-day, where it is earlier than the end of the others."),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
    )


class WishForm(ServiceForm):
    kind = forms.ChoiceField(label=_("What is it?"), choices=[("", _("Choose")), *KINDS.items()])
    seats = forms.CharField(
        label=_("How many people, yourself among them?"),
        help_text=_("From %(fewest)s to %(most)s. It is fixed when access is approved.")
        % {"fewest": FEWEST, "most": MOST},
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
    )
    first_day = forms.CharField(
        label=_("First day"),
        help_text=_("Year-month-day. Without one members may begin as soon as access is approved."),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
    )
    last_day = forms.CharField(
        label=_("Last day"),
        help_text=_("Year-month-day. The end of a cohort is its own, and fixed with the approval."),
        widget=forms.DateInput(attrs={"type": "date"}),
    )
    expected_version = version_field()


class PlainForm(ServiceForm):
    """A command that needs nothing but its version."""

    expected_version = version_field()


class RemoveForm(PlainForm):
    reason = reason_field(
        _("Why is the seat taken back?"), _("The member reads it. Their work stops; nobody else's does.")
    )


class SuspendForm(PlainForm):
    reason = reason_field(
        _("Why do you suspend this member?"),
        _("The member reads it. Only this member is stopped; another officer must confirm within 72 hours."),
    )


class ConfirmForm(PlainForm):
    reason = reason_field(_("What did you check?"), required=False)


class LiftForm(PlainForm):
    reason = reason_field(_("What was found?"))


class DeputyForm(PlainForm):
    deputy = forms.ChoiceField(
        label=_("Who stands in for the lead?"),
        help_text=_("A member who joined. They take over by their own act, and only when there is no lead."),
    )

    def __init__(self, *args: Any, members: list[Seat], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(str(seat.pk), seat.name) for seat in members]
        self.set_choices("deputy", [("", _("Choose a member")), *choices])


class HandForm(PlainForm):
    reason = reason_field(
        _("Why do you leave?"),
        _("Members read it. Your own access ends now; after 14 days without a lead nothing new starts."),
    )


class CloseForm(PlainForm):
    reason = reason_field(_("Why is it closed?"), _("Members read it. Every seat ends now, yours as well."))


class JoinForm(ServiceForm):
    affiliation = forms.CharField(
        label=_("Where do you work?"),
        help_text=_("Institution and group, or: independent. Nobody of the same lab decides on the application."),
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    agreement = forms.BooleanField(label=_("I have read the research access agreement and accept it for myself"))
    agreement_hash = forms.CharField(label=_("Agreement"), widget=forms.HiddenInput)

    def accepted(self) -> str:
        """Return the hash of the text that was shown, when it was accepted."""
        return self.text("agreement_hash") if self.ticked("agreement") else ""
