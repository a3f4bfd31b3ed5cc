"""The forms around a proposal: open it, carry it through its life, vote, waive, consult."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.pages.forms.base import ServiceForm, version_field
from release_portal.pages.forms.times import moment_field, moment_of
from release_portal.pages.words import Word
from release_portal.pages.words_proposals import VERDICTS

Choices = Iterable[tuple[str, Word]]
FAST = "fast:"


def _area(rows: int, **attrs: str) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows, **attrs})


def _password() -> forms.CharField:
    return forms.CharField(
        label=_("Your password"),
        help_text=_("It shows that this is you, now."),
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class ProposeForm(ServiceForm):
    """Which stage, and why."""

    target = forms.ChoiceField(label=_("To which stage?"), widget=forms.RadioSelect)
    rationale = forms.CharField(
        label=_("Why should it move?"),
        help_text=_("Who gains, what could go wrong, and why now. The public reads it."),
        widget=_area(8),
    )
    conditions = forms.CharField(
        label=_("What is promised with the move?"),
        help_text=_("Limits, monitoring, dates. The public reads it."),
        widget=_area(4),
        required=False,
    )

    def __init__(self, *args: Any, targets: Choices, keep: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.set_choices("target", targets)
        for name in ("rationale", "conditions"):
            self.fields[name].widget.attrs["data-keep"] = f"{keep}:{name}"

    def stage(self) -> str:
        """Return the stage that was chosen."""
        return self.text("target").removeprefix(FAST)

    def is_fast(self) -> bool:
        """Return whether the fast path was chosen."""
        return self.text("target").startswith(FAST)


class PlainForm(ServiceForm):
    """Nothing to fill in."""

    expected_version = version_field()


class ReasonForm(ServiceForm):
    """A reason that the public reads."""

    reason = forms.CharField(label=_("Why?"), help_text=_("The record shows it with your name."), widget=_area(3))
    expected_version = version_field()


class EditForm(ServiceForm):
    """The case, while nothing is locked."""

    rationale = forms.CharField(label=_("Why should it move?"), widget=_area(8))
    conditions = forms.CharField(label=_("What is promised with the move?"), widget=_area(4), required=False)
    expected_version = version_field()


class ScheduleForm(ServiceForm):
    """From when on the move can be carried out."""

    execute_after = moment_field(_("Not before"), _("In UTC; not before the end of the cool-off."), has_seconds=True)
    expected_version = version_field()

    def moment(self) -> datetime:
        """Return the time that was typed."""
        return moment_of(self.text("execute_after"), "execute_after")


class ExecuteForm(ServiceForm):
    """Password, and a typed word where copies cannot be recalled."""

    typed = forms.CharField(
        label=_("Type the word irreversible"),
        help_text=_("Copies that people make cannot be recalled."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
    )
    password = _password()
    expected_version = version_field()

    def __init__(self, *args: Any, is_irreversible: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not is_irreversible:
            del self.fields["typed"]


class VoteForm(ServiceForm):
    """One person's verdict on one lock."""

    role = forms.ChoiceField(label=_("In which role?"), help_text=_("You vote once, in one role."))
    verdict = forms.ChoiceField(label=_("Verdict"), choices=list(VERDICTS.items()), widget=forms.RadioSelect)
    reason = forms.CharField(
        label=_("Why?"),
        help_text=_("For a condition: what must be done. It is public once the proposal is decided."),
        widget=_area(4),
    )
    conflict_note = forms.CharField(
        label=_("Conflicts of interest"),
        help_text=_("What ties you to the outcome: money, authorship, a promise. Write none if there is nothing."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    password = _password()
    lock_digest = forms.CharField(label=_("Lock"), widget=forms.HiddenInput)

    def __init__(self, *args: Any, roles: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.set_choices("role", roles)


class AnswerForm(ServiceForm):
    """The answer to an objection, a condition or a comment."""

    answer = forms.CharField(
        label=_("Your answer"), help_text=_("It stands beside it, with your name."), widget=_area(3)
    )


class WaiverForm(ServiceForm):
    """An exception for one criterion."""

    criterion = forms.ChoiceField(label=_("Criterion"))
    reason = forms.CharField(
        label=_("Why can the move wait for it?"), help_text=_("The public reads it."), widget=_area(4)
    )
    ends_at = moment_field(_("Until"), _("In UTC. After it the waiver counts no longer."))

    def __init__(self, *args: Any, criteria: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.set_choices("criterion", criteria)

    def moment(self) -> datetime:
        """Return the end that was typed."""
        return moment_of(self.text("ends_at"), "ends_at")


class AgreeForm(ServiceForm):
    """One person's agreement to a waiver."""

    role = forms.ChoiceField(label=_("In which role?"))
    reason = forms.CharField(label=_("Why do you agree?"), help_text=_("The public reads it."), widget=_area(3))

    def __init__(self, *args: Any, roles: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.set_choices("role", roles)


class WindowForm(ServiceForm):
    """A time for people outside."""

    kind = forms.ChoiceField(label=_("For whom?"), widget=forms.RadioSelect)
    closes_at = moment_field(_("Until"), _("In UTC; the policy names the shortest time."))

    def __init__(self, *args: Any, kinds: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.set_choices("kind", kinds)
        self.fields["text"] = forms.CharField(  # here, since `text` is also how a form is read
            label=_("What is asked, or announced?"),
            help_text=_("For a notice: what was said, and to whom it went."),
            widget=_area(4),
        )
        self.order_fields(["kind", "text", "closes_at"])

    def moment(self) -> datetime:
        """Return the end that was typed."""
        return moment_of(self.text("closes_at"), "closes_at")


class HideForm(ServiceForm):
    """Why a comment is hidden."""

    reason = forms.CharField(
        label=_("Why is it hidden?"), help_text=_("It stands where the comment stood."), widget=_area(2)
    )


class InviteForm(ServiceForm):
    """Whom to ask for a report, and on what terms."""

    reviewer = forms.ChoiceField(label=_("Reviewer"))
    terms = forms.CharField(
        label=_("Terms"), help_text=_("What is asked, what may be seen, what may be published."), widget=_area(5)
    )
    fee = forms.CharField(
        label=_("Fee"),
        help_text=_("The amount and who pays it, or: none. It is public."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    edit_rights = forms.CharField(
        label=_("Who may edit the report?"),
        help_text=_("Say it in a sentence; it is public."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    due_at = moment_field(_("Due"), _("In UTC; the policy names the shortest time."))

    def __init__(self, *args: Any, reviewers: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.set_choices("reviewer", reviewers)

    def moment(self) -> datetime:
        """Return the date that was typed."""
        return moment_of(self.text("due_at"), "due_at")
