"""The form that asks about a text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.detection.limits import ADVISED_TOKENS, LEAST_TOKENS
from release_portal.pages.forms.base import ServiceForm
from release_portal.pages.forms.playground import offer_purposes
from release_portal.registry.models import ModelSize


class DetectionForm(ServiceForm):
    size = forms.ChoiceField(
        label=_("Model size that scores it"),
        help_text=_("The record of served texts is the same for every size; ranks and curvature are this size's own."),
    )
    purpose = forms.ChoiceField(label=_("Purpose"), help_text=_("What this is for; your grants have several purposes."))
    submit_key = forms.CharField(label=_("Submission"), widget=forms.HiddenInput)

    def __init__(self, *args: Any, sizes: Iterable[ModelSize], purposes: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer_purposes(self, purposes)
        self.set_choices("size", [(size.slug, size.name) for size in sizes])
        self.fields["text"] = _text()  # here, since `text` is also how a form is read


def _text() -> forms.CharField:
    return forms.CharField(
        label=_("Text"),
        help_text=_("At least %(least)d tokens; from %(advised)d on there is more to see. It is stored encrypted.")
        % {"least": LEAST_TOKENS, "advised": ADVISED_TOKENS},
        widget=forms.Textarea(attrs={"rows": 12, "data-keep": "detection"}),
    )
