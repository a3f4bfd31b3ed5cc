"""The numbers of the operators' page for Prometheus, read anew at every scrape."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from release_portal.core.clock import now
from release_portal.core.declare import by_token
from release_portal.jobs.service_state import ServiceState, WorkerSeen, service_state

# Name, sentence, and the field of a worker; a worker that does not say it has no sample.
WORKER_GAUGES = (
    ("portal_worker_running", "Requests in the worker's batch.", "running"),
    ("portal_worker_waiting", "Requests that wait at the worker.", "waiting"),
    ("portal_worker_max_running", "Most requests in the worker's batch.", "max_running"),
    ("portal_worker_max_waiting", "Most requests that may wait at the worker.", "max_waiting"),
    ("portal_worker_cache_used_tokens", "Tokens of cache in use.", "cache_used"),
    ("portal_worker_cache_total_tokens", "Tokens of cache in all.", "cache_total"),
    ("portal_worker_first_token_median_seconds", "Median time to the first token, last minute.", "first_median"),
    ("portal_worker_first_token_p95_seconds", "95th percentile of the same.", "first_p95"),
)
WORKER_COUNTERS = (
    ("portal_worker_steps", "Steps since the worker started.", "steps"),
    ("portal_worker_tokens", "Completion tokens since the worker started.", "tokens"),
    ("portal_worker_prompt_tokens", "Prompt tokens since the worker started.", "prompt_tokens"),
)


@by_token
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer a scrape that brings METRICS_TOKEN; without such a token set, nothing is here."""
    if not settings.METRICS_TOKEN:
        return HttpResponse("Set METRICS_TOKEN to offer metrics.\n", status=404, content_type="text/plain")
    sent = request.headers.get("Authorization", "").partition(" ")[2].strip()
    if not hmac.compare_digest(sent.encode(), settings.METRICS_TOKEN.encode()):
        return HttpResponse("Send METRICS_TOKEN as a bearer token.\n", status=401, content_type="text/plain")
    registry = CollectorRegistry()
    registry.register(_Collector(service_state(at=now())))
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Collector:
    """One state as Prometheus reads it."""

    def __init__(self, state: ServiceState) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        yield from service_families(self._state)
        yield from worker_families(self._state.workers)


def service_families(state: ServiceState) -> Iterator[Metric]:
    """Yield what is true of the whole service."""
    yield GaugeMetricFamily("portal_redis_up", "Whether Redis answers.", int(not state.problem))
    yield GaugeMetricFamily("portal_lease_held", "Whether permits can be given.", int(state.has_lease))
    yield GaugeMetricFamily("portal_workers", "Workers that live.", len(state.workers))
    yield GaugeMetricFamily("portal_queue_messages", "Requests that no worker has taken yet.", state.queued)
    by_size = "Requests that no worker has taken yet, by size."
    yield _labelled("portal_queue_messages_by_size", by_size, "size", state.queued_by_size)
    yield GaugeMetricFamily("portal_room", "Requests that may be running or waiting.", state.room)
    yield _labelled("portal_unfinished", "Requests running or waiting, by size.", "size", state.open_by_size)
    yield _labelled("portal_ended_5m", "Requests that ended in five minutes, by finish reason.", "reason", state.ended)
    rate = "Completion tokens a second of what ended in five minutes."
    yield GaugeMetricFamily("portal_tokens_per_second", rate, state.tokens_per_second)
    waits = (("0.5", state.wait_median), ("0.95", state.wait_p95))
    known = [(quantile, value) for quantile, value in waits if value is not None]
    yield _labelled("portal_wait_seconds", "From request to beginning, of five minutes.", "quantile", known)


def worker_families(workers: Iterable[WorkerSeen]) -> Iterator[Metric]:
    """Yield what each worker says of itself."""
    for kind, families in ((GaugeMetricFamily, WORKER_GAUGES), (CounterMetricFamily, WORKER_COUNTERS)):
        for name, sentence, field in families:
            family = kind(name, sentence, labels=["worker"])
            for worker in workers:
                value = getattr(worker, field)
                if value is not None:
                    family.add_metric([worker.name], value)
            yield family


def _labelled(name: str, sentence: str, label: str, values: Iterable[tuple[str, float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, sentence, labels=[label])
    for value, number in values:
        family.add_metric([value], number)
    return family
