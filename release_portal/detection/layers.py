"""How evidence is put into words: layer by layer, the record before the statistics, never as a verdict (pure).

A layer that is not calibrated may state its numbers and what was counted; it may not say how strong they are, for
nobody measured how often a human text looks the same. No layer may say who or what wrote a text. `Layer` enforces both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from release_portal.detection.evidence import Evidence
from release_portal.provenance.fingerprint import LEAST_HITS, LEAST_WORDS, WINDOW
from release_portal.provenance.matching import Match, Strength

NOT_CALIBRATED = "not calibrated"
CLASS_WORDS = ("the model's 10 first choices", "places 11 to 100", "places 101 to 1,000", "later places")

# What a reader would take for a judgement on the text or its author.
VERDICT = re.compile(
    r"\b(human|machine|AI)[- ](written|made|generated|authored)\b|\bwritten by\b"
    r"|\b(is|are|was|were) (fake|genuine|real)\b|\bprobabl[ey]\b|(?<!log-)\bprobability\b|\b(un)?likely\b"
    r"|\bproof\b|\bproves?\b|\bverdict\b|\bplagiari|\bcheat",
    re.IGNORECASE,
)
# How strong something is: only for a layer that knows its error rates.
STRENGTH = re.compile(
    r"\b(strong|weak|high|low|typical|unusual|suspicious|suggests?|indicates?|points? to|consistent with)",
    re.IGNORECASE,
)

CANNOT_SAY = (
    "Who wrote the text, or that a person did not.",
    "Whether it came from a model that this portal does not serve.",
    "Anything after heavy editing, translation or paraphrase: fingerprints and ranks do not survive them.",
    "How often texts by people give the same numbers: nobody measured that here, so the numbers carry no error rate.",
    "Whose generation matched. That is opened only by staff on a misuse report, and is recorded.",
)
NOTICE = (
    "This is evidence, not proof. The numbers are not calibrated: texts by people, above all plain, formulaic or "
    "second-language writing, can give the same ones. Do not act on them alone."
)


@dataclass(frozen=True)
class Layer:
    """One kind of evidence in words.

    Args:
        name: slug: record, ranks, curvature.
        title: heading.
        statements: sentences.
        is_calibrated: whether its error rates are known.

    Raises:
        ValueError: a sentence judges the text, or an uncalibrated layer says how strong it is.
    """

    name: str
    title: str
    statements: tuple[str, ...]
    is_calibrated: bool = False

    def __post_init__(self) -> None:
        """Refuse what the layer may not say."""
        for sentence in (self.title, *self.statements):
            if found := VERDICT.search(sentence):
                raise ValueError(f"a layer gives no verdict: {found.group()!r} in {sentence!r}")
            if not self.is_calibrated and (found := STRENGTH.search(sentence)):
                raise ValueError(f"an uncalibrated layer gives no strength: {found.group()!r} in {sentence!r}")

    def to_data(self) -> dict[str, Any]:
        """Return the layer as plain values."""
        return asdict(self) | {"statements": list(self.statements)}


def percent(part: float) -> str:
    """Return a share as people read it; what is not whole never reads as 0 or 100."""
    if 0 < part < 0.01:
        return "under 1 %"
    if 0.99 < part < 1:
        return "over 99 %"
    return f"{part * 100:.0f} %"


def record_layer(match: Match) -> Layer:
    """Put into words what the portal's own record says."""
    return Layer("record", "The portal's own record", _RECORD_WORDS[match.strength](match))


def _exact(match: Match) -> tuple[str, ...]:
    return (
        "Exact: the words of this text stand, in the same order, in "
        f"{'one text' if match.generations == 1 else 'texts'} that this portal served. At either end up to "
        f"{WINDOW - 1} words may differ.",
        _generations(match),
    )


def _near(match: Match) -> tuple[str, ...]:
    return (
        f"Near: {percent(match.share)} of the words stand in passages that this portal served; they are marked below. "
        "The rest was changed, added, or never served.",
        _generations(match),
        "A passage can match because both quote the same source.",
    )


def _none(match: Match) -> tuple[str, ...]:
    return (
        f"None: no generation in the record shares {LEAST_HITS} or more passages with this text.",
        "Rewriting removes a match, and the record holds only what this portal served.",
    )


def _too_short(match: Match) -> tuple[str, ...]:
    return (f"Too short to compare: the text has {match.words} words, and a comparison needs {LEAST_WORDS}.",)


_RECORD_WORDS = {
    Strength.EXACT: _exact,
    Strength.NEAR: _near,
    Strength.NONE: _none,
    Strength.TOO_SHORT: _too_short,
}


def _generations(match: Match) -> str:
    if match.generations == 1:
        return "1 generation matches."
    return f"{match.generations:,} generations match."


def evidence_layers(evidence: Evidence, size: str) -> tuple[Layer, ...]:
    """Put a score into words: what was counted and computed, nothing about what it means."""
    return (_rank_layer(evidence, size), _curvature_layer(evidence, size))


def _rank_layer(evidence: Evidence, size: str) -> Layer:
    pairs = zip(evidence.ranks.fractions, CLASS_WORDS, strict=True)
    shares = ", ".join(f"{percent(fraction)} from {words}" for fraction, words in pairs)
    return Layer(
        "ranks",
        f"Ranks of the tokens for {size}",
        (
            f"Of {evidence.scored:,} tokens: {shares}.",
            f"Mean log-probability {evidence.mean_logprob:.2f} nats a token.",
        ),
    )


def _curvature_layer(evidence: Evidence, size: str) -> Layer:
    title = f"Curvature for {size}"
    if evidence.curvature is None:
        return Layer("curvature", title, ("It cannot be computed: the model left no choice open at any token.",))
    said = f"Fast-DetectGPT's curvature is {evidence.curvature:.2f} over {evidence.scored:,} tokens."
    return Layer("curvature", title, (said, "0 is what the model expects of its own choices at temperature 1."))


def all_layers(match: Match, evidence: Evidence | None, size: str) -> Sequence[Layer]:
    """Return every layer there is, the record first; they are never merged into one number."""
    return (record_layer(match), *(evidence_layers(evidence, size) if evidence else ()))
