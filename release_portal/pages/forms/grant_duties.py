"""Forms about what a grant asks of its holder: terms, duties, close-out, rules of engagement."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.access.closing_rules import DISPOSALS
from release_portal.access.engagement_rules import Act
from release_portal.access.engagements import Rules
from release_portal.access.extra_terms import Term
from release_portal.access.modifiers import MODIFIERS
from release_portal.core.errors import InvalidInput
from release_portal.misuse.categories import CATEGORIES
from release_portal.pages.forms.attachments import file_field, say_what_is_taken
from release_portal.pages.forms.base import ServiceForm, version_field
from release_portal.pages.forms.grants import SuspendForm
from release_portal.pages.forms.times import moment_field, moment_of

_VALUES = {"months": _("how many months"), "days": _("how many days"), "date": _("until which day"), "text": _("which")}


def _area(label: Any, hint: Any = "", rows: int = 3, **more: Any) -> forms.CharField:
    return forms.CharField(label=label, help_text=hint, widget=forms.Textarea(attrs={"rows": rows}), **more)


# --- Terms -----------------------------------------------------------------------------------------------------------


def add_term_fields(form: ServiceForm) -> None:
    """Add a list of terms to tick, with a field for each that takes a value."""
    form.fields["terms"] = forms.MultipleChoiceField(
        label=_("Extra terms"),
        help_text=_("The holder must accept them; before that nothing is given. A term with a value needs it below."),
        required=False,
        choices=[(one.code, f"{one.code} {one.label}") for one in MODIFIERS.values()],
        widget=forms.CheckboxSelectMultiple,
    )
    for one in MODIFIERS.values():
        if one.parameter:
            label = f"{one.code}: {_VALUES[one.parameter]}"
            kind = "date" if one.parameter == "date" else "text"
            form.fields[f"value_{one.code}"] = forms.CharField(
                label=label, required=False, widget=forms.TextInput(attrs={"type": kind, "autocomplete": "off"})
            )


def terms_of(form: ServiceForm) -> tuple[Term, ...]:
    """Return the terms that were ticked, with their values; a value without its tick is a mistake, not a term."""
    ticked = form.texts("terms")
    for code in MODIFIERS:
        if code not in ticked and form.text(f"value_{code}").strip():
            raise InvalidInput(f"{code} has a value but is not ticked.", field="terms", change="Tick it, or empty it.")
    return tuple(Term(code, form.text(f"value_{code}").strip()) for code in ticked)


def initial_terms(terms: Iterable[Term]) -> dict[str, Any]:
    """Return the first values of the fields of terms."""
    terms = list(terms)
    return {"terms": [one.code for one in terms]} | {f"value_{one.code}": one.value for one in terms}


class OfferTermsForm(ServiceForm):
    reason = _area(_("Why?"), _("The holder reads it. Until they accept, what they accepted before goes on."))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        add_term_fields(self)
        self.order_fields(["terms", *(name for name in self.fields if name.startswith("value_")), "reason"])


class AcceptTermsForm(ServiceForm):
    terms = forms.BooleanField(label=_("I have read these terms and accept them"))
    digest = forms.CharField(label=_("Terms"), widget=forms.HiddenInput)
    expected_version = version_field(required=False)

    def accepted(self) -> str:
        """Return the hash of the terms that were shown and accepted; empty when they were not accepted."""
        return self.text("digest") if self.ticked("terms") else ""


class DeclineTermsForm(ServiceForm):
    digest = forms.CharField(label=_("Terms"), widget=forms.HiddenInput)


# --- Duties ----------------------------------------------------------------------------------------------------------


class HandInForm(ServiceForm):
    said = _area(_("What do you hand in?"), _("The report, the findings, or your statement."), rows=6)
    link = forms.CharField(
        label=_("Where does more of it lie?"), help_text=_("An address, https://…"), required=False,
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off"}),
    )  # fmt: skip
    file = file_field(_("A file with it"), required=False)
    expected_version = version_field()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        say_what_is_taken(self)


class AcceptDutyForm(ServiceForm):
    expected_version = version_field()


class GiveBackForm(ServiceForm):
    note = _area(_("What is missing?"), _("The holder reads it."))
    expected_version = version_field()


class WaiveForm(ServiceForm):
    reason = _area(_("Why need it not be done now?"), _("The holder reads it; the record keeps it."))
    until = moment_field(_("Until when?"), _("In UTC. After that it counts as before."))
    expected_version = version_field()

    def end(self) -> datetime:
        """Return the end of the waiver."""
        return moment_of(self.text("until"), "until")


# --- Close-out -------------------------------------------------------------------------------------------------------


class ReportForm(ServiceForm):
    report = _area(_("What came of it?"), _("Results, publications, or why there are none."), rows=6)
    disposal = forms.ChoiceField(
        label=_("What became of weights, outputs and copies?"),
        choices=[("", _("Choose one")), *DISPOSALS.items()],
    )
    statement = _area(_("In your own words"), _("What is deleted, what is kept, where and until when."))
    expected_version = version_field()


class CloseForm(ServiceForm):
    expected_version = version_field()


# --- Rules of engagement ---------------------------------------------------------------------------------------------


class EngageForm(ServiceForm):
    targets = forms.MultipleChoiceField(label=_("Sizes that may be tried"), widget=forms.CheckboxSelectMultiple)
    categories = forms.MultipleChoiceField(
        label=_("Kinds of harm that are studied"),
        choices=[(one.code, f"{one.code}: {one.label}") for one in CATEGORIES],
        widget=forms.CheckboxSelectMultiple,
    )
    tokens_per_day = forms.CharField(
        label=_("Tokens a day"), widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"})
    )
    keep_inside = _area(_("Where may the text not go?"), _("Say what is inside the study, and what is outside."))
    ends_at = moment_field(_("Until when?"), _("In UTC; not after the end of the grant."))

    def __init__(self, *args: Any, sizes: Iterable[tuple[str, str]] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.set_choices("targets", sizes)

    def rules(self) -> Rules:
        """Return what was written."""
        written = self.text("tokens_per_day").replace(",", "").strip()
        if not (written.isascii() and written.isdecimal() and len(written) <= 12):
            raise InvalidInput("Write a whole number.", field="tokens_per_day")
        unknown = set(self.texts("categories")) - {one.code for one in CATEGORIES}
        if unknown:
            raise InvalidInput("Choose from the list.", field="categories")
        return Rules(
            targets=tuple(self.texts("targets")),
            categories=tuple(self.texts("categories")),
            tokens_per_day=int(written),
            keep_inside=self.text("keep_inside"),
            ends_at=moment_of(self.text("ends_at"), "ends_at"),
        )


class AgreeForm(ServiceForm):
    pass


class DisengageForm(ServiceForm):
    reason = _area(_("Why do they end?"), _("The holder reads it."), rows=2)


class EngagedSuspendForm(SuspendForm):
    """Suspend a grant that has rules of engagement: was the act inside them?"""

    category = forms.ChoiceField(
        label=_("What was done?"),
        help_text=_(
            "This grant has rules of engagement. What lies inside them asks for a further reason; nothing more."
        ),
        required=False,
        choices=[("", _("Unclear")), *((one.code, f"{one.code}: {one.label}") for one in CATEGORIES)],
    )
    size = forms.ChoiceField(label=_("With which size?"), required=False)
    has_left = forms.BooleanField(label=_("Text was seen outside the study"), required=False)
    further = _area(_("If it lies inside the rules: why suspend all the same?"), rows=2, required=False)

    def __init__(self, *args: Any, sizes: Iterable[tuple[str, str]] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.set_choices("size", [("", _("Unclear")), *sizes])
        self.order_fields(["reason", "category", "size", "has_left", "further"])

    def act(self, tokens: int, at: datetime) -> Act | None:
        """Return what is said to have been done; None while that is unclear."""
        if not (self.text("category") and self.text("size")):
            return None
        return Act(self.text("size"), self.text("category"), tokens, self.ticked("has_left"), at)
