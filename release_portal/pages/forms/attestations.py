"""The forms around those who vouch: name somebody, answer, decline."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.access.attestations.rules import INSTITUTION, LONGEST_WORDS, RELATIONS
from release_portal.access.attestations.services import Person
from release_portal.access.attestations.statements import Reply, Sentence
from release_portal.core.errors import Incomplete, PortalError
from release_portal.pages.forms.base import ServiceForm


class PersonForm(ServiceForm):
    """Whom the applicant names."""

    name = forms.CharField(
        label=_("Name"),
        help_text=_("As the person is called; the mail to them begins with it."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    mail = forms.CharField(
        label=_("Mail address"),
        help_text=_("Their own, best at their institution. The link goes there alone, when you send the form."),
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    domain = forms.CharField(
        label=_("Domain of the institution"),
        help_text=_("For instance uni-name.edu. The address of the officer must lie in it."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "url"}),
    )
    relation = forms.ChoiceField(label=_("How do you stand to each other?"))
    expected_version = forms.CharField(label=_("Version"), widget=forms.HiddenInput)

    def __init__(self, *args: Any, kind: str, is_draft: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["relation"].choices = [("", _("Choose one")), *RELATIONS[kind].items()]  # type: ignore[attr-defined]
        if is_draft:
            self.fields["mail"].help_text = _(
                "Their own, best at their institution. The link goes there alone, once you send the application."
            )
        if kind == INSTITUTION:
            self.fields["relation"].label = _("Which office do they hold?")
        else:
            del self.fields["domain"]

    def person(self) -> Person:
        """Return who is named."""
        return Person(self.text("name"), self.text("mail"), self.text("relation"), self.text("domain"))


class ReplyForm(ServiceForm):
    """What somebody answers who confirms."""

    relation = forms.ChoiceField(label=_("How do you know the applicant?"))
    since = forms.CharField(
        label=_("Since which year?"),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    confirmed = forms.MultipleChoiceField(
        label=_("I confirm"),
        help_text=_("Tick what is true. If one sentence is not, decline below; you may say which."),
        widget=forms.CheckboxSelectMultiple,
    )
    words = forms.CharField(
        label=_("Words to the reviewers"),
        help_text=_("At most 2,000 characters. The applicant does not read them."),
        required=False,
        widget=forms.Textarea(attrs={"rows": 5, "maxlength": LONGEST_WORDS}),
    )
    seen = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, kind: str, sentences: tuple[Sentence, ...], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["relation"].choices = [("", _("Choose one")), *RELATIONS[kind].items()]  # type: ignore[attr-defined]
        self.fields["confirmed"].choices = [(one.code, one.text) for one in sentences]  # type: ignore[attr-defined]
        if kind == INSTITUTION:
            self.fields["relation"].label = _("Which office do you hold?")

    def reply(self) -> Reply:
        """Return the answer."""
        return Reply(self.text("relation"), self.text("since"), tuple(self.texts("confirmed")), self.text("words"))

    def refuse(self, error: PortalError, **fresh: Any) -> None:
        """Show each thing that is missing at its own field."""
        if not isinstance(error, Incomplete):
            super().refuse(error, **fresh)
            return
        self.refresh(**fresh)
        for field, reason in error.problems:
            self.add_error(field, reason)


class DeclineForm(ServiceForm):
    """Why somebody declines, if they wish to say."""

    words = forms.CharField(
        label=_("Why, if you wish to say"),
        help_text=_("The reviewers read it, the applicant does not."),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "maxlength": LONGEST_WORDS}),
    )
