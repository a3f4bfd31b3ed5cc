"""The forms of the queue: what is looked for, and what is done with several at once."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.access.queue.batch import Item, Order
from release_portal.access.refusals import REASONS
from release_portal.core.errors import InvalidInput
from release_portal.pages.forms.base import ServiceForm

COMMANDS = {
    "approve": _("Approve what was asked for, at the usual quota"),
    "refuse": _("Refuse"),
    "claim": _("Look at them for 30 minutes"),
}
_TEXTS = {
    "approve": (_("Note to the applicants"), _("Each reads it with the approval.")),
    "refuse": (_("In your own words"), _("Each applicant reads it; say what exactly is missing.")),
    "claim": (_("Reason"), _("Needed only for those at which somebody else is looking.")),
}


class BatchForm(ServiceForm):
    """The command for all, with its words; what was chosen goes along."""

    code = forms.ChoiceField(label=_("Reason"), help_text=_("With what would change it, for each applicant."))
    words = forms.CharField(widget=forms.Textarea(attrs={"rows": 4}), required=False)
    command = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, command: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", _("Choose a reason")), *((reason.code, reason.label) for reason in REASONS.values())]
        self.set_choices("code", choices)
        self.fields["words"].label, self.fields["words"].help_text = _TEXTS.get(command, ("", ""))
        self.fields["words"].required = command == "refuse"
        if command != "refuse":
            del self.fields["code"]

    def order(self) -> Order:
        """Return what shall be done with each."""
        code = self.text("code") if "code" in self.fields else ""
        return Order(self.text("command"), code, self.text("words"))


def items_of(chosen: list[str]) -> list[Item]:
    """Read what was ticked: an id with the version that was seen.

    Raises:
        InvalidInput: something else was sent.
    """
    items = []
    for one in chosen:
        name, _colon, version = one.partition(":")
        if not (version.isascii() and version.isdecimal() and len(version) <= 9) or "\x00" in name:
            raise InvalidInput("Choose from the queue.", field="chosen", change="Go back and tick them once more.")
        items.append(Item(name[:20], int(version)))
    return items
