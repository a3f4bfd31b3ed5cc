"""Access, walked on a phone: draft, referee, question at a field, two people, use, renewal, suspension, an appeal.

Everybody holds a phone. After each step the page is looked at: it fits the screen, and a picture is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PHONE, shot, sign_in
from tests.stack.portal import Portal, wait_for

pytestmark = pytest.mark.browser

SIZE = "/sizes/huggingfacetb/smollm2-135m-instruct/"
NEWCOMER, SECRET = "lou-on-a-phone", "a quiet lighthouse 48"
PURPOSE = "How well do readers tell model-generated warnings from human-written ones?"
USE = "Shown to forty paid readers, marked as model-generated afterwards, and deleted after a year."
PEOPLE: dict[str, Page] = {}
STORY: dict[str, Any] = {}  # what earlier steps leave for later ones


@pytest.fixture(scope="module", autouse=True)
def forget_people() -> Iterator[None]:
    PEOPLE.clear()
    yield
    PEOPLE.clear()


@pytest.fixture
def phone(browser: Browser, portal: Portal) -> Any:
    """Return a function from a name to that person's phone, which stays signed in from step to step."""

    def of(name: str) -> Page:
        if name not in PEOPLE:
            context = browser.new_context(base_url=portal.url, viewport=PHONE, has_touch=True, reduced_motion="reduce")
            page = context.new_page()
            page.on("pageerror", lambda error: pytest.fail(f"the script failed: {error}"))
            if name == NEWCOMER:
                sign_up(page)
            elif name != "anonymous":
                sign_in(page, name, portal.password)
            PEOPLE[name] = page
        return PEOPLE[name]

    return of


def sign_up(page: Page) -> None:
    """Make an account, as anybody can."""
    page.goto("/accounts/signup/")
    answers = {"email": f"{NEWCOMER}@example.org", "username": NEWCOMER, "password1": SECRET, "password2": SECRET}
    for field, value in answers.items():
        page.fill(f"input[name={field}]", value)
    page.locator("main button[type=submit]").first.click()
    page.wait_for_url("**/")


def look(page: Page, name: str) -> None:
    """The page fits a phone's width; keep a picture of it."""
    shot(page, f"access-{name}")
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= PHONE["width"], f"{page.url} is {wide} wide"


def press(page: Page, name: str) -> None:
    """Press the button that is called so."""
    with page.expect_navigation():
        page.get_by_role("button", name=re.compile(name)).first.click()


def section(page: Page, button: str) -> Any:
    """The part of a page with that button in it."""
    return page.locator("section", has=page.get_by_role("button", name=re.compile(button)))


def main(page: Page) -> Any:
    return page.locator("main")


def test_1_a_draft_is_kept_and_says_what_is_missing(phone: Any) -> None:
    page = phone(NEWCOMER)
    page.goto(SIZE)
    expect(main(page)).to_contain_text("Apply for access")
    look(page, "01-size")
    page.goto(SIZE + "apply/")
    page.fill("[name=purpose]", PURPOSE)
    expect(page.locator("#draft-state")).to_contain_text("Draft saved", timeout=15_000)  # nobody pressed a button
    page.goto(SIZE + "apply/")
    expect(main(page)).to_contain_text("What is still missing")
    expect(page.locator("[name=purpose]")).to_have_value(PURPOSE)
    look(page, "02-draft")


def test_2_it_is_sent_with_a_signature_and_says_what_comes_next(phone: Any) -> None:
    page = phone(NEWCOMER)
    fill(page)
    press(page, "Save the draft")
    name_referee(page)
    page.goto(SIZE + "apply/")
    expect(main(page)).to_contain_text("SHA-256")
    press(page, "Send the application")
    expect(page.locator(".error-summary")).to_be_visible()  # without the signature nothing is sent
    look(page, "03-not-signed")
    page.check("[name=agreement]")
    press(page, "Send the application")
    page.wait_for_url(re.compile("/applications/a-"))
    STORY["application"] = page.url.partition("/applications/")[2].strip("/")
    for words in ("Who acts next", "People who must agree", "Place in the queue"):
        expect(main(page)).to_contain_text(words)
    look(page, "04-sent")


def name_referee(page: Page) -> None:
    """Name somebody who knows the work; they need no account."""
    page.locator("main a[href*='/attestations/referee/']").first.click()
    page.wait_for_url(re.compile("/attestations/referee/"))
    page.fill("[name=name]", "Rae Referee")
    page.fill("[name=mail]", "rae@elsewhere.example")
    page.select_option("[name=relation]", "colleague")
    look(page, "02-referee")
    press(page, "Name this person")


