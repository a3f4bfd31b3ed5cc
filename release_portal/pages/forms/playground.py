"""The playground's form: a prompt and how tokens are chosen."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.access.models import Grant
from release_portal.access.purposes import PURPOSES
from release_portal.access.sampler_rules import Bounds, Span, nearest, sides_in_words
from release_portal.generation.limits import LONGEST_STOP, MOST_STOPS, RANGES
from release_portal.jobs.models import Job
from release_portal.pages.forms.base import ServiceForm

NUMBERS = ("temperature", "top_k", "top_p", "max_tokens", "samples", "seed")
HINTS = {
    "temperature": _("0 to 2. At 0 always the likeliest token."),
    "top_k": _("Only the k likeliest tokens. 0: all."),
    "top_p": _("Only the likeliest that together reach p."),
    "max_tokens": _("At most 1,024, for each sample."),
    "samples": _("1 to 4, one below the other."),
    "seed": _("Empty: one is drawn and shown."),
}
LABELS = {
    "temperature": _("Temperature"),
    "top_k": _("Top-k"),
    "top_p": _("Top-p"),
    "max_tokens": _("Max tokens"),
    "samples": _("Samples"),
    "seed": _("Seed"),
}


def number_field(name: str) -> forms.CharField:
    """Return the field of one of the settings that are numbers."""
    span = RANGES[name]
    is_whole = span.is_whole
    widget = forms.TextInput(attrs={"inputmode": "numeric" if is_whole else "decimal", "autocomplete": "off"})
    initial = "" if name == "seed" else f"{span.default:g}"
    return forms.CharField(
        label=LABELS[name], help_text=HINTS[name], initial=initial, required=name != "seed", widget=widget
    )


class PlaygroundForm(ServiceForm):
    prompt = forms.CharField(label=_("Prompt"), widget=forms.Textarea(attrs={"rows": 7}))
    temperature = number_field("temperature")
    top_k = number_field("top_k")
    top_p = number_field("top_p")
    max_tokens = number_field("max_tokens")
    samples = number_field("samples")
    seed = number_field("seed")
    purpose = forms.ChoiceField(
        label=_("Purpose"), help_text=_("What this request is for; your grant has several purposes.")
    )
    stop = forms.CharField(
        label=_("Stop at"),
        help_text=_("The text ends before any of these. One per line, up to %(most)d of %(length)d characters.")
        % {"most": MOST_STOPS, "length": LONGEST_STOP},
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    submit_key = forms.CharField(label=_("Submission"), widget=forms.HiddenInput)

    def __init__(self, *args: Any, keep: str = "", grant: Grant | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["prompt"].widget.attrs["data-keep"] = keep
        offer_purposes(self, grant.purposes if grant else [])
        for name, span in (grant.bounds() if grant else {}).items():
            if name in self.fields:
                self._bound(name, span, grant.bounds() if grant else {})

    def _bound(self, name: str, span: Span, bounds: Bounds) -> None:
        """Say how far the grant lets a setting go, and begin inside of it."""
        self.fields[name].help_text = _("Your grant: %(bound)s.") % {"bound": sides_in_words(span)}
        self.fields[name].initial = f"{nearest(bounds, name, RANGES[name].default):g}"

    @property
    def numbers(self) -> list[forms.BoundField]:
        """The fields that hold a number, in the order in which people set them."""
        return [self[name] for name in NUMBERS]

    def values(self) -> dict[str, Any]:
        """Return what the generation service reads."""
        stops = [line for line in self.text("stop").split("\n") if line]
        return {name: self.text(name) for name in ("prompt", "purpose", *NUMBERS)} | {"stop": stops}


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
    chosen = job.settings
    words = {name: f"{getattr(chosen, name):g}" for name in ("temperature", "top_k", "top_p", "max_tokens", "samples")}
    words |= {"prompt": job.prompt, "purpose": job.purpose}
    return words | {"seed": str(chosen.seed), "stop": "\n".join(chosen.stop)}
