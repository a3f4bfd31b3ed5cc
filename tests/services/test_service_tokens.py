"""T24: a token acts for its owner within its scopes, under the name of its service, and decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from release_portal.access.application_rules import APPLICATION, REVIEWERS
from release_portal.access.applications import save_application
from release_portal.access.closing import close_grant
from release_portal.access.engagements import Rules, agree_to_engagement, end_engagement, write_engagement
from release_portal.access.extra_terms import Term
from release_portal.access.grant_rules import GRANT
from release_portal.access.models import Application, Grant
from release_portal.access.offers import offer_for_grant
from release_portal.access.restricting import restrict_grant
from release_portal.access.review_notes import advise, claim_application
from release_portal.access.reviews import approve_application, ask_applicant, refuse_application
from release_portal.access.revocations import propose_revocation, revoke_grant
from release_portal.access.services import confirm_suspension, lift_suspension, suspend_grant
from release_portal.accounts.actors import actor_of, actor_of_token
from release_portal.accounts.models import ApiToken, RoleAssignment
from release_portal.accounts.roles import SCOPES, STAFF_SCOPES, Role
from release_portal.accounts.services import create_token, give_role, revoke_token, take_role
from release_portal.accounts.token_rules import LONGEST_SERVICE, Wish, fault_of
from release_portal.appeals.models import Appeal
from release_portal.appeals.rules import APPEAL, DECIDERS
from release_portal.appeals.services import (
    accept_appeal,
    ask_appellant,
    assign_appeal,
    close_appeal,
    decide_appeal,
    dismiss_appeal,
    execute_appeal,
    file_appeal,
)
from release_portal.audit.models import AuditEvent
from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput, NotAllowed, NotFound, PortalError
from release_portal.core.lifecycle import Lifecycle
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from release_portal.ops.matrices import LIFECYCLES
from tests.services.applying import DAY, answers, conditions, submit
from tests.world import SERVED, World

pytestmark = pytest.mark.django_db
EVERY_SCOPE = (*SCOPES, *STAFF_SCOPES)
Act = Callable[[Actor], object]
# What a token may be to an object: never a role.
RELATIONS = {"applicant", "holder", "appellant"}


@pytest.fixture(autouse=True)
def agreement(world: World, at: datetime) -> None:
    """The shipped agreement, in force."""
    write_agreement(DEMO, at=at - 10 * DAY)


@pytest.fixture
def token(world: World, at: datetime) -> Actor:
    """A token with every scope, of somebody who holds every role."""
    ben = world.people["ben"]
    for role in Role:
        RoleAssignment.objects.get_or_create(user=ben, role=role, defaults={"given_at": at, "given_by": "tests"})
    made, _ = create_token(
        world.actor("ben"), ben, name="x", scopes=EVERY_SCOPE, at=at, ends_at=at + DAY, service="nightly"
    )
    return actor_of_token(made)


# --- What a token of a service is ------------------------------------------------------------------------------------


def test_a_service_is_named_in_the_record_beside_its_owner(world: World, at: datetime) -> None:
    cleo = world.people["cleo"]
    made, secret = create_token(
        world.actor("cleo"), cleo, name="evaluation", scopes=["applications:write"], at=at, ends_at=at + DAY,
        service="nightly-evaluation",
    )  # fmt: skip
    actor = actor_of_token(made)
    assert (actor.name, actor.id, actor.roles) == ("cleo/nightly-evaluation", str(cleo.pk), frozenset())
    created = AuditEvent.objects.get(kind="token.created", subject=f"account:{cleo.pk}")
    assert (created.actor_name, created.data["service"]) == ("cleo", "nightly-evaluation")
    assert secret not in str(created.data)


def test_T24_what_a_service_does_stands_under_both_names(world: World, at: datetime) -> None:
    finn = world.people["finn"]
    scopes = ["applications:write", "catalogue:read"]
    made, _ = create_token(world.actor("finn"), finn, name="x", scopes=scopes, at=at, ends_at=at + DAY, service="filer")
    draft = save_application(actor_of_token(made), SERVED, answers(at), expected_version=0, at=at)
    assert draft.applicant == finn
    event = AuditEvent.objects.get(kind="application.started")
    assert (event.actor_name, event.actor_id) == ("finn/filer", str(finn.pk))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({}, ""),
        ({"service": ""}, ""),
        ({"ends_at": None}, "ends_at"),
        ({"ends_at": None, "service": ""}, ""),
        ({"days": 0}, "ends_at"),
        ({"days": 366}, ""),
        ({"days": 367}, "ends_at"),
        ({"days": 3670, "service": ""}, ""),
        ({"service": "Nightly"}, "service"),
        ({"service": "a/b"}, "service"),
        ({"service": "-a"}, "service"),
        ({"service": "a" * 41}, "service"),
        ({"service": "a" * 40}, ""),
        ({"scopes": ()}, "scopes"),
        ({"scopes": ("staff:read",)}, "scopes"),
        ({"name": " "}, "name"),
    ],
)
def test_the_token_of_a_service_has_a_plain_name_and_an_end(
    at: datetime, changes: Mapping[str, Any], field: str
) -> None:
    given = dict(changes)
    days = given.pop("days", 30)
    wish = replace(Wish("x", ("generate",), at + timedelta(days=days), "nightly"), **given)
    fault = fault_of(wish, tuple(SCOPES), at)
    assert (fault.field if fault else "") == field
    assert timedelta(days=366) == LONGEST_SERVICE


def test_the_database_keeps_no_service_without_an_end(world: World, at: datetime) -> None:
    finn = world.people["finn"]
    with pytest.raises(InvalidInput, match="must end"):
        create_token(world.actor("finn"), finn, name="x", scopes=["generate"], at=at, service="nightly")
    with pytest.raises(IntegrityError), transaction.atomic():
        ApiToken.objects.create(user=finn, name="x", service="nightly", prefix="rp_", digest="d", created_at=at)


def test_T24_a_token_makes_and_ends_no_token_and_gives_no_role(world: World, token: Actor, at: datetime) -> None:
    ben = world.people["ben"]
    with pytest.raises(NotAllowed):
        create_token(token, ben, name="y", scopes=["generate"], at=at)
    with pytest.raises(NotFound):
        revoke_token(token, ApiToken.objects.get(user=ben).pk, at=at)
    for change in (give_role, take_role):
        with pytest.raises(NotAllowed):
            change(token, world.people["finn"], "board", reason="x", at=at)


# --- It decides nothing ----------------------------------------------------------------------------------------------


def test_T24_every_command_of_every_lifecycle_is_refused_to_a_token(token: Actor) -> None:
    """Seen to fail with the owner's roles left to the token."""
    for lifecycle in LIFECYCLES:
        for command in lifecycle.commands:
            if command.by & RELATIONS:
                continue
            for state in command.sources:
                decision = lifecycle.decide(command.name, state, token.roles)
                assert (bool(decision), decision.code) == (False, "role"), (lifecycle.kind, command.name)


