"""A batch in the browser: sent, watched to its end, taken out, cancelled; wrong lines are read on a phone too."""

from __future__ import annotations

import json
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.conftest import DESKTOP, PHONE, Open, shot
from tests.stack.conftest import MODEL

pytestmark = pytest.mark.browser


def file_of(*bodies: dict[str, Any], name: str = "requests.jsonl") -> FilePayload:
    lines = [
        {"custom_id": f"r{number}", "method": "POST", "url": "/v1/completions", "body": {"model": MODEL} | body}
        for number, body in enumerate(bodies, 1)
    ]
    content = "\n".join(map(json.dumps, lines)).encode()
    return {"name": name, "mimeType": "application/jsonl", "buffer": content}


def send(page: Page, file: FilePayload) -> None:
    page.goto("/batches/")
    page.set_input_files("input[type=file]", file)
    page.get_by_role("button", name="Send the file").click()
    page.wait_for_url("**/batches/batch_*/")


def check(page: Page, name: str) -> None:
    """No axe violation, no sideways scrolling; a picture stays."""
    shot(page, f"batches-{name}-{page.viewport_size['width'] if page.viewport_size else 0}")
    violations = Axe().run(page).response["violations"]
    assert [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in violations] == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_batch_from_the_file_to_the_results(visitor: Open, size: dict[str, int]) -> None:
    page = visitor("cleo", size=size)
    page.goto("/batches/")
    check(page, "empty" if size is DESKTOP else "listed")
    long = [{"prompt": "The sea is", "max_tokens": 12, "seed": number} for number in range(4)]
    send(page, file_of({"prompt": "One", "max_tokens": 1, "seed": 1}, *long))
    expect(page.locator(".batch-state")).to_contain_text("of 5 requests ended")
    check(page, "running")
    expect(page.locator(".batch-state .pill")).to_have_text("completed", timeout=120_000)
    expect(page.locator("#batch-said")).to_have_text("The batch has ended.")
    check(page, "completed")
    with page.expect_download() as download:
        page.get_by_role("row", name="Results").get_by_role("link").click()
    answers = [json.loads(line) for line in download.value.path().read_text().splitlines()]
    assert [one["custom_id"] for one in answers] == [f"r{number}" for number in range(1, 6)]
    page.goto("/batches/")
    check(page, "list")


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_wrong_lines_are_read_and_a_batch_is_cancelled(visitor: Open, size: dict[str, int]) -> None:
    page = visitor("cleo", size=size)
    send(page, file_of({"prompt": "One"}, {"prompt": "x", "temperature": 9}, {"prompt": ["a", "b"]}))
    expect(page.locator("#batch-result")).to_contain_text("body.temperature")
    check(page, "wrong")
    page.goto("/batches/")
    page.get_by_role("button", name="Send the file").click()
    expect(page.locator(".error-summary")).to_contain_text("Choose a file.")
    check(page, "no-file")
    send(page, file_of(*[{"prompt": "The sea is", "max_tokens": 400, "seed": number} for number in range(20)]))
    page.get_by_role("link", name="Cancel the batch").click()
    check(page, "cancel")
    page.get_by_role("button", name="Cancel the batch").click()
    expect(page.locator(".batch-state .pill")).to_have_text("cancelled", timeout=120_000)
    page.reload()
    check(page, "cancelled")


def test_who_has_no_size_reads_why(visitor: Open) -> None:
    page = visitor("finn")
    page.goto("/batches/")
    expect(page.locator("main")).to_contain_text("Why no size is open to you")
    check(page, "closed")
