"""What people want access for: the closed list of purposes (pure)."""

from __future__ import annotations

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
