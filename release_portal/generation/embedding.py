"""Embed texts: one vector for each, an answer of the size like any other (docs/decisions/0015)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from django.conf import settings

from inference.contract import Function, Pooling, Priority
from release_portal.access.lookups import SizeAccess
from release_portal.access.policy import Action
from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput
from release_portal.generation.limits import read_prompt
from release_portal.jobs.models import Job
from release_portal.jobs.opening import open_size
from release_portal.jobs.prompts import text_of
from release_portal.jobs.services import JobRequest, check_request, submit_jobs
from release_portal.registry.models import ModelSize, Revision
from release_portal.registry.widths import width_of


def embed_each(
    actor: Actor,
    size: str,
    texts: Sequence[str | tuple[int, ...]],
    *,
    at: datetime,
    pooling: Pooling = Pooling.MEAN,
    width: int | None = None,
    purpose: str = "",
    end_user: str = "",
    priority: Priority = Priority.INTERACTIVE,
) -> list[Job]:
    """Submit one embedding for each text of a client's request, in their order: all of them, or none.

    Args:
        texts: texts, or the ids of their tokens.
        width: how many numbers the client expects of a vector; None: as many as the size gives.
        purpose: code of what it is for; may be left out where the grant has one purpose.
        end_user: whom a client says that it asks for.
        priority: whether somebody waits for the answer.

    Raises:
        PortalError: as for any job; InvalidInput at `dimensions` for a width that is not the size's own.
    """
    known = open_size(actor, size, Action.GENERATE, at=at)
    request = JobRequest(
        size, Function.EMBED, "", interface="api", purpose=purpose, pooling=pooling, end_user=end_user,
        priority=priority,
    )  # fmt: skip
    prompts = _prompts_of(known.access, texts, width)
    return submit_jobs(actor, [replace(request, prompt=prompt) for prompt in prompts], at=at, known=known)


def check_embedding(access: SizeAccess, text: str | tuple[int, ...], *, width: int | None, purpose: str) -> None:
    """Raise what would refuse an embedding whenever it came; submit nothing, and ask for no quota.

    Args:
        access: how the size is open to whoever asks.
        text: a text, or the ids of its tokens.
        width, purpose: as for `embed_each`.
    """
    (prompt,) = _prompts_of(access, [text], width)
    check_request(access, JobRequest(access.size.slug, Function.EMBED, prompt, interface="api", purpose=purpose))


def _prompts_of(access: SizeAccess, texts: Sequence[str | tuple[int, ...]], width: int | None) -> list[str]:
    revision = access.size.current_revision
    assert revision is not None  # the policy refuses sizes without weights
    if width is not None:
        _require_width(access.size, revision, width)
    return [read_prompt(one if isinstance(one, str) else text_of(access.size, revision, one)) for one in texts]


def _require_width(size: ModelSize, revision: Revision, width: int) -> None:
    own = width_of(settings.STORE_ROOT, revision.digest)
    if width != own:
        has = f"has vectors of {own:,} numbers" if own else "does not say how wide its vectors are"
        raise InvalidInput(
            f"{size.name} {has}; they are not shortened.",
            field="dimensions",
            code="unsupported_parameter",
            change="Leave dimensions out.",
        )
