"""T8 at every door: what the pure rule says of a random world is what page, API, enqueue and worker do with it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from inference.contract import FinishReason, Function, Permit, SamplingSettings, ended_key
from inference.tasks import serve
from release_portal.access.lookups import decisions_for
from release_portal.access.models import Grant
from release_portal.access.policy import READ_SCOPE, Action
from release_portal.access.quota import Limits
from release_portal.access.services import suspend_grant
from release_portal.accounts.actors import actor_of, actor_of_token
from release_portal.accounts.models import ApiToken, User
from release_portal.accounts.services import create_token
from release_portal.core import clock
from release_portal.core.actors import ANONYMOUS, Actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import PortalError, error_of
from release_portal.core.keys import keys_for
from release_portal.epochs.publisher import raise_epochs
from release_portal.epochs.services import numbers_of
from release_portal.jobs import quotas
from release_portal.jobs.services import JobRequest, submit_job
from release_portal.moves.services import restrict
from release_portal.registry.models import ModelSize
from release_portal.releases.narrowings import roll_back
from tests import fakes
from tests.fakes import pretend_service
from tests.services.test_random_worlds import SIZES, Answers, fetched, listed, on_worlds
from tests.services.working import Worker
from tests.services.worlds import IS_CI, Town, town
from tests.world import World

pytestmark = pytest.mark.django_db

WORLDS = 300 if IS_CI else SIZES


@dataclass
class Asker:
    """Somebody at the doors: signed in on the web, and with a token at the APIs."""

    actor: Actor
    token: Actor
    web: Client
    bearer: dict[str, str]


@pytest.fixture(autouse=True)
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quotas are proved elsewhere: here they are wide enough that R1 leaves something of each."""
    monkeypatch.setattr(quotas, "PUBLIC_LIMITS", Limits(10**6, 10**4, 10**4))


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Return a way to stop the clock of every interface."""
    import_module(settings.ROOT_URLCONF)  # what is imported later would keep the real clock
    stands_at: list[datetime] = []
    for module in list(sys.modules.values()):
        if getattr(module, "now", None) is clock.now and module is not clock:
            monkeypatch.setattr(module, "now", lambda: stands_at[-1])

    def stop(at: datetime) -> None:
        stands_at.append(at)  # each example has a time of its own

    return stop


def asker_of(person: User | None, at: datetime) -> Asker:
    """One person with a token that reads and generates, or a stranger."""
    web = Client(raise_request_exception=False)
    if person is None:
        return Asker(ANONYMOUS, ANONYMOUS, web, {})
    web.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    actor = actor_of(person)
    _, secret = create_token(actor, person, name="t", scopes=["generate", READ_SCOPE], at=at - timedelta(minutes=1))
    token = actor_of_token(ApiToken.objects.get(user=person))
    return Asker(actor, token, web, {"Authorization": f"Bearer {secret}"})


# --- The doors -------------------------------------------------------------------------------------------------------


def check_pages(asker: Asker, size: ModelSize, answers: Answers) -> None:
    """A size's page is hidden or offers what may be done; the playground opens or says by which rule not."""
    args = [size.lab_slug, size.size_slug]
    page = asker.web.get(reverse("size", args=args))
    playground = asker.web.get(reverse("playground", args=args))
    assert page.status_code == (200 if answers[Action.VIEW] else 404)
    assert playground.status_code == status_of(answers[Action.GENERATE])
    if answers[Action.VIEW]:
        text, offer = page.content.decode(), f'href="{reverse("playground", args=args)}"'
        assert (offer in text) == bool(answers[Action.GENERATE]), (
            "the page offers what it does not open, or the reverse"
        )


def check_api(asker: Asker, size: ModelSize, answers: Answers) -> None:
    """The catalogue of programs tells every decision by its code."""
    found = asker.web.get(reverse("api-size", args=[size.lab_slug, size.size_slug]), headers=asker.bearer)
    assert found.status_code == (200 if answers[Action.VIEW] else 404)
    if answers[Action.VIEW]:
        told = {row["action"]: (row["allowed"], row["code"]) for row in found.json()["decisions"]}
        assert told == {action.value: (one.allowed, one.code) for action, one in answers.items()}


def check_models(asker: Asker, drawn: Town) -> None:
    """The list of models is the list of sizes with which the token generates."""
    found = asker.web.get(reverse("openai-models"), headers=asker.bearer)
    assert found.status_code == (200 if asker.bearer else 401)
    if asker.bearer:
        slugs = {size.slug for size in drawn.sizes}
        told = {row["id"] for row in found.json()["data"]} & slugs
        assert told == listed(asker.token, Action.GENERATE, drawn)


def complete(asker: Asker, size: ModelSize) -> int:
    """Ask for a completion; return the status."""
    body = {"model": size.slug, "prompt": "Once", "max_tokens": 4, "stream": True}
    url = reverse("openai-completions")
    return asker.web.post(url, json.dumps(body), "application/json", headers=asker.bearer).status_code


def enqueue(actor: Actor, size: ModelSize, at: datetime) -> str:
    """Ask the one door to the worker; return what it said."""
    try:
        request = JobRequest(size.slug, Function.GENERATE, "Once", SamplingSettings(max_tokens=4))
        submit_job(actor, request, at=at)
    except PortalError as error:
        return error.code
    return "queued"