def test_T24_every_deciding_command_on_applications_grants_and_appeals_is_403_for_a_token(
    world: World, token: Actor, at: datetime
) -> None:
    """The services themselves, called with a token of somebody who may give every one of these commands."""
    acts = {**_on_application(world, at), **_on_grant(world, at), **_on_appeal(world, at)}
    for lifecycle, roles in ((APPLICATION, REVIEWERS), (GRANT, tuple(Role)), (APPEAL, (*DECIDERS, "assignee"))):
        assert _decided_by(lifecycle, roles) <= set(acts), lifecycle.kind
    events = AuditEvent.objects.count()
    for (kind, name), act in acts.items():
        with pytest.raises(PortalError) as raised:
            act(token)
        assert raised.value.status == 403, (kind, name, raised.value.reason)
    assert AuditEvent.objects.count() == events


def _decided_by(lifecycle: Lifecycle, roles: tuple[str, ...]) -> set[tuple[str, str]]:
    """The commands that people with roles give; `vote` is given by approving or refusing, `renew` by approving."""
    inside = {"vote", "renew"}
    return {(lifecycle.kind, one.name) for one in lifecycle.commands if one.by & set(roles) and one.name not in inside}


def _on_application(world: World, at: datetime) -> dict[tuple[str, str], Act]:
    sent: Application = submit(world, "lou", at)
    given: dict[str, Any] = {"expected_version": sent.version, "at": at}
    return {
        ("application", "claim"): lambda who: claim_application(who, sent.pk, reason="", at=at),
        ("application", "advise"): lambda who: advise(who, sent.pk, text="Yes.", at=at),
        ("application", "ask"): lambda who: ask_applicant(who, sent.pk, question="Why?", **given),
        ("application", "approve"): lambda who: approve_application(who, sent.pk, conditions(sent), **given),
        ("application", "offer"): lambda who: approve_application(
            who, sent.pk, conditions(sent, terms=(Term("Q06", "6"),)), **given
        ),
        ("application", "refuse"): lambda who: refuse_application(
            who, sent.pk, code="purpose_unclear", text="No.", **given
        ),
    }


