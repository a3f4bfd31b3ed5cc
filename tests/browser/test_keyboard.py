"""The playground and the comparison without a mouse: ask, move between samples, stop, read the list of keys."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, Open, shot

pytestmark = pytest.mark.browser

PLAYGROUND = "/sizes/huggingfacetb/smollm2-135m-instruct/playground/"
PROMPT = "Once upon a time there was a lighthouse keeper who"


def expect_ended(page: Page) -> None:
    for stream in page.locator("section.stream").all():
        expect(stream).to_have_attribute("data-state", re.compile("ended|failed"), timeout=90_000)


def test_samples_are_walked_while_they_come_and_stopped_from_there(visitor: Open) -> None:
    page = visitor("cleo")
    page.goto(PLAYGROUND)
    page.keyboard.press("Alt+j")  # nothing to walk to yet
    page.fill("[name=prompt]", PROMPT)
    page.fill("[name=samples]", "3")
    page.fill("[name=max_tokens]", "400")
    page.fill("[name=seed]", "5")
    page.locator("[name=prompt]").focus()
    page.keyboard.press("Control+Enter")
    expect(page.locator("[data-sample='0']")).not_to_be_empty(timeout=60_000)
    for name in ("Sample 1", "Sample 2", "Sample 3", "Sample 3"):
        page.keyboard.press("Alt+j")
        expect(page.get_by_role("article", name=name, exact=True)).to_be_focused()
    page.keyboard.press("Alt+k")
    expect(page.get_by_role("article", name="Sample 2", exact=True)).to_be_focused()
    shot(page, "9-samples")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("To the next sample, also while you type")
    shot(page, "9-shortcuts")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(page.locator("section.stream")).to_contain_text("Stopped by you", timeout=60_000)
    page.get_by_role("article", name="Sample 2", exact=True).focus()
    page.keyboard.press("Alt+k")
    page.keyboard.press("Alt+k")
    expect(page.locator("[name=prompt]")).to_be_focused()
    expect(page.locator("#recent li").first).to_contain_text(PROMPT)  # the list keeps up, newest first


def test_a_comparison_with_penalties_is_asked_walked_and_read_on_a_phone(visitor: Open) -> None:
    page = visitor("cleo", size=PHONE)
    page.goto("/compare/")
    right = page.get_by_role("group", name="Right")
    right.locator("summary").focus()
    page.keyboard.press("Enter")
    right.get_by_label("Repetition penalty").fill("1.6")
    right.get_by_label("Stop at").fill("lighthouse")
    for name in ("a-max_tokens", "b-max_tokens"):
        page.fill(f"[name={name}]", "24")
    for name in ("a-seed", "b-seed"):
        page.fill(f"[name={name}]", "5")
    page.fill("[name=prompt]", PROMPT)
    shot(page, "9-compare-form-phone")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile(r"/compare/\?a=job-"))
    expect_ended(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    table = page.get_by_role("table", name="Where the settings differ")
    for words in ("Repetition penalty", "1.6", "Stop at", "lighthouse"):
        expect(table).to_contain_text(words)
    page.locator("[name=prompt]").focus()
    for place in (0, 1):
        page.keyboard.press("Alt+j")
        expect(page.locator("article.sample").nth(place)).to_be_focused()
    shot(page, "9-compare-phone")
    page.set_viewport_size({"width": 1280, "height": 900})
    shot(page, "9-compare-desktop")
    page.reload()
    expect(page.locator("[name=b-repetition_penalty]")).to_have_value("1.6")
    expect(page.locator("[name=b-repetition_penalty]")).to_be_visible()
    expect(page.locator("[name=a-repetition_penalty]")).to_be_hidden()
