"""What evidence must say, and who may attach and review it (pure)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from release_portal.accounts.roles import STAFF_ROLES, Role
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision, allow, may_not
from release_portal.core.errors import InvalidInput
from release_portal.evidence.kinds import ASSURANCES, FIELD_LABELS, KINDS, SELF, Kind

WRITE_SCOPE = "evidence:write"
ATTACHERS = STAFF_ROLES | {Role.EXTERNAL_REVIEWER.value}
REVIEWERS = (
    Role.SAFETY_REVIEWER.value,
    Role.RELEASE_MANAGER.value,
    Role.EXTERNAL_REVIEWER.value,
    Role.BOARD.value,
)

LONGEST = {
    "summary": 300, "statement": 20_000, "unit": 40, "harness": 200, "dataset": 200, "link": 500,
}  # fmt: skip
MOST_ITEMS, LONGEST_ITEM = 500, 200
LONGEST_NUMBER = 60  # characters of a number as it is typed
LARGEST_N, LONGEST_TTL_DAYS = 10**12, 3_650
# What every database gives back exactly as it was stored.
WHOLE_DIGITS, PLACES, SIGNIFICANT_DIGITS = 14, 10, 15
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)

_CRITERION = re.compile(r"[A-Z][A-Za-z0-9_-]{0,11}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


@dataclass(frozen=True)
class EvidenceDraft:
    """Evidence before it is signed; the fields are those of the row.

    Args:
        criterion: id of the criterion that it bears on.
        kind: one of `kinds.KINDS`.
        summary: sentence that says what it states.
        measured_at: when what it states was measured or written.
        statement: the words themselves, where there are any.
        value: the figure, in `unit`.
        ci_low: lower end of the 95 % interval.
        ci_high: upper end of it.
        n: how many were measured, counted or asked.
        unit: what the figure counts.
        subject_digest: digest of the weights that it was measured on.
        harness: what measured it, with its version.
        harness_digest: digest of that.
        dataset: what it was measured with.
        dataset_digest: digest of that.
        params: how it was measured: names to texts, whole numbers or truth values.
        link: where the document lies.
        document_digest: digest of the document's bytes.
        items: names, where the kind is set_equal.
        assurance: one of `kinds.ASSURANCES`.
        ttl_days: how long it counts by its own word.
    """

    criterion: str
    kind: str
    summary: str
    measured_at: datetime | None
    statement: str = ""
    value: Decimal | None = None
    ci_low: Decimal | None = None
    ci_high: Decimal | None = None
    n: int | None = None
    unit: str = ""
    subject_digest: str = ""
    harness: str = ""
    harness_digest: str = ""
    dataset: str = ""
    dataset_digest: str = ""
    params: Mapping[str, str | int | bool] = field(default_factory=dict)
    link: str = ""
    document_digest: str = ""
    items: tuple[str, ...] = ()
    assurance: str = SELF
    ttl_days: int | None = None


@dataclass(frozen=True)
class Problem:
    """Something wrong with a draft, at a field, and the way out."""

    field: str
    reason: str
    change: str


def problems(
    draft: EvidenceDraft, *, served_digest: str, known_digests: Collection[str], at: datetime
) -> list[Problem]:
    """Return everything that is wrong with a draft; empty when it can be stored.

    Args:
        draft: what somebody wants to attach.
        served_digest: weights digest that is served; empty without weights.
        known_digests: digests of every revision of the size.
        at: the time of attaching.
    """
    return [
        *_list_problems(draft),
        *_text_problems(draft),
        *_number_problems(draft),
        *_interval_problems(draft),
        *_digest_problems(draft, served_digest, known_digests),
        *_time_problems(draft, at),
        *_set_problems(draft),
        *_missing(draft),
    ]


# --- Numbers ---------------------------------------------------------------------------------------------------------


def number_of(text: str, *, field: str = "value") -> Decimal:
    """Read a number as forms and the API write it, e.g. `0.71` or `71e-2`.

    Raises:
        InvalidInput: it is no finite decimal number; the reason says what is wrong with it.
    """
    typed = text.strip()
    if len(typed) <= LONGEST_NUMBER and _NUMBER.fullmatch(typed):
        return Decimal(typed)
    if len(typed) > LONGEST_NUMBER:
        reason = f"The number has {len(typed)} characters; at most {LONGEST_NUMBER} are read."
    elif typed.lower().lstrip("+-") in ("nan", "snan", "inf", "infinity"):
        reason = f"{typed} is not a finite number."
    elif "," in typed:
        reason = f"{typed!r} has a comma; the decimal sign is a point and thousands are not separated."
    else:
        reason = f"{typed!r} is not a number." if typed else "There is no number."
    raise InvalidInput(reason, field=field, change="Write it like 0.71 or 71e-2.")


def _number_problems(draft: EvidenceDraft) -> Iterator[Problem]:
    for name in ("value", "ci_low", "ci_high"):
        number = getattr(draft, name)
        if number is not None and (reason := _unfit_number(number)):
            yield Problem(name, f"The {FIELD_LABELS[name]} {reason}.", "Write a finite number, rounded like 0.7134.")
    if draft.n is not None and draft.n <= 0:
        yield Problem(
            "n", f"n is {draft.n}; nothing was measured then.", "Give the number of measurements, at least 1."
        )
    if draft.n is not None and draft.n > LARGEST_N:
        yield Problem("n", "n is too large.", f"It is at most {LARGEST_N:,}.")
    if draft.ttl_days is not None and not 0 < draft.ttl_days <= LONGEST_TTL_DAYS:
        change = f"Give 1 to {LONGEST_TTL_DAYS:,} days, or leave it empty."
        yield Problem("ttl_days", f"Evidence cannot count for {draft.ttl_days} days.", change)


def _unfit_number(number: Decimal) -> str:
    if not number.is_finite():
        return f"is {'not a number (NaN)' if number.is_nan() else 'infinite'}"
    if number.is_zero():
        return ""
    if number.adjusted() >= WHOLE_DIGITS:
        return f"has more than {WHOLE_DIGITS} digits before the point"
    significant, places = _precision(number)
    if significant > SIGNIFICANT_DIGITS or places > PLACES:
        return f"is longer than the record keeps: {SIGNIFICANT_DIGITS} digits, {PLACES} of them after the point"
    return ""


def _precision(number: Decimal) -> tuple[int, int]:
    """Return how many significant digits a finite number has, and how many places after the point."""
    _, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    kept = "".join(map(str, digits)).rstrip("0")
    return len(kept.lstrip("0")), max(0, -(exponent + len(digits) - len(kept)))


def _interval_problems(draft: EvidenceDraft) -> Iterator[Problem]:
    low, high, value = draft.ci_low, draft.ci_high, draft.value
    if (low is None) != (high is None):
        missing = "ci_low" if low is None else "ci_high"
        yield Problem(
            missing, f"The interval has no {FIELD_LABELS[missing].split()[0]} end.", "Give both ends or none."
        )
        return
    if low is None or high is None or not (low.is_finite() and high.is_finite()):
        return
    if low > high:
        yield Problem("ci_low", f"The interval is reversed: {low} is above {high}.", "Swap its ends.")
    elif value is not None and value.is_finite() and not low <= value <= high:
        reason = f"The value {value} lies outside its interval, {low} to {high}."
        yield Problem("value", reason, "Check the value and both ends.")


# --- Words -----------------------------------------------------------------------------------------------------------


def is_text(text: str) -> bool:
    """Whether every database can keep it: no NUL, no half of a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in text


