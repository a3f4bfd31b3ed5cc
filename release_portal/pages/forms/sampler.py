"""Fields for bounds of sampler settings, shared by the forms that give and narrow them."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.access.sampler_rules import FRACTIONS, Bounds, Span, number, widest_bound
from release_portal.core.errors import InvalidInput
from release_portal.pages.forms.base import ServiceForm

# Which sides are offered, in the order of the form; a floor of lengths or counts would help nobody.
SIDES = {
    "max_tokens_most": _("Longest output, in tokens"),
    "context_most": _("Longest prompt with its output, in tokens"),
    "samples_most": _("Most samples of a request"),
    "temperature_least": _("Lowest temperature"),
    "temperature_most": _("Highest temperature"),
    "top_p_least": _("Lowest top-p"),
    "top_p_most": _("Highest top-p"),
    "top_k_least": _("Lowest top-k"),
    "top_k_most": _("Highest top-k"),
}


def sampler_fields() -> dict[str, forms.CharField]:
    """Return a field for each side that can be bounded."""
    return {side: _field(side) for side in SIDES}


def sampler_words(bounds: Bounds) -> dict[str, str]:
    """Return bounds as the fields show them."""
    return {side: _written(bounds.get(_name(side)), side) for side in SIDES}


def sampler_of(form: ServiceForm) -> dict[str, Span]:
    """Return the bounds that were typed in; an empty field sets none.

    Raises:
        InvalidInput: at the field that holds no number.
    """
    numbers = {side: _number(form, side) for side in SIDES}
    names = dict.fromkeys(_name(side) for side in SIDES)
    spans = {name: Span(numbers.get(f"{name}_least"), numbers.get(f"{name}_most")) for name in names}
    return {name: span for name, span in spans.items() if span != Span()}


def _field(side: str) -> forms.CharField:
    widest, is_whole = widest_bound(_name(side)), _name(side) not in FRACTIONS
    widget = forms.TextInput(attrs={"inputmode": "numeric" if is_whole else "decimal", "autocomplete": "off"})
    words = {"least": number(widest.least or 0), "most": number(widest.most or 0)}
    hint = _("%(least)s to %(most)s. Empty: not bounded.") % words
    return forms.CharField(label=SIDES[side], help_text=hint, required=False, widget=widget)


def _name(side: str) -> str:
    return side.rpartition("_")[0]


def _written(span: Span | None, side: str) -> str:
    value = getattr(span, side.rpartition("_")[2]) if span else None
    return "" if value is None else f"{value:.10g}"


def _number(form: ServiceForm, side: str) -> float | None:
    written = form.text(side).replace(",", "").strip()
    if not written:
        return None
    try:
        return float(written[:40])
    except ValueError as error:
        raise InvalidInput("Write a number, or nothing.", field=side) from error
