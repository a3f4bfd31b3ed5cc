"""The same requests through HTTP, Celery and Redis: what the portal adds to its engine."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import httpx

from benchmarks.serving.outcome import Outcome
from benchmarks.serving.workload import Ask
from release_portal.ops.redis_server import free_port
from tests.stack.portal import Portal

MODEL = "huggingfacetb/smollm2-135m-instruct"
QUOTA = {"tokens_per_day": 10**8, "requests_per_minute": 10**5, "concurrent": 1_000}
ON_A_GRANT = (
    "from release_portal.access.models import Grant; "
    f"print(Grant.objects.filter(holder__username='cleo', state='active').update(**{QUOTA!r}))"
)


class Through:
    """A whole portal, started for the measurement.

    Args:
        home: its folder.
        end_ids: token ids that end a text; they are made impossible, since a workload fixes its number of tokens.
    """

    def __init__(self, home: Path, end_ids: Sequence[int]) -> None:
        self._portal = Portal(home, free_port())
        self._portal.start()
        self._token = self._portal.token("cleo")
        assert int(self._portal.ask(ON_A_GRANT)) >= 1, "the demo's researcher has no grant to widen"
        self._bias = {str(token): -100 for token in end_ids}
        # One client with as many connections as are asked for: to make one for each request costs the machine more
        # than the portal's answer does.
        everything = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        self._client = httpx.Client(
            base_url=self._portal.url,
            headers={"Authorization": f"Bearer {self._token}"},
            limits=everything,
            timeout=600,
        )

    def run(self, asks: Sequence[Ask]) -> Outcome:
        """One round: a thread and a connection for each request."""
        began = time.perf_counter()
        results: dict[int, tuple[float, int, str]] = {}
        threads = [threading.Thread(target=self._one, args=(at, ask, began, results)) for at, ask in enumerate(asks)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - began
        ordered = [results[at] for at in range(len(asks))]
        firsts, tokens, texts = zip(*ordered, strict=True)
        return Outcome(seconds, sum(tokens), firsts, texts, 0)

    def stop(self) -> None:
        """Stop the portal."""
        self._client.close()
        self._portal.stop()

    def _one(self, at: int, ask: Ask, began: float, results: dict[int, tuple[float, int, str]]) -> None:
        threading.Event().wait(max(began + ask.at - time.perf_counter(), 0))
        body = {
            "model": MODEL,
            "prompt": ask.prompt,
            "max_tokens": ask.new_tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
            "logit_bias": self._bias,
        }
        first, text, tokens = 0.0, "", 0
        with self._client.stream("POST", "/v1/completions", json=body) as answer:
            if answer.status_code != 200:
                raise RuntimeError(answer.read().decode())
            for line in answer.iter_lines():
                if not line.startswith("data: {"):
                    continue
                event = json.loads(line[6:])
                if "error" in event:
                    raise RuntimeError(event["error"]["message"])
                first = first or time.perf_counter() - began - ask.at
                text += "".join(choice["text"] for choice in event["choices"])
                tokens = event["usage"]["completion_tokens"] if event.get("usage") else tokens
        results[at] = (first, tokens, text)
