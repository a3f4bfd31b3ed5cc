"""The thirty categories of misuse: what was done, and how bad it usually is (pure data)."""

from __future__ import annotations

from dataclasses import dataclass

CATEGORIES_VERSION = "1"


@dataclass(frozen=True)
class Category:
    """One category: it says what was done, not how bad this case is.

    Args:
        code: stable name.
        group: heading under which people find it.
        label: two or three words.
        definition: what counts, in a sentence part.
        severity: where a realised case usually starts, 0 to 4; staff choose the severity of the case.
        legitimate: the lawful twin, so that research is not punished; empty where there is none.
    """

    code: str
    group: str
    label: str
    definition: str
    severity: int
    legitimate: str = ""


_DECEPTION, _HOSTILITY, _PERSONAL = "Deception at scale", "Hostility and violence", "Personal and intimate harm"
_HELP, _KNOWLEDGE, _MODEL = "Dangerous help", "Knowledge and integrity", "Model, platform, licence"

CATEGORIES: tuple[Category, ...] = (
    Category(
        "SPAM", _DECEPTION, "Spam", "bulk unwanted or worthless text posted to sell, rank or clutter", 1,
        "training sets for spam filters",
    ),
    Category(
        "PHISH", _DECEPTION, "Phishing", "text made to trick a person into giving secrets, money or access", 2,
        "awareness drills with consent",
    ),
    Category(
        "FRAUD", _DECEPTION, "Fraud", "deception for gain: false reviews, fake shops, romance or investment lies", 2,
        "research on fraud detectors",
    ),
    Category(
        "FAKENEWS", _DECEPTION, "Invented news", "invented events or quotes presented as reporting", 2,
        "a credibility survey with debrief",
    ),
    Category(
        "INFLUENCE", _DECEPTION, "Influence operation", "a coordinated, hidden effort to shift opinion or voting", 3,
        "simulation inside a closed study",
    ),
    Category(
        "BOTHUMAN", _DECEPTION, "Machine posing as a person",
        "text presented as a person's where people would care that it is not", 1, "a study with ethics approval",
    ),
    Category(
        "IMPERSON", _DECEPTION, "Impersonation", "speaking as a real, named person or organisation without leave", 2,
        "parody that is clearly marked",
    ),
    Category(
        "EXTREM", _HOSTILITY, "Violent extremism",
        "praise of, recruiting for or instruction by violent extremist movements", 3, "detection and counter-speech",
    ),
    Category(
        "INCITE", _HOSTILITY, "Incitement and threats", "calls for, or credible threats of, violence", 4,
        "annotation of public speech",
    ),
    Category(
        "HATE", _HOSTILITY, "Hate", "degrading or excluding people for a protected trait", 2,
        "bias probes and counter-speech",
    ),
    Category(
        "HARASS", _HOSTILITY, "Harassment", "repeated or massed hostile text at a person", 2,
        "moderation research with volunteers",
    ),
    Category(
        "DEFAME", _HOSTILITY, "Defamation", "a false, damaging statement of fact about a real person or body", 1,
        "an audit of invented statements",
    ),
    Category(
        "PII", _PERSONAL, "Personal data", "personal data revealed, memorised or assembled", 2,
        "a memorisation study under agreed disclosure",
    ),
    Category(
        "PROFILE", _PERSONAL, "Profiling and doxxing", "covert profiling, doxxing or surveillance of people", 3,
        "author profiling on consented data",
    ),
    Category(
        "SEXUAL", _PERSONAL, "Sexual text", "sexual text about real people without consent, or shown to minors", 2,
        "a study of literature",
    ),
    Category("CHILD", _PERSONAL, "Harm to children", "any sexual content on minors, or help to groom", 4),
    Category(
        "SELFHARM", _PERSONAL, "Self-harm", "pushing, teaching or glorifying self-injury, suicide, disordered eating",
        3, "prevention research",
    ),
    Category(
        "MALCODE", _HELP, "Hostile code", "working hostile code or an aid to intrusion", 2, "defensive research",
    ),
    Category(
        "WEAPON", _HELP, "Means of mass harm",
        "meaningful help toward chemical, biological, nuclear, explosive or other means of mass harm", 4,
        "an evaluation with controlled scope",
    ),
    Category("CRIME", _HELP, "Serious crime", "help for other serious crime, such as trafficking or drugs", 3),
    Category(
        "ADVICE", _HELP, "Unqualified advice",
        "medical, legal, financial or safety advice given to real people as if competent", 1, "an evaluation",
    ),
    Category(
        "DISCRIM", _HELP, "Decisions on people", "use in hiring, credit, policing or benefits that the terms rule out",
        3, "a fairness audit",
    ),
    Category(
        "ACADEMIC", _KNOWLEDGE, "Academic work", "text handed in as own work where rules forbid it; essay services", 1,
        "teaching with disclosure",
    ),
    Category(
        "PAPERMILL", _KNOWLEDGE, "Invented science", "invented data, citations, reviews or papers entering the record",
        2, "a hoax-detection study with an editor's consent",
    ),
    Category(
        "IP", _KNOWLEDGE, "Copied text", "long verbatim protected text, or missing attribution", 1,
        "work on overlap with training data",
    ),
    Category(
        "DERIVED", _MODEL, "Derived model", "a derived model used or spread against the terms, or without safeguards",
        2, "a registered derivative",
    ),
    Category(
        "LEAK", _MODEL, "Leak", "weights, keys, gated outputs or agreements passed to people without a grant", 3,
    ),
    Category(
        "EVADE", _MODEL, "Evading detection", "a service or tool to defeat detectors, watermarks or labels for deceit",
        2, "a robustness study, published with notice",
    ),
    Category(
        "ACCESSFRAUD", _MODEL, "Access by fraud", "a false application, borrowed identity, sold or shared account", 1,
        "a lab with a wrong set-up",
    ),
    Category(
        "FLAW", _MODEL, "Weakness found", "a weakness with no misuse yet: a jailbreak, leak path or biased behaviour",
        1, "always: it is a gift, not an offence",
    ),
)  # fmt: skip

_BY_CODE = {category.code: category for category in CATEGORIES}


def category_of(code: str) -> Category | None:
    """Return the category of that code; None for an unknown one or for "not sure"."""
    return _BY_CODE.get(code)
