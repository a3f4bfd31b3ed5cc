"""Several prompts in one request: each is permitted and charged, and all are queued or none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest
import redis
from kombu.exceptions import OperationalError

from inference.contract import FinishReason, Function, Piece, SamplingSettings, Usage, order_key
from release_portal.access.models import Grant
from release_portal.celery import app
from release_portal.core.errors import InvalidInput, NotAllowed, TooMuch, Unavailable
from release_portal.generation.services import generate, generate_again, generate_each
from release_portal.jobs.models import Job
from release_portal.jobs.quotas import usage_of
from release_portal.jobs.services import JobRequest, submit_jobs
from release_portal.jobs.settle import Settlement
from tests import fakes
from tests.world import MISSING_CHARACTER, SERVED, World

SETTINGS = SamplingSettings(max_tokens=8, samples=2, seed=7)
Committed = Callable[[], Any]


def requests(*prompts: str, settings: SamplingSettings = SETTINGS) -> list[JobRequest]:
    return [JobRequest(SERVED, Function.GENERATE, prompt, settings) for prompt in prompts]


def submit(world: World, committed: Committed, *prompts: str, name: str = "cleo") -> list[Job]:
    with committed():
        return submit_jobs(world.actors[name], requests(*prompts), at=world.at)


def limit(world: World, **limits: int) -> None:
    Grant.objects.filter(pk=world.grants["cleo"].pk).update(**limits)


def held(world: World) -> int:
    return usage_of(f"grant:{world.grants['cleo'].pk}", world.at).reserved


def test_each_prompt_is_a_job_with_a_permit_and_a_part_of_the_quota(
    world: World, service: redis.Redis, committed: Committed
) -> None:
    jobs = submit(world, committed, "one", "three", "two")
    assert [job.prompt for job in jobs] == ["one", "three", "two"]
    assert [one for one, _ in fakes.queued_messages(service)] == [job.pk for job in jobs]
    assert [permit.job_id for permit in fakes.permits(service)] == [job.pk for job in jobs]
    assert [job.reserved_tokens for job in jobs] == [3 + 16, 5 + 16, 3 + 16]
    assert held(world) == 59


@pytest.mark.parametrize(
    ("limits", "code"),
    [({"tokens_per_day": 40}, "tokens_per_day"), ({"requests_per_minute": 2}, "requests_per_minute")],
)
def test_when_the_last_does_not_fit_none_is_queued_and_nothing_stays_set_aside(
    world: World, service: redis.Redis, committed: Committed, limits: dict[str, int], code: str
) -> None:
    """Seen to fail with each claim held for the time of its own job only."""
    limit(world, **limits)
    with pytest.raises(TooMuch) as caught:
        submit(world, committed, "one", "three", "two")
    assert caught.value.code == code
    assert not Job.objects.exists()
    assert fakes.queued_messages(service) == []
    assert len(submit(world, committed, "one", "two")) == 2, "what the refused request had set aside is free again"


def test_more_prompts_than_may_ever_run_at_once_are_refused_for_good(
    world: World, service: redis.Redis, committed: Committed
) -> None:
    limit(world, concurrent=2)
    with pytest.raises(InvalidInput, match="2 of yours may run at once") as caught:
        submit(world, committed, "one", "two", "three")
    assert (caught.value.field, caught.value.code) == ("prompt", "too_many_prompts")
    assert len(submit(world, committed, "one", "two")) == 2


@pytest.mark.parametrize("wrong", ["", "x" * 3_000, MISSING_CHARACTER])
def test_one_prompt_that_cannot_be_taken_refuses_all(
    world: World, service: redis.Redis, committed: Committed, wrong: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        submit(world, committed, "one", wrong)
    assert caught.value.field in ("prompt", "max_tokens")
    assert not Job.objects.exists()
    with pytest.raises(NotAllowed):
        submit(world, committed, "one", "two", name="finn")


def test_a_queue_that_breaks_in_the_middle_leaves_no_order_behind(
    world: World, service: redis.Redis, committed: Committed, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []

    def send(name: str, args: list[str], **more: Any) -> None:
        if sent:
            raise OperationalError("gone")
        sent.append(args[0])

    monkeypatch.setattr(app, "send_task", send)
    with pytest.raises(Unavailable) as caught:
        submit(world, committed, "one", "two")
    assert caught.value.code == "broker_down"
    assert [service.exists(order_key(job.pk)) for job in Job.objects.all()] == [0, 0]


def test_token_ids_are_taken_where_a_text_is_read_as_exactly_these(
    world: World, service: redis.Redis, committed: Committed
) -> None:
    def each(*prompts: Any) -> list[Job]:
        with committed():
            return generate_each(world.actors["cleo"], SERVED, prompts, {"max_tokens": 4}, at=world.at)

    (plain,) = each("one")
    ids = ids_of(world, "one")
    (by_ids, text) = each(ids, "two")
    assert (by_ids.prompt, text.prompt) == (plain.prompt, "two")
    assert by_ids.settings.seed == text.settings.seed, "one request has one seed"
    with pytest.raises(InvalidInput) as caught:
        each((10**9,))
    assert (caught.value.field, caught.value.code) == ("prompt", "prompt_not_a_text")
    with pytest.raises(NotAllowed):
        generate_each(world.actors["finn"], SERVED, [(10**9,)], {}, at=world.at)


def ids_of(world: World, text: str) -> tuple[int, ...]:
    from django.conf import settings

    from release_portal.registry.tokens import prompt_tokenizer

    revision = world.size.current_revision
    assert revision is not None
    return tuple(prompt_tokenizer(settings.STORE_ROOT, revision.digest).ids(text))


def test_every_setting_reaches_the_worker_and_stays_with_the_job(
    world: World, service: redis.Redis, committed: Committed
) -> None:
    values = {
        "prompt": "Once", "max_tokens": 4, "seed": 1, "repetition_penalty": 1.5, "presence_penalty": -1,
        "frequency_penalty": 0.5, "logit_bias": {"3": -2.5}, "logprobs": 2, "echo": True,
    }  # fmt: skip
    with committed():
        job = generate(world.actors["cleo"], SERVED, values, at=world.at, interface="api")
    asked = SamplingSettings(
        max_tokens=4, seed=1, repetition_penalty=1.5, presence_penalty=-1.0, frequency_penalty=0.5,
        logit_bias=((3, -2.5),), logprobs=2, echo=True,
    )  # fmt: skip
    order = fakes.order_of(service, job.pk)
    assert order is not None
    assert order.settings == Job.objects.get(pk=job.pk).settings == asked
    with committed():
        again = generate_again(world.actors["cleo"], job.pk, at=world.at)
    assert asdict(again.settings) == asdict(replace(asked, logprobs=None, echo=False)), "a page says the prompt itself"


def test_a_bias_for_a_token_that_the_size_does_not_have_is_refused(
    world: World, service: redis.Redis, committed: Committed
) -> None:
    vocabulary = 256  # 255 bytes and one special token
    for token, is_known in ((vocabulary - 1, True), (vocabulary, False)):
        asked = requests("Once", settings=replace(SETTINGS, logit_bias=((token, 1.0),)))
        with committed():
            if is_known:
                assert submit_jobs(world.actors["cleo"], asked, at=world.at)
                continue
            with pytest.raises(InvalidInput) as caught:
                submit_jobs(world.actors["cleo"], asked, at=world.at)
            assert (caught.value.field, caught.value.code) == ("logit_bias", "token_unknown")


def test_an_echoed_prompt_is_no_output(world: World, service: redis.Redis, committed: Committed) -> None:
    """It would be fingerprinted as model-generated. Seen to fail with `_generated` returning the piece as it is."""
    (job,) = submit(world, committed, "Once")
    fakes.claim(service, job.pk)
    fakes.deliver(service, job.pk, Piece(0, "Once", 0), Piece(0, " upon", 1), Piece(1, "Once", 0), Piece(1, "", 1))
    fakes.finish(service, job.pk, FinishReason.LENGTH, usage=Usage(4, 2))
    Settlement(service).consume()
    assert [sample["text"] for sample in Job.objects.get(pk=job.pk).output] == [" upon", ""]
