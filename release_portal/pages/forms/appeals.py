"""The forms of appeals: file, answer, and what those who decide do."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.appeals.lookups import free_deciders
from release_portal.appeals.models import Appeal
from release_portal.appeals.rules import INADMISSIBLE_REASONS, outcomes_of
from release_portal.pages.forms.base import ServiceForm, version_field

VERDICTS = {
    "uphold": _("The decision stands"),
    "partly": _("Access is restored, without the lost time"),
    "overturn": _("The decision was wrong: everything is restored"),
}


class FileForm(ServiceForm):
    grounds = forms.CharField(
        label=_("What is wrong with the decision?"),
        help_text=_("Those who may decide on the appeal read it."),
        widget=forms.Textarea(attrs={"rows": 6}),
    )


class AnswerForm(ServiceForm):
    answer = forms.CharField(label=_("Answer"), widget=forms.Textarea(attrs={"rows": 4}))
    expected_version = version_field()


class DeskForm(ServiceForm):
    """A form of the desk; it knows the appeal, so that it offers what can be chosen."""

    expected_version = version_field()

    def __init__(self, *args: Any, appeal: Appeal, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer(appeal)

    def offer(self, appeal: Appeal) -> None:
        """Fill in choices that depend on the appeal."""


class PlainForm(DeskForm):
    """A command that needs nothing but its version."""


class DismissForm(DeskForm):
    code = forms.ChoiceField(
        label=_("Reason"),
        help_text=_("The appellant reads it and may file again in time."),
        choices=[("", _("Choose a reason")), *INADMISSIBLE_REASONS.items()],
    )


class AssignForm(DeskForm):
    to = forms.ChoiceField(label=_("Who decides"), help_text=_("Nobody who took part in the decision is offered."))

    def offer(self, appeal: Appeal) -> None:
        """Offer those who are free to decide."""
        names = [(user.username, user.name) for user in free_deciders(appeal)]
        self.set_choices("to", [("", _("Choose a person")), *names])


class AskForm(DeskForm):
    question = forms.CharField(label=_("Question"), widget=forms.Textarea(attrs={"rows": 4}))


class DecideForm(DeskForm):
    verdict = forms.ChoiceField(label=_("Decision"))
    reason = forms.CharField(
        label=_("Why"), help_text=_("The appellant reads it."), widget=forms.Textarea(attrs={"rows": 5})
    )

    def offer(self, appeal: Appeal) -> None:
        """Offer the outcomes of this kind of appeal."""
        names = [(name, VERDICTS[name]) for name in outcomes_of(appeal.kind)]
        self.set_choices("verdict", [("", _("Choose a decision")), *names])
