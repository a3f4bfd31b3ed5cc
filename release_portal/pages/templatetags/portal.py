"""Words and shapes of the pages. Nothing here reads a clock: `at` always comes from the view."""

from __future__ import annotations

from datetime import UTC, date, datetime
from math import cos, pi, sin
from typing import Any
from urllib.parse import parse_qsl

from django import template
from django.http import QueryDict
from django.utils.formats import date_format, number_format
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext, gettext_lazy, ngettext, pgettext

register = template.Library()

LAST_STAGE = 7

OUTCOMES: dict[str, Promise | str] = {
    "pass": gettext_lazy("Pass"),
    "fail": gettext_lazy("Fail"),
    "inconclusive": gettext_lazy("Inconclusive"),
    "stale": gettext_lazy("Stale"),
    "waived": gettext_lazy("Waived"),
    "not_run": gettext_lazy("Not run"),
    "blocks": gettext_lazy("Blocks"),  # no criterion: a hold, a freeze, an empty roster
}

# Drawn on a 16 x 16 grid. `f` is filled with the text colour, `k` is cut out of a filled shape, the rest is stroked.
ICONS: dict[str, str] = {
    # six outcomes: six outlines, so that neither colour nor a small detail has to carry the meaning
    "pass": '<circle class="f" cx="8" cy="8" r="7"/><path class="k" d="m4.6 8.3 2.3 2.4 4.5-5"/>',
    "fail": '<path class="f" d="M5.1 1h5.8L15 5.1v5.8L10.9 15H5.1L1 10.9V5.1z"/>'
    '<path class="k" d="m5.5 5.5 5 5m0-5-5 5"/>',
    "inconclusive": '<path d="M8 1.2 14.8 8 8 14.8 1.2 8z"/><path d="M5 8.6c1-1.6 2-1.6 3-.6s2 1 3-.6"/>',
    "stale": '<path d="M3.5 1.5h9m-9 13h9M4.5 1.5c0 4 2.2 4.6 3.5 6.5 1.3-1.9 3.5-2.5 3.5-6.5'
    'm-7 13c0-4 2.2-4.6 3.5-6.5 1.3 1.9 3.5 2.5 3.5 6.5"/>',
    "waived": '<path d="M1.5 12.5c0-9 9-10.5 11.5-4"/><path d="m13.8 4.5-.6 4.3-4.2-1"/>'
    '<circle class="f" cx="8" cy="12.5" r="1.6"/>',
    "not_run": '<circle cx="8" cy="8" r="6.3" stroke-dasharray="2.5 2.45"/>',
    "blocks": '<circle class="f" cx="8" cy="8" r="7"/><path class="k" d="M4.5 8h7"/>',
    # marks that lie over a stage
    "held": '<path class="bar" d="M5 2.5v11m6-11v11"/>',
    "frozen": '<path d="M8 1v14M2 4.5l12 7m0-7-12 7M6 2.2l2 1.8 2-1.8m-4 11.6 2-1.8 2 1.8"/>',
    "restricted": '<path d="M1 8h5M3.8 5.5 6.3 8l-2.5 2.5M15 8h-5m2.2-2.5L9.7 8l2.5 2.5M8 1.5v13"/>',
    "sunset": '<path d="M1 12.5h14M4 12.5a4 4 0 0 1 8 0M8 2v3M2.5 6.2l1.8 1.8m9.2-1.8-1.8 1.8"/>',
    "withdrawn": '<path d="M3 15V7a5 5 0 0 1 10 0v8M1 15h14M8 5.5v5M6 7.5h4"/>',
    # notices
    "info": '<circle cx="8" cy="8" r="6.5"/><path d="M8 7.2v4M8 4.6v.4"/>',
    "success": '<circle class="f" cx="8" cy="8" r="7"/><path class="k" d="m4.6 8.3 2.3 2.4 4.5-5"/>',
    "warning": '<path d="M8 1.5 15.2 14H.8z"/><path d="M8 6v4m0 1.8v.4"/>',
    "danger": '<path class="f" d="M5.1 1h5.8L15 5.1v5.8L10.9 15H5.1L1 10.9V5.1z"/>'
    '<path class="k" d="M8 4.5v4.3m0 2.2v.4"/>',
    # the rest
    "allowed": '<path d="m2 8.5 4 4L14 3.5"/>',
    "refused": '<circle cx="8" cy="8" r="6.5"/><path d="M3.5 3.5l9 9"/>',
    "verified": '<path d="M8 1 14 3.5V8c0 3.5-2.5 5.8-6 7-3.5-1.2-6-3.5-6-7V3.5z"/><path d="m5 8 2.2 2.2L11 6"/>',
    "bell": '<path d="M3 12V7a5 5 0 0 1 10 0v5l1 1H2zM6.5 15h3"/>',
    "copy": '<path d="M5.5 5.5h9v9h-9zM3 10.5H1.5v-9h9V3"/>',
}