def fill(page: Page, end: int = 60) -> None:
    """A complete application for a purpose that two people decide on."""
    page.select_option("[name=purpose_code]", "P06")
    page.fill("[name=purpose]", PURPOSE)
    page.fill("[name=affiliation]", "University of Somewhere, reading group")
    page.fill("[name=intended_use]", USE)
    page.get_by_role("checkbox", name=re.compile("[Gg]enerate")).check()
    page.fill("[name=requested_end]", (date.today() + timedelta(days=end)).isoformat())


def test_3_the_referee_vouches_by_the_mailed_link_without_an_account(phone: Any, portal: Portal) -> None:
    page = phone("anonymous")
    (link,) = wait_for(lambda: mailed_links(portal, "attestations"), "the mail to the referee", 60)
    page.goto(link)
    look(page, "05-asked-to-vouch")
    press(page, "This is me")
    page.select_option("[name=relation]", "colleague")
    page.fill("[name=since]", "2020")
    for box in page.locator("[name=confirmed]").all():
        box.check()
    press(page, "^Confirm$")
    expect(main(page)).to_contain_text("Thank you")
    look(page, "05-vouched")
    answer = page.goto(link)
    assert answer is not None
    assert answer.status == 404, "a link works once"


def test_4_a_reviewer_asks_at_a_field_and_the_applicant_answers_and_changes_it(phone: Any) -> None:
    ivy, lou = phone("ivy"), phone(NEWCOMER)
    ivy.goto("/staff/applications/")
    look(ivy, "05-queue")
    ivy.goto(f"/staff/applications/{STORY['application']}/")
    look(ivy, "06-review")
    ivy.get_by_text("Ask about single fields").click()
    ivy.get_by_label(re.compile("^About: .*day", re.IGNORECASE)).fill("Do you need all of the time?")
    press(ivy, "Send the question")
    lou.goto(f"/applications/{STORY['application']}/")
    expect(main(lou)).to_contain_text("Do you need all of the time?")
    look(lou, "07-asked")
    lou.locator("textarea[name=answer]").fill("Fifty days are enough.")
    lou.fill("[name=requested_end]", (date.today() + timedelta(days=50)).isoformat())
    press(lou, "Send the answer")
    expect(main(lou)).to_contain_text("Fifty days are enough.")
    expect(main(lou).locator(".diff ins").first).to_be_visible()
    look(lou, "08-answered")


def test_5_two_people_agree_and_one_alone_gives_nothing(phone: Any) -> None:
    ivy, ben, lou = phone("ivy"), phone("ben"), phone(NEWCOMER)
    approve(ivy)
    look(ivy, "09-first-yes")
    lou.goto(f"/applications/{STORY['application']}/")
    expect(main(lou)).to_contain_text("Another must agree")
    look(lou, "10-half-way")
    lou.goto(SIZE + "playground/")
    expect(main(lou)).to_contain_text("only researchers with an active grant")
    approve(ben)
    look(ben, "11-second-yes")
    lou.goto("/grants/")
    grant = lou.locator("main a[href^='/grants/g-']").first.get_attribute("href")
    assert grant
    STORY["grant"] = grant
    look(lou, "12-grants")


def approve(page: Page) -> None:
    """Approve everything that was asked for, at the usual quota."""
    page.goto(f"/staff/applications/{STORY['application']}/")
    expect(main(page)).to_contain_text("Two people must agree")
    press(page, "Approve and give the grant")
    assert page.url.endswith("/staff/applications/"), main(page).inner_text()


def test_6_the_grant_generates_and_the_quota_counts(phone: Any) -> None:
    page = phone(NEWCOMER)
    page.goto(SIZE + "playground/")
    look(page, "13-playground")
    page.fill("[name=prompt]", "Warning: the tide")
    page.fill("[name=max_tokens]", "12")
    page.locator("form[data-playground] button[type=submit]").click()
    expect(page.locator("section.stream")).to_have_attribute("data-state", "ended", timeout=90_000)
    look(page, "14-generated")
    page.goto(STORY["grant"])
    used = page.locator("section[aria-labelledby=quota-title] td[data-label=Used]").first
    expect(used).to_have_text(re.compile(r"[1-9]"))
    look(page, "15-grant")


def end_of(page: Page) -> str:
    """When the grant ends, as its page says."""
    page.goto(STORY["grant"])
    return page.locator("dl.facts div", has_text=re.compile("^Until")).locator("dd").first.inner_text()


