"""The form that makes an API token."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.accounts.roles import SCOPES, STAFF_SCOPES, scopes_for
from release_portal.core.errors import InvalidInput
from release_portal.pages.forms.base import ServiceForm

WORDS = SCOPES | STAFF_SCOPES


class TokenForm(ServiceForm):
    name = forms.CharField(label=_("Name"), help_text=_("Where you will use it, e.g. notebook on my laptop."))
    service = forms.CharField(
        label=_("Service"),
        help_text=_(
            "Only for a program that runs by itself, e.g. nightly-evaluation. The record then names it beside you, and "
            "its token must end within a year. It can do what you tick, and nothing that decides."
        ),
        required=False,
    )
    scopes = forms.MultipleChoiceField(
        label=_("What it may do"), help_text=_("Tick as little as possible."), widget=forms.CheckboxSelectMultiple
    )
    ends_at = forms.CharField(
        label=_("Ends on"),
        help_text=_("Year-month-day. It works until that day is over in UTC. Without a date it works until revoked."),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
    )

    def __init__(self, *args: Any, roles: Iterable[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(scope, f"{scope}: {WORDS[scope]}") for scope in scopes_for(roles)]
        self.set_choices("scopes", choices)

    def end(self) -> datetime | None:
        """Return the end that was typed: the midnight after that day."""
        written = self.text("ends_at").strip()
        if not written:
            return None
        try:
            return datetime.combine(date.fromisoformat(written) + timedelta(days=1), time.min, UTC)
        except (ValueError, OverflowError) as error:
            raise InvalidInput(
                f"{written[:40]!r} is no date.", field="ends_at", change="Write it like 2026-11-30."
            ) from error