def _on_grant(world: World, at: datetime) -> dict[tuple[str, str], Act]:
    held: Grant = world.grants["cleo"]
    rules = Rules((SERVED,), ("FRAUD",), 1_000, "nowhere", held.ends_at)
    given: dict[str, Any] = {"expected_version": held.version, "at": at}
    return {
        ("grant", "suspend"): lambda who: suspend_grant(who, held.pk, reason="x", **given),
        ("grant", "confirm"): lambda who: confirm_suspension(who, held.pk, reason="x", **given),
        ("grant", "lift"): lambda who: lift_suspension(who, held.pk, reason="x", is_unfounded=False, **given),
        ("grant", "propose"): lambda who: propose_revocation(who, held.pk, code="misuse", text="x", **given),
        ("grant", "revoke"): lambda who: revoke_grant(who, held.pk, reason="x", **given),
        ("grant", "restrict"): lambda who: restrict_grant(who, held.pk, held.scope(), reason="x", **given),
        ("grant", "close"): lambda who: close_grant(who, held.pk, **given),
        ("grant", "amend"): lambda who: offer_for_grant(who, held.pk, (Term("Q06", "6"),), reason="x", at=at),
        ("grant", "engage"): lambda who: write_engagement(who, held.pk, rules, at=at),
        ("grant", "agree"): lambda who: agree_to_engagement(who, held.pk, at=at),
        ("grant", "disengage"): lambda who: end_engagement(who, held.pk, reason="x", at=at),
    }


def _on_appeal(world: World, at: datetime) -> dict[tuple[str, str], Act]:
    refused = submit(world, "finn", at)
    refuse_application(
        world.actor("ivy"), refused.pk, code="purpose_unclear", text="No.", expected_version=refused.version, at=at
    )
    filed: Appeal = file_appeal(world.actor("finn"), f"application:{refused.pk}", text="It is clear.", at=at)
    given: dict[str, Any] = {"expected_version": filed.version, "at": at}
    acts: dict[str, Act] = {
        "accept": lambda who: accept_appeal(who, filed.pk, **given),
        "dismiss": lambda who: dismiss_appeal(who, filed.pk, code="settled", **given),
        "assign": lambda who: assign_appeal(who, filed.pk, to="ben", **given),
        "ask": lambda who: ask_appellant(who, filed.pk, question="Why?", **given),
        "execute": lambda who: execute_appeal(who, filed.pk, **given),
        "close": lambda who: close_appeal(who, filed.pk, **given),
        **{name: _decide(filed, name, given) for name in ("uphold", "partly", "overturn")},
    }
    return {("appeal", name): act for name, act in acts.items()}


def _decide(filed: Appeal, verdict: str, given: dict[str, Any]) -> Act:
    return lambda who: decide_appeal(who, filed.pk, verdict=verdict, reason="x", **given)


def test_the_person_behind_the_token_may_give_what_the_token_may_not(world: World, token: Actor, at: datetime) -> None:
    """So that the refusals above are about the token."""
    act = _on_application(world, at)["application", "advise"]
    act(actor_of(world.people["ben"]))
    with pytest.raises(NotAllowed):
        act(token)