def test_7_a_renewal_asks_two_people_again_and_goes_on_from_the_old_end(phone: Any) -> None:
    lou, before = phone(NEWCOMER), end_of(phone(NEWCOMER))
    lou.get_by_role("link", name="Ask for a renewal").click()
    lou.wait_for_url(re.compile("renews="))
    fill(lou, end=90)
    look(lou, "16-renewal")
    lou.check("[name=agreement]")
    press(lou, "Send the application")
    lou.wait_for_url(re.compile("/applications/a-"))
    STORY["application"] = lou.url.partition("/applications/")[2].strip("/")
    for name in ("hal", "ben"):
        approve(phone(name))
        look(phone(name), f"16-{name}")
    lou.goto(f"/applications/{STORY['application']}/")
    expect(main(lou)).to_contain_text("approved")
    assert end_of(lou) != before
    STORY["end"] = end_of(lou)
    look(lou, "17-renewed")


def test_8_a_duty_officer_suspends_it_and_a_receipt_says_what_stopped(phone: Any, portal: Portal) -> None:
    olu, lou = phone("olu"), phone(NEWCOMER)
    STORY["links before"] = mailed_links(portal)  # the demo's suspended account was mailed one too
    olu.goto(STORY["grant"])
    section(olu, "Suspend now").locator("textarea").fill("Warnings of this kind were posted as real ones.")
    look(olu, "18-officer")
    press(olu, "Suspend now")
    expect(main(olu)).to_contain_text("Suspended by")
    lou.goto(SIZE + "playground/")
    expect(main(lou)).to_contain_text("Your grant is suspended: Warnings of this kind were posted as real ones.")
    look(lou, "19-suspended")
    wait_for(lambda: receipt_is_complete(lou), "the receipt", 60)
    look(lou, "20-receipt")


def receipt_is_complete(page: Page) -> bool:
    page.goto(STORY["grant"])
    return "Completed" in main(page).inner_text() and "Receipts" in main(page).inner_text()


def test_9_the_mailed_link_takes_an_appeal_without_signing_in(phone: Any, portal: Portal) -> None:
    page = phone("anonymous")
    (link,) = wait_for(lambda: mailed_links(portal) - STORY["links before"], "the mail with the link", 60)
    page.goto(link)
    look(page, "21-appeal")
    page.locator("textarea[name=grounds]").fill("They were copied from our study and posted by somebody else.")
    press(page, "Send the appeal")
    expect(main(page)).to_contain_text("Your appeal has arrived")
    look(page, "22-arrived")
    answer = page.goto(link)
    assert answer is not None
    assert answer.status == 404, "a link works once"


def mailed_links(portal: Portal, kind: str = "appeals") -> set[str]:
    """The addresses in mails of that kind; the console shows mails as they are sent."""
    text = portal.log().replace("=\n", "")
    return set(re.findall(rf"/{kind}/link/[\w-]+/", text))


def test_10_somebody_else_decides_and_everything_is_given_back(phone: Any) -> None:
    ivy, hal, lou = phone("ivy"), phone("hal"), phone(NEWCOMER)
    ivy.goto("/staff/appeals/")
    look(ivy, "23-appeals")
    ivy.locator("main a[href^='/staff/appeals/p-']").first.click()
    ivy.wait_for_url(re.compile("/staff/appeals/p-"))
    STORY["appeal"] = re.sub(r"^https?://[^/]+", "", ivy.url)
    press(ivy, "Take in")
    ivy.select_option("[name=to]", "hal")
    press(ivy, "Assign")
    hal.goto(STORY["appeal"])
    decide = section(hal, "^Decide$")
    decide.locator("[name=verdict]").select_option("overturn")
    decide.locator("[name=reason]").fill("The posts came from a copy that is not theirs.")
    look(hal, "24-decide")
    press(hal, "^Decide$")
    lou.goto(STORY["grant"])
    expect(main(lou)).to_contain_text("Suspended by")  # an outcome alone gives nothing back
    hal.goto(STORY["appeal"])
    press(hal, "Carry out now")
    expect(main(hal)).to_contain_text("carried out")
    look(hal, "25-carried-out")
    assert end_of(lou) >= STORY["end"]
    expect(lou.locator("p.standing")).to_contain_text("active")
    look(lou, "26-restored")
    lou.goto("/notices/")
    look(lou, "27-notices")


def test_11_the_researcher_goes_on_as_if_nothing_had_been(phone: Any) -> None:
    page = phone(NEWCOMER)
    page.goto(SIZE + "playground/")
    page.fill("[name=prompt]", "Warning: the tide")
    page.fill("[name=max_tokens]", "8")
    page.locator("form[data-playground] button[type=submit]").click()
    expect(page.locator("section.stream")).to_have_attribute("data-state", "ended", timeout=90_000)
