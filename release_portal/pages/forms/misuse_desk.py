"""Forms for the desk: triage, message, look-up, measure, close."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.misuse.measures import Possible
from release_portal.misuse.report_rules import DECLINE_REASONS, OUTCOMES, Verdict
from release_portal.misuse.services import Measure, Triage
from release_portal.misuse.severities import SEVERITIES
from release_portal.pages.forms.base import ServiceForm, version_field
from release_portal.pages.forms.misuse import Choice, grouped_categories

NONE: Choice = ("", _("None"))
CHOOSE: Choice = ("", _("Choose"))
VERDICTS: list[Choice] = [
    (Verdict.ACCEPT.value, _("Accept it: choose severity, category and size")),
    (Verdict.DECLINE.value, _("Decline it: choose the reason")),
    (Verdict.MERGE.value, _("It is a duplicate: give the other report's number")),
]


def _area(rows: int) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows})


class DeskForm(ServiceForm):
    """A form of the desk; each says which version of the report was read."""

    expected_version = version_field()

    def number(self, name: str) -> int | None:
        """Return a number that was typed or chosen; None for anything else."""
        written = self.text(name).strip()
        return int(written[:9]) if written.isascii() and written.isdecimal() else None


class TriageForm(DeskForm):
    verdict = forms.ChoiceField(label=_("What did you find?"), choices=VERDICTS, widget=forms.RadioSelect)
    severity = forms.ChoiceField(
        label=_("Severity"),
        required=False,
        choices=[CHOOSE, *[(str(one.level), f"{one.name}: {one.anchor}") for one in SEVERITIES]],
        help_text=_("From SEV3 on, the size that you name cannot be widened while the case is open."),
    )
    category = forms.ChoiceField(label=_("Category"), required=False)
    size = forms.ChoiceField(label=_("Size concerned"), required=False)
    decline_code = forms.ChoiceField(
        label=_("Reason for declining"),
        required=False,
        choices=[NONE, *DECLINE_REASONS.items()],
        help_text=_("The reporter reads this sentence."),
    )
    outcome = forms.CharField(
        label=_("Anything else for the reporter"),
        required=False,
        help_text=_("When it is declined."),
        widget=_area(2),
    )
    duplicate_of = forms.CharField(
        label=_("Duplicate of report number"), required=False, widget=forms.TextInput(attrs={"inputmode": "numeric"})
    )
    note = forms.CharField(
        label=_("Note for the desk"), required=False, help_text=_("Stored encrypted; staff only."), widget=_area(2)
    )

    def __init__(self, *args: Any, sizes: Iterable[Choice], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.set_choices("category", [CHOOSE, *grouped_categories(with_definition=True)])
        self.set_choices("size", [NONE, *sizes])

    def triage(self) -> Triage:
        """Return what the triage service reads."""
        words = {name: self.text(name) for name in ("verdict", "category", "size", "decline_code", "outcome", "note")}
        return Triage(**words, severity=self.number("severity"), duplicate_of=self.number("duplicate_of"))


class WriteForm(DeskForm):
    message = forms.CharField(
        label=_("Message to the reporter"), help_text=_("They read it under their code."), widget=_area(3)
    )
    is_question = forms.BooleanField(label=_("This is a question: pause the clock until they answer"), required=False)


class LookUpForm(DeskForm):
    passage = forms.CharField(
        label=_("Text to look for"),
        help_text=_("For example what the link shows. The text is not kept."),
        widget=_area(3),
    )


class CloseForm(DeskForm):
    outcome_code = forms.ChoiceField(label=_("How did it end?"), choices=[CHOOSE, *OUTCOMES.items()])
    outcome = forms.CharField(
        label=_("For the reporter"),
        help_text=_("What was found and what was done, without naming anybody."),
        widget=_area(3),
    )
    releases_hold = forms.BooleanField(
        label=_("Release the hold that this case raised"),
        help_text=_("A hold that an officer raised goes on."),
        required=False,
    )


class MeasureForm(DeskForm):
    kind = forms.CharField(label=_("Action"), widget=forms.HiddenInput)
    target = forms.CharField(label=_("On what"), widget=forms.HiddenInput)
    target_version = forms.CharField(label=_("Version of the grant"), required=False, widget=forms.HiddenInput)
    job_id = forms.CharField(label=_("Match"), required=False, widget=forms.HiddenInput)
    finding = forms.CharField(
        label=_("What did a person find?"),
        help_text=_("A detector score alone is no ground. Stays with the desk."),
        required=False,
        widget=_area(2),
    )
    reason = forms.CharField(
        label=_("Why?"),
        help_text=_("The holder, or the public timeline, shows this sentence. Say nothing about the reporter."),
        widget=_area(2),
    )

    def measure(self) -> Measure:
        """Return what the acting service reads."""
        words = {name: self.text(name) for name in ("kind", "target", "reason", "job_id", "finding")}
        return Measure(**words, target_version=self.number("target_version") or 0)


def measure_form(possible: Possible, version: int) -> MeasureForm:
    """Return the empty form of one measure."""
    return MeasureForm(
        auto_id=f"id_{possible.key}_%s",
        initial={
            "expected_version": version,
            "kind": possible.kind.value,
            "target": possible.target,
            "target_version": possible.version,
            "job_id": possible.job_id,
        },
    )
