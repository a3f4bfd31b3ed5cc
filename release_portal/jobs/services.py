"""Submit and cancel jobs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta

import redis
from django.db import IntegrityError, transaction
from kombu.exceptions import OperationalError

from inference.contract import (
    ASKED_KEY,
    ORDER_SECONDS,
    POLICY_KEY,
    READER_SECONDS,
    STREAM_SECONDS,
    TASK_NAME,
    FinishReason,
    Function,
    Order,
    Permit,
    Pooling,
    Priority,
    SamplingSettings,
    cancel_key,
    order_key,
    queue_of,
    reader_key,
)
from release_portal.access.lookups import SizeAccess
from release_portal.access.models import Grant
from release_portal.access.policy import POLICY_MARK, POLICY_VERSION, Action
from release_portal.access.purposes import purpose_of_job
from release_portal.access.sampler_rules import WIDEST, outside
from release_portal.celery import app
from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput, PortalError, Unavailable
from release_portal.core.keys import keys_for
from release_portal.core.redis_client import redis_client
from release_portal.jobs.end_users import end_user_mark
from release_portal.jobs.lookups import job_for
from release_portal.jobs.models import Job, new_job_id
from release_portal.jobs.opening import Opened, open_size
from release_portal.jobs.prompts import require_tokens, tokens_in
from release_portal.jobs.quotas import is_reserved, reserved
from release_portal.jobs.reservations import Claim
from release_portal.jobs.workers import require_service
from release_portal.registry.models import ModelSize
from release_portal.releases.hold_rules import Restriction

PERMIT_LASTS = timedelta(seconds=ORDER_SECONDS)
ACTION_OF = {
    Function.GENERATE: Action.GENERATE,
    Function.EMBED: Action.GENERATE,  # docs/decisions/0015: whoever holds the last state can choose the next token
    Function.SCORE: Action.DETECT,
    Function.CLASSIFY: Action.DETECT,
}


@dataclass(frozen=True)
class JobRequest:
    """What somebody asks of a size.

    Args:
        size: slug.
        function: what shall be done.
        prompt: text to continue, score, embed or classify.
        settings: how tokens are chosen; only a generation reads them.
        interface: "web" or "api".
        needs_reader: end the work when nobody reads it for 30 s.
        submit_key: the same key from the same account is the same job, however often it is sent.
        purpose: code of what it is for; may be left out where the grant has one purpose.
        priority: whether somebody waits for the answer.
        pooling: how an embedding becomes one vector.
        end_user: whom a client says that it asks for; only a mark of it is kept.
    """

    size: str
    function: Function
    prompt: str
    settings: SamplingSettings = field(default_factory=SamplingSettings)
    interface: str = "web"
    needs_reader: bool = False
    submit_key: str | None = None
    purpose: str = ""
    priority: Priority = Priority.INTERACTIVE
    pooling: Pooling = Pooling.MEAN
    end_user: str = ""

    @property
    def most_new(self) -> int:
        """Completion tokens that one sample may have."""
        return self.settings.max_tokens if self.function is Function.GENERATE else 0


def submit_job(actor: Actor, request: JobRequest, *, at: datetime, known: Opened | None = None) -> Job:
    """Check, permit and queue a request; the same submit_key again returns the job it made before.

    Args:
        known: as for `submit_jobs`.

    Raises:
        PortalError: what the policy, the quota or the prompt's limits say; Unavailable when no worker can take it.
    """
    if earlier := _same_submission(actor, request):
        return earlier
    try:
        return submit_jobs(actor, [request], at=at, known=known)[0]
    except IntegrityError:
        if earlier := _same_submission(actor, request):  # the second click won the race
            return earlier
        raise


def submit_jobs(
    actor: Actor, requests: Sequence[JobRequest], *, at: datetime, known: Opened | None = None
) -> list[Job]:
    """Check, permit and queue several requests, in their order; all of them, or none.

    Each becomes a job with its own permit and its own part of the quota.

    Args:
        known: how the size of these requests is open, for the same function, where that was asked for this call.

    Raises:
        PortalError: as for `submit_job`, of the first that cannot be taken.
    """
    opened = {known.access.size.slug: known} if known else {}
    for one in requests:
        if one.size not in opened:
            opened[one.size] = open_size(actor, one.size, ACTION_OF[one.function], at=at)
    counts = [_count(opened[one.size].access.size, one) for one in requests]
    require_service(*{_digest_of(one.access.size) for one in opened.values()}, at=at)
    _check_together([opened[one.size] for one in requests])
    return _permit_and_queue(actor, requests, opened, counts, at)


def check_request(access: SizeAccess, request: JobRequest) -> None:
    """Raise what would refuse a request whenever it came: its prompt, length, bounds or purpose; not the quota.

    Args:
        access: how the size is open to whoever asks; many requests can be held against the same one.
    """
    prompt_tokens = _count(access.size, request)
    _check_terms(access, request, prompt_tokens)


def _check_terms(access: SizeAccess, request: JobRequest, prompt_tokens: int) -> str:
    """Hold a request against restrictions and grant; return the purpose that it then has."""
    _check_length(request, access.restrictions)
    _check_bounds(request, access.grant, prompt_tokens)
    return purpose_of_job(access.grant.purposes if access.grant else (), request.purpose)


def _count(size: ModelSize, request: JobRequest) -> int:
    """Return the tokens of a prompt; refuse what the size's vocabulary and context cannot take."""
    revision = size.current_revision
    assert revision is not None  # the policy refuses sizes without weights
    require_tokens(size, revision, request.settings.logit_bias)
    return tokens_in(size, revision, request.prompt, most_new=request.most_new)


