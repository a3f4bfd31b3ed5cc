"""Forms of the duty roster."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.accounts.models import User
from release_portal.core.errors import InvalidInput
from release_portal.pages.forms.base import ServiceForm
from release_portal.pages.forms.times import moment_field, moment_of


class ShiftForm(ServiceForm):
    """Who is on duty, from when until when."""

    user = forms.ChoiceField(label=_("Duty officer"))
    starts_at = moment_field(_("From"), _("In UTC."))
    ends_at = moment_field(_("Until"), _("In UTC."))

    def __init__(self, *args: Any, officers: Iterable[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._officers = {str(user.pk): user for user in officers}
        choices = [("", _("Choose a person")), *((key, user.name) for key, user in self._officers.items())]
        self.set_choices("user", choices)

    def officer(self) -> User:
        """Return the person that was chosen."""
        found = self._officers.get(self.text("user"))
        if found is None:
            raise InvalidInput("Nobody is chosen.", field="user", change="Choose a duty officer from the list.")
        return found

    def span(self) -> tuple[datetime, datetime]:
        """Return start and end."""
        return moment_of(self.text("starts_at"), "starts_at"), moment_of(self.text("ends_at"), "ends_at")
