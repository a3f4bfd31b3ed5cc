"""May this actor do X with this size now? The table, row by row, and the reasons given."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_portal.access.grant_rules import GRANT, GrantFacts, Pause
from release_portal.access.policy import (
    ARTEFACT_ACTIONS,
    GRANT_FUNCTIONS,
    NEEDS_WEIGHTS,
    TABLE,
    Action,
    Audience,
    Facts,
    decide,
    permitting_grant,
    stages_by_audience,
)
from release_portal.accounts.roles import SCOPES, STAFF_ROLES, Role
from release_portal.core.actors import ANONYMOUS, Actor, ActorKind
from release_portal.core.decisions import Refusal
from release_portal.releases.ladder import LADDER, artefacts_open_at, stage_of

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PERSON = Actor(ActorKind.USER, "7", "somebody")
STAFF = replace(PERSON, roles=frozenset({Role.RELEASE_MANAGER.value}))
REVIEWER = replace(PERSON, roles=frozenset({Role.EXTERNAL_REVIEWER.value}))
GRANT_IN_FORCE = GrantFacts(
    "g-1", "active", "research", frozenset({"generate", "detect", "weights"}), AT - DAY, AT + DAY
)
PARTNER_GRANT = replace(GRANT_IN_FORCE, id="g-2", kind="partner")
SLUGS = [stage.slug for stage in LADDER]


def facts(actor: Actor = PERSON, stage: str = "research_hosted", *grants: GrantFacts, **more: bool) -> Facts:
    return Facts(actor, stage, more.get("is_stopped", False), more.get("has_weights", True), grants, AT)


def test_the_table_names_an_audience_for_every_stage_and_action() -> None:
    assert set(TABLE) == set(SLUGS)
    assert all(set(row) == set(Action) for row in TABLE.values())


def test_a_wider_stage_never_takes_an_action_from_an_audience() -> None:
    """Monotonic by width of audience, so that advancing never ends a permit."""
    width = list(Audience)
    for action in Action:
        order = [width.index(TABLE[slug][action]) for slug in SLUGS]
        assert order == sorted(order), action


def test_artefacts_open_to_everyone_exactly_where_the_ladder_says() -> None:
    for stage in LADDER:
        for action, kind in ARTEFACT_ACTIONS.items():
            is_open = kind in artefacts_open_at(stage.slug)
            assert bool(decide(facts(ANONYMOUS, stage.slug), action)) == is_open, (stage.slug, action)
            assert decide(facts(STAFF, stage.slug), action), "staff read everything that can be read"


@pytest.mark.parametrize("action", Action)
def test_an_undisclosed_size_does_not_exist_for_anybody_but_staff(action: Action) -> None:
    for actor in (ANONYMOUS, PERSON, REVIEWER):
        decision = decide(facts(actor, "registered", GRANT_IN_FORCE), action)
        assert not decision
        assert decision.hide
    assert not decide(facts(STAFF, "registered"), action).hide


@pytest.mark.parametrize(
    ("stage", "anonymous", "signed_in", "granted", "partner"),
    [
        ("registered", False, False, False, False),
        ("disclosed", False, False, False, False),
        ("partner", False, False, False, True),
        ("research_hosted", False, False, True, True),
        ("public_hosted", False, True, True, True),
        ("research_weights", False, True, True, True),
        ("open_weights", False, True, True, True),
        ("open_science", False, True, True, True),
    ],
)
def test_who_generates_at_each_stage(
    stage: str, anonymous: bool, signed_in: bool, granted: bool, partner: bool
) -> None:
    def may(actor: Actor, *grants: GrantFacts) -> bool:
        return bool(decide(facts(actor, stage, *grants), Action.GENERATE))

    assert may(ANONYMOUS) == anonymous
    assert may(PERSON) == signed_in
    assert may(PERSON, GRANT_IN_FORCE) == granted
    assert may(PERSON, PARTNER_GRANT) == partner
    assert may(STAFF) == signed_in, "staff have no way around the table"


def test_weights_are_downloaded_under_a_grant_first_and_by_everyone_later() -> None:
    def may(stage: str, actor: Actor, *grants: GrantFacts) -> bool:
        return bool(decide(facts(actor, stage, *grants), Action.DOWNLOAD_WEIGHTS))

    assert [may(slug, PERSON, GRANT_IN_FORCE) for slug in SLUGS] == [False] * 5 + [True] * 3
    assert [may(slug, ANONYMOUS) for slug in SLUGS] == [False] * 6 + [True] * 2


@pytest.mark.parametrize(
    ("grant", "code"),
    [
        (None, "no_grant"),
        (replace(GRANT_IN_FORCE, state="suspended", suspended_reason="Volume."), "grant_suspended"),
        (replace(GRANT_IN_FORCE, starts_at=AT + timedelta(hours=1)), "grant_not_started"),
        (replace(GRANT_IN_FORCE, ends_at=AT), "grant_expired"),
        (replace(GRANT_IN_FORCE, state="revoked"), "grant_revoked"),
        (replace(GRANT_IN_FORCE, state="surrendered"), "grant_surrendered"),
        (replace(GRANT_IN_FORCE, state="closed"), "grant_closed"),
        (replace(GRANT_IN_FORCE, functions=frozenset({"detect"})), "grant_scope"),
    ],
)
def test_a_refusal_says_what_is_wrong_with_the_grant_and_what_would_change_it(
    grant: GrantFacts | None, code: str
) -> None:
    decision = decide(facts(PERSON, "research_hosted", *([grant] if grant else [])), Action.GENERATE)
    assert (decision.allowed, decision.code, decision.refusal) == (False, code, Refusal.MAY_NOT)
    assert decision.reason
    assert decision.change
    assert "research_hosted" in decision.rule
    if code == "grant_suspended":
        assert "Volume." in decision.reason


PAUSE = Pause("terms_lapsed", "Version 2 waits.", "Sign version 2.")
PAUSED_GRANT = replace(GRANT_IN_FORCE, pauses=(PAUSE,))


def test_a_pause_is_not_now_with_its_reason_and_what_ends_it() -> None:
    """Seen to fail with pauses left out of `state_at`."""
    decision = decide(facts(PERSON, "research_hosted", PAUSED_GRANT), Action.GENERATE)
    assert (decision.code, decision.refusal) == ("terms_lapsed", Refusal.NOT_NOW)
    assert (decision.reason, decision.change) == (PAUSE.reason, PAUSE.change)
    assert decide(facts(PERSON, "research_hosted", PAUSED_GRANT, PARTNER_GRANT), Action.GENERATE), "another grant works"
    assert decide(facts(PERSON, "public_hosted", PAUSED_GRANT), Action.GENERATE).code == "open_to_signed_in"


def test_a_pause_is_not_the_reason_where_the_grant_would_not_carry_anyway() -> None:
    narrow = replace(PAUSED_GRANT, functions=frozenset({"detect"}))
    assert decide(facts(PERSON, "research_hosted", narrow), Action.GENERATE).code == "grant_scope"
    assert decide(facts(PERSON, "partner", PAUSED_GRANT), Action.GENERATE).refusal is Refusal.MAY_NOT
    suspended = replace(PAUSED_GRANT, state="suspended", suspended_reason="Volume.")
    assert decide(facts(PERSON, "research_hosted", suspended), Action.GENERATE).code == "grant_suspended"


def test_a_research_grant_does_not_carry_where_only_partners_may() -> None:
    assert not decide(facts(PERSON, "partner", GRANT_IN_FORCE), Action.GENERATE)
    decision = decide(facts(PERSON, "partner", GRANT_IN_FORCE, PARTNER_GRANT), Action.GENERATE)
    assert decision.code == "grant"
    assert permitting_grant(facts(PERSON, "partner", GRANT_IN_FORCE, PARTNER_GRANT), Action.GENERATE) is PARTNER_GRANT


def test_a_restriction_or_missing_weights_is_not_now_and_reading_goes_on() -> None:
    """Seen to fail with `_by_circumstance` removed from `decide`."""
    for more, code in (({"is_stopped": True}, "restricted"), ({"has_weights": False}, "no_weights")):
        for action in Action:
            decision = decide(facts(PERSON, "open_science", **more), action)
            if action in NEEDS_WEIGHTS:
                assert (decision.code, decision.refusal) == (code, Refusal.NOT_NOW)
            else:
                assert decision


def test_a_stopped_size_does_not_tell_strangers_why() -> None:
    """Who may not anyway is told that, and not what happened inside."""
    assert decide(facts(PERSON, "research_hosted", is_stopped=True), Action.GENERATE).code == "no_grant"


@pytest.mark.parametrize("action", Action)
def test_a_token_does_only_what_its_scopes_name(action: Action) -> None:
    """Seen to fail with `_by_scope` removed from `decide`."""
    needed = {"generate": "generate", "detect": "detect"}.get(action.value, "catalogue:read")
    for scope in SCOPES:
        actor = replace(PERSON, scopes=frozenset({scope}))
        assert bool(decide(facts(actor, "open_science", GRANT_IN_FORCE), action)) == (scope == needed)
    bare = replace(PERSON, scopes=frozenset())
    assert decide(facts(bare, "open_science", GRANT_IN_FORCE), action).code == "scope"


def test_external_reviewers_are_not_staff_and_every_other_role_is() -> None:
    assert frozenset(Role) - STAFF_ROLES == {Role.EXTERNAL_REVIEWER}
    for role in Role:
        actor = replace(PERSON, roles=frozenset({role.value}))
        assert bool(decide(facts(actor, "registered"), Action.VIEW)) == (role is not Role.EXTERNAL_REVIEWER)


def test_stages_by_audience_is_the_table_read_the_other_way() -> None:
    for action in Action:
        by_audience = stages_by_audience(action)
        assert {slug: who for who, slugs in by_audience.items() for slug in slugs} == {
            slug: TABLE[slug][action] for slug in SLUGS
        }


grants = st.builds(
    GrantFacts,
    id=st.sampled_from(["g-1", "g-2", "g-3"]),
    state=st.sampled_from(GRANT.states),
    kind=st.sampled_from(["research", "partner"]),
    functions=st.frozensets(st.sampled_from(sorted(set(GRANT_FUNCTIONS.values())))),
    starts_at=st.integers(-3, 2).map(lambda days: AT + days * DAY),
    ends_at=st.integers(-2, 3).map(lambda days: AT + days * DAY),
)
actors = st.builds(
    Actor,
    kind=st.sampled_from(ActorKind),
    id=st.just("7"),
    name=st.just("x"),
    roles=st.frozensets(st.sampled_from([role.value for role in Role])),
    scopes=st.none() | st.frozensets(st.sampled_from(sorted(SCOPES))),
)
worlds = st.builds(
    Facts,
    actor=actors,
    stage=st.sampled_from(SLUGS),
    is_stopped=st.booleans(),
    has_weights=st.booleans(),
    grants=st.lists(grants, max_size=3).map(tuple),
    at=st.just(AT),
)


@given(world=worlds, action=st.sampled_from(Action))
def test_every_answer_carries_a_code_a_reason_a_rule_and_a_refusal_says_what_would_change_it(
    world: Facts, action: Action
) -> None:
    decision = decide(world, action)
    assert decision.code
    assert decision.reason
    assert decision.rule
    assert decision.allowed == (decision.refusal is None)
    assert decision.allowed or decision.hide or decision.change


@given(world=worlds, action=st.sampled_from([Action.GENERATE, Action.DETECT]))
def test_nobody_but_a_signed_in_person_ever_runs_a_model(world: Facts, action: Action) -> None:
    if decide(world, action):
        assert world.actor.is_person
        assert stage_of(world.stage).ordinal >= stage_of("partner").ordinal
        assert world.has_weights
        assert not world.is_stopped


@given(world=worlds, action=st.sampled_from(Action))
def test_roles_alone_never_open_an_action_that_uses_weights(world: Facts, action: Action) -> None:
    without = replace(world, actor=replace(world.actor, roles=frozenset()))
    if action in NEEDS_WEIGHTS and world.stage != "registered":
        assert decide(world, action).allowed == decide(without, action).allowed