def _list_problems(draft: EvidenceDraft) -> Iterator[Problem]:
    if draft.kind not in KINDS:
        yield Problem("kind", f"{draft.kind!r} is not a kind of evidence.", "Choose one of: " + ", ".join(KINDS) + ".")
    if not _CRITERION.fullmatch(draft.criterion):
        change = "Use the id that the gate shows, like C07."
        yield Problem("criterion", f"{draft.criterion!r} cannot be the id of a criterion.", change)
    if draft.assurance not in ASSURANCES:
        change = "Choose one of: " + ", ".join(ASSURANCES) + "."
        yield Problem("assurance", f"{draft.assurance!r} is not an assurance.", change)


def _text_problems(draft: EvidenceDraft) -> Iterator[Problem]:
    for name, longest in LONGEST.items():
        text = getattr(draft, name)
        if len(text) > longest:
            change = "Say it shorter, or link to a document."
            yield Problem(name, f"It has {len(text):,} characters; at most {longest:,} are kept.", change)
        if not is_text(text):
            yield Problem(name, "It holds a character that is no text.", "Type it anew.")
    if draft.link and not _is_web_address(draft.link):
        yield Problem("link", "The link is not a web address.", "Give an address that begins with https:// or http://.")


def _is_web_address(link: str) -> bool:
    if not link.isprintable() or " " in link:
        return False
    try:
        parts = urlsplit(link)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def _set_problems(draft: EvidenceDraft) -> Iterator[Problem]:
    names = draft.items
    if len(names) > MOST_ITEMS or any(not _is_name(name) for name in names):
        change = f"At most {MOST_ITEMS} names, each of 1 to {LONGEST_ITEM} characters."
        yield Problem("items", "The items cannot be kept as they are.", change)
    if len(set(names)) < len(names):
        yield Problem("items", "An item stands in the list twice.", "Name each item once.")
    are_names = all(isinstance(name, str) and _is_name(name) for name in draft.params)
    if len(draft.params) > MOST_ITEMS or not are_names or not all(map(_is_exact, draft.params.values())):
        change = 'Use short names; write figures with a fraction as text, like "0.7".'
        yield Problem("params", "The parameters cannot be kept as they are.", change)


def _is_name(text: str) -> bool:
    return bool(text.strip()) and len(text) <= LONGEST_ITEM and is_text(text)


