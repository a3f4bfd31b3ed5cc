"""One prompt for two model sizes, or for one size with two settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.access.lookups import SizeAccess
from release_portal.jobs.models import Job
from release_portal.pages.forms.base import ServiceForm
from release_portal.pages.forms.playground import offer_purposes, values_of
from release_portal.pages.forms.sampling import SamplingForm
from release_portal.registry.models import ModelSize

SIDES = {"a": _("Left"), "b": _("Right")}


class SharedForm(ServiceForm):
    """What both sides have in common."""

    prompt = forms.CharField(label=_("Prompt"), widget=forms.Textarea(attrs={"rows": 5, "data-keep": "comparison"}))
    purpose = forms.ChoiceField(label=_("Purpose"), help_text=_("What this is for; your grants have several purposes."))
    submit_key = forms.CharField(label=_("Submission"), widget=forms.HiddenInput)

    def __init__(self, *args: Any, purposes: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer_purposes(self, purposes)

    def values(self) -> dict[str, str]:
        """Return what both sides ask for."""
        return {"prompt": self.text("prompt"), "purpose": self.text("purpose")}


class SideForm(SamplingForm):
    """The size and the settings of one side."""

    size = forms.ChoiceField(label=_("Model size"))

    def __init__(
        self, *args: Any, sizes: Iterable[ModelSize], bounded: Iterable[SizeAccess] = (), **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        offered = [(size.slug, size.name) for size in sizes]
        self.offers_any = bool(offered)
        self.set_choices("size", offered)
        self.bounded = list(bounded)
        chosen = self["size"].value() or (offered[0][0] if offered else "")
        for access in self.bounded:
            if access.size.slug == chosen:
                self.begin_within(access)

    @property
    def place(self) -> Any:
        """Where it stands, in a word."""
        return SIDES[str(self.prefix)]

    def values(self) -> dict[str, Any]:
        """Return the settings of this side."""
        return self.sampling()


def initial_of(job: Job) -> dict[str, str]:
    """Return the words of a side that would make this generation again."""
    return {**values_of(job), "size": job.size.slug}
