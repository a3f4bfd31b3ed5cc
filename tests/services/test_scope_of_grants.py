"""What a grant opens: bounds at every door, a purpose for each job, narrowing by one person, notices of its end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import redis
from django.test import AsyncClient, Client

from inference.contract import FinishReason, Function, SamplingSettings, Usage
from release_portal.access.activation import accept_terms
from release_portal.access.extra_terms import Term
from release_portal.access.grant_rules import EXPIRED
from release_portal.access.models import AgreementVersion, Grant, GrantFunction, TermsOffer
from release_portal.access.quota import Limits
from release_portal.access.reminders import remind_of_ends
from release_portal.access.restricting import restrict_grant
from release_portal.access.reviews import approve_application
from release_portal.access.sampler_rules import Span
from release_portal.access.scope_rules import Scope
from release_portal.access.services import expire_grants
from release_portal.accounts.services import create_token
from release_portal.audit.models import AuditEvent
from release_portal.core.actors import system_actor
from release_portal.core.clock import now
from release_portal.core.errors import InvalidInput, NotAllowed, NotNow, StaleVersion
from release_portal.epochs.services import grant_key, numbers_of
from release_portal.generation.services import generate
from release_portal.jobs.models import Job
from release_portal.jobs.quotas import use_by_purpose
from release_portal.jobs.services import JobRequest, submit_job
from release_portal.jobs.settle import Outcome, settle
from release_portal.notices.models import Notice
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from tests.services.applying import conditions
from tests.services.applying import submit as apply_for
from tests.services.test_applications import approve as approve_one
from tests.services.test_reviewing import approve, risky
from tests.services.working import Worker
from tests.world import SERVED, World

Committed = Callable[[], Any]
DAY = timedelta(days=1)
REQUEST = JobRequest(SERVED, Function.GENERATE, "Once upon a time", SamplingSettings(max_tokens=60))
PLAYGROUND = f"/sizes/{SERVED}/playground/"
FORM = {"prompt": "Hello", "temperature": "0.5", "top_k": "20", "top_p": "0.9", "max_tokens": "8", "samples": "1"}


@pytest.fixture
def agreement(world: World, at: datetime) -> AgreementVersion:
    """The shipped agreement, in force for some time."""
    return write_agreement(DEMO, at=at - 100 * DAY)


def held(world: World, name: str = "cleo") -> Grant:
    return Grant.objects.get(pk=world.grants[name].pk)


def give(world: World, **fields: Any) -> Grant:
    Grant.objects.filter(pk=world.grants["cleo"].pk).update(**fields)
    return held(world)


def secret_of(world: World, name: str = "cleo") -> str:
    at = now() - timedelta(minutes=1)
    return create_token(world.actor(name), world.people[name], name="t", scopes=("generate", "detect"), at=at)[1]


def post_v1(secret: str, body: dict[str, Any]) -> Any:
    async def send() -> Any:
        client = AsyncClient(raise_request_exception=False)
        headers = {"Authorization": f"Bearer {secret}"}
        data = json.dumps({"model": SERVED, "prompt": "Hello", "stream": True} | body)
        return await client.post("/v1/completions", data, "application/json", headers=headers)

    return asyncio.run(send())


# --- Bounds ---------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("bounds", "word", "value", "v1_name"),
    [
        ({"temperature": [None, 0.7]}, "temperature", 0.8, "temperature"),
        ({"temperature": [0.6, None]}, "temperature", 0.2, "temperature"),
        ({"max_tokens": [None, 8]}, "max_tokens", 9, "max_tokens"),
        ({"top_p": [None, 0.9]}, "top_p", 1, "top_p"),
        ({"top_k": [None, 40]}, "top_k", 0, "top_k"),
        ({"samples": [None, 1]}, "samples", 2, "n"),
        ({"context": [None, 12]}, "max_tokens", 8, "max_tokens"),
    ],
)
def test_a_setting_outside_of_the_grants_bounds_is_refused_at_every_door_with_its_name(
    world: World,
    service: redis.Redis,
    client_of: Callable[[str], Client],
    bounds: dict[str, Any],
    word: str,
    value: float,
    v1_name: str,
) -> None:
    """Seen to fail with `_check_bounds` left out."""
    give(world, sampler=bounds)
    secret = secret_of(world)
    page = client_of("cleo").post(PLAYGROUND, {**FORM, word: str(value), "seed": "", "stop": "", "submit_key": "k"})
    assert page.status_code == 400
    assert "Your grant bounds this" in page.content.decode()
    headers = {"Authorization": f"Bearer {secret}"}
    body = json.dumps({"size": SERVED, "prompt": "Hello", "max_tokens": 8} | {word: value})
    answer = Client().post("/api/jobs/", body, "application/json", headers=headers)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, word), answer.content
    assert answer.json()["error"]["code"] == "sampler_bounds"
    refused = post_v1(secret, {"max_tokens": 8} | {v1_name: value})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, v1_name)
    assert not Job.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_client_that_names_no_settings_is_moved_into_the_bounds(world: World, service: redis.Redis) -> None:
    give(world, sampler={"temperature": [None, 0.7], "max_tokens": [None, 4], "top_k": [None, 40]})
    assert post_v1(secret_of(world), {}).status_code == 200
    chosen = Job.objects.get().settings
    assert (chosen.temperature, chosen.max_tokens, chosen.top_k, chosen.top_p) == (0.7, 4, 40, 1.0)


def test_a_score_keeps_the_bound_of_length_and_no_other(
    world: World, service: redis.Redis, committed: Committed, at: datetime
) -> None:
    score = replace(REQUEST, function=Function.SCORE)
    give(world, sampler={"context": [None, len(score.prompt)], "temperature": [None, 0.1]})
    with committed():
        assert submit_job(world.actors["cleo"], score, at=at)
    with pytest.raises(InvalidInput) as caught:
        submit_job(world.actors["cleo"], replace(score, prompt=score.prompt + "!"), at=at)
    assert caught.value.field == "prompt"


def test_the_playground_says_the_bounds_and_begins_inside(
    world: World, service: redis.Redis, client_of: Callable[[str], Client]
) -> None:
    give(world, sampler={"temperature": [None, 0.7], "max_tokens": [None, 32]})
    text = client_of("cleo").get(PLAYGROUND).content.decode()
    assert "Your grant: at most 0.7." in text
    assert 'value="0.7"' in text
    assert 'value="32"' in text


def test_of_two_approvals_the_narrower_bounds_are_given_and_bounds_without_a_rest_are_not(
    world: World, agreement: AgreementVersion, at: datetime
) -> None:
    sent = risky(world, at)
    approve(world, sent, at, "ben", sampler={"temperature": Span(0.2, 0.9), "samples": Span(most=2)})
    with pytest.raises(InvalidInput) as caught:
        approve(world, sent, at + DAY, "ivy", sampler={"temperature": Span(1, 2)})
    assert caught.value.field == "temperature_most"
    grant = approve(world, sent, at + DAY, "ivy", sampler={"temperature": Span(most=0.5), "max_tokens": Span(most=9)})
    assert grant is not None
    assert Grant.objects.get(pk=grant.pk).bounds() == {
        "temperature": Span(0.2, 0.5),
        "samples": Span(most=2),
        "max_tokens": Span(most=9),
    }
    assert Grant.objects.get(pk=grant.pk).purposes == [sent.purpose_code]


def test_bounds_of_an_approval_under_terms_count_once_the_terms_are_accepted(
    world: World, agreement: AgreementVersion, at: datetime
) -> None:
    """Seen to fail with the bounds left out of the offer."""
    sent = apply_for(world, "finn", at)
    given = conditions(sent, terms=(Term("Q06", "12"),), sampler={"samples": Span(most=1)})
    assert approve_application(world.actor("ivy"), sent.pk, given, expected_version=sent.version, at=at) is None
    sent.refresh_from_db()
    digest = TermsOffer.objects.get(application=sent).digest
    grant = accept_terms(world.actor("finn"), sent.pk, digest, expected_version=sent.version, at=at)
    assert Grant.objects.get(pk=grant.pk).bounds() == {"samples": Span(most=1)}


def test_a_renewal_gives_its_own_bounds_and_purpose_and_ends_wider_permits(
    world: World, agreement: AgreementVersion, at: datetime
) -> None:
    old = world.grants["cleo"]
    before = numbers_of([grant_key(old.pk)])[grant_key(old.pk)]
    sent = apply_for(world, "cleo", at, renews=old.pk, purpose_code="P08")
    approve_one(world, sent, at, sampler={"samples": Span(most=1)})
    assert (held(world).purposes, held(world).bounds()) == (["P08"], {"samples": Span(most=1)})
    assert numbers_of([grant_key(old.pk)])[grant_key(old.pk)] == before + 1


# --- Purposes -------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_with_several_purposes_every_door_asks_for_one_and_refuses_a_foreign_one(
    world: World, service: redis.Redis, client_of: Callable[[str], Client]
) -> None:
    """400 names the field and the choices, 403 is for what the grant is not for. Seen to fail without the check."""
    give(world, purposes=["P01", "P08"])
    secret, cleo = secret_of(world), client_of("cleo")
    form = {**FORM, "seed": "", "stop": "", "submit_key": "k-1"}
    headers = {"Authorization": f"Bearer {secret}"}

    def api(**more: Any) -> Any:
        body = json.dumps({"size": SERVED, "prompt": "Hello", "max_tokens": 8} | more)
        return Client().post("/api/jobs/", body, "application/json", headers=headers)

    assert 'name="purpose"' in cleo.get(PLAYGROUND).content.decode()
    missing = cleo.post(PLAYGROUND, form)
    assert missing.status_code == 400
    assert "P08 (Evaluation and benchmarks)" in missing.content.decode()
    assert (api().status_code, api().json()["error"]["param"]) == (400, "purpose")
    v1 = post_v1(secret, {"max_tokens": 8})
    assert (v1.status_code, v1.json()["error"]["param"]) == (400, "metadata.purpose")
    assert "P01" in v1.json()["error"]["message"]

    assert cleo.post(PLAYGROUND, {**form, "purpose": "P15"}).status_code == 403
    assert (api(purpose="P15").status_code, api(purpose="P15").json()["error"]["code"]) == (403, "purpose_foreign")
    foreign = post_v1(secret, {"metadata": {"purpose": "P15"}})
    assert (foreign.status_code, foreign.json()["error"]["param"]) == (403, "metadata.purpose")
    assert post_v1(secret, {"metadata": {"purpose": 8}}).status_code == 400
    assert not Job.objects.exists()

    assert cleo.post(PLAYGROUND, {**form, "purpose": "P08"}).status_code == 303
    assert api(purpose="P01").json()["purpose"] == "P01"
    assert post_v1(secret, {"metadata": {"purpose": "P08", "run": "7"}}).status_code == 200
    assert list(Job.objects.order_by("created_at").values_list("purpose", flat=True)) == ["P08", "P01", "P08"]


def test_with_one_purpose_nobody_asks(
    world: World, service: redis.Redis, client_of: Callable[[str], Client], committed: Committed, at: datetime
) -> None:
    assert held(world).purposes == ["P01"]
    assert 'name="purpose"' not in client_of("cleo").get(PLAYGROUND).content.decode()
    with committed():
        assert generate(world.actors["cleo"], SERVED, {"prompt": "Hello"}, at=at).purpose == "P01"


def test_the_page_of_the_grant_counts_tokens_by_purpose_and_shows_no_content(
    world: World, service: redis.Redis, client_of: Callable[[str], Client], committed: Committed, at: datetime
) -> None:
    grant = give(world, purposes=["P01", "P08"])
    for number, code in enumerate(("P01", "P08", "P08")):
        with committed():
            job = submit_job(world.actors["cleo"], replace(REQUEST, purpose=code), at=at)
            settle(Outcome(job.pk, FinishReason.LENGTH, "", Usage(16, number)), [], at=at)
    found = [(one.purpose, one.tokens, one.requests) for one in use_by_purpose(f"grant:{grant.pk}", at)]
    assert found == [("P01", 16, 1), ("P08", 35, 2)]
    for name in ("cleo", "ben"):
        text = client_of(name).get(f"/grants/{grant.pk}/").content.decode()
        assert "35 tokens" in text
        assert "2 requests" in text
        assert "Each request names one of them." in text
        assert REQUEST.prompt not in text


# --- Narrowing ------------------------------------------------------------------------------------------------------


def narrower(grant: Grant, **changes: Any) -> Scope:
    return replace(grant.scope(), **changes)


def restrict(world: World, name: str, after: Scope, *, version: int | None = None, reason: str = "Too wide.") -> Any:
    expected = held(world).version if version is None else version
    return restrict_grant(
        world.actor(name), held(world).pk, after, reason=reason, expected_version=expected, at=world.at
    )


@pytest.mark.parametrize("name", ["ben", "olu", "ivy", "hal"])
def test_one_officer_or_lead_narrows_and_the_holder_reads_what_changed(world: World, name: str) -> None:
    grant = held(world)
    restrict(world, name, narrower(grant, functions=frozenset({"generate"}), sampler={"samples": Span(most=1)}))
    after = held(world)
    assert (after.scope().functions, after.bounds(), after.version) == (
        frozenset({"generate"}), {"samples": Span(most=1)}, grant.version + 1
    )  # fmt: skip
    event = AuditEvent.objects.get(kind="grant.restricted")
    assert event.data["changes"] == ["no longer: detect", "samples at most 1"]
    notice = Notice.objects.get(kind="grant_restricted")
    assert notice.recipient == world.people["cleo"]
    assert "no longer: detect; samples at most 1" in notice.body
    assert "Too wide." in notice.body


@pytest.mark.parametrize("name", ["cleo", "finn", "ada", "gia", "kim", "anonymous"])
def test_nobody_else_narrows(world: World, name: str) -> None:
    with pytest.raises(NotAllowed):
        restrict(world, name, narrower(held(world), functions=frozenset({"generate"})))


def test_nothing_is_widened_no_end_is_given_and_an_old_form_changes_nothing(world: World) -> None:
    grant = held(world)
    wider = narrower(grant, limits=Limits(grant.tokens_per_day + 1, 1, 1))
    for after, field in ((wider, "tokens_per_day"), (grant.scope(), "")):
        with pytest.raises(InvalidInput) as caught:
            restrict(world, "ben", after)
        assert caught.value.field == field
    less = narrower(grant, limits=Limits(1, 1, 1))
    with pytest.raises(InvalidInput) as caught:
        restrict(world, "ben", less, reason=" ")
    assert caught.value.field == "reason"
    with pytest.raises(StaleVersion):
        restrict(world, "ben", less, version=grant.version - 1 if grant.version > 1 else 99)
    Grant.objects.filter(pk=grant.pk).update(state=EXPIRED)
    with pytest.raises(NotNow):
        restrict(world, "ben", less)


def test_work_that_may_go_beyond_stops_and_a_smaller_quota_stops_none(
    world: World, worker: Worker, committed: Committed, at: datetime
) -> None:
    """Seen to fail with the epoch left as it was."""
    with committed():
        job = submit_job(world.actors["cleo"], REQUEST, at=now())
        restrict(world, "ben", narrower(held(world), limits=Limits(1_000, 5, 3)))
    worker.pause_at = 3
    thread = worker.run(job)
    assert worker.is_paused.wait(20)
    assert worker.tokens_of(job) > 0, "the quota was cut, and it runs"
    with committed():
        restrict(world, "ben", narrower(held(world), sampler={"max_tokens": Span(most=8)}))
    worker.go_on.set()
    thread.join(20)
    assert worker.end_of(job) == FinishReason.STOPPED


def test_the_page_offers_narrowing_to_the_duty_officer_and_keeps_what_was_typed(
    world: World, client_of: Callable[[str], Client]
) -> None:
    grant, ben = held(world), client_of("ben")
    address = f"/grants/{grant.pk}/"
    assert "Narrow this grant" in ben.get(address).content.decode()
    assert "Narrow this grant" not in client_of("cleo").get(address).content.decode()
    form = {
        "functions": ["generate", "detect"], "purposes": ["P01"], "tokens_per_day": str(grant.tokens_per_day),
        "requests_per_minute": str(grant.requests_per_minute), "concurrent": "1", "temperature_most": "much",
        "reason": "Too wide.", "expected_version": str(grant.version),
    }  # fmt: skip
    wrong = ben.post(f"{address}restrict/", form)
    assert wrong.status_code == 400
    assert "Write a number, or nothing." in wrong.content.decode()
    assert "Too wide." in wrong.content.decode()
    assert ben.post(f"{address}restrict/", form | {"temperature_most": "0.5"}).status_code == 303
    assert (held(world).concurrent, held(world).bounds()) == (1, {"temperature": Span(most=0.5)})
    text = client_of("cleo").get(address).content.decode()
    assert "temperature at most 0.5" in text
    assert "Too wide." in text


# --- Notices --------------------------------------------------------------------------------------------------------


def told(kind: str) -> int:
    return Notice.objects.filter(kind=kind, recipient__username="cleo").count()


def test_T11_sixty_fourteen_and_three_days_before_the_end_and_one_after_it(world: World) -> None:
    """T11: asked every hour of the last 70 days and of 30 days after the end, each is told once."""
    grant = held(world)
    sweeper = system_actor("sweeper")
    moment = grant.ends_at - 70 * DAY
    seen = []
    while moment < grant.ends_at + 30 * DAY:
        remind_of_ends(at=moment)
        expire_grants(sweeper, at=moment)
        seen.append((told("grant_ends_soon"), told("grant_expired")))
        moment += timedelta(hours=6)
    assert seen[-1] == (3, 1)
    assert sorted(set(seen)) == [(0, 0), (1, 0), (2, 0), (3, 0), (3, 1)]


def test_T11_a_renewal_stops_the_reminders_and_the_notice_of_the_old_end(
    world: World, agreement: AgreementVersion, at: datetime
) -> None:
    """T11: nothing is said at the old end of a grant that goes on."""
    grant = held(world)
    asked = grant.ends_at - 20 * DAY
    remind_of_ends(at=asked)
    assert told("grant_ends_soon") == 1
    approve_one(world, apply_for(world, "cleo", asked, renews=grant.pk), asked)
    for days in range(-19, 20):
        remind_of_ends(at=grant.ends_at + days * DAY)
        expire_grants(system_actor("sweeper"), at=grant.ends_at + days * DAY)
    assert (told("grant_ends_soon"), told("grant_expired")) == (1, 0)


def test_the_functions_of_a_grant_are_rows_that_narrowing_removes(world: World) -> None:
    restrict(world, "ben", narrower(held(world), functions=frozenset({"detect"})))
    assert list(GrantFunction.objects.filter(grant=held(world)).values_list("name", flat=True)) == ["detect"]
