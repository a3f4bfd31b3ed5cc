"""First cards: what the catalogue and the public record know of a size, and what is not known, in so many words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from string import Template

from model_cards.parse import parse

FOLDER = Path(__file__).with_name("first")


@dataclass(frozen=True)
class FirstFacts:
    """What the catalogue knows of a size.

    Args:
        slug, name: of the size.
        family: slug of its family.
        lab, licence, note: as the catalogue words them.
        summary: sentence about the family.
        parameters, context: counts; None where unknown.
        is_verified: whether the parameter count is.
        names: other names in use.
    """

    slug: str
    name: str
    family: str
    lab: str
    licence: str
    note: str
    summary: str
    parameters: int
    context: int | None
    is_verified: bool
    names: tuple[str, ...]


def first_card(facts: FirstFacts, *, empty: str = "") -> str:
    """Return the text of a first card.

    Args:
        empty: key of a section that is left for people to write.
    """
    path = FOLDER / f"{facts.family}.md"
    text = path.read_text(encoding="utf-8") if path.is_file() else _UNKNOWN_FAMILY
    card = Template(text).substitute(
        name=facts.name,
        details=_details(facts),
        licence=facts.licence or "not stated",
        note=facts.note or facts.summary,
        evaluation=_EVALUATIONS.get(facts.slug, _NOT_MEASURED),
        procedure=_OPT_PROCEDURE if facts.slug == "meta/opt-175b" else _OPT_PROCEDURE_SMALLER,
        footprint=_OPT_FOOTPRINT if facts.slug == "meta/opt-175b" else _OPT_FOOTPRINT_SMALLER,
    )
    return _without(card, empty) if empty else card


def _details(facts: FirstFacts) -> str:
    verified = "" if facts.is_verified else " (*unverified*)"
    context = f"{facts.context:,} tokens{verified}" if facts.context else "not known"
    return (
        f"- Lab: {facts.lab}\n- Parameters: {facts.parameters:,}{verified}\n- Context: {context}\n"
        f"- Other names: {', '.join(facts.names) or 'none'}"
    )


def _without(text: str, key: str) -> str:
    """Return a card with one section empty below its heading."""
    for section in parse(text).owned_by(key):
        text = text.replace(section.source, "", 1)
    return text


# Families without a file: nobody has written about them yet, and a gate says so.
_UNKNOWN_FAMILY = "---\nlanguage: en\n---\n\n# $name\n\n## Model details\n\n$details\n- Licence: $licence\n\n$note\n"

_NOT_MEASURED = (
    "Nothing was measured on these weights: neither their quality, nor their biases, nor how well their text can be "
    "detected."
)
_OPT_PROCEDURE = (
    "300B tokens were read in all, in about 33 days of pure computing on 1,024 A100 GPUs with 80 GB; with about 90 "
    "restarts training ended on 6 January 2022. The training chronicles, 148 pages, record what failed and why."
)
_OPT_PROCEDURE_SMALLER = (
    "Described in the paper and in the logbook that the sizes from 125M to 66B share; not restated here. Chronicles "
    "were published for the largest size only."
)
_OPT_FOOTPRINT = (
    "About 75 t of CO2 (*unverified*); the paper's abstract speaks of one seventh of the footprint of GPT-3. Hardware: "
    "1,024 A100 GPUs; the place is not stated here."
)
_OPT_FOOTPRINT_SMALLER = "Unknown for this size: the published figure covers the largest size only."

# Zero-shot results: LAMBADA perplexity and accuracy, WikiText2 perplexity, with where they were read.
_GPT2_RESULTS = {
    "openai/gpt2-124m": ("35.13", "45.99", "29.41", "a public card of the model"),
    "openai/gpt2-355m": ("15.60", "55.48", "22.76", "general knowledge, *unverified*"),
    "openai/gpt2-774m": ("10.87", "60.12", "19.93", "general knowledge, *unverified*"),
    "openai/gpt2-1558m": ("8.63", "63.24", "18.34", "a secondary article, *unverified*"),
}
# Accuracy of a TF-IDF baseline at temperature 1 and at top-k 40; test sets of 5,000 texts of each kind.
_GPT2_DETECTION = {
    "openai/gpt2-124m": ("88.29", "96.79"),
    "openai/gpt2-355m": ("88.94", "95.22"),
    "openai/gpt2-774m": ("77.16", "94.43"),
    "openai/gpt2-1558m": ("74.31", "92.69"),
}
_GPT2_CREDIBILITY = {"openai/gpt2-355m": "6.07", "openai/gpt2-774m": "6.72", "openai/gpt2-1558m": "6.91"}


def _gpt2_evaluation(slug: str) -> str:
    perplexity, accuracy, wikitext, source = _GPT2_RESULTS[slug]
    plain, top_k = _GPT2_DETECTION[slug]
    rows = [
        ("LAMBADA, zero-shot, perplexity", perplexity, source),
        ("LAMBADA, zero-shot, accuracy in %", accuracy, source),
        ("WikiText2, zero-shot, perplexity", wikitext, source),
        ("Detected by TF-IDF baseline at temperature 1, accuracy in %", plain, "detection.md of the output data set"),
        ("Detected by TF-IDF baseline at top-k 40, accuracy in %", top_k, "detection.md of the output data set"),
    ]
    if slug in _GPT2_CREDIBILITY:
        rows.append(("Credibility of articles, 0 to 10", _GPT2_CREDIBILITY[slug], "posts of the lab"))
    table = "\n".join(f"| {what} | {value} | {where} |" for what, value, where in rows)
    return (
        "| Measure | Value | Read in |\n|---|---|---|\n"
        f"{table}\n\nNone of these comes with an interval, and none was repeated on weights that this portal knows. "
        "The false positive rate of the baseline is not restated here."
    )


_EVALUATIONS = {slug: _gpt2_evaluation(slug) for slug in _GPT2_RESULTS}
