"""Write the end of a line: what its owner reads of it in the results."""

from __future__ import annotations

from typing import Any

from release_portal.batches.endpoints import Answer
from release_portal.batches.models import BatchLine
from release_portal.batches.rules import CANCELLED, CANCELLING, DONE, REFUSED
from release_portal.core.keys import seal
from release_portal.core.one_line import one_line

FIELDS = ["state", "sealed_request", "sealed_answer", "answer_size"]
SUCCESS = 200
NOT_RUN = {
    "batch_cancelled": "This request was not carried out: the batch was cancelled.",
    "batch_expired": "This request was not carried out within the 24 hours of the batch.",
    "answer_lost": "The answer of this request could not be written; the text of a generation stands among yours.",
    "request_cancelled": "This request was stopped by you.",
}


def write_answer(line: BatchLine, answer: Answer) -> None:
    """Put the answer of an address into a line; the caller saves FIELDS."""
    request_id = line.job_id or line.public_id
    response = {"status_code": answer.status, "request_id": request_id, "body": answer.body}
    _end(line, DONE if answer.status == SUCCESS else REFUSED, response, None)


def write_not_run(line: BatchLine, code: str) -> None:
    """Say in a line why there is no answer of the address; the caller saves FIELDS."""
    _end(line, REFUSED, None, {"code": code, "message": NOT_RUN[code]})


def code_of_stop(batch_state: str, *, is_over: bool) -> str:
    """Return why a line was stopped: by the batch's cancellation or end, or one by one."""
    if batch_state in (CANCELLING, CANCELLED):
        return "batch_cancelled"
    return "batch_expired" if is_over else "request_cancelled"


def _end(line: BatchLine, state: str, response: dict[str, Any] | None, error: dict[str, str] | None) -> None:
    told = {"id": line.public_id, "custom_id": line.request.get("custom_id", ""), "response": response, "error": error}
    text = one_line(told)
    line.state, line.sealed_request = state, b""
    line.sealed_answer, line.answer_size = seal(text), len(text.encode()) + 1
