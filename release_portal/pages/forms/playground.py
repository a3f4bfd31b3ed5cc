"""The playground's form: a prompt and how tokens are chosen."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.access.lookups import SizeAccess
from release_portal.access.purposes import PURPOSES
from release_portal.access.sampler_rules import sides_in_words
from release_portal.jobs.models import Job
from release_portal.pages.forms.base import ServiceForm
from release_portal.pages.forms.sampling import SamplingForm, words_of


class PlaygroundForm(SamplingForm):
    prompt = forms.CharField(label=_("Prompt"), widget=forms.Textarea(attrs={"rows": 7}))
    purpose = forms.ChoiceField(
        label=_("Purpose"), help_text=_("What this request is for; your grant has several purposes.")
    )
    submit_key = forms.CharField(label=_("Submission"), widget=forms.HiddenInput)

    def __init__(self, *args: Any, access: SizeAccess, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["prompt"].widget.attrs["data-keep"] = access.size.slug
        offer_purposes(self, access.grant.purposes if access.grant else [])
        self.begin_within(access)
        if span := access.bounds.get("context"):
            words = {"bound": sides_in_words(span)}
            self.fields["prompt"].help_text = _("Your grant: %(bound)s tokens together with one output.") % words

    def values(self) -> dict[str, Any]:
        """Return what the generation service reads."""
        return {name: self.text(name) for name in ("prompt", "purpose")} | self.sampling()


def offer_purposes(form: ServiceForm, codes: Sequence[str]) -> None:
    """Ask for a purpose where there are several; where there is one, it is that."""
    if len(codes) < 2:
        del form.fields["purpose"]
        return
    named = [(code, f"{code} {PURPOSES[code]}") for code in codes]
    form.set_choices("purpose", [("", _("Choose a purpose")), *named])


def fresh_key() -> str:
    """Return the key that makes a double click one submission."""
    return str(uuid.uuid4())


def values_of(job: Job) -> dict[str, str]:
    """Return the words of the form that would make this generation again."""
    return {"prompt": job.prompt, "purpose": job.purpose, **words_of(job.settings)}
