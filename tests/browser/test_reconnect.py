"""A connection that breaks in the middle of a text: the page says so, comes back, and lacks and doubles nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from inference.contract import StreamKind, stream_key
from tests.browser.conftest import PHONE, Open, shot
from tests.browser.wire import Wire
from tests.stack.portal import Portal, wait_for

pytestmark = pytest.mark.browser

PLAYGROUND = "/sizes/huggingfacetb/smollm2-135m-instruct/playground/"
PROMPT = "Once upon a time there was a lighthouse keeper who"
STREAM = re.compile(r"/generations/(job-[0-9a-f]+)/stream/")
TOKENS = b"event: tokens"
RECONNECTING = "Reconnecting. Nothing is lost."


@pytest.fixture
def wire(portal: Portal) -> Iterator[Wire]:
    with Wire(portal.port) as between:
        yield between


def begin(page: Page, **values: str) -> str:
    """Ask for a text and return its job."""
    page.goto(PLAYGROUND)
    page.fill("[name=prompt]", PROMPT)
    for name, value in values.items():
        page.fill(f"[name={name}]", value)
    page.keyboard.press("Control+Enter")
    found = STREAM.search(page.locator("section.stream").get_attribute("data-stream-url") or "")
    assert found
    return found[1]


def has_ended(portal: Portal, job: str) -> bool:
    last = portal.redis().xrevrange(stream_key(job), count=1)
    return bool(last) and last[0][1]["kind"] == StreamKind.END


def texts(page: Page) -> list[str]:
    return [pane.text_content() or "" for pane in page.locator("[data-sample]").all()]


def kept(page: Page, job: str) -> list[str]:
    """What the settlement kept, as the page of the generation shows it."""
    page.goto(f"/generations/{job}/")
    samples = page.locator(".sample-text[id^=sample-]")
    expect(samples.first).to_be_visible()
    return [sample.text_content() or "" for sample in samples.all()]


def expect_reconnecting(page: Page) -> None:
    expect(page.locator("[data-status]")).to_have_text(RECONNECTING, timeout=60_000)


def expect_done(page: Page) -> None:
    stream = page.locator("section.stream")
    expect(stream).to_have_attribute("data-state", "ended", timeout=90_000)
    expect(stream.locator("[data-result]")).not_to_be_empty(timeout=30_000)


@pytest.mark.parametrize("samples", ["1", "3"])
def test_a_text_goes_on_where_the_connection_broke(visitor: Open, wire: Wire, samples: str) -> None:
    page = visitor("cleo", size=PHONE, url=wire.url)
    wire.cut_at(TOKENS, 5)  # in the middle of the fifth event
    job = begin(page, max_tokens="40", seed="21", samples=samples)
    expect_reconnecting(page)
    before = texts(page)
    shot(page, f"8-reconnecting-{samples}")
    wire.mend()
    wire.cut_at(TOKENS, 4)  # and once more, on the way of the browser's own new connection
    wait_for(lambda: wire.is_cut, "the second cut", 60)
    expect_reconnecting(page)
    wire.mend()
    expect_done(page)
    after = texts(page)
    assert any(before)
    assert all(whole.startswith(part) for part, whole in zip(before, after, strict=True))
    assert after == kept(page, job), "nothing twice, nothing lost"


def test_a_text_that_ended_meanwhile_is_complete(visitor: Open, portal: Portal, wire: Wire) -> None:
    page = visitor("cleo", url=wire.url)
    wire.cut_at(TOKENS, 3)
    job = begin(page, max_tokens="20", seed="22")
    expect_reconnecting(page)
    wait_for(lambda: has_ended(portal, job), "the end of the text", 60)
    wire.mend()
    expect_done(page)
    assert texts(page) == kept(page, job)


def test_a_text_whose_stream_is_gone_is_taken_from_what_is_kept(visitor: Open, portal: Portal, wire: Wire) -> None:
    page = visitor("cleo", url=wire.url)
    wire.cut_at(TOKENS, 3)
    job = begin(page, max_tokens="12", seed="23", samples="2")
    expect_reconnecting(page)
    elsewhere = visitor("cleo").request
    wait_for(lambda: elsewhere.get(f"/generations/{job}/facts/").status == 200, "the settlement", 60)
    portal.redis().delete(stream_key(job))
    wire.mend()
    expect_done(page)
    assert texts(page) == kept(page, job)


def test_answers_that_are_no_stream_are_asked_again(visitor: Open) -> None:
    """A proxy that answers instead of the portal: there the browser gives up, and the page does not."""
    page = visitor("cleo")
    refused: list[str] = []

    def refuse(route: Route) -> None:
        refused.append(route.request.url)
        route.fulfill(status=502, body="Bad gateway")

    page.route(STREAM, refuse, times=2)
    job = begin(page, max_tokens="12", seed="24")
    expect_reconnecting(page)
    expect_done(page)
    assert len(refused) == 2
    assert texts(page) == kept(page, job)


def test_a_stop_that_cannot_arrive_says_so_and_can_be_sent_again(visitor: Open, wire: Wire) -> None:
    page = visitor("cleo", url=wire.url)
    wire.cut_at(TOKENS, 3)
    begin(page, max_tokens="900", seed="25", temperature="0")
    expect_reconnecting(page)
    page.keyboard.press("Escape")
    expect(page.locator("#toasts")).to_contain_text("The request to stop did not arrive. Try again.")
    wire.mend()
    page.keyboard.press("Escape")
    expect(page.locator("section.stream")).to_contain_text("Stopped by you", timeout=30_000)
