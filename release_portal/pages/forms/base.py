"""The form that every page uses: it reads words, and shows what a service answered at the field it names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from django import forms
from django.forms.utils import ErrorDict
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from release_portal.core.errors import Incomplete, InvalidInput, PortalError
from release_portal.pages.templatetags.portal import utc


def version_field(*, required: bool = True) -> forms.CharField:
    """Return the hidden field that says which version of the object the person saw."""
    return forms.CharField(label=gettext_lazy("Version"), widget=forms.HiddenInput, required=required)


def reason_field(label: Any, help_text: Any = "", *, required: bool = True) -> forms.CharField:
    """Return a field for a sentence or two of why."""
    return forms.CharField(
        label=label, help_text=help_text, required=required, widget=forms.Textarea(attrs={"rows": 2})
    )


class ServiceForm(forms.Form):
    """Checks nothing itself: the service does, and its error goes to the field it names."""

    use_required_attribute = False

    def full_clean(self) -> None:
        """Start without errors; `refuse` adds what a service said."""
        self._errors = ErrorDict(renderer=self.renderer)
        self.cleaned_data: dict[str, Any] = {}

    def set_choices(self, name: str, choices: Iterable[Any]) -> None:
        """Say what can be chosen in a field."""
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = list(choices)

    def text(self, name: str) -> str:
        """Return what was typed into a field; no browser sends NUL, and no database takes it."""
        return str(self.data.get(self.add_prefix(name), "")).replace("\r\n", "\n").replace("\x00", "\ufffd")

    def texts(self, name: str) -> list[str]:
        """Return every choice that was ticked."""
        values: list[str] = self.fields[name].widget.value_from_datadict(self.data, self.files, self.add_prefix(name))
        return list(values or [])

    def ticked(self, name: str) -> bool:
        """Return whether a box was ticked."""
        return bool(self.text(name))

    def version(self) -> int:
        """Return the version of the object that the person saw."""
        written = self.text("expected_version")
        if not written.isdecimal():
            raise InvalidInput("The form does not say which version it was made for.", change="Send it once more.")
        return int(written[:9])

    def refresh(self, **fresh: Any) -> None:
        """Write new values over what was sent."""
        data = cast(QueryDict, self.data).copy()
        for name, value in fresh.items():
            data[self.add_prefix(name)] = str(value)
        self.data = data

    def forget(self, name: str) -> None:
        """Take one answer back out of what was sent."""
        data = cast(QueryDict, self.data).copy()
        data.pop(self.add_prefix(name), None)
        self.data = data

    def refuse(self, error: PortalError, **fresh: Any) -> None:
        """Show a service's error, keep the text, and write fresh values into hidden fields."""
        self.refresh(**fresh)
        sentences = [error.reason, error.change]
        if error.retry_at is not None:
            sentences.append(_("It is worth trying again from %(time)s.") % {"time": utc(error.retry_at)})
        self.add_error(error.field if error.field in self.fields else None, " ".join(filter(None, sentences)))


class ManyFieldsForm(ServiceForm):
    """A long form: each thing that is wrong is shown at its own field."""

    def refuse(self, error: PortalError, **fresh: Any) -> None:
        """Show every problem that the service named, not the first alone."""
        if not isinstance(error, Incomplete):
            super().refuse(error, **fresh)
            return
        self.refresh(**fresh)
        for field, reason in error.problems:
            name = self.place_of(field)
            self.add_error(name if name in self.fields else None, reason)

    def place_of(self, field: str) -> str:
        """Return the form's own name of what the service calls a field."""
        return field
