"""What is wrong with a card at a stage (pure). Errors are printed and block an advance where they are missing sections;
nothing here blocks saving, because a half-written card is better kept than lost.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from model_cards.counts import bare_counts, claimed_counts, labelled_counts
from model_cards.parse import Card, CardTooLong, parse
from model_cards.schema import LICENCE, SECTIONS, CardSection, normalised, place_of, required_at, section_of

ERROR, WARNING = "error", "warning"

# Every code with what it means; a test holds an example for and against each.
CODES: dict[str, str] = {
    "E00": "The card, or the front matter before it, cannot be read.",
    "E02": "A parameter count differs from the catalogue's by more than 2 %.",
    "E03": "The licence identifier is missing at a stage at which weights are given out.",
    "E04": "A section that the stage requires is empty, or still holds a template's text.",
    "E08": "The contact names no address, link or form.",
    "E09": "A section that the stage requires is not there.",
    "E10": "The stage that the card names is another one.",
    "W01": "A size is named that is none of the family's, nor a name in use.",
    "W05": "The footprint is called unknown, without a reason.",
    "W06": "“Open source” is claimed although the weights are not open, or the licence is no open source licence.",
    "W09": "There is no citation.",
    "W10": "A superlative stands in a sentence without any number.",
    "W13": "The front matter names no language.",
    "W14": "The card is older than 180 days at a stage that is open to everyone.",
}
LONGEST_DAYS = 180
FRONT = "front matter"
CHECK_NUMBER = "Correct the number, or name the model it belongs to."


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, and what would change it.

    Args:
        code: key of CODES.
        section: heading that it is about.
        reason: sentence that says what is wrong here.
        change: sentence that says what to do.
    """

    code: str
    section: str
    reason: str
    change: str

    @property
    def severity(self) -> str:
        """An error keeps the card from fulfilling the stage; a warning is advice."""
        return ERROR if self.code.startswith("E") else WARNING

    @property
    def is_error(self) -> bool:
        """Whether it is an error."""
        return self.severity == ERROR


@dataclass(frozen=True)
class CardFacts:
    """What the catalogue knows, against which the card is held.

    Args:
        parameters: count of this size.
        siblings: counts of the family's other sizes.
        names: other names in use, of this size and its siblings.
        age_days: days since the version was published; None for a text that is being written.
    """

    parameters: int
    siblings: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    age_days: int | None = None


def lint(text: str, stage: str, facts: CardFacts) -> list[Finding]:
    """Return everything that is wrong with a card at a stage, errors first, in the order of the sections."""
    try:
        card = parse(text)
    except CardTooLong as error:
        return [Finding("E00", "card", str(error), "Move long tables and samples into an artefact of their own.")]
    findings = [finding for rule in _RULES for finding in rule(card, stage, facts)]
    return sorted(findings, key=lambda finding: (not finding.is_error, _order(finding.section)))


def missing_sections(text: str, stage: str) -> tuple[str, ...]:
    """Return the headings of what a stage requires and the card lacks; these block an advance to it."""
    try:
        card = parse(text)
    except CardTooLong:
        return tuple(section.heading for section in required_at(stage))
    return tuple(section.heading for section in required_at(stage) if _lack(card, section))


# --- Sections ------------------------------------------------------------------------------------------------------

_TEMPLATE = re.compile(
    r"\[?(?:more|needs more) information (?:is )?needed\.?\]?|\[ ?(?:\.{2,}|…) ?\]|\b(?:todo|tbd|tba|fixme)\b.*"
    r"|\bto be (?:written|added|done|determined)\b\.?|\blorem ipsum\b.*|\bfill (?:this )?in\b\.?"
    r"|^[ \t]*(?:n/a|none)[ \t.]*$",
    re.IGNORECASE | re.MULTILINE,
)
_LABEL = re.compile(r"^[\w ()\[\]/&,'-]{1,60}:[ \t]*$", re.MULTILINE)  # "Developed by:" with nothing behind it


def _lack(card: Card, section: CardSection) -> str:
    """Return the code of what is wrong with a required section, or "" when it is filled."""
    if section.in_front_matter:
        return "" if _licence(card) else "E03"
    if not card.has(section.key):
        return "E09"
    return "" if _is_filled(card.text_of(section.key)) else "E04"


def _is_filled(text: str) -> bool:
    """Whether a reader learns anything: template text and labels without a value do not count."""
    rest = _LABEL.sub("", _TEMPLATE.sub("", text))
    return any(character.isalnum() for character in rest)


