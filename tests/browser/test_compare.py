"""Two settings side by side by keyboard, and the operators' page while they run."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, Open, shot

pytestmark = pytest.mark.browser

PLAYGROUND = "/sizes/huggingfacetb/smollm2-135m-instruct/playground/"
PROMPT = "Once upon a time there was a lighthouse keeper who"


def begin(page: Page, **values: str) -> None:
    """Fill both sides by name and send them with the keyboard."""
    page.fill("[name=prompt]", PROMPT)
    for name, value in values.items():
        page.fill(f"[name='{name.replace('_', '-', 1)}']", value)
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile(r"/compare/\?a=job-"))


def test_two_settings_run_side_by_side_and_the_link_keeps_them(visitor: Open) -> None:
    page = visitor("cleo")
    page.goto(PLAYGROUND)
    page.get_by_role("link", name="Two sizes or two settings side by side").click()
    shot(page, "7-compare-empty")
    begin(page, a_max_tokens="30", b_max_tokens="30", a_temperature="0", b_temperature="1.2", a_seed="5", b_seed="5")
    left, right = page.locator("section.stream").all()
    for side in (left, right):
        expect(side).to_have_attribute("data-state", "ended", timeout=60_000)
    page.reload()
    texts = page.locator(".sample-text").all_inner_texts()
    assert len(set(texts)) == 2
    expect(page.get_by_role("table")).to_contain_text("Temperature")
    expect(page.get_by_role("heading", name="Left: SmolLM2 135M Instruct")).to_be_visible()
    shot(page, "7-compare")
    phone = visitor("cleo", size=PHONE)
    phone.goto(page.url)
    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    shot(phone, "7-compare-phone")


def test_escape_stops_both_and_the_link_keeps_what_was_shown(visitor: Open) -> None:
    page, operator = visitor("cleo"), visitor("olu")
    page.goto("/compare/")
    begin(page, a_max_tokens="900", b_max_tokens="900", a_seed="3", b_seed="4")
    first, second = page.locator("[data-sample='0']").all()
    for text in (first, second):
        expect(text).not_to_be_empty(timeout=30_000)
    operator.goto("/staff/service/")
    expect(operator.locator("#service")).to_contain_text("huggingfacetb/smollm2-135m-instruct")
    shot(operator, "7-service")
    operator.set_viewport_size(PHONE)
    assert operator.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    shot(operator, "7-service-phone")
    page.keyboard.press("Escape")
    for stream in page.locator("section.stream").all():
        expect(stream).to_contain_text("Stopped by you", timeout=30_000)
    shown = first.inner_text(), second.inner_text()
    page.reload()
    expect(page.locator("section.stream").first).to_contain_text("Stopped by you", timeout=30_000)
    kept = page.locator(".sample-text").all_inner_texts()
    assert kept == list(shown), "what was shown is what is kept: nothing twice, nothing lost"
