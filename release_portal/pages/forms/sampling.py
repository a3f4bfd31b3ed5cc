"""How tokens are chosen: the fields that the playground and both sides of a comparison share."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from inference.contract import SamplingSettings
from release_portal.access.lookups import SizeAccess
from release_portal.access.sampler_rules import nearest, sides_in_words
from release_portal.generation.limits import LONGEST_STOP, MOST_STOPS, RANGES
from release_portal.pages.forms.base import ServiceForm

NUMBERS = ("temperature", "top_k", "top_p", "max_tokens", "samples", "seed")
PENALTIES = ("repetition_penalty", "presence_penalty", "frequency_penalty")
HINTS = {
    "temperature": _("0 to 2. At 0 always the likeliest token."),
    "top_k": _("Only the k likeliest tokens. 0: all."),
    "top_p": _("Only the likeliest that together reach p."),
    "max_tokens": _("At most 1,024, for each sample."),
    "samples": _("1 to 4, one below the other."),
    "seed": _("Empty: one is drawn and shown."),
    "repetition_penalty": _("0.1 to 10. Above 1 repeats less, also of the prompt. 1: off."),
    "presence_penalty": _("−2 to 2, once a token has come up. 0: off."),
    "frequency_penalty": _("−2 to 2, each time it comes up. 0: off."),
}
LABELS = {
    "temperature": _("Temperature"),
    "top_k": _("Top-k"),
    "top_p": _("Top-p"),
    "max_tokens": _("Max tokens"),
    "samples": _("Samples"),
    "seed": _("Seed"),
    "repetition_penalty": _("Repetition penalty"),
    "presence_penalty": _("Presence penalty"),
    "frequency_penalty": _("Frequency penalty"),
    "stop": _("Stop at"),
}


def _number_field(name: str) -> forms.CharField:
    span = RANGES[name]
    widget = forms.TextInput(attrs={"inputmode": "numeric" if span.is_whole else "decimal", "autocomplete": "off"})
    initial = "" if name == "seed" else f"{span.default:g}"
    return forms.CharField(
        label=LABELS[name], help_text=HINTS[name], initial=initial, required=name != "seed", widget=widget
    )


class SamplingForm(ServiceForm):
    """The settings of one generation."""

    temperature = _number_field("temperature")
    top_k = _number_field("top_k")
    top_p = _number_field("top_p")
    max_tokens = _number_field("max_tokens")
    samples = _number_field("samples")
    seed = _number_field("seed")
    repetition_penalty = _number_field("repetition_penalty")
    presence_penalty = _number_field("presence_penalty")
    frequency_penalty = _number_field("frequency_penalty")
    stop = forms.CharField(
        label=LABELS["stop"],
        help_text=_("The text ends before any of these. One per line, up to %(most)d of %(length)d characters.")
        % {"most": MOST_STOPS, "length": LONGEST_STOP},
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def begin_within(self, access: SizeAccess) -> None:
        """Begin inside of what is allowed with a size, and say at each setting how far it goes."""
        by_grant = access.grant.bounds() if access.grant else {}
        for name, span in access.bounds.items():
            if name in self.fields:
                by = _("Your grant: %(bound)s.") if by_grant.get(name) == span else _("Restricted now: %(bound)s.")
                self.fields[name].help_text = by % {"bound": sides_in_words(span)}
                self.fields[name].initial = f"{nearest(access.bounds, name, RANGES[name].default):g}"

    @property
    def numbers(self) -> list[forms.BoundField]:
        """The fields that hold a number, in the order in which people set them."""
        return [self[name] for name in NUMBERS]

    @property
    def rarer(self) -> list[forms.BoundField]:
        """The fields that most people leave as they are."""
        return [self[name] for name in (*PENALTIES, "stop")]

    @property
    def uses_rarer(self) -> bool:
        """Whether one of them says something, or is wrong."""
        return any(field.errors or field.value() not in (None, "", field.field.initial) for field in self.rarer)

    def sampling(self) -> dict[str, Any]:
        """Return what the generation service reads of the settings."""
        stops = [line for line in self.text("stop").split("\n") if line]
        return {name: self.text(name) for name in (*NUMBERS, *PENALTIES)} | {"stop": stops}


def words_of(chosen: SamplingSettings) -> dict[str, str]:
    """Return settings as the fields show them."""
    words = {name: f"{getattr(chosen, name):g}" for name in (*NUMBERS, *PENALTIES) if name != "seed"}
    return words | {"seed": str(chosen.seed), "stop": "\n".join(chosen.stop)}
