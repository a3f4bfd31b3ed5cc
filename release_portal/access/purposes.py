"""What people want access for: the closed list of purposes (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from release_portal.core.errors import InvalidInput, NotAllowed

PURPOSES: dict[str, str] = {
    "P01": "Detection of model-generated text",
    "P02": "Watermarks and provenance",
    "P03": "Bias and fairness",
    "P04": "Memorisation and privacy",
    "P05": "Study of misuse",
    "P06": "Persuasion and credibility",
    "P07": "Interpretability",
    "P08": "Evaluation and benchmarks",
    "P09": "Replication of published results",
    "P10": "Fine-tuning methods",
    "P11": "Teaching",
    "P12": "Creative work and the arts",
    "P13": "Accessibility",
    "P14": "Applied, non-commercial",
    "P15": "A product",
}


def purpose_of_job(held: Sequence[str], asked: str) -> str:
    """Return the purpose that a job names.

    Args:
        held: codes of the grant that carries it; empty where no grant is needed, or for one of before codes.
        asked: code that was sent; empty when none was.

    Raises:
        InvalidInput: it is no code, or none was sent and there are several to choose from.
        NotAllowed: the grant is not for it.
    """
    if asked and asked not in PURPOSES:
        raise InvalidInput(f"{asked[:20]!r} is no purpose.", field="purpose", change=_choices(held or list(PURPOSES)))
    if not held:
        return asked
    if not asked and len(held) > 1:
        reason = "Your grant has several purposes, and each request names one."
        raise InvalidInput(reason, field="purpose", code="purpose_missing", change=_choices(held))
    if asked and asked not in held:
        reason = f"Your grant is not for this purpose: {PURPOSES[asked].lower()}."
        change = f"{_choices(held)} For another one, apply again."
        raise NotAllowed(reason, field="purpose", code="purpose_foreign", rule="grant: purposes", change=change)
    return asked or held[0]


def _choices(codes: Sequence[str]) -> str:
    return f"Choose one of: {'; '.join(f'{code} ({PURPOSES[code]})' for code in codes)}."
