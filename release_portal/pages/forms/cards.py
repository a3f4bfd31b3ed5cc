"""The form that edits a model card."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from model_cards.models import CardVersion
from release_portal.pages.forms.base import ServiceForm, version_field
from release_portal.registry.models import ModelSize


class CardForm(ServiceForm):
    card = forms.CharField(
        label=_("The whole card"),
        help_text=_("Front matter between two lines of ---, then Markdown. HTML is shown as text."),
        widget=forms.Textarea(attrs={"rows": 28, "spellcheck": "true", "data-keep-over": ""}),
    )
    summary = forms.CharField(
        label=_("What did you change?"),
        help_text=_("The list of versions and the public timeline show this sentence with your name."),
        widget=forms.TextInput(attrs={"maxlength": 200, "autocomplete": "off"}),
    )
    expected_version = version_field()

    def keep_draft(self, size: ModelSize, number: int) -> None:
        """Let the browser keep a draft of this size's card that is based on this version."""
        self.fields["card"].widget.attrs["data-keep"] = f"card-{size.slug}-{number}"


def form_for(newest: CardVersion | None) -> CardForm:
    """Return the form with the newest text in it."""
    text, number = (newest.text, newest.number) if newest else ("", 0)
    return CardForm(initial={"card": text, "expected_version": number})
