"""The forms of those who keep programmes: store a file, publish it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.pages.forms.base import ServiceForm


class StoreForm(ServiceForm):
    file = forms.CharField(
        label=_("The file"),
        help_text=_("YAML. Take an existing one as the start, and give it the next version."),
        widget=forms.Textarea(attrs={"rows": 24, "spellcheck": "false", "data-keep": "programme"}),
    )


class PublishForm(ServiceForm):
    family = forms.ChoiceField(label=_("Family"))
    stage = forms.ChoiceField(label=_("Stage"), help_text=_("Where grants of this kind are given."))
    reason = forms.CharField(
        label=_("Why"), help_text=_("The record keeps it."), widget=forms.Textarea(attrs={"rows": 3})
    )

    def __init__(self, *args: Any, families: Iterable[tuple[str, str]], stages: Iterable[tuple[str, str]], **kw: Any):
        super().__init__(*args, **kw)
        self.set_choices("family", [("", _("Choose a family")), *families])
        self.set_choices("stage", [("", _("Choose a stage")), *stages])