def _is_exact(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= LONGEST_ITEM and is_text(value)
    return isinstance(value, int) and abs(value) < 10**SIGNIFICANT_DIGITS


# --- What it is about ------------------------------------------------------------------------------------------------


def _digest_problems(draft: EvidenceDraft, served: str, known: Collection[str]) -> Iterator[Problem]:
    for name in ("subject_digest", "harness_digest", "dataset_digest", "document_digest"):
        digest = getattr(draft, name)
        if digest and not _DIGEST.fullmatch(digest):
            reason = f"The {FIELD_LABELS[name]} is not a SHA-256 digest."
            yield Problem(name, reason, "Give all 64 hex digits, in small letters.")
        elif digest and name == "subject_digest" and digest not in known:
            reason = f"It was measured on other weights than those of this size: {digest}."
            yield Problem(name, reason, _right_weights(served))


def _right_weights(served: str) -> str:
    if not served:
        return "No weights of this size are stored here: leave it empty, or import the weights first."
    return f"Measure it on the weights that are served: {served}."


def _time_problems(draft: EvidenceDraft, at: datetime) -> Iterator[Problem]:
    measured = draft.measured_at
    if measured is None:
        return
    if measured.tzinfo is None or measured.utcoffset() is None:
        yield Problem("measured_at", "The time has no time zone.", "Add it, like +00:00.")
    elif measured.year < EARLIEST.year or measured < EARLIEST:
        yield Problem("measured_at", "The time lies before any model of this catalogue.", "Check the year.")
    elif measured.year > at.year + 1 or measured > at:
        reason = "The time lies in the future: what is not measured yet is no evidence."
        yield Problem("measured_at", reason, "Give the time at which it was measured.")


def _missing(draft: EvidenceDraft) -> Iterator[Problem]:
    kind = KINDS.get(draft.kind, Kind("", "piece of evidence"))
    for name in ("summary", "measured_at", *kind.needs):
        if not _is_filled(draft, name):
            yield Problem(name, f"A {kind.label} needs: {FIELD_LABELS[name]}.", "Fill it in.")
    if kind.one_of and not any(all(_is_filled(draft, name) for name in group) for group in kind.one_of):
        ways = ", or ".join(" and ".join(FIELD_LABELS[name] for name in group) for group in kind.one_of)
        yield Problem(kind.one_of[0][0], f"A {kind.label} needs: {ways}.", "Fill in one of them.")


def _is_filled(draft: EvidenceDraft, name: str) -> bool:
    value = getattr(draft, name)
    if isinstance(value, str):
        return bool(value.strip())
    return value is not None and value != ()


# --- Who may do what -------------------------------------------------------------------------------------------------


def may_attach(actor: Actor, *, owner_roles: Collection[str] = ()) -> Decision:
    """Decide whether the actor may attach evidence to a size that they can see.

    Args:
        actor: who asks.
        owner_roles: for a token, the roles that its owner holds now.
    """
    rule = "evidence: attach"
    if not actor.is_person:
        return may_not("sign_in", "Evidence is signed by a person.", rule, "Sign in with your account.")
    if actor.scopes is not None and WRITE_SCOPE not in actor.scopes:
        change = f"Create a token with the scope {WRITE_SCOPE} on your account page."
        return may_not("scope", f"This token does not carry the scope {WRITE_SCOPE}.", rule, change)
    held = actor.roles if actor.scopes is None else frozenset(owner_roles)
    if not ATTACHERS.intersection(held):
        return may_not("role", "Evidence is attached by staff and external reviewers.", rule, "Ask a release manager.")
    return allow("attacher", "Staff and external reviewers may attach evidence.", rule)


def may_review(actor: Actor, signer_id: str) -> Decision:
    """Decide whether the actor may accept or reject evidence that somebody signed."""
    rule = "evidence: review"
    if actor.scopes is not None:
        return may_not("token", "A token never reviews.", rule, "Sign in on the web.")
    if not actor.is_person or not actor.has_role(*REVIEWERS):
        names = ", ".join(role.replace("_", " ") for role in REVIEWERS)
        return may_not("role", f"Evidence is reviewed by: {names}.", rule, "Ask one of them.")
    if actor.id == signer_id:
        reason = "You signed this evidence; another person must review it."
        return may_not("own_evidence", reason, rule, "Ask another reviewer.")
    return allow("reviewer", "A reviewer other than the signer decides.", rule)


def may_sign_checklist(actor: Actor) -> Decision:
    """Decide whether the actor may sign a version of the safety checklist."""
    rule = "checklist: sign"
    if actor.scopes is not None:
        return may_not("token", "A token never signs the checklist.", rule, "Sign in on the web.")
    if not actor.is_person or not actor.has_role(*STAFF_ROLES):
        return may_not("role", "The safety checklist is signed by staff.", rule, "Ask a release manager.")
    return allow("staff", "Staff may answer and sign the checklist.", rule)
