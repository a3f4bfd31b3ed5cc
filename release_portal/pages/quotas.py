"""A grant's quota as pages show it: used, set aside, left, when it returns; and what it was used for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from release_portal.access.models import Grant
from release_portal.access.modifiers import MODIFIERS
from release_portal.access.purposes import PURPOSES
from release_portal.access.quota import left_of
from release_portal.access.sampler_rules import all_in_words
from release_portal.jobs.quotas import DAYS_SHOWN, UseOfDay, holder_of, limits_of, usage_of, use_by_purpose


def quota_section(grant: Grant, at: datetime) -> dict[str, Any]:
    """Return what the page of a grant says of its quota, its bounds and its use."""
    use = use_by_purpose(holder_of(grant), at)
    return {
        "lines": _lines(grant, at),
        "bounds": all_in_words(grant.bounds()),
        "bound_label": MODIFIERS["Q13"].label,
        "purposes": [_named(code) for code in grant.purposes],
        "use": _table(use),
        "days": DAYS_SHOWN,
    }


def _lines(grant: Grant, at: datetime) -> list[dict[str, Any]]:
    limits, usage = limits_of(grant), usage_of(holder_of(grant), at)
    left, recent = left_of(limits, usage, at), len(usage.recent)
    per_day, per_minute, at_once = limits.tokens_per_day, limits.requests_per_minute, limits.concurrent
    return [
        _line(_("Tokens a day"), per_day, usage.tokens, usage.reserved, left.tokens, left.tokens_return_at),
        _line(_("Requests a minute"), per_minute, recent, None, left.requests, left.request_returns_at),
        _line(_("Requests at once"), at_once, usage.running, None, left.at_once, None),
    ]


def _line(
    name: str, limit: int, used: int, reserved: int | None, left: int, returns_at: datetime | None
) -> dict[str, Any]:
    return {
        "name": name,
        "limit": limit,
        "used": used,
        "reserved": reserved,
        "left": left,
        "returns_at": returns_at,
    }


def _table(use: list[UseOfDay]) -> dict[str, Any]:
    """Return days as rows and purposes as columns; only days and purposes with requests."""
    codes = sorted({one.purpose for one in use})
    days = sorted({one.day for one in use}, reverse=True)
    cells = {(one.day, one.purpose): one for one in use}
    rows = [{"day": day, "cells": [(_named(code), cells.get((day, code))) for code in codes]} for day in days]
    return {"columns": [_named(code) for code in codes], "rows": rows}


def _named(code: str) -> str:
    return f"{code} {PURPOSES[code]}" if code in PURPOSES else _("no purpose named")
