"""A text that this portal generated, asked about in this portal: the record and the real model's numbers."""

from __future__ import annotations

import json
from math import fsum, sqrt
from typing import Any

import openai
import pytest

from tests.stack.conftest import MODEL
from tests.stack.portal import Portal, wait_for

pytestmark = pytest.mark.worker

IMPORTS = (
    "import json; from release_portal.accounts.actors import actor_of; "
    "from release_portal.accounts.models import User; "
    "from release_portal.core.clock import now; from release_portal.detection.lookups import report_for; "
    "from release_portal.detection.services import detect, report_payload; "
    "cleo = actor_of(User.objects.get(username='cleo')); "
)


def ask_about(portal: Portal, text: str) -> str:
    """Submit a text as cleo; return the report's id."""
    return portal.ask(f"{IMPORTS}print(detect(cleo, {MODEL!r}, {text!r}, at=now()).pk)").splitlines()[-1]


def payload_of(portal: Portal, report_id: str) -> dict[str, Any]:
    code = f"{IMPORTS}print(json.dumps(report_payload(report_for(cleo, {report_id!r}))))"
    return json.loads(portal.ask(code).splitlines()[-1])


def scored(portal: Portal, report_id: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = payload_of(portal, report_id)
        return found if found["state"] != "waiting" else None

    return wait_for(look, "the score", 90)


def direct_curvature(tokens: list[dict[str, Any]]) -> float:
    rows = [token for token in tokens if token["logprob"] is not None]
    gap = fsum(row["logprob"] - row["mean"] for row in rows)
    return gap / sqrt(fsum(row["variance"] for row in rows))


def test_a_generated_text_is_in_the_record_and_scored_token_by_token(portal: Portal, cleo: openai.OpenAI) -> None:
    answer = cleo.completions.create(
        model=MODEL, prompt="Once upon a time in a small town,", max_tokens=200, seed=11, temperature=0.8
    )
    assert answer.usage is not None
    assert answer.usage.completion_tokens >= 80
    job_id = answer.id.removeprefix("cmpl-")
    wait_for(lambda: portal.job(job_id)["state"] == "done", "the settlement")

    text = answer.choices[0].text.strip()
    report_id = ask_about(portal, text)
    payload = scored(portal, report_id)
    assert payload["state"] == "scored", payload["message"]

    record = payload["record"]
    assert (record["strength"], record["generations"]) == ("exact", 1)
    ((start, end),) = record["spans"]
    assert end - start > 0.8 * len(text)
    assert job_id not in json.dumps(payload)

    tokens, evidence = payload["tokens"], payload["evidence"]
    assert "".join(token["text"] for token in tokens) == text
    assert len(tokens) == evidence["tokens"] == payload["charged_tokens"]
    assert evidence["scored"] == sum(token["logprob"] is not None for token in tokens) >= len(tokens) - 1
    assert sum(evidence["ranks"]) == evidence["scored"]
    assert evidence["curvature"] == pytest.approx(direct_curvature(tokens))
    assert evidence["curvature"] > 0, "its own choices at temperature 0.8 are above what it expects of itself"


def test_a_text_by_somebody_else_is_scored_and_not_in_the_record(portal: Portal) -> None:
    text = (
        "The committee met on Tuesday to settle the drainage dispute between the two allotments, which had dragged on "
        "since the wet spring. Mrs Okafor brought photographs; Mr Lind brought his brother. Nobody had measured the "
        "ditch, so the chair adjourned until somebody fetched a tape, and the kettle boiled dry meanwhile."
    )
    payload = scored(portal, ask_about(portal, text))
    assert payload["state"] == "scored", payload["message"]
    assert (payload["record"]["strength"], payload["record"]["spans"]) == ("none", [])
    assert payload["evidence"]["tokens"] == len(payload["tokens"]) >= 64
