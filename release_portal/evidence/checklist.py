"""Release Safety Checklist, version 1: its items, and what an answer must hold (pure)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from release_portal.evidence.digests import content_digest
from release_portal.evidence.rules import Problem, is_text

VERSION = 1
YES, NO, PARTIAL, NOT_APPLICABLE = "yes", "no", "partial", "na"
ANSWERS: dict[str, str] = {YES: "yes", NO: "no", PARTIAL: "partly", NOT_APPLICABLE: "does not apply"}
FEWEST_WORDS, LONGEST_REASON, MOST_EVIDENCE = 3, 5_000, 50

# One answer as it is stored: {"answer": "yes", "reason": "...", "evidence": [12, 15]}.
Answer = Mapping[str, Any]


@dataclass(frozen=True)
class Item:
    """One question of the checklist.

    Args:
        id: 1 to 24.
        title: what tables show.
        question: what is asked in full.
    """

    id: int
    title: str
    question: str


ITEMS: tuple[Item, ...] = (
    Item(1, "Harms by actor", "Are the expected harms written down for each kind of actor, from casual to expert?"),
    Item(2, "Benefits", "Are the expected benefits written down, and who gains from each?"),
    Item(3, "Attempts at misuse", "Was misuse tried, and is it stated by how many people, for how long, how often?"),
    Item(4, "Fine-tuning", "Was it studied what the model can be made to do by training it further?"),
    Item(5, "Detector", "Is there a detector for its texts, and is the sampler named on which it does worst?"),
    Item(6, "Short texts", "Is it reported how well texts below 500 characters are detected?"),
    Item(7, "Memorisation", "Is it measured how much the model repeats of its training data?"),
    Item(8, "Bias probes", "Were bias probes run, and are the groups that they compare named?"),
    Item(9, "Prompts counted", "Are all prompts counted that were tried for the samples that are shown?"),
    Item(10, "Raw samples", "Is there a set of samples that nobody chose from?"),
    Item(11, "Outside look", "Is it stated who outside looked at the model, on what terms, and who paid?"),
    Item(12, "Replication", "Is it estimated when others will have built the same, and what that costs them?"),
    Item(13, "What a delay buys", "Is it stated what waiting is expected to gain, and until when?"),
    Item(14, "Cost of withholding", "Is it stated what others cannot reproduce while something is withheld?"),
    Item(15, "Press", "Is it recorded who was briefed, what was claimed, and what was corrected?"),
    Item(16, "Conflicts of interest", "Have the people who decide stated their interests?"),
    Item(17, "Way to report", "Is there a way to report misuse, and was it tried?"),
    Item(18, "Way to stop", "Was stopping all use practised, and how long did it take?"),
    Item(19, "Recall plan", "Is it planned how everybody who holds a copy is told, and asked to delete it?"),
    Item(20, "Licence", "Is it shown what changes in the licence and in the rules of use with this move?"),
    Item(21, "Training data", "Is the training data described, and can people ask to have theirs removed?"),
    Item(22, "Energy", "Is the energy for training and for serving stated?"),
    Item(23, "Dissent", "Is it recorded who disagreed, and with what?"),
    Item(24, "Next review", "Is there a day by which this decision is looked at again?"),
)
IDS: tuple[str, ...] = tuple(str(item.id) for item in ITEMS)


def item_of(item_id: int) -> Item:
    """Return the item of that id; raises KeyError for an unknown one."""
    if not 1 <= item_id <= len(ITEMS):
        raise KeyError(item_id)
    return ITEMS[item_id - 1]


def problems(answers: Mapping[str, Answer], *, known_evidence: Collection[int] | None = None) -> list[Problem]:
    """Return what keeps the checklist from being complete; empty when every item is answered with a reason."""
    unstorable = draft_problems(answers, known_evidence=known_evidence)
    wrong = {problem.field for problem in unstorable}
    open_items = [item for item in unanswered(answers) if _field(str(item)) not in wrong]
    return [*unstorable, *(_open(item_of(number), answers.get(str(number))) for number in open_items)]


def draft_problems(answers: Mapping[str, Answer], *, known_evidence: Collection[int] | None = None) -> list[Problem]:
    """Return what keeps a version from being stored, complete or not.

    Args:
        answers: answer by item id; items may be missing.
        known_evidence: ids of the size's evidence; None: not compared.
    """
    found = []
    for key, answer in answers.items():
        if key not in IDS:
            change = f"The items are 1 to {len(ITEMS)}."
            found.append(Problem("item", f"{key!r} is not an item of the checklist.", change))
        elif reason := _unstorable(answer, known_evidence):
            found.append(Problem(_field(key), f"Item {key}: {reason}", "Correct it, then sign again."))
    return found


def unanswered(answers: Mapping[str, Answer]) -> list[int]:
    """Return the ids of the items without an answer or without a sentence that gives the reason."""
    return [item.id for item in ITEMS if not _is_answered(answers.get(str(item.id)))]


def normalised(answers: Mapping[str, Answer]) -> dict[str, dict[str, Any]]:
    """Return the answers as they are stored: trimmed, in order, without the items that were left empty."""
    kept = {}
    for key in sorted(answers, key=lambda key: (len(key), key)):
        choice, reason, evidence = _parts(answers[key])
        if choice or reason.strip() or evidence:
            kept[key] = {"answer": choice, "reason": reason.strip(), "evidence": sorted(set(evidence))}
    return kept


def digest(answers: Mapping[str, Answer]) -> str:
    """Return the digest of the answers alone, whoever signed them."""
    return content_digest({"checklist": VERSION, "answers": normalised(answers)})


def is_sentence(text: str) -> bool:
    """Whether a reason says something: at least three words."""
    return len(text.split()) >= FEWEST_WORDS


def _is_answered(answer: Answer | None) -> bool:
    if not isinstance(answer, Mapping):
        return False
    return bool(answer.get("answer")) and is_sentence(str(answer.get("reason") or ""))


def _open(item: Item, answer: Answer | None) -> Problem:
    if answer is None or not answer.get("answer"):
        reason, change = f"Item {item.id} is not answered: {item.title}.", "Choose yes, no, partly or does not apply."
    else:
        reason, change = f"Item {item.id} has no reason: {item.title}.", "Give the reason in a sentence."
    return Problem(_field(str(item.id)), reason, change)


def _unstorable(answer: object, known_evidence: Collection[int] | None) -> str:
    """Return the sentence that says why an answer cannot be stored; empty when it can."""
    if not isinstance(answer, Mapping) or set(answer) - {"answer", "reason", "evidence"}:
        return "an answer holds answer, reason and evidence."
    choice, reason, evidence = _parts(answer)
    if choice not in ("", *ANSWERS):
        return f"{choice!r} is none of: {', '.join(ANSWERS)}."
    if not isinstance(reason, str) or len(reason) > LONGEST_REASON or not is_text(reason):
        return f"the reason must be text of at most {LONGEST_REASON:,} characters."
    if not isinstance(evidence, list | tuple) or len(evidence) > MOST_EVIDENCE or not all(map(_is_id, evidence)):
        return f"evidence is a list of at most {MOST_EVIDENCE} ids."
    foreign = [] if known_evidence is None else [str(one) for one in evidence if one not in known_evidence]
    return f"this size has no evidence {', '.join(foreign)}." if foreign else ""


def _parts(answer: Answer) -> tuple[Any, Any, Any]:
    return answer.get("answer") or "", answer.get("reason") or "", answer.get("evidence") or []


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**63


def _field(key: str) -> str:
    return f"item_{key}"