def status_of(decision: Decision) -> int:
    """The status of the web and of the catalogue for a decision."""
    return 200 if decision else error_of(decision).status


# --- What is taken back ----------------------------------------------------------------------------------------------


def suspend(officer: Actor, size: ModelSize, grant: Grant | None, at: datetime) -> None:
    """Suspend the grant that carried the job, if one did."""
    if grant is not None:
        suspend_grant(officer, grant.pk, reason="x", expected_version=grant.version, at=at)


def stop_use(officer: Actor, size: ModelSize, grant: Grant | None, at: datetime) -> None:
    """Stop all use of the size (R5)."""
    restrict(officer, size, "R5", reason="x", at=at)


def suspend_cohort(officer: Actor, size: ModelSize, grant: Grant | None, at: datetime) -> None:
    """Suspend everybody who uses the size as this asker does (R3)."""
    restrict(officer, size, "R3", cohort=grant.kind if grant else "public", reason="x", at=at)


def narrow(officer: Actor, size: ModelSize, grant: Grant | None, at: datetime) -> None:
    """Roll the size back to where nobody generates."""
    roll_back(officer, size, "disclosed", reason="x", expected_version=size.standing.version, at=at)


def leave(officer: Actor, size: ModelSize, grant: Grant | None, at: datetime) -> None:
    """Take nothing back."""


TAKE_BACK = (suspend, stop_use, suspend_cohort, narrow, leave)


@pytest.fixture
def officer(world: World) -> Actor:
    """Who takes back."""
    return world.actor("ben")


def end_at_the_worker(worker: Worker, job_id: str, token: str) -> str:
    """Let the worker's own task serve a message; return how it ended."""
    serve(worker.runtime, job_id, token)
    return str(worker.client.get(ended_key(job_id)))


def check_worker(
    worker: Worker, officer: Actor, asker: Asker, size: ModelSize, take_back: Callable[..., None], at: datetime
) -> None:
    """Of two queued jobs the worker serves the first; of the second it asks again, after something was taken back."""
    (first, one), (second, two) = fakes.queued_messages(worker.client)[-2:]
    permit = Permit.verify(two, keys_for("permit"), 0.0)
    if permit.expires_at <= time.time():  # a grant that ends in this very moment: the worker's clock goes on
        assert end_at_the_worker(worker, first, one) == FinishReason.EXPIRED
        return
    assert end_at_the_worker(worker, first, one) == FinishReason.LENGTH
    carrying = next((key.removeprefix("grant:") for key in permit.epochs if key.startswith("grant:")), None)
    take_back(officer, size, Grant.objects.filter(pk=carrying).first(), at)
    taken_back = [key for key in permit.epochs if key.startswith(("size:", "grant:"))]
    raise_epochs(worker.client, numbers_of(taken_back))  # what the transaction would do when it commits
    still_may = bool(decisions_for(asker.actor, fetched_one(size), at=at)[Action.GENERATE])
    ended = end_at_the_worker(worker, second, two)
    assert ended == (FinishReason.LENGTH if take_back is leave else FinishReason.STOPPED) or still_may
    assert ended in (FinishReason.LENGTH, FinishReason.STOPPED)
    assert take_back is not leave or still_may


def fetched_one(size: ModelSize) -> ModelSize:
    """The size as the database holds it now."""
    return ModelSize.objects.select_related("standing", "family").prefetch_related("revisions").get(pk=size.pk)


# --- The property ----------------------------------------------------------------------------------------------------


@on_worlds(WORLDS)
@given(data=st.data())
def test_T8_every_door_says_what_the_rule_says_on_random_worlds(
    world: World, worker: Worker, officer: Actor, still: Callable[[datetime], None], committed: Any, data: st.DataObject
) -> None:
    """Three hundred worlds in the ci profile, each with an asker of its own, through page, API, enqueue and worker."""
    at = clock.now()
    still(at)
    with town(data.draw, at, sizes=SIZES, people=SIZES - 1) as drawn:
        pretend_service(worker.client)
        for size, person in zip(fetched(drawn), [*drawn.people, None], strict=True):
            with transaction.atomic():  # what one world does is undone before the next
                asker = asker_of(person, at)
                check_models(asker, drawn)
                check_pages(asker, size, decisions_for(asker.actor, size, at=at))
                check_api(asker, size, decisions_for(asker.token, size, at=at))
                check_queue(worker, officer, asker, size, committed, data.draw(st.sampled_from(TAKE_BACK)), at)
                transaction.set_rollback(True)


def check_queue(
    worker: Worker,
    officer: Actor,
    asker: Asker,
    size: ModelSize,
    committed: Any,
    take_back: Callable[..., None],
    at: datetime,
) -> None:
    """What the rule allows is queued by both doors, and what it refuses leaves nothing behind."""
    worker.client.delete(*fakes.queues(worker.client))
    by_token, by_hand = (decisions_for(one, size, at=at)[Action.GENERATE] for one in (asker.token, asker.actor))
    with committed():
        status = complete(asker, size)
    with committed():
        said = enqueue(asker.actor, size, at)
    assert (status == 200) == bool(by_token and asker.bearer)
    assert said == ("queued" if by_hand else error_of(by_hand).code)
    assert len(fakes.queued_messages(worker.client)) == (status == 200) + (said == "queued")
    if status == 200 and said == "queued":
        check_worker(worker, officer, asker, size, take_back, at)
