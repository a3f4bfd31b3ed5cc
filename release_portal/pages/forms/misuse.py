"""Forms for reporters: the report, the code, a message."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.access.lookups import sizes_for
from release_portal.access.policy import Action
from release_portal.core.actors import Actor
from release_portal.misuse.categories import CATEGORIES
from release_portal.misuse.filing import LONGEST_TEXT, Filing
from release_portal.pages.forms.base import ServiceForm

Choice = tuple[str, Any]
NOT_SURE: Choice = ("", _("Not sure"))


def sizes_to_name(actor: Actor, at: datetime) -> list[Choice]:
    """Return the sizes that the actor may know of, as choices."""
    sizes = sizes_for(actor, Action.VIEW, at=at)
    return [(size.slug, size.name) for size in sizes]


def grouped_categories(*, with_definition: bool) -> list[tuple[str, list[Choice]]]:
    """Return the categories under their headings, as choices."""
    groups: dict[str, list[Choice]] = {}
    for one in CATEGORIES:
        label = f"{one.label}: {one.definition}" if with_definition else one.label
        groups.setdefault(one.group, []).append((one.code, label))
    return list(groups.items())


class ReportForm(ServiceForm):
    what = forms.CharField(
        label=_("What happened?"),
        help_text=_("In your own words. At most %(limit)s characters.") % {"limit": f"{LONGEST_TEXT:,}"},
        widget=forms.Textarea(attrs={"rows": 5}),
    )
    evidence = forms.CharField(
        label=_("The text, or a link to it"),
        help_text=_("Paste the text itself if you can: then we look for it in our record of generations."),
        widget=forms.Textarea(attrs={"rows": 6}),
    )
    contact = forms.CharField(
        label=_("May we contact you?"),
        help_text=_("An e-mail address, or nothing. Only the people who triage reports can read it."),
        required=False,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    link = forms.CharField(label=_("Where did you see it?"), required=False)
    category = forms.ChoiceField(
        label=_("What kind of misuse is it?"), help_text=_("Not sure is a good answer."), required=False
    )
    size = forms.ChoiceField(label=_("Which model may it come from?"), required=False)

    def __init__(self, *args: Any, sizes: Iterable[Choice], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.set_choices("category", [NOT_SURE, *grouped_categories(with_definition=True)])
        self.set_choices("size", [NOT_SURE, *sizes])

    @property
    def first(self) -> list[forms.BoundField]:
        """The fields that everybody is asked."""
        return [self[name] for name in ("what", "evidence", "contact")]

    @property
    def more(self) -> list[forms.BoundField]:
        """The fields that help where somebody knows more."""
        return [self[name] for name in ("link", "category", "size")]

    @property
    def is_more_open(self) -> bool:
        """Whether something was said, or is wrong, in the further fields."""
        return any(self.text(field.name) or field.errors for field in self.more)

    def filing(self) -> Filing:
        """Return what the filing service reads."""
        return Filing(**{name: self.text(name) for name in self.fields})


class CodeForm(ServiceForm):
    code = forms.CharField(
        label=_("Your code"),
        help_text=_("Small letters, spaces and dashes do not matter."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


class MessageForm(ServiceForm):
    code = forms.CharField(label=_("Your code"), widget=forms.HiddenInput)
    message = forms.CharField(label=_("Write to the desk"), widget=forms.Textarea(attrs={"rows": 4}))