@register.simple_tag
def icon(name: str) -> SafeString:
    """A decorative drawing; the text beside it carries the meaning."""
    return mark_safe(  # noqa: S308 (constants above)
        '<svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">'
        f"{ICONS.get(name, ICONS['not_run'])}</svg>"
    )


@register.simple_tag
def stage_shape(ordinal: int | str) -> SafeString:
    """An aperture: dark at stage 0, one seventh wider at each stage, wide open at stage 7."""
    steps = max(0, min(LAST_STAGE, int(ordinal)))
    if steps == LAST_STAGE:
        light = '<circle class="light" cx="8" cy="8" r="6.5"/>'
    elif steps:
        angle = 2 * pi * steps / LAST_STAGE
        x, y = 8 + 6.5 * sin(angle), 8 - 6.5 * cos(angle)
        light = f'<path class="light" d="M8 8V1.5A6.5 6.5 0 {int(angle > pi)} 1 {x:.2f} {y:.2f}z"/>'
    else:
        light = ""
    return mark_safe(  # noqa: S308 (numbers only)
        '<svg class="aperture" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">'
        f'<circle class="shut" cx="8" cy="8" r="6.5"/>{light}<circle class="rim" cx="8" cy="8" r="6.8"/></svg>'
    )


@register.filter
def outcome_label(outcome: str) -> str:
    return str(OUTCOMES.get(outcome, outcome))


def _as_utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


@register.filter
def ago(value: datetime | None, at: datetime | None) -> str:
    """`{{ event.at|ago:at }}`: "3 minutes ago", "in 2 days". Without `at`, the absolute time."""
    if not isinstance(value, datetime):
        return ""
    if not isinstance(at, datetime):
        return utc(value)
    seconds = int((_as_utc(at) - _as_utc(value)).total_seconds())
    size = abs(seconds)
    if size < 45:
        return gettext("just now") if seconds >= 0 else gettext("in a moment")
    if size < 45 * 60:
        n = max(1, round(size / 60))
        span = ngettext("%(n)d minute", "%(n)d minutes", n)
    elif size < 22 * 3600:
        n = max(1, round(size / 3600))
        span = ngettext("%(n)d hour", "%(n)d hours", n)
    elif size < 45 * 86400:
        n = max(1, round(size / 86400))
        span = ngettext("%(n)d day", "%(n)d days", n)
    elif size < 548 * 86400:
        n = max(2, round(size / 2629746))
        span = ngettext("%(n)d month", "%(n)d months", n)
    else:
        n = max(2, round(size / 31556952))
        span = ngettext("%(n)d year", "%(n)d years", n)
    span %= {"n": n}
    if seconds >= 0:
        return pgettext("past", "%(span)s ago") % {"span": span}
    return pgettext("future", "in %(span)s") % {"span": span}


@register.filter
def utc(value: datetime | date | None) -> str:
    """`1 March 2026, 12:00 UTC`; a plain date without the time."""
    if isinstance(value, datetime):
        return date_format(_as_utc(value), "j F Y, H:i") + " UTC"
    return date_format(value, "j F Y") if isinstance(value, date) else ""


@register.inclusion_tag("components/time.html")
def relative_time(value: datetime, at: datetime | None = None) -> dict[str, Any]:
    """`{% relative_time event.at at %}`"""
    return {"value": value, "at": at}


@register.filter
def iso(value: datetime | date | None) -> str:
    if isinstance(value, datetime):
        return _as_utc(value).strftime("%Y-%m-%dT%H:%M:%SZ")
    return value.isoformat() if isinstance(value, date) else ""


@register.filter
def digest_short(value: object, length: int = 12) -> str:
    """The first characters of a digest, without the name of its algorithm."""
    return str(value or "").rpartition(":")[2][: int(length)]


@register.filter
def thousands(value: Any) -> str:
    """`124439808` -> `124,439,808`, grouped as the language does it."""
    if value is None or value == "":
        return ""
    try:
        return number_format(value, use_l10n=True, force_grouping=True)
    except (TypeError, ValueError):
        return str(value)


@register.simple_tag(takes_context=True)
def query_replace(context: template.Context, **changes: Any) -> str:
    """The query string of this page with some values replaced; None or "" removes one. Starts with `?`.

    Reads `querystring` from the context, else the query of the request.
    """
    given = context.get("querystring")
    query = QueryDict(mutable=True)
    if given is None:
        request = context.get("request")
        if request is not None:
            query = request.GET.copy()
    else:
        for key, value in parse_qsl(str(given).lstrip("?"), keep_blank_values=True):
            query.appendlist(key, value)
    for key, value in changes.items():
        if value is None or value == "":
            query.pop(key, None)
        else:
            query[key] = str(value)
    return "?" + query.urlencode()


@register.simple_tag
def digest(value: object) -> SafeString:
    """A digest, short to the eye, whole to the mouse, the clipboard and the printer."""
    return format_html(
        '<code class="digest" title="{0}" data-full="{0}">{1}</code>', str(value or ""), digest_short(value)
    )
