"""The whole journey, walked in a browser: apply, approve, generate, detect, report, act, edit a card, own data."""

from __future__ import annotations

import re
from datetime import date, timedelta

import openai
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open, shot
from tests.stack.portal import Portal

pytestmark = pytest.mark.browser

MODEL = "huggingfacetb/smollm2-135m-instruct"
SIZE = f"/sizes/{MODEL}/"
SECRET = "a quiet lighthouse 47"
STORY: dict[str, str] = {}  # what earlier steps leave for later ones


def submit(page: Page, name: str) -> None:
    page.get_by_role("button", name=re.compile(name)).click()
    page.wait_for_load_state()


def test_1_a_newcomer_signs_up_and_applies(visitor: Open) -> None:
    page = visitor()
    page.goto("/accounts/signup/")
    answers = {"email": "lou@example.org", "username": "lou", "password1": SECRET, "password2": SECRET}
    for field, value in answers.items():
        page.fill(f"input[name={field}]", value)
    page.locator("main button[type=submit]").first.click()
    page.wait_for_url("**/")
    page.goto(SIZE)
    page.get_by_role("link", name=re.compile("[Aa]pply")).first.click()
    page.wait_for_url(re.compile("/apply/"))
    page.select_option("[name=purpose_code]", index=1)
    page.fill("[name=purpose]", "How well do readers tell model-generated summaries from human-written ones?")
    page.fill("[name=affiliation]", "University of Somewhere <script>alert(1)</script>")
    page.fill("[name=intended_use]", "Shown to 40 paid readers in a study; then deleted.")
    for box in page.locator("input[name=functions]").all():
        box.check()
    page.fill("[name=requested_end]", (date.today() - timedelta(days=3)).isoformat())
    page.check("[name=agreement]")
    submit(page, "Send the application")
    expect(page.locator(".error-summary")).to_be_visible()
    expect(page.locator("[name=purpose]")).to_have_value(re.compile("How well do readers"))
    shot(page, "j1-end-in-the-past")
    page.fill("[name=requested_end]", (date.today() + timedelta(days=90)).isoformat())
    page.check("[name=agreement]")
    submit(page, "Send the application")
    page.wait_for_url(re.compile("/applications/a-"))
    STORY["application"] = re.search(r"a-[0-9a-f]+", page.url).group()  # type: ignore[union-attr]
    expect(page.locator("main")).to_contain_text("<script>alert(1)</script>")
    shot(page, "j1-application")
    page.goto(SIZE + "apply/")
    expect(page.locator("main")).to_contain_text("waits for a decision")  # the open one, not a second


def test_2_the_access_lead_approves_with_conditions_and_the_applicant_is_told(visitor: Open, portal: Portal) -> None:
    page = visitor("ivy")
    page.goto("/staff/applications/")
    shot(page, "j2-queue")
    page.locator(f"a[href*='{STORY['application']}']").first.click()
    page.wait_for_url(re.compile(STORY["application"]))
    shot(page, "j2-review")
    section = page.locator("section", has=page.get_by_role("button", name="Approve and give the grant"))
    section.locator("[name=tokens_per_day]").fill("900")
    section.locator("[name=note]").fill("Welcome. Please tell us what you find.")
    submit(page, "Approve and give the grant")
    expect(page.locator("main")).to_contain_text("The application is approved")
    lou = visitor()
    lou.goto("/accounts/login/")
    lou.fill("input[name=login]", "lou")
    lou.fill("input[name=password]", SECRET)
    lou.locator("main button[type=submit]").first.click()
    lou.wait_for_url("**/")
    lou.goto("/notices/")
    expect(lou.locator("main")).to_contain_text("approved", ignore_case=True)
    shot(lou, "j2-notice")
    lou.goto("/grants/")
    expect(lou.locator("main")).to_contain_text("900")
    for _ in range(60):
        if "To: lou@example.org" in portal.log():
            break
        lou.wait_for_timeout(500)
    assert "To: lou@example.org" in portal.log(), "the mail is written to the console"


def test_3_the_new_holder_generates_on_the_web_and_by_api_until_the_quota_is_used_up(
    visitor: Open, portal: Portal
) -> None:
    page = visitor()
    page.goto("/accounts/login/")
    page.fill("input[name=login]", "lou")
    page.fill("input[name=password]", SECRET)
    page.locator("main button[type=submit]").first.click()
    page.wait_for_url("**/")
    page.goto("/account/")
    page.fill("[name=name]", "notebook")
    for box in page.locator("input[name=scopes]").all():
        box.check()
    submit(page, "token")
    secret = re.search(r"rp_[\w-]+", page.locator("main").inner_text())
    assert secret
    client = openai.OpenAI(base_url=f"{portal.url}/v1", api_key=secret.group(), max_retries=0)
    prompt = "Write a long story about a lighthouse keeper who counts ships. Once upon a time,"
    answer = client.completions.create(model=MODEL, prompt=prompt, max_tokens=220, seed=12, temperature=0.7)
    STORY["text"], STORY["job"] = answer.choices[0].text, "job-" + answer.id.partition("-job-")[2]
    with pytest.raises(openai.RateLimitError, match="left today"):
        client.completions.create(model=MODEL, prompt=prompt, max_tokens=900)
    client.close()
    page.goto(SIZE + "playground/")
    page.fill("[name=prompt]", "Hello")
    page.fill("[name=max_tokens]", "900")
    page.locator("form[data-playground] button[type=submit]").click()
    expect(page.locator("main")).to_contain_text("left today", timeout=15_000)
    expect(page.locator("[name=prompt]")).to_have_value("Hello")
    shot(page, "j3-quota")


