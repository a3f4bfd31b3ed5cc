"""Forms that attach evidence, with the fields that its kind needs, and that review it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.core.errors import Incomplete, InvalidInput
from release_portal.evidence.facts import ACCEPTED, REJECTED
from release_portal.evidence.kinds import COUNT, DURATION, MEASURED, SELF, SET_EQUAL
from release_portal.evidence.rules import EvidenceDraft, number_of
from release_portal.pages.forms.base import ManyFieldsForm, ServiceForm, reason_field
from release_portal.pages.forms.times import moment_field, moment_of, written
from release_portal.pages.words_proposals import ASSURANCES
from release_portal.releases.gate_policy import Criterion

NUMBERS = ("value", "ci_low", "ci_high")
WHOLE = ("n", "ttl_days")
DIGESTS = ("subject_digest", "harness_digest", "dataset_digest", "document_digest")
_WRITTEN = ("statement", "link", "document_digest")
# What each kind asks for; the service says what is missing.
FIELDS: dict[str, tuple[str, ...]] = {
    MEASURED: (*NUMBERS, "n", "harness", "harness_digest", "dataset", "dataset_digest", "subject_digest", "statement"),
    COUNT: ("value", "subject_digest", "statement"),
    DURATION: ("value", "statement"),
    SET_EQUAL: ("items", "statement"),
}
OPTIONAL = {
    MEASURED: ("harness_digest", "dataset_digest", "subject_digest", "statement"),
    COUNT: ("subject_digest", "statement"),
    DURATION: ("statement",),
    SET_EQUAL: ("statement",),
}


def _line(label: Any, help_text: Any = "", **attrs: str) -> Callable[[], forms.CharField]:
    widget = {"autocomplete": "off", **attrs}
    return lambda: forms.CharField(label=label, help_text=help_text, widget=forms.TextInput(attrs=widget))


def _number(label: Any, help_text: Any = "") -> Callable[[], forms.CharField]:
    return _line(label, help_text, inputmode="decimal")


def _area(label: Any, help_text: Any, rows: int) -> Callable[[], forms.CharField]:
    return lambda: forms.CharField(label=label, help_text=help_text, widget=forms.Textarea(attrs={"rows": rows}))


_MAKE: dict[str, Callable[[], forms.CharField]] = {
    "value": _number(_("Value"), _("With a point as decimal sign, like 0.71.")),
    "ci_low": _number(_("Lower end of the 95 % interval")),
    "ci_high": _number(_("Upper end of the 95 % interval")),
    "n": _number(_("Number of measurements")),
    "harness": _line(_("What measured it"), _("Program and version.")),
    "harness_digest": _line(_("Digest of the program"), _("SHA-256, 64 hex digits.")),
    "dataset": _line(_("What it was measured with"), _("Data set and version.")),
    "dataset_digest": _line(_("Digest of the data set"), _("SHA-256, 64 hex digits.")),
    "subject_digest": _line(_("Digest of the weights"), _("The weights that it was measured on.")),
    "statement": _area(_("The words themselves"), _("What was found, for whom to read."), 6),
    "link": _line(_("Where the document lies"), _("It counts together with the digest of what it shows.")),
    "document_digest": _line(_("Digest of the document"), _("SHA-256 of its bytes, 64 hex digits.")),
    "items": _area(_("Items"), _("One name in each line."), 6),
}


class EvidenceForm(ManyFieldsForm):
    """What somebody signs as evidence for one criterion."""

    summary = forms.CharField(
        label=_("What does it state?"),
        help_text=_("One sentence; tables show it."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    measured_at = moment_field(_("Measured or written at"), _("In UTC; its age counts from then."))
    assurance = forms.ChoiceField(label=_("Who measured it?"), choices=list(ASSURANCES.items()))
    ttl_days = forms.CharField(
        label=_("Counts for how many days?"),
        help_text=_("Empty: as long as the criterion says."),
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    expected_newest = forms.CharField(label=_("Newest evidence"), widget=forms.HiddenInput)

    def __init__(self, *args: Any, criterion: Criterion, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.criterion = criterion
        names = FIELDS.get(criterion.kind, _WRITTEN)
        for name in names:
            self.fields[name] = _MAKE[name]()
            self.fields[name].required = name not in OPTIONAL.get(criterion.kind, _WRITTEN)
        self.order_fields(["summary", *names])

    def draft(self) -> EvidenceDraft:
        """Return what was typed.

        Raises:
            Incomplete: numbers or times that cannot be read, each at its field.
        """
        problems: list[tuple[str, str]] = []
        read: dict[str, Any] = {"measured_at": self._read("measured_at", moment_of, problems)}
        for name in NUMBERS:
            read[name] = self._read(name, _decimal, problems)
        for name in WHOLE:
            read[name] = self._read(name, _whole, problems)
        if problems:
            raise _Unreadable(problems[0][1], problems)
        texts = ("summary", "statement", "harness", "dataset", "link", *DIGESTS)
        said = {name: self.text(name).strip() for name in texts}
        items = tuple(line.strip() for line in self.text("items").splitlines() if line.strip())
        assurance = self.text("assurance") or SELF
        return EvidenceDraft(
            self.criterion.id, self.criterion.kind, items=items, assurance=assurance, **{**said, **read}
        )

    def _read(self, name: str, read: Callable[[str, str], Any], problems: list[tuple[str, str]]) -> Any:
        typed = self.text(name).strip()
        try:
            return read(typed, name) if typed else None
        except InvalidInput as error:
            problems.append((name, f"{error.reason} {error.change}"))
            return None

    def newest(self) -> int:
        """Return the id of the newest evidence that the form showed; 0 for none."""
        typed = self.text("expected_newest")
        return int(typed[:18]) if typed.isdecimal() else 0


class _Unreadable(Incomplete):
    status = 400
    code = "unfit_evidence"


def _decimal(typed: str, field: str) -> Decimal:
    return number_of(typed, field=field)


def _whole(typed: str, field: str) -> int:
    if not typed.isascii() or not typed.isdecimal() or len(typed) > 15:
        raise InvalidInput(f"{typed[:40]!r} is no whole number.", field=field, change="Write it like 1200.")
    return int(typed)


def first_values(criterion: Criterion, served_digest: str, newest: int, at: datetime) -> dict[str, Any]:
    """Return what the form shows before anybody types."""
    return {
        "measured_at": written(at),
        "assurance": SELF,
        "subject_digest": served_digest,
        "expected_newest": newest,
        "items": "\n".join(criterion.items),
    }


class EvidenceReviewForm(ServiceForm):
    """Accept or reject evidence that somebody else signed."""

    verdict = forms.ChoiceField(
        label=_("Does it count?"),
        choices=[(ACCEPTED, _("accept it")), (REJECTED, _("reject it"))],
        widget=forms.RadioSelect,
    )
    reason = reason_field(_("Why?"), _("A rejection needs a reason; everybody reads it."))
