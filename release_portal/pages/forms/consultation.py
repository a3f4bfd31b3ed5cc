"""Forms of people outside: comment on a proposal, deposit an external review."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.pages.forms.base import ServiceForm, version_field
from release_portal.pages.words_proposals import FINDINGS


class CommentForm(ServiceForm):
    """What somebody says in a comment window."""

    name = forms.CharField(
        label=_("Your name"),
        help_text=_("It stands beside the comment."),
        widget=forms.TextInput(attrs={"autocomplete": "name", "maxlength": 150}),
    )
    is_objection = forms.BooleanField(
        label=_("This is an objection"),
        help_text=_("The move waits until it is answered."),
        required=False,
    )

    def __init__(self, *args: Any, asks_name: bool, keep: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not asks_name:
            del self.fields["name"]
        self.fields["text"] = forms.CharField(  # here, since `text` is also how a form is read
            label=_("Your comment"),
            help_text=_("Everybody reads it."),
            widget=forms.Textarea(attrs={"rows": 6, "data-keep": keep}),
        )
        self.order_fields(["name", "text", "is_objection"])


class AcceptForm(ServiceForm):
    """Nothing to fill in: the terms stand above."""


class ReportForm(ServiceForm):
    """The report of an external reviewer."""

    finding = forms.ChoiceField(
        label=_("What do you find?"),
        choices=list(FINDINGS.items()),
        widget=forms.RadioSelect,
        help_text=_("A report that advises against the move holds the size until people have answered it."),
    )
    report = forms.CharField(
        label=_("Your report"),
        help_text=_("It is public, and nobody changes it after you have deposited it."),
        widget=forms.Textarea(attrs={"rows": 16}),
    )
    expected_version = version_field()

    def __init__(self, *args: Any, keep: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["report"].widget.attrs["data-keep"] = keep