def _sections_missing(card: Card, stage: str, facts: CardFacts) -> Iterator[Finding]:
    for section in required_at(stage):
        code = _lack(card, section)
        if code == "E09":
            reason = f"The section “{section.heading}” is required from the stage {_word(section.since)} on."
            yield Finding(code, section.heading, reason, f"Add the heading. {section.hint}")
        elif code == "E04":
            reason = f"The section “{section.heading}” is empty, or holds a template's text."
            yield Finding(code, section.heading, reason, f"Write it. {section.hint}")


def _licence_missing(card: Card, stage: str, facts: CardFacts) -> Iterator[Finding]:
    section = section_of(LICENCE)
    if section in required_at(stage) and _lack(card, section):
        reason = f"No licence is named, and at the stage {_word(stage)} weights are given out."
        yield Finding("E03", section.heading, reason, f"Write it before the text. {section.hint}")


def _licence(card: Card) -> str:
    """Return the licence that the front matter names, or "" for none."""
    licence = card.front.get("license")
    if not isinstance(licence, str) or licence.strip().casefold() in ("", "unknown", "none", "tbd"):
        return ""
    if licence.strip().casefold() == "other":
        name = card.front.get("license_name")
        return name.strip() if isinstance(name, str) else ""
    return licence.strip()


def _unreadable(card: Card, stage: str, facts: CardFacts) -> Iterator[Finding]:
    for problem in card.problems:
        reason = f"Line {problem.line}: {problem.message}."
        yield Finding("E00", FRONT, reason, "Correct the line; the text below was read all the same.")


def _stage_differs(card: Card, stage: str, facts: CardFacts) -> Iterator[Finding]:
    for section, named in _stages_named(card):
        if named.casefold().replace(" ", "_") != stage:
            reason = f"The card names the stage “{named}”; here it is held against {_word(stage)}."
            yield Finding(
                "E10", section, reason, "Write the stage's name, or leave it out: the portal shows it anyway."
            )


_STAGE_LINE = re.compile(r"\brelease stage\s*[:|]\s*([A-Za-z][\w, ]{2,40}?)\s*(?:[.|(\n]|$)", re.IGNORECASE)


def _stages_named(card: Card) -> Iterator[tuple[str, str]]:
    front = card.front.get("release_stage")
    if isinstance(front, str):
        yield FRONT, normalised(front)
    for section in card.sections:
        for match in _STAGE_LINE.finditer(section.words):
            yield section.heading, normalised(match[1])


def _contact_unreachable(card: Card, stage: str, facts: CardFacts) -> Iterator[Finding]:
    section, text = section_of("contact"), card.text_of("contact")
    source = "\n".join(one.source for one in card.owned_by("contact"))
    if section in required_at(stage) and _is_filled(text) and not _ADDRESS.search(source):
        reason = "The contact names no address, link or form, so nobody can be reached by it."
        yield Finding("E08", section.heading, reason, "Add an e-mail address or a link.")


_ADDRESS = re.compile(r"[\w.+-]{1,64}@[\w-]+(\.[\w-]+)+|https?://\S+|\]\(\s*[^)\s]+")


# --- Numbers -------------------------------------------------------------------------------------------------------


def _parameters_differ(card: Card, stage: str, facts: CardFacts) -> Iterator[Finding]:
    family = (facts.parameters, *facts.siblings)
    for section in card.sections:
        wrong = [one for one in labelled_counts(section.prose) if not one.is_near(facts.parameters)]
        wrong += [
            one for one in claimed_counts(section.prose) if not one.is_near(*family) and one.name not in facts.names
        ]
        for words in dict.fromkeys(one.words for one in wrong):
            reason = f"“{words}” differs from the catalogue, which counts {facts.parameters:,}."
            yield Finding("E02", section.heading or "card", reason, CHECK_NUMBER)


def _size_unknown(card: Card, stage: str, facts: CardFacts) -> Iterator[Finding]:
    family = (facts.parameters, *facts.siblings)
    for section in card.sections:
        for one in bare_counts(section.prose):
            if not one.is_near(*family) and one.name not in facts.names:
                reason = f"“{one.words}” is no size of this family, and no name in use."
                yield Finding("W01", section.heading or "card", reason, CHECK_NUMBER)


# --- Words ---------------------------------------------------------------------------------------------------------

