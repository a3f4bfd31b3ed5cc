"""The playground's form: a prompt and how tokens are chosen."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

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


def _number(name: str) -> forms.CharField:
    span = RANGES[name]
    is_whole = span.is_whole
    widget = forms.TextInput(attrs={"inputmode": "numeric" if is_whole else "decimal", "autocomplete": "off"})
    initial = "" if name == "seed" else f"{span.default:g}"
    return forms.CharField(
        label=LABELS[name], help_text=HINTS[name], initial=initial, required=name != "seed", widget=widget
    )


class PlaygroundForm(ServiceForm):
    prompt = forms.CharField(label=_("Prompt"), widget=forms.Textarea(attrs={"rows": 7}))
    temperature = _number("temperature")
    top_k = _number("top_k")
    top_p = _number("top_p")
    max_tokens = _number("max_tokens")
    samples = _number("samples")
    seed = _number("seed")
    stop = forms.CharField(
        label=_("Stop at"),
        help_text=_("The text ends before any of these. One per line, up to %(most)d of %(length)d characters.")
        % {"most": MOST_STOPS, "length": LONGEST_STOP},
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    submit_key = forms.CharField(label=_("Submission"), widget=forms.HiddenInput)

    def __init__(self, *args: Any, keep: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["prompt"].widget.attrs["data-keep"] = keep

    @property
    def numbers(self) -> list[forms.BoundField]:
        """The fields that hold a number, in the order in which people set them."""
        return [self[name] for name in NUMBERS]

    def values(self) -> dict[str, Any]:
        """Return what the generation service reads."""
        stops = [line for line in self.text("stop").split("\n") if line]
        return {name: self.text(name) for name in ("prompt", *NUMBERS)} | {"stop": stops}


def fresh_key() -> str:
    """Return the key that makes a double click one submission."""
    return str(uuid.uuid4())


def values_of(job: Job) -> dict[str, str]:
    """Return the words of the form that would make this generation again."""
    chosen = job.settings
    words = {name: f"{getattr(chosen, name):g}" for name in ("temperature", "top_k", "top_p", "max_tokens", "samples")}
    return words | {"prompt": job.prompt, "seed": str(chosen.seed), "stop": "\n".join(chosen.stop)}
