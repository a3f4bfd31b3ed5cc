"""Moves over several rooms: a restriction ends exactly the running work that it no longer allows."""

from __future__ import annotations

from datetime import timedelta

import pytest

from inference.contract import Function, SamplingSettings
from release_portal.access.models import Grant
from release_portal.access.quota import PUBLIC_LIMITS, Limits
from release_portal.core.errors import InvalidInput, NotAllowed, TooMuch
from release_portal.epochs.services import numbers_of, size_key, start_epoch
from release_portal.generation.services import generate
from release_portal.jobs.models import Job
from release_portal.jobs.quotas import limits_of
from release_portal.jobs.services import JobRequest, submit_job
from release_portal.moves.services import restrict
from release_portal.releases.models import Hold
from tests.world import SERVED, World

DAY = timedelta(days=1)


def epochs(*keys: str) -> dict[str, int]:
    return numbers_of(keys)


@pytest.fixture
def partner(world: World) -> Grant:
    made = Grant.objects.create(
        holder=world.people["finn"], kind="partner", purpose="x", starts_at=world.at - DAY, ends_at=world.at + DAY,
        tokens_per_day=10, requests_per_minute=10, concurrent=1, created_at=world.at,
    )  # fmt: skip
    made.sizes.add(world.size)
    start_epoch(f"grant:{made.pk}")
    return made


def test_a_suspended_cohort_loses_its_running_work_and_nobody_else_does(world: World, partner: Grant) -> None:
    """Seen to fail with `advance_epoch` removed from `restrict`."""
    keys = (f"grant:{partner.pk}", f"grant:{world.grants['cleo'].pk}", size_key(SERVED))
    before = epochs(*keys)
    restrict(world.actor("ben"), world.size, "R3", reason="A leak.", cohort="partner", at=world.at)
    after = epochs(*keys)
    assert [after[key] - before[key] for key in keys] == [1, 0, 0]


@pytest.mark.parametrize(
    ("level", "terms", "ends"),
    [
        ("hold", {}, 0),
        ("R1", {"percent": 50}, 0),
        ("R2", {"functions": ["detect"]}, 1),
        ("R3", {"cohort": "public"}, 1),
        ("R5", {}, 1),
    ],
)
def test_what_ends_the_permits_of_everybody(world: World, level: str, terms: dict[str, object], ends: int) -> None:
    before = epochs(size_key(SERVED))[size_key(SERVED)]
    restrict(world.actor("olu"), world.size, level, reason="x", at=world.at, **terms)  # type: ignore[arg-type]
    assert epochs(size_key(SERVED))[size_key(SERVED)] == before + ends


def test_who_may_not_restrict_changes_no_epoch(world: World, partner: Grant) -> None:
    before = epochs(f"grant:{partner.pk}")
    with pytest.raises(NotAllowed):
        restrict(world.actor("ada"), world.size, "R3", reason="x", cohort="partner", at=world.at)
    assert epochs(f"grant:{partner.pk}") == before
    assert not Hold.objects.exists()


# --- What the restrictions do to use ---------------------------------------------------------------------------------


def request(most: int) -> JobRequest:
    return JobRequest(SERVED, Function.GENERATE, "Once", SamplingSettings(max_tokens=most))


def test_a_cut_quota_counts_at_the_next_request(world: World, service: object) -> None:
    """Seen to fail with the restrictions left out of `limits_of`."""
    Grant.objects.filter(pk=world.grants["cleo"].pk).update(tokens_per_day=1000)
    restrict(world.actor("ben"), world.size, "R1", reason="x", percent=1, at=world.at)
    with pytest.raises(TooMuch) as refused:
        submit_job(world.actor("cleo"), request(8), at=world.at)
    assert "of 10 are left today" in refused.value.reason
    assert not Job.objects.exists()


def test_limits_without_a_grant_are_cut_as_well(world: World) -> None:
    hold = restrict(world.actor("ben"), world.size, "R1", reason="x", percent=50, at=world.at)
    assert limits_of(None) == PUBLIC_LIMITS
    assert limits_of(None, [hold.restriction]) == Limits(10_000, 10, 1)


def test_a_longer_output_is_refused_by_name_and_what_nobody_asked_for_is_shortened(
    world: World, service: object
) -> None:
    """Seen to fail with `_check_length` removed, for a request that comes by another way."""
    restrict(world.actor("ben"), world.size, "R2", reason="x", max_tokens=8, at=world.at)
    cleo = world.actor("cleo")
    with pytest.raises(InvalidInput) as refused:
        generate(cleo, SERVED, {"prompt": "Once", "max_tokens": "9"}, at=world.at)
    assert (refused.value.field, refused.value.rule) == ("max_tokens", "restriction R2")
    with pytest.raises(InvalidInput) as at_the_door:
        submit_job(cleo, request(9), at=world.at)
    assert at_the_door.value.field == "max_tokens"
    assert generate(cleo, SERVED, {"prompt": "Once"}, at=world.at).settings.max_tokens == 8
    assert generate(cleo, SERVED, {"prompt": "Once", "max_tokens": 8}, at=world.at).settings.max_tokens == 8


def test_who_may_not_generate_learns_nothing_of_a_restriction(world: World, service: object) -> None:
    restrict(world.actor("ben"), world.size, "R2", reason="x", max_tokens=8, at=world.at)
    with pytest.raises(NotAllowed) as refused:
        generate(world.actor("finn"), SERVED, {"prompt": "Once", "max_tokens": "9"}, at=world.at)
    assert refused.value.code == "no_grant"
