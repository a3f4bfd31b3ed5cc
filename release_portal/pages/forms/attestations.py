"""The forms around those who vouch: name somebody, answer, decline."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.access.attestations.rules import INSTITUTION, LONGEST_WORDS, RELATIONS
from release_portal.access.attestations.services import Person
from release_portal.access.attestations.statements import Reply, Sentence
from release_portal.pages.forms.base import ManyFieldsForm, ServiceForm, version_field


def _fit_relation(form: ServiceForm, kind: str, office: Any) -> None:
    """Ask for the relations of this kind; of an institution's officer, for the office."""
    form.set_choices("relation", [("", _("Choose one")), *RELATIONS[kind].items()])
    if kind == INSTITUTION:
        form.fields["relation"].label = office


def _words(label: Any, help_text: Any, rows: int) -> forms.CharField:
    """Return the field for words to the reviewers, which nobody must write."""
    area = forms.Textarea(attrs={"rows": rows, "maxlength": LONGEST_WORDS})
    return forms.CharField(label=label, help_text=help_text, required=False, widget=area)


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
    expected_version = version_field()

    def __init__(self, *args: Any, kind: str, is_draft: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _fit_relation(self, kind, _("Which office do they hold?"))
        if is_draft:
            self.fields["mail"].help_text = _(
                "Their own, best at their institution. The link goes there alone, once you send the application."
            )
        if kind != INSTITUTION:
            del self.fields["domain"]

    def person(self) -> Person:
        """Return who is named."""
        return Person(self.text("name"), self.text("mail"), self.text("relation"), self.text("domain"))


class ReplyForm(ManyFieldsForm):
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
    words = _words(
        _("Words to the reviewers"), _("At most 2,000 characters. The applicant does not read them."), rows=5
    )
    seen = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, kind: str, sentences: tuple[Sentence, ...], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _fit_relation(self, kind, _("Which office do you hold?"))
        self.set_choices("confirmed", [(one.code, one.text) for one in sentences])

    def reply(self) -> Reply:
        """Return the answer."""
        return Reply(self.text("relation"), self.text("since"), tuple(self.texts("confirmed")), self.text("words"))


class DeclineForm(ServiceForm):
    """Why somebody declines, if they wish to say."""

    words = _words(_("Why, if you wish to say"), _("The reviewers read it, the applicant does not."), rows=3)
