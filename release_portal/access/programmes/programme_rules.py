"""What a programme states: purposes, eligibility, questions, modifiers, review, end and quota (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from release_portal.access.modifiers import MODIFIERS
from release_portal.access.quota import Limits
from release_portal.access.review_steps import Step

# Kinds of questions. A file is kept as an attachment of the application, under the question's key.
TEXT, LONG_TEXT, CHOICE, DATE, COUNTRY, CHECKBOX, FILE = (
    "text", "long text", "choice", "date", "country", "checkbox", "file",
)  # fmt: skip
KINDS = (TEXT, LONG_TEXT, CHOICE, DATE, COUNTRY, CHECKBOX, FILE)
TEXTS = (TEXT, LONG_TEXT)
TICKED = "yes"

# What a programme says of a purpose.
ADMITTED, CARE, NOT_ADMITTED = "admitted", "care", "not_admitted"
# What happens when a rule of eligibility is not met.
REFUSE, PERSON, IGNORE = "refuse", "person", "ignore"
# Whether the plain-language summary may be left out.
ASKED, REQUIRED = "asked", "required"


@dataclass(frozen=True)
class FormQuestion:
    """One question of the form.

    Args:
        key: stable slug under which the answer is kept.
        kind: one of KINDS.
        label: the question.
        why: why it is asked.
        readers: the roles that read the answer.
        required: whether the application is complete without it.
        choices: value and label of each choice.
        longest: most characters of a text.
        only_for: purposes for which it is asked; empty: for all.
    """

    key: str
    kind: str
    label: str
    why: str
    readers: tuple[str, ...]
    required: bool = False
    choices: tuple[tuple[str, str], ...] = ()
    longest: int = 0
    only_for: tuple[str, ...] = ()

    def is_asked(self, purpose_code: str) -> bool:
        """Return whether it is asked of somebody with this purpose."""
        return not self.only_for or purpose_code in self.only_for


@dataclass(frozen=True)
class PlacedModifier:
    """A modifier with its parameter: what every holder of a grant of the programme is bound to."""

    code: str
    value: str = ""

    @property
    def sentence(self) -> str:
        """What the holder must do or must not do."""
        return MODIFIERS[self.code].says(self.value)

    @property
    def label(self) -> str:
        """It in a few words."""
        return MODIFIERS[self.code].label


@dataclass(frozen=True)
class CountryRule:
    """From where may be asked: only these countries, or all but these; by the answer to one question."""

    key: str
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def admits(self, country: str) -> bool:
        """Return whether the country is admitted."""
        return country in self.only if self.only else country not in self.without


@dataclass(frozen=True)
class Programme:
    """One version of a programme, as its file states it.

    Args:
        name, version: which programme, and which version of it.
        kind: kind of grant: research or partner.
        title: what it is called.
        about: what it is for.
        digest: SHA-256 of the file.
        text: the file.
        purposes: purpose code -> admitted, care or not_admitted; every code stands in it.
        eligibility: code of a rule -> what happens when it is not met.
        cool_down: reason of a refusal -> days until the same person may ask again.
        countries: from where may be asked, when that is limited.
        questions: the form, beside what every application says.
        summary: whether the plain-language summary may be left out.
        modifiers: what holders are bound to.
        steps: the review by tier, from tier 0 to 3.
        default_days, longest_days: how long a grant lasts.
        quota: what reviewers are offered first.
    """

    name: str
    version: int
    kind: str
    title: str
    about: str
    digest: str
    text: str
    purposes: dict[str, str]
    eligibility: dict[str, str]
    cool_down: dict[str, int]
    countries: CountryRule | None
    questions: tuple[FormQuestion, ...]
    summary: str
    modifiers: tuple[PlacedModifier, ...]
    steps: tuple[Step, ...]
    default_days: int
    longest_days: int
    quota: Limits

    def asked_of(self, purpose_code: str) -> tuple[FormQuestion, ...]:
        """Return the questions that are asked of somebody with this purpose, in the order of the file."""
        return tuple(one for one in self.questions if one.is_asked(purpose_code))

    def question(self, key: str) -> FormQuestion | None:
        """Return the question of that key, if there is one."""
        return next((one for one in self.questions if one.key == key), None)

    def needs_care(self, purpose_code: str) -> bool:
        """Return whether the purpose asks for people's special care."""
        return self.purposes.get(purpose_code) == CARE

    def step(self, tier: int) -> Step:
        """Return how an application of that tier is reviewed."""
        return self.steps[tier]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"