def _digest_of(size: ModelSize) -> str:
    revision = size.current_revision
    assert revision is not None  # the policy refuses sizes without weights
    return revision.digest


def _same_submission(actor: Actor, request: JobRequest) -> Job | None:
    if not request.submit_key or not actor.is_person:
        return None
    return Job.objects.filter(account_id=actor.account_id, submit_key=request.submit_key).first()


@transaction.atomic
def _permit_and_queue(
    actor: Actor, requests: Sequence[JobRequest], opened: Mapping[str, Opened], counts: Sequence[int], at: datetime
) -> list[Job]:
    with ExitStack() as held:  # until all fit, so that the last one's refusal frees the first one's tokens
        permitted = []
        for number, (request, prompt_tokens) in enumerate(zip(requests, counts, strict=True)):
            try:
                permitted.append(_permit(actor, request, opened[request.size], held, prompt_tokens, at))
            except PortalError as error:
                error.number = number
                raise
        transaction.on_commit(lambda: _queue(permitted))
    return [one.job for one in permitted]


def _check_together(opened: Sequence[Opened]) -> None:
    """Refuse more requests than may ever run at once: waiting would not help."""
    counts = Counter(one.holder for one in opened)
    for one in opened:
        if counts[one.holder] > max(one.limits.concurrent, 1):
            raise InvalidInput(
                f"These are {counts[one.holder]} requests at once; {one.limits.concurrent} of yours may run at once.",
                field="prompt",
                code="too_many_prompts",
                rule="quota: concurrent requests",
                change=f"Ask for at most {one.limits.concurrent} together.",
            )


@dataclass(frozen=True)
class Permitted:
    """A written job, and what the worker gets for it."""

    job: Job
    order: Order
    token: str


def _permit(
    actor: Actor, request: JobRequest, opened: Opened, held: ExitStack, prompt_tokens: int, at: datetime
) -> Permitted:
    """Check one request, hold its tokens and write its job."""
    access = opened.access
    asked = prompt_tokens + request.most_new * request.settings.samples
    request = replace(request, purpose=_check_terms(access, request, prompt_tokens))
    claim = Claim(opened.holder, new_job_id(), asked)
    held.enter_context(reserved(claim, opened.limits, at=at))
    job = _write_job(actor, request, access, claim, prompt_tokens, at)
    return _order(job, request, opened)


def _order(job: Job, request: JobRequest, opened: Opened) -> Permitted:
    permit = Permit(
        job_id=job.pk,
        size_id=opened.access.size.slug,
        weights_digest=job.weights_digest,
        function=request.function.value,
        expires_at=job.permit_ends_at.timestamp(),
        epochs=opened.epochs | {POLICY_KEY: POLICY_MARK},
    )
    order = Order(
        request.function,
        request.prompt,
        request.settings,
        request.needs_reader,
        priority=request.priority,
        share=job.quota_holder,
        # Not the permit's own end: a grant that ends sooner is another reason, and the permit says it.
        deadline=(job.created_at + PERMIT_LASTS).timestamp(),
        pooling=request.pooling,
    )
    return Permitted(job, order, permit.sign(keys_for("permit")))


