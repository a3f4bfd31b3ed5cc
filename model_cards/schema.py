"""The sections of a model card as data: what belongs into each, and from which stage on it is required (pure).

The order is that of Mitchell et al. 2019, followed by what a release needs beyond it; other names of a heading are
those of that paper and of the Hub's card template.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from release_portal.registry.catalogue import STAGES

LICENCE = "licence"


@dataclass(frozen=True)
class CardSection:
    """One section of a card.

    Args:
        key: stable name.
        heading: what people read.
        since: slug of the first stage that requires it.
        hint: what belongs here.
        aliases: other headings under which it is found, in lower case.
        in_front_matter: it is a key before the text, not a heading.
    """

    key: str
    heading: str
    since: str
    hint: str
    aliases: tuple[str, ...] = ()
    in_front_matter: bool = False


SECTIONS: tuple[CardSection, ...] = (
    CardSection(
        "model_details",
        "Model details",
        "disclosed",
        "Who made it, when, which kind of model, how many parameters, which version, which other names.",
        ("model description", "model summary", "model information", "details"),
    ),
    CardSection(
        "intended_use",
        "Intended use",
        "disclosed",
        "What it was made for, and for whom.",
        ("intended uses", "uses", "direct use", "downstream use", "primary intended uses", "primary intended users"),
    ),
    CardSection(
        "out_of_scope",
        "Out-of-scope use",
        "disclosed",
        "What it must not be used for, or is known to be bad at.",
        ("out of scope uses", "out of scope use cases", "misuse and out of scope use", "prohibited use"),
    ),
    CardSection(
        "limitations",
        "Limitations, bias and risks",
        "disclosed",
        "What goes wrong, for whom, and what could be done against it.",
        (
            "bias risks and limitations",
            "limitations",
            "limitations and bias",
            "bias",
            "risks",
            "ethical considerations",
            "caveats and recommendations",
            "recommendations",
        ),
    ),
    CardSection(
        "training_data",
        "Training data",
        "disclosed",
        "Where the data comes from, its language and cut-off date; what is not published, and why.",
        ("training dataset", "training datasets", "training data statement", "data"),
    ),
    CardSection(
        "contact",
        "Contact",
        "disclosed",
        "An address, or a link to a form, that somebody answers.",
        ("model card contact", "contact information", "feedback", "where to send questions or comments"),
    ),
    CardSection(
        "evaluation",
        "Evaluation",
        "research_hosted",
        "What was measured, on which data, with how many examples and which sampler; or that nothing was.",
        (
            "evaluation results",
            "results",
            "metrics",
            "evaluation data",
            "testing data factors and metrics",
            "quantitative analyses",
            "performance",
        ),
    ),
    CardSection(
        "misuse",
        "How to report misuse",
        "research_hosted",
        "Where anyone can report harm, and what happens then.",
        ("reporting misuse", "report misuse", "misuse", "reporting problems", "how to report problems"),
    ),
    CardSection(
        LICENCE,
        "Licence (front matter)",
        "research_weights",
        "license: an identifier of the Hub, e.g. mit or apache-2.0; for `other` also license_name.",
        in_front_matter=True,
    ),
    CardSection(
        "environment",
        "Environmental impact",
        "open_weights",
        "Hardware, hours, place and emissions; or that they are unknown, and why.",
        ("environmental considerations", "carbon emissions", "carbon footprint", "co2 emissions"),
    ),
    CardSection(
        "citation",
        "Citation",
        "open_weights",
        "How to cite the model.",
        ("citation information", "how to cite", "bibtex", "bibtex entry and citation info"),
    ),
    CardSection(
        "training_procedure",
        "Training procedure",
        "open_science",
        "The recipe: preprocessing, hyperparameters, hardware, length; where the logbook lies.",
        ("training details", "training", "training hyperparameters", "preprocessing"),
    ),
)

_BY_KEY = {section.key: section for section in SECTIONS}
_LEADING_NUMBER = re.compile(r"^\d+(\.\d+)*\.?\s+")


def section_of(key: str) -> CardSection:
    """Return the section of that key; raises KeyError for an unknown one."""
    return _BY_KEY[key]


def place_of(stage: str) -> int:
    """Return the place of a stage on the ladder, 0 the most closed; raises ValueError for an unknown one."""
    return STAGES.index(stage)


def required_at(stage: str) -> tuple[CardSection, ...]:
    """Return the sections that a card must have filled at this stage."""
    place = place_of(stage)
    return tuple(section for section in SECTIONS if place_of(section.since) <= place)


def normalised(heading: str) -> str:
    """Return a heading without what people write differently: case, signs, numbers before it, [optional]."""
    text = heading.casefold().replace("[optional]", " ").replace("&", " and ")
    words = " ".join(re.sub(r"[^\w.]+|_", " ", text).split())
    return _LEADING_NUMBER.sub("", words).strip(". ")


def key_of(heading: str) -> str:
    """Return the key of the section that a heading names, or "" for one of its own."""
    return _BY_NAME.get(normalised(heading), "")


_BY_NAME = {
    name: section.key
    for section in SECTIONS
    if not section.in_front_matter
    for name in (normalised(section.heading), *section.aliases)
}
