"""The form of the safety checklist: for each item an answer, a reason, and the evidence that it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.evidence.checklist import ANSWERS, ITEMS
from release_portal.pages.forms.base import ManyFieldsForm, version_field

Answers = dict[str, dict[str, Any]]


class ChecklistForm(ManyFieldsForm):
    """Every item at once; what is left empty is a draft's gap, not a mistake."""

    expected_number = version_field()

    def __init__(self, *args: Any, evidence: Iterable[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = list(evidence)
        for item in ITEMS:
            self.fields[f"answer_{item.id}"] = forms.ChoiceField(
                label=item.question, choices=list(ANSWERS.items()), widget=forms.RadioSelect
            )
            self.fields[f"reason_{item.id}"] = forms.CharField(
                label=_("Reason, item %(n)d") % {"n": item.id}, widget=forms.Textarea(attrs={"rows": 2})
            )
            self.fields[f"evidence_{item.id}"] = forms.MultipleChoiceField(
                label=_("Evidence, item %(n)d") % {"n": item.id},
                choices=choices,
                required=False,
                widget=forms.SelectMultiple(attrs={"size": min(max(len(choices), 2), 6)}),
            )

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield each item with its fields."""
        for item in ITEMS:
            yield {
                "item": item,
                "answer": self[f"answer_{item.id}"],
                "reason": self[f"reason_{item.id}"],
                "evidence": self[f"evidence_{item.id}"],
            }

    def answers(self) -> Answers:
        """Return what was answered, by item id."""
        return {
            str(item.id): {
                "answer": self.text(f"answer_{item.id}"),
                "reason": self.text(f"reason_{item.id}"),
                "evidence": [int(one[:18]) for one in self.texts(f"evidence_{item.id}") if one.isdecimal()],
            }
            for item in ITEMS
        }

    def number(self) -> int:
        """Return the number of the version that the form showed."""
        typed = self.text("expected_number")
        return int(typed[:9]) if typed.isdecimal() else 0

    def place_of(self, field: str) -> str:
        """Show what is wrong with an item beside its reason."""
        return field.replace("item_", "reason_")


def first_values(answers: Mapping[str, Mapping[str, Any]], number: int) -> dict[str, Any]:
    """Return what the form shows of an earlier version."""
    values: dict[str, Any] = {"expected_number": number}
    for key, answer in answers.items():
        values[f"answer_{key}"] = answer.get("answer", "")
        values[f"reason_{key}"] = answer.get("reason", "")
        values[f"evidence_{key}"] = [str(one) for one in answer.get("evidence", [])]
    return values
