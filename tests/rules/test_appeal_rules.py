"""Appeals: who may decide, until when one may be filed, how long the answer may take."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from release_portal.access.revocation_rules import decide_confirmation, end_with_time_back
from release_portal.appeals.rules import (
    APPEAL,
    PAUSE_ANSWER_WITHIN,
    STATES,
    SUSPENSION,
    WINDOW,
    decide_command,
    due_after,
    may_file,
    outcomes_of,
    relations,
)
from release_portal.core.actors import ANONYMOUS, Actor, ActorKind, system_actor

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)
LEAD = Actor(ActorKind.USER, "2", "ivy", frozenset({"access_lead"}))
APPELLANT = Actor(ActorKind.USER, "1", "cleo")
COMMANDS = [command.name for command in APPEAL.commands]


def ask(name: str, state: str, actor: Actor, *, assigned: str = "", decided_by: tuple[str, ...] = ("9",)) -> str:
    decision = decide_command(name, state, actor, appellant_id="1", assigned_id=assigned, decided_by=decided_by)
    return decision.code


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ("file", "answer")])
@pytest.mark.parametrize("state", STATES)
def test_T6_nobody_decides_who_took_part_or_who_appeals(name: str, state: str) -> None:
    """Also after a role was given later."""
    assert ask(name, state, LEAD, assigned="2", decided_by=("2",)) == "took_part"
    appealing_lead = Actor(ActorKind.USER, "1", "cleo", frozenset({"access_lead"}))
    assert ask(name, state, appealing_lead, assigned="1") == "own_appeal"


@pytest.mark.parametrize("name", ["uphold", "partly", "overturn", "ask"])
def test_only_the_one_to_whom_it_is_assigned_decides(name: str) -> None:
    assert ask(name, "assigned", LEAD, assigned="2") == "transition"
    assert ask(name, "assigned", LEAD, assigned="3") == "role"


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("state", STATES)
def test_T26_nothing_is_decided_by_the_system_a_visitor_or_a_token(name: str, state: str) -> None:
    """There is no command for silence: no relation of the system stands in the table."""
    token = Actor(ActorKind.USER, "2", "ivy", frozenset({"access_lead"}), frozenset({"staff:read"}))
    for actor in (system_actor("sweeper"), ANONYMOUS, token):
        assert ask(name, state, actor, assigned=actor.id) == "role"
    assert "system" not in {who for command in APPEAL.commands for who in command.by}


def test_T29_every_state_but_the_last_has_a_way_on() -> None:
    stuck = {state for state in STATES if not any(state in command.sources for command in APPEAL.commands)}
    assert stuck == {"inadmissible", "closed"}


def test_a_role_that_was_taken_away_no_longer_decides() -> None:
    plain = Actor(ActorKind.USER, "2", "ivy")
    assert relations(plain, "1", "2", ("9",)) == frozenset()
    assert relations(APPELLANT, "1", "", ("9",)) == {"appellant"}


def test_T30_the_window_is_half_a_year_from_delivery_and_does_not_begin_without_it() -> None:
    assert may_file(AT, AT)
    assert may_file(AT, AT + WINDOW - timedelta(seconds=1))
    assert may_file(AT, AT + WINDOW).code == "too_late"
    assert may_file(None, AT + 900 * DAY)


def test_paused_access_is_looked_at_sooner() -> None:
    assert due_after(SUSPENSION, AT) == AT + PAUSE_ANSWER_WITHIN
    assert due_after("revocation", AT) == AT + 28 * DAY, "twenty working days"


def test_a_refusal_has_no_lost_time_to_keep_back() -> None:
    assert outcomes_of("refusal") == ("uphold", "overturn")
    assert outcomes_of("revocation") == ("uphold", "partly", "overturn")


def test_the_rest_of_the_time_is_the_same_before_and_after_the_old_end() -> None:
    end = AT + 10 * DAY
    for until in (AT + 3 * DAY, AT + 40 * DAY):
        assert end_with_time_back(end, AT + DAY, until) - until == end - (AT + DAY)


def test_two_people_revoke() -> None:
    assert decide_confirmation("2", "3")
    assert decide_confirmation("2", "2").code == "same_person"
    assert decide_confirmation("2", None).code == "not_proposed"