def test_4_detection_shows_evidence_and_the_portals_own_record(visitor: Open) -> None:
    page = visitor("cleo")
    page.goto("/detection/")
    page.locator("textarea[name=passage], textarea[name=text]").first.fill("Too short.")
    page.locator("main form button[type=submit]").first.click()
    expect(page.locator(".error-summary")).to_contain_text("tokens")
    page.locator("textarea[name=passage], textarea[name=text]").first.fill("As one reader wrote: " + STORY["text"])
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_url(re.compile("/detection/det-"))
    expect(page.locator("main")).to_contain_text("not calibrated", timeout=60_000)
    expect(page.locator("main .tok").first).to_be_visible()
    assert page.locator("main mark").count() > 0
    # Whose it was is not shown.
    expect(page.locator("main")).not_to_contain_text(re.compile(rf"\blou\b|{STORY['job']}"))
    shot(page, "j4-detection")


def test_5_a_report_is_filed_followed_and_acted_on(visitor: Open) -> None:
    reporter = visitor()
    reporter.goto("/report/")
    reporter.fill("[name=what]", "This was posted as a news story <b>under a false name</b>.")
    reporter.fill("[name=evidence]", STORY["text"])
    submit(reporter, "Send|File|report")
    code = reporter.locator("#code").inner_text().strip()
    shot(reporter, "j5-filed")

    desk = visitor("ben")
    desk.goto("/staff/reports/")
    shot(desk, "j5-queue")
    desk.locator("main a[href^='/staff/reports/']").filter(has_text=re.compile(r"\d")).first.click()
    desk.wait_for_load_state()
    if "under a false name" not in desk.locator("main").inner_text():
        desk.goto("/staff/reports/")
        links = [a.get_attribute("href") for a in desk.locator("main a[href^='/staff/reports/']").all()]
        numbers = [int(link.split("/")[-2]) for link in links if link and re.search(r"/\d+/$", link)]
        desk.goto(f"/staff/reports/{max(numbers)}/")
    expect(desk.locator("main")).to_contain_text("<b>under a false name</b>")
    expect(desk.locator("main")).to_contain_text(STORY["job"])
    triage = desk.locator("section", has=desk.get_by_role("button", name="Write down the verdict"))
    triage.locator("input[name=verdict]").first.check()
    triage.locator("[name=severity]").select_option(index=3)
    triage.locator("[name=category]").select_option(index=3)
    submit(desk, "Write down the verdict")
    shot(desk, "j5-triaged")
    measure = desk.locator("details", has_text=re.compile("Suspend")).first
    measure.locator("summary").click()
    measure.locator("[name=reason]").fill("Text made under this grant was posted as news under a false name.")
    measure.get_by_role("button").last.click()
    desk.wait_for_load_state()
    close = desk.locator("section", has=desk.get_by_role("button", name="Close the case"))
    close.locator("[name=outcome_code]").select_option(index=1)
    close.locator("[name=outcome]").fill("The text came from here; the grant under which it was made is suspended.")
    submit(desk, "Close the case")

    reporter.goto("/report/status/")
    reporter.fill("[name=code]", code)
    reporter.locator("main form button[type=submit]").first.click()
    expect(reporter.locator("main")).to_contain_text("the grant under which it was made is suspended")
    shot(reporter, "j5-outcome")


def test_6_an_incomplete_card_is_completed_and_its_changes_are_shown(visitor: Open) -> None:
    page = visitor("ada")
    hidden = "/sizes/huggingfacetb/smollm2-1.7b-instruct/"
    page.goto(hidden + "card/edit/")
    area = page.locator("textarea[name=card]")
    written = "## Training data\n\nPublic web pages, code and textbooks.\n"
    area.fill(area.input_value().replace("## Training data\n", written, 1))
    page.fill("[name=summary]", "say what it was trained on")
    submit(page, "Save")
    page.goto(hidden + "card/diff/?from=1&to=2")
    expect(page.locator("main ins").first).to_contain_text("Public")
    shot(page, "j6-diff")


def test_7_home_says_what_waits_and_own_data_can_be_taken(visitor: Open) -> None:
    for name in ("ivy", "ben", "cleo"):
        page = visitor(name)
        page.goto("/home/")
        shot(page, f"j7-home-{name}")
    page.goto("/account/data/")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download everything").click()
    assert download.value.suggested_filename == "own-data-cleo.json"
