"""Decisions become errors: may not 403, hidden 404, not now 409, too much 429."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from release_portal.core.actors import ANONYMOUS, Actor, ActorKind, system_actor
from release_portal.core.decisions import allow, may_not, not_now, too_much
from release_portal.core.errors import NotAllowed, NotFound, NotNow, PortalError, TooMuch, error_of

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("decision", "kind", "status"),
    [
        (may_not("a", "Because.", "rule", "Ask."), NotAllowed, 403),
        (not_now("a", "Because.", "rule", "Wait."), NotNow, 409),
        (too_much("a", "Because.", "rule", "Less.", AT), TooMuch, 429),
    ],
)
def test_each_refusal_is_its_error_and_keeps_its_words(decision, kind: type[PortalError], status: int) -> None:  # type: ignore[no-untyped-def]
    error = error_of(decision)
    assert type(error) is kind
    assert error.status == status
    assert (error.code, error.reason, error.rule, error.change) == (
        "a",
        "Because.",
        "rule",
        decision.change,
    )
    assert error.retry_at == decision.retry_at
    assert not decision


def test_a_hidden_refusal_says_nothing_of_the_rule_or_the_reason() -> None:
    """Seen to fail with `if decision.hide` removed."""
    error = error_of(may_not("hidden", "The size is not disclosed.", "stage registered", "", hide=True))
    assert isinstance(error, NotFound)
    assert "disclosed" not in f"{error.reason}{error.rule}{error.change}{error.code}"


def test_a_yes_is_no_error() -> None:
    assert allow("a", "Because.", "rule")
    with pytest.raises(ValueError):
        error_of(allow("a", "Because.", "rule"))


def test_actors_are_people_the_system_or_strangers() -> None:
    person = Actor(ActorKind.USER, "7", "somebody", frozenset({"board"}))
    assert (person.account_id, person.is_person, person.is_system) == (7, True, False)
    assert person.has_role("operator", "board")
    assert not person.has_role("operator")
    assert not person.has_role()
    for other in (ANONYMOUS, system_actor("sweeper")):
        assert other.account_id == 0
        assert not other.is_person
        assert not other.has_role("board")
    assert system_actor("sweeper").name == "system: sweeper"
