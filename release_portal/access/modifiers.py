"""What limits a use: the closed list of modifiers that programmes and grants carry beside their purposes (pure)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Modifier:
    """One limit of use.

    Args:
        code: Q01 to Q15.
        label: a few words.
        sentence: what the holder must do or must not do; `{value}` stands for the parameter.
        parameter: what must be said with it: "months", "days", "date", "text", or nothing.
    """

    code: str
    label: str
    sentence: str
    parameter: str = ""

    def says(self, value: str = "") -> str:
        """Return the sentence with its parameter; of one there is no plural."""
        sentence = self.sentence
        if value == "1" and self.parameter in ("months", "days"):
            sentence = sentence.replace(f"{{value}} {self.parameter}", f"{{value}} {self.parameter[:-1]}")
        return sentence.format(value=value)


_ALL = (
    Modifier("Q01", "No redistribution of outputs", "Outputs are not passed on outside the study."),
    Modifier("Q02", "Outputs labelled", "Outputs that leave the study are labelled as model-generated."),
    Modifier("Q03", "Ethics approval", "Human subjects take part only with an ethics approval."),
    Modifier("Q04", "No fine-tuning on listed corpora", "The model is not fine-tuned on: {value}.", "text"),
    Modifier("Q05", "No weights leave", "Weights stay on the machines of the grant's holder."),
    Modifier("Q06", "Publish or report", "Results are published or reported within {value} months.", "months"),
    Modifier("Q07", "Notice before publication", "The lab is told {value} days before a publication.", "days"),
    Modifier("Q08", "Named users only", "Only the people named in the grant use it."),
    Modifier("Q09", "Institution-bound", "The grant ends when its holder leaves the institution."),
    Modifier("Q10", "Region-bound", "Use is limited to: {value}.", "text"),
    Modifier("Q11", "Findings returned", "Findings and derived data sets are given to the lab."),
    Modifier("Q12", "No automated posting", "Outputs are not posted by programs where people would read them."),
    Modifier("Q13", "Sampler and length bounds", "Sampler settings and lengths stay within the grant's bounds."),
    Modifier("Q14", "Delete by date", "Outputs and copies are deleted by {value}.", "date"),
    Modifier("Q15", "Non-commercial", "Nothing is sold that was made with it."),
)
MODIFIERS: dict[str, Modifier] = {one.code: one for one in _ALL}
