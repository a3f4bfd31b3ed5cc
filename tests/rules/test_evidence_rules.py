"""Evidence: what it must say, how numbers are read, who may attach and review."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_portal.accounts.roles import Role
from release_portal.core.actors import ANONYMOUS, Actor, ActorKind, system_actor
from release_portal.core.errors import InvalidInput
from release_portal.evidence.digests import content_digest, number_text
from release_portal.evidence.kinds import ASSURANCES, FIELD_LABELS, KINDS, MEASURED
from release_portal.evidence.rules import (
    ATTACHERS,
    REVIEWERS,
    WRITE_SCOPE,
    EvidenceDraft,
    Problem,
    may_attach,
    may_review,
    may_sign_checklist,
    number_of,
    problems,
)
from release_portal.releases import gate_policy

AT = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
SERVED, OLDER, FOREIGN = "a" * 64, "b" * 64, "c" * 64
NAN, INFINITE = Decimal("nan"), Decimal("inf")
FIGURE = EvidenceDraft(
    criterion="C07",
    kind=MEASURED,
    summary="The detector finds most texts.",
    measured_at=AT - timedelta(days=1),
    value=Decimal("0.71"),
    ci_low=Decimal("0.65"),
    ci_high=Decimal("0.77"),
    n=400,
    harness="probe 1.2",
    dataset="held-out texts",
    subject_digest=SERVED,
)
STATEMENT = EvidenceDraft(
    criterion="C17", kind="attestation", summary="The line was tried.", measured_at=AT, statement="Somebody answered."
)


def found(draft: EvidenceDraft) -> list[Problem]:
    return problems(draft, served_digest=SERVED, known_digests={SERVED, OLDER}, at=AT)


def person(*roles: str, number: int = 1, scopes: frozenset[str] | None = None) -> Actor:
    return Actor(ActorKind.USER, str(number), f"person {number}", frozenset(roles), scopes)


# --- What it must say ------------------------------------------------------------------------------------------------


def test_a_whole_measurement_and_a_whole_statement_have_no_problem() -> None:
    assert found(FIGURE) == []
    assert found(STATEMENT) == []
    assert found(replace(FIGURE, subject_digest=OLDER)) == [], "older weights of the same size; the gate says more"


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"value": NAN}, "value", "not a number"),
        ({"value": INFINITE}, "value", "infinite"),
        ({"ci_low": -INFINITE}, "ci_low", "infinite"),
        ({"ci_high": NAN}, "ci_high", "not a number"),
        ({"value": Decimal("1e14"), "ci_high": Decimal("1e14")}, "value", "14 digits before the point"),
        ({"value": Decimal("0.71000000001")}, "value", "longer than the record keeps"),
        ({"n": 0}, "n", "nothing was measured"),
        ({"n": -3}, "n", "n is -3"),
        ({"n": 10**13}, "n", "too large"),
        ({"ci_low": Decimal("0.77"), "ci_high": Decimal("0.65")}, "ci_low", "reversed"),
        ({"ci_high": None}, "ci_high", "no upper end"),
        ({"value": Decimal("0.9")}, "value", "outside its interval"),
        ({"subject_digest": "A" * 64}, "subject_digest", "not a SHA-256"),
        ({"harness_digest": "a" * 63}, "harness_digest", "not a SHA-256"),
        ({"dataset_digest": "g" * 64}, "dataset_digest", "not a SHA-256"),
        ({"document_digest": "sha256:" + "a" * 57}, "document_digest", "not a SHA-256"),
        ({"subject_digest": FOREIGN}, "subject_digest", "other weights"),
        ({"kind": "rumour"}, "kind", "not a kind"),
        ({"criterion": "7"}, "criterion", "cannot be the id"),
        ({"criterion": "C0123456789AB"}, "criterion", "cannot be the id"),
        ({"assurance": "trust me"}, "assurance", "not an assurance"),
        ({"measured_at": AT + timedelta(seconds=1)}, "measured_at", "future"),
        ({"measured_at": datetime.max.replace(tzinfo=UTC)}, "measured_at", "future"),
        ({"measured_at": datetime(1999, 12, 31, tzinfo=UTC)}, "measured_at", "before any model"),
        ({"measured_at": datetime(2026, 3, 1)}, "measured_at", "no time zone"),
        ({"measured_at": None}, "measured_at", "needs: time of measuring"),
        ({"ttl_days": 0}, "ttl_days", "cannot count for 0 days"),
        ({"ttl_days": -1}, "ttl_days", "cannot count for -1 days"),
        ({"ttl_days": 4_000}, "ttl_days", "cannot count"),
        ({"summary": " "}, "summary", "needs: summary"),
        ({"summary": "x" * 301}, "summary", "301 characters"),
        ({"statement": "x" * 20_001}, "statement", "20,001 characters"),
        ({"unit": "x" * 41}, "unit", "41 characters"),
        ({"harness": "a\x00b"}, "harness", "no text"),
        ({"dataset": "a\ud800b"}, "dataset", "no text"),
        ({"link": "javascript:alert(1)"}, "link", "not a web address"),
        ({"link": "ftp://example.org/x"}, "link", "not a web address"),
        ({"link": "https://"}, "link", "not a web address"),
        ({"link": "https://[x/"}, "link", "not a web address"),
        ({"link": "https://example.org/a b"}, "link", "not a web address"),
        ({"items": ("a", "a")}, "items", "twice"),
        ({"items": ("",)}, "items", "cannot be kept"),
        ({"items": ("x" * 201,)}, "items", "cannot be kept"),
        ({"params": {"temperature": 0.7}}, "params", "cannot be kept"),
        ({"params": {"": "x"}}, "params", "cannot be kept"),
        ({"params": {"x": "a\x00"}}, "params", "cannot be kept"),
    ],
)
def test_what_is_wrong_is_refused_by_name(change: dict[str, Any], field: str, words: str) -> None:
    said = found(replace(FIGURE, **change))
    assert field in {problem.field for problem in said}
    assert any(words in problem.reason for problem in said if problem.field == field), said
    assert all(problem.change for problem in said), "each problem names the way out"


def test_other_weights_are_answered_with_those_that_are_served() -> None:
    assert SERVED in found(replace(FIGURE, subject_digest=FOREIGN))[0].change
    nothing_stored = problems(FIGURE, served_digest="", known_digests=(), at=AT)
    assert [problem.field for problem in nothing_stored] == ["subject_digest"]
    assert "leave it empty" in nothing_stored[0].change


@pytest.mark.parametrize("name", KINDS[MEASURED].needs)
def test_a_measurement_needs_each_of_its_fields(name: str) -> None:
    empty = "" if isinstance(getattr(FIGURE, name), str) else None
    assert name in {problem.field for problem in found(replace(FIGURE, **{name: empty}))}


@pytest.mark.parametrize("kind", ["document", "attestation", "external", "consultation"])
def test_what_is_written_needs_a_statement_or_a_link_with_the_digest_of_the_document(kind: str) -> None:
    link = {"link": "https://example.org/report.pdf"}
    bare = replace(STATEMENT, kind=kind, statement="")
    assert [problem.field for problem in found(bare)] == ["statement"]
    assert "link and document digest" in found(bare)[0].reason
    assert [problem.field for problem in found(replace(bare, **link))] == ["statement"], "a link alone may change"
    assert found(replace(bare, **link, document_digest="d" * 64)) == []


@pytest.mark.parametrize(("kind", "field"), [("count", "value"), ("duration", "value"), ("set_equal", "items")])
def test_the_other_kinds_need_one_field(kind: str, field: str) -> None:
    bare = replace(STATEMENT, kind=kind)
    assert [problem.field for problem in found(bare)] == [field]
    filled = replace(bare, value=Decimal(0)) if field == "value" else replace(bare, items=("toxicity", "bias"))
    assert found(filled) == []


def test_every_field_that_a_kind_needs_has_a_label() -> None:
    for kind in KINDS.values():
        for name in (*kind.needs, *(name for group in kind.one_of for name in group)):
            assert FIELD_LABELS[name]
            assert name in EvidenceDraft.__dataclass_fields__
    assert ASSURANCES["self"] == "author's own measurement"
    assert gate_policy.Criterion("C01", "t", MEASURED).kind in KINDS


# --- Numbers and digests ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    [("0.71", "0.71"), ("71e-2", "0.71"), (" +5 ", "5"), ("-.5", "-0.5"), ("3.", "3"), ("1E2", "100"), ("-0", "0")],
)
def test_numbers_are_read(text: str, number: str) -> None:
    assert number_of(text) == Decimal(number)
    assert number_text(number_of(text)) == number


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nan", "not a finite number"),
        ("-Inf", "not a finite number"),
        ("sNaN", "not a finite number"),
        ("infinity", "not a finite number"),
        ("1,5", "has a comma"),
        ("1,000.5", "has a comma"),
        ("", "There is no number"),
        ("a lot", "'a lot' is not a number"),
        ("1_000", "is not a number"),
        ("٣", "is not a number"),
        ("1e9999", "is not a number"),
        ("1" * 61, "61 characters"),
    ],
)
def test_what_is_no_number_is_refused_with_the_reason(text: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as caught:
        number_of(text, field="ci_low")
    assert caught.value.field == "ci_low"
    assert "0.71" in caught.value.change


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15))
def test_equal_numbers_have_one_text_and_so_one_digest(number: Decimal) -> None:
    longer = Decimal(f"{number:f}{'' if '.' in f'{number:f}' else '.'}000")
    assert number_text(longer) == number_text(number)
    assert Decimal(number_text(number)) == number
    assert content_digest({"x": longer}) == content_digest({"x": number})


def test_the_same_instant_has_one_digest_and_inexact_values_have_none() -> None:
    elsewhere = AT.astimezone(timezone(timedelta(hours=5)))
    assert content_digest({"at": AT}) == content_digest({"at": elsewhere})
    assert content_digest({"items": ("a",)}) == content_digest({"items": ["a"]})
    with pytest.raises(TypeError, match="float has no exact text"):
        content_digest({"x": {"y": [0.5]}})


# --- Who may do what -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", list(Role))
def test_every_role_attaches_and_four_of_them_review(role: str) -> None:
    assert may_attach(person(role)).allowed
    assert role in ATTACHERS
    assert may_review(person(role), "2").allowed == (role in REVIEWERS)
    assert may_sign_checklist(person(role)).allowed == (role != Role.EXTERNAL_REVIEWER)


@pytest.mark.parametrize(
    ("actor", "code"), [(person(), "role"), (ANONYMOUS, "sign_in"), (system_actor("x"), "sign_in")]
)
def test_nobody_else_attaches_or_reviews(actor: Actor, code: str) -> None:
    assert may_attach(actor).code == code
    assert may_review(actor, "2").code == "role"
    assert may_sign_checklist(actor).code == "role"


@pytest.mark.parametrize("role", REVIEWERS)
def test_nobody_reviews_what_they_signed(role: str) -> None:
    assert may_review(person(role, number=7), "7").code == "own_evidence"


def test_a_token_attaches_within_its_scope_and_never_reviews_or_signs() -> None:
    token = person("release_manager", scopes=frozenset({WRITE_SCOPE}))
    assert may_attach(token, owner_roles=("operator",)).allowed
    assert may_attach(token).code == "role", "the owner holds no role any more"
    assert may_attach(replace(token, scopes=frozenset({"staff:read"})), owner_roles=("operator",)).code == "scope"
    assert may_review(token, "2").code == "token"
    assert may_sign_checklist(token).code == "token"
