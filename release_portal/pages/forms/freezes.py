"""Forms that raise a freeze and lift one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.core.errors import InvalidInput
from release_portal.pages.forms.base import ServiceForm, reason_field, version_field
from release_portal.pages.forms.times import moment_field, moment_of
from release_portal.registry.models import ModelFamily


class FreezeForm(ServiceForm):
    """From when until when nothing is widened."""

    family = forms.ChoiceField(label=_("What is frozen?"))
    starts_at = moment_field(_("From"), _("In UTC."))
    ends_at = moment_field(_("Until"), _("In UTC."))
    reason = reason_field(_("Why?"), _("The calendar shows it with your name."))

    def __init__(self, *args: Any, families: Iterable[ModelFamily], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._families = {family.slug: family for family in families}
        choices = [("", _("Every family")), *((slug, family.name) for slug, family in self._families.items())]
        self.set_choices("family", choices)

    def chosen(self) -> ModelFamily | None:
        """Return the family that was chosen; None for all."""
        slug = self.text("family")
        if slug and slug not in self._families:
            raise InvalidInput("There is no such family.", field="family", change="Choose one from the list.")
        return self._families.get(slug)

    def span(self) -> tuple[datetime, datetime]:
        """Return start and end."""
        return moment_of(self.text("starts_at"), "starts_at"), moment_of(self.text("ends_at"), "ends_at")


class LiftFreezeForm(ServiceForm):
    """Why a freeze ends before its time."""

    reason = reason_field(_("Why can it end?"), _("The calendar shows it with your name."))
    expected_version = version_field()