_OPEN_SOURCE = re.compile(r"\bopen[\s-]?sourced?\b", re.IGNORECASE)
_DENIED = re.compile(r"\b(?:not|no|never|neither|nor|isn't|without)\b[^.;:]{0,30}$", re.IGNORECASE)
# Identifiers of the Hub whose licences the Open Source Initiative approved.
OPEN_SOURCE_LICENCES = frozenset(
    {
        "afl-3.0",
        "apache-2.0",
        "artistic-2.0",
        "bsd",
        "bsd-2-clause",
        "bsd-3-clause",
        "bsl-1.0",
        "ecl-2.0",
        "epl-1.0",
        "epl-2.0",
        "eupl-1.1",
        "eupl-1.2",
        "agpl-3.0",
        "gpl",
        "gpl-2.0",
        "gpl-3.0",
        "isc",
        "lgpl",
        "lgpl-2.1",
        "lgpl-3.0",
        "lppl-1.3c",
        "mit",
        "mpl-2.0",
        "ms-pl",
        "ncsa",
        "ofl-1.1",
        "osl-3.0",
        "postgresql",
        "unlicense",
        "zlib",
    }
)
_SUPERLATIVE = re.compile(
    r"\b(?:the best|best[\s-]in[\s-]class|state[\s-]of[\s-]the[\s-]art"
    r"|most (?:powerful|advanced|capable|accurate|dangerous)"
    r"|too dangerous|unprecedented|revolutionary|world[\s-]class|safest|unmatched|unrivalled|flawless)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")


def _open_source_claimed(card: Card, stage: str, facts: CardFacts) -> Iterator[Finding]:
    is_open = place_of(stage) >= place_of("open_weights")
    if is_open and _licence(card).casefold() in OPEN_SOURCE_LICENCES:
        return
    for section in card.sections:
        for match in _OPEN_SOURCE.finditer(section.prose):
            if not _DENIED.search(section.prose[max(0, match.start() - 60) : match.start()]):
                what = "the licence is no open source licence" if is_open else f"the stage is {_word(stage)}"
                reason = f"“{match[0]}” is claimed, but {what}."
                yield Finding(
                    "W06", section.heading or "card", reason, "Say what is open, to whom, and under which licence."
                )
                break


def _superlative(card: Card, stage: str, facts: CardFacts) -> Iterator[Finding]:
    for section in card.sections:
        for sentence in _SENTENCE.split(section.prose):
            match = _SUPERLATIVE.search(sentence)
            if match and not any(character.isdigit() for character in sentence):
                reason = f"“{match[0]}” stands in a sentence without a number."
                yield Finding(
                    "W10", section.heading or "card", reason, "Add the figure and what it is compared with, or drop it."
                )


_UNKNOWN = re.compile(
    r"\b(?:unknown|not known|not measured|not reported|not available|unpublished|not published)\b", re.IGNORECASE
)
_REASONED = 5  # words; fewer cannot hold a reason


def _footprint_unreasoned(card: Card, stage: str, facts: CardFacts) -> Iterator[Finding]:
    text = card.text_of("environment")
    if _UNKNOWN.search(text) and len(text.split()) < _REASONED:
        heading = section_of("environment").heading
        yield Finding("W05", heading, "The footprint is called unknown without a reason.", "Say why nobody knows it.")


def _citation_missing(card: Card, stage: str, facts: CardFacts) -> Iterator[Finding]:
    section = section_of("citation")
    if place_of("disclosed") <= place_of(stage) < place_of(section.since) and not _is_filled(card.text_of(section.key)):
        reason = f"There is no citation; it is required from the stage {_word(section.since)} on."
        yield Finding("W09", section.heading, reason, section.hint)


def _language_missing(card: Card, stage: str, facts: CardFacts) -> Iterator[Finding]:
    if not card.front.get("language"):
        yield Finding("W13", FRONT, "No language is named.", "Add language, e.g. `language: en`.")


def _too_old(card: Card, stage: str, facts: CardFacts) -> Iterator[Finding]:
    if place_of(stage) >= place_of("public_hosted") and (facts.age_days or 0) > LONGEST_DAYS:
        reason = f"This version is {facts.age_days} days old, and the stage is open to everyone."
        yield Finding("W14", "card", reason, "Read it again, and publish what has changed.")


_RULES: tuple[Callable[[Card, str, CardFacts], Iterator[Finding]], ...] = (
    _unreadable,
    _sections_missing,
    _licence_missing,
    _parameters_differ,
    _stage_differs,
    _contact_unreachable,
    _size_unknown,
    _footprint_unreasoned,
    _open_source_claimed,
    _citation_missing,
    _superlative,
    _language_missing,
    _too_old,
)
_HEADINGS = [section.heading for section in SECTIONS]


def _order(heading: str) -> int:
    """Return the place of a finding in the list: front matter first, then as the schema orders the sections."""
    return _HEADINGS.index(heading) if heading in _HEADINGS else -1


def _word(stage: str) -> str:
    return stage.replace("_", " ")