def _write_job(
    actor: Actor, request: JobRequest, access: SizeAccess, claim: Claim, prompt_tokens: int, at: datetime
) -> Job:
    revision = access.size.current_revision
    assert revision is not None
    card = access.size.card_versions.first()
    ends = at + PERMIT_LASTS
    return Job.objects.create(
        id=claim.job_id,
        account_id=actor.account_id,
        size=access.size,
        grant=access.grant,
        function=request.function.value,
        interface=request.interface,
        submit_key=request.submit_key,
        purpose=request.purpose,
        end_user=end_user_mark(actor.account_id, request.end_user),
        stage=access.stage.slug,
        policy_version=POLICY_VERSION,
        card_version=card.number if card else 0,
        weights_digest=revision.digest,
        sampling=asdict(request.settings),
        sealed_prompt=Job.sealed(request.prompt),
        prompt_tokens=prompt_tokens,
        quota_holder=claim.holder,
        quota_day=at.astimezone(UTC).date(),
        reserved_tokens=claim.tokens,
        created_at=at,
        permit_ends_at=min(ends, access.grant_ends_at or ends),
    )


def _check_length(request: JobRequest, restrictions: Iterable[Restriction]) -> None:
    """Refuse an output that is longer than restriction R2 allows, whichever interface asks."""
    longest = min((one.max_tokens for one in restrictions if one.max_tokens is not None), default=None)
    if longest is not None and request.most_new > longest:
        raise InvalidInput(
            f"Use of this size is restricted (R2): an output has at most {longest} tokens.",
            field="max_tokens",
            rule="restriction R2",
            change=f"Ask for {longest} tokens or fewer.",
        )


def _check_bounds(request: JobRequest, grant: Grant | None, prompt_tokens: int) -> None:
    """Refuse settings that go beyond the grant's bounds, whichever interface asks."""
    bounds = grant.bounds() if grant else {}
    is_generation = request.function is Function.GENERATE
    values: dict[str, float] = {"context": prompt_tokens + request.most_new}
    if is_generation:
        values |= {name: getattr(request.settings, name) for name in WIDEST if name != "context"}
    problem = outside(bounds, values)
    if problem is not None:
        raise InvalidInput(
            problem.reason,
            field=problem.field if problem.field != "context" else "max_tokens" if is_generation else "prompt",
            code="sampler_bounds",
            rule="grant: sampler bounds (Q13)",
            change="Stay within the bounds; they stand on the page of your grant.",
        )


def _queue(permitted: Sequence[Permitted]) -> None:
    """Hand the orders to the worker; when that fails the settlement finds jobs without an order and ends them."""
    try:
        if not all(is_reserved(one.job) for one in permitted):
            raise _not_queued()
        _write_orders(permitted)
        for one in permitted:
            _send(one)
    except (redis.RedisError, OSError, OperationalError) as error:
        _withdraw_orders(permitted)
        raise _not_queued() from error


def _send(one: Permitted) -> None:
    queue = queue_of(one.job.weights_digest)
    app.send_task(TASK_NAME, args=[one.job.pk, one.token], queue=queue, retry=False, ignore_result=True)


def _write_orders(permitted: Sequence[Permitted]) -> None:
    """Write all orders in one act, and what they ask for: a broken connection leaves all of them or none."""
    pipe = redis_client().pipeline()
    pipe.sadd(ASKED_KEY, *{one.job.weights_digest for one in permitted})
    for one in permitted:
        pipe.set(order_key(one.job.pk), one.order.to_json(), ex=ORDER_SECONDS)
        if one.order.needs_reader:
            pipe.set(reader_key(one.job.pk), "submitted", ex=READER_SECONDS)
    pipe.execute()


def _withdraw_orders(permitted: Sequence[Permitted]) -> None:
    """Take back what was written before the queue failed; who was told "not queued" is not charged for a part."""
    try:
        redis_client().delete(*(order_key(one.job.pk) for one in permitted))
    except redis.RedisError:
        return  # it answers nobody: the permit's end or the settlement ends them


def _not_queued() -> Unavailable:
    change = "Nothing is charged. Try again in a minute."
    return Unavailable("The request could not be queued.", code="broker_down", change=change)


def cancel_job(actor: Actor, job_id: str) -> Job:
    """Ask the worker to stop one of the actor's own jobs; the settlement writes its end."""
    job = job_for(actor, job_id)
    if job.is_open:
        request_stop(job.pk, FinishReason.CANCELLED)
    return job


def request_stop(job_id: str, reason: FinishReason) -> None:
    """Leave the mark at which the worker ends a request before its next token."""
    try:
        redis_client().set(cancel_key(job_id), reason.value, ex=STREAM_SECONDS)
    except redis.RedisError as error:
        raise Unavailable("The stop could not be sent.", code="broker_down", change="Try again.") from error
