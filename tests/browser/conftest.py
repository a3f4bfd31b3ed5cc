"""Headless Chromium against the real stack. In continuous integration a missing browser is a failure, not a skip."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from release_portal.ops.redis_server import free_port
from tests.stack.portal import CHECKOUT, Portal

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SCREENSHOTS = CHECKOUT / "screenshots"


@pytest.fixture(scope="session")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    running = Portal(tmp_path_factory.mktemp("portal"), free_port())
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert program, "Chromium is not installed (Debian: apt-get install chromium)"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield chromium
        chromium.close()


Open = Callable[..., Page]


@pytest.fixture
def visitor(browser: Browser, portal: Portal) -> Iterator[Open]:
    """Open a page as somebody: `visitor()` is anonymous, `visitor("cleo")` signs in; `url` leads there another way."""
    contexts: list[BrowserContext] = []

    def open_as(name: str = "", *, size: dict[str, int] = DESKTOP, url: str = "") -> Page:
        context = browser.new_context(base_url=url or portal.url, viewport=size, reduced_motion="reduce")
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: pytest.fail(f"the script failed: {error}"))
        if name:
            sign_in(page, name, portal.password)
        return page

    yield open_as
    for context in contexts:
        context.close()


def sign_in(page: Page, name: str, password: str) -> None:
    page.goto("/accounts/login/")
    page.fill("input[name=login]", name)
    page.fill("input[name=password]", password)
    page.locator("main button[type=submit]").first.click()
    page.wait_for_url("**/")


def shot(page: Page, name: str) -> Path:
    """Keep a picture of the whole page, for somebody to look at."""
    SCREENSHOTS.mkdir(exist_ok=True)
    path = SCREENSHOTS / f"{name}.png"
    page.screenshot(path=path, full_page=True)
    return path
