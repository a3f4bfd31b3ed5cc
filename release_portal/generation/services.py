"""Generate, and generate again."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from inference.contract import Function, Priority
from release_portal.access.lookups import SizeAccess
from release_portal.access.policy import Action
from release_portal.core.actors import Actor
from release_portal.core.errors import PortalError
from release_portal.generation.limits import RANGES, read_prompt, read_settings
from release_portal.jobs.lookups import generation_for, generations_for
from release_portal.jobs.models import Job, Receipt
from release_portal.jobs.opening import Opened, open_size
from release_portal.jobs.prompts import end_of_text, text_of
from release_portal.jobs.services import JobRequest, check_request, submit_job, submit_jobs
from release_portal.registry.models import ModelSize


def fresh_seed() -> int:
    """Return a seed for somebody who gave none."""
    return secrets.randbelow(2**31)


def generate(
    actor: Actor,
    size: str,
    values: Mapping[str, Any],
    *,
    at: datetime,
    interface: str = "web",
    submit_key: str | None = None,
    usual_tokens: int | None = None,
) -> Job:
    """Submit a generation from the words of a form or a client.

    Args:
        values: prompt, temperature, top_k, top_p, max_tokens, stop, seed, samples, penalties, logit_bias, logprobs,
            echo, purpose, end_user; numbers may be text.
        usual_tokens: length of an output where the values give none.
    """
    known = _known(actor, size, at)
    request = _request(size, values, known, interface=interface, usual_tokens=usual_tokens)
    prompt = read_prompt(values.get("prompt", ""))
    return submit_job(actor, replace(request, prompt=prompt, submit_key=submit_key or None), at=at, known=known)


def generate_each(
    actor: Actor,
    size: str,
    prompts: Sequence[str | tuple[int, ...] | None],
    values: Mapping[str, Any],
    *,
    at: datetime,
    usual_tokens: int | None = None,
    priority: Priority = Priority.INTERACTIVE,
) -> list[Job]:
    """Submit one generation for each prompt of a client's request, in their order: all of them, or none.

    Args:
        prompts: texts, or the ids of their tokens; None for the token with which the size's texts end.
        values: as for `generate`, without a prompt; all share the settings and the seed.
        priority: whether somebody waits for the answer.
    """
    known = _known(actor, size, at)
    asked = _request(size, values, known, interface="api", usual_tokens=usual_tokens)
    request = replace(asked, priority=priority)
    # Whoever may not use the size is refused here, and learns nothing of its vocabulary.
    known = known or open_size(actor, size, Action.GENERATE, at=at)
    texts = [one if isinstance(one, str) else _text_in(known.access.size, one) for one in prompts]
    return submit_jobs(actor, [replace(request, prompt=read_prompt(text)) for text in texts], at=at, known=known)


def check_generation(
    access: SizeAccess,
    prompt: str | tuple[int, ...] | None,
    values: Mapping[str, Any],
    *,
    usual_tokens: int | None = None,
) -> None:
    """Raise what would refuse a generation whenever it came; submit nothing, and ask for no quota.

    Args:
        access: how the size is open to whoever asks.
        prompt: a text, or the ids of its tokens.
        values: as for `generate`, without a prompt.
    """
    bounds = access.grant.bounds() if access.grant else {}
    settings = read_settings(values, fresh_seed, access.longest_output, bounds=bounds, usual_tokens=usual_tokens)
    request = JobRequest(
        size=access.size.slug,
        function=Function.GENERATE,
        prompt=read_prompt(prompt if isinstance(prompt, str) else _text_in(access.size, prompt)),
        settings=settings,
        interface="api",
        purpose=str(values.get("purpose") or ""),
    )
    check_request(access, request)


def generate_together(
    actor: Actor, asked: Sequence[tuple[str, Mapping[str, Any]]], *, at: datetime, submit_key: str | None = None
) -> list[Job]:
    """Submit generations that somebody compares: all of them, or none; the same key again returns the same jobs.

    Args:
        asked: size and values of each; what is wrong with one of them is named `<number>.<field>`.
    """
    keys = [f"{submit_key}:{number}" if submit_key else None for number in range(len(asked))]
    if earlier := _earlier(actor, keys):
        return earlier
    requests = [
        replace(_numbered(actor, number, size, values, at), submit_key=key)
        for number, ((size, values), key) in enumerate(zip(asked, keys, strict=True))
    ]
    try:
        return submit_jobs(actor, requests, at=at)
    except PortalError as error:
        if error.number is not None and error.field in RANGES:  # what they have in common is wrong for all of them
            error.field = f"{error.number}.{error.field}"
        raise


def _earlier(actor: Actor, keys: Sequence[str | None]) -> list[Job]:
    """Return what these keys submitted before, in their order."""
    known = {job.submit_key: job for job in generations_for(actor).filter(submit_key__in=[key for key in keys if key])}
    return [known[key] for key in keys] if known.keys() >= set(keys) else []


def _numbered(actor: Actor, number: int, size: str, values: Mapping[str, Any], at: datetime) -> JobRequest:
    prompt = read_prompt(values.get("prompt", ""))
    try:
        known = _known(actor, size, at)
        request = _request(size, values, known, interface="web", usual_tokens=None)
        return replace(request, prompt=prompt)
    except PortalError as error:
        error.field = f"{number}.{error.field}"
        raise


def _request(
    size: str,
    values: Mapping[str, Any],
    known: Opened | None,
    *,
    interface: str,
    usual_tokens: int | None,
) -> JobRequest:
    """Return the request that the values describe, its prompt left open."""
    grant = known.access.grant if known else None
    bounds, longest = grant.bounds() if grant else {}, known.access.longest_output if known else None
    return JobRequest(
        size=size,
        function=Function.GENERATE,
        prompt="",
        settings=read_settings(values, fresh_seed, longest, bounds=bounds, usual_tokens=usual_tokens),
        interface=interface,
        needs_reader=interface == "web",
        purpose=str(values.get("purpose") or ""),
        end_user=str(values.get("end_user") or ""),
    )


def _text_in(size: ModelSize, ids: tuple[int, ...] | None) -> str:
    assert size.current_revision is not None  # the policy refuses sizes without weights
    if ids is None:
        return end_of_text(size, size.current_revision)
    return text_of(size, size.current_revision, ids)


def _known(actor: Actor, size: str, at: datetime) -> Opened | None:
    """Return how the size is open, for the bounds of what nobody asks for; the submission refuses."""
    try:
        return open_size(actor, size, Action.GENERATE, at=at)
    except PortalError:
        return None


def generate_again(actor: Actor, job_id: str, *, at: datetime, submit_key: str | None = None) -> Job:
    """Submit the same prompt, settings and seed as an earlier job of the actor's; the page says the prompt."""
    earlier = generation_for(actor, job_id)
    request = JobRequest(
        size=earlier.size.slug,
        function=Function.GENERATE,
        prompt=earlier.prompt,
        settings=replace(earlier.settings, echo=False, logprobs=None),
        needs_reader=True,
        submit_key=submit_key or None,
        purpose=earlier.purpose,
    )
    return submit_job(actor, request, at=at)


def count_permalinks(receipt: Receipt) -> int:
    """Count the generations of a withdrawn grant: their pages stay, and none can be run again under it."""
    return Job.objects.filter(grant_id=receipt.grant_id, function=Function.GENERATE.value).count()
