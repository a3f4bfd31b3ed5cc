"""The closed lists of kinds of evidence and of assurances, and what each kind needs (pure)."""

from __future__ import annotations

from dataclasses import dataclass

MEASURED, DOCUMENT, COUNT, DURATION = "measured", "document", "count", "duration"
ATTESTATION, EXTERNAL, CONSULTATION, SET_EQUAL = "attestation", "external", "consultation", "set_equal"
SELF, REPRODUCED, THIRD_PARTY = "self", "reproduced", "third_party"


@dataclass(frozen=True)
class Kind:
    """One kind of evidence.

    Args:
        slug: what criteria, forms and the API call it.
        label: what people read.
        needs: fields of a draft that must be filled in.
        one_of: groups of fields of which at least one must be filled in whole; empty when `needs` says it all.
    """

    slug: str
    label: str
    needs: tuple[str, ...] = ()
    one_of: tuple[tuple[str, ...], ...] = ()


# A link alone may show other words tomorrow: it counts together with the digest of what it showed.
_WRITTEN = (("statement",), ("link", "document_digest"))

_ALL = (
    Kind(MEASURED, "measurement", ("value", "ci_low", "ci_high", "n", "harness", "dataset")),
    Kind(DOCUMENT, "document", one_of=_WRITTEN),
    Kind(COUNT, "count", ("value",)),
    Kind(DURATION, "duration", ("value",)),
    Kind(ATTESTATION, "attestation", one_of=_WRITTEN),
    Kind(EXTERNAL, "external report", one_of=_WRITTEN),
    Kind(CONSULTATION, "consultation", one_of=_WRITTEN),
    Kind(SET_EQUAL, "set that must be complete", ("items",)),
)

KINDS: dict[str, Kind] = {kind.slug: kind for kind in _ALL}

ASSURANCES: dict[str, str] = {
    SELF: "author's own measurement",
    REPRODUCED: "reproduced by somebody else in the lab",
    THIRD_PARTY: "measured by a third party",
}

# What people read beside the field of each name.
FIELD_LABELS: dict[str, str] = {
    "summary": "summary",
    "statement": "statement",
    "value": "value",
    "ci_low": "lower end of the interval",
    "ci_high": "upper end of the interval",
    "n": "number of measurements",
    "unit": "unit",
    "subject_digest": "weights digest",
    "harness": "harness",
    "harness_digest": "harness digest",
    "dataset": "data set",
    "dataset_digest": "data set digest",
    "link": "link",
    "document_digest": "document digest",
    "items": "items",
    "measured_at": "time of measuring",
}
