"""The spine, walked in a browser: catalogue, generation, refusal, a move, a suspension and its lifting."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, Open, shot
from tests.stack.portal import Portal

pytestmark = pytest.mark.browser

SIZE = "/sizes/huggingfacetb/smollm2-135m-instruct/"
OPEN = "/sizes/meta/opt-125m/"
HIDDEN = "/sizes/huggingfacetb/smollm2-1.7b-instruct/"
PROMPT = "Once upon a time there was a lighthouse keeper who"


def fill_playground(page: Page, **values: str) -> None:
    page.goto(SIZE + "playground/")
    page.fill("[name=prompt]", PROMPT)
    for name, value in values.items():
        page.fill(f"[name={name}]", value)


def generate(page: Page) -> None:
    page.locator("form[data-playground] button[type=submit]").click()


def test_1_the_catalogue_shows_families_sizes_stages_artefacts_and_dates(visitor: Open) -> None:
    page = visitor()
    page.goto("/")
    for words in ("GPT-2", "OPT", "SmolLM2", "Research, hosted", "Open weights", "2019"):
        expect(page.locator("main")).to_contain_text(words)
    shot(page, "1-catalogue")
    page.goto("/sizes/openai/gpt2-1558m/")
    expect(page.locator("main")).to_contain_text("1.5B")
    expect(page.locator("main")).to_contain_text("5 November 2019")
    shot(page, "1-size")
    phone = visitor(size=PHONE)
    phone.goto("/")
    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    shot(phone, "1-catalogue-phone")


def test_2_a_researcher_generates_stops_and_runs_again_to_the_same_text(visitor: Open) -> None:
    page = visitor("cleo")
    fill_playground(page, max_tokens="40", temperature="0.8", top_k="50", top_p="0.95", seed="11", samples="2")
    generate(page)
    stream = page.locator("section.stream")
    expect(stream.locator("[data-sample='0']")).not_to_be_empty(timeout=30_000)
    expect(stream).to_have_attribute("data-state", "ended", timeout=60_000)
    expect(page.locator("#output")).to_contain_text("Research, hosted")
    shot(page, "2-playground")

    page.get_by_role("link", name=re.compile("Permalink of this generation")).click()
    page.wait_for_url(re.compile("/generations/job-"))
    for words in ("Research, hosted", "Version 1", "11", "SmolLM2"):
        expect(page.locator("main")).to_contain_text(words)
    said = page.locator(".sample-text[id^=sample-]").all_inner_texts()
    assert len(said) == 2
    assert said[0] != said[1]
    page.get_by_role("button", name="Run again").click()
    expect(page.locator("main")).to_contain_text("equals that of the earlier run", timeout=60_000)
    shot(page, "2-permalink")


def test_2_a_running_generation_can_be_stopped(visitor: Open) -> None:
    page = visitor("cleo")
    fill_playground(page, max_tokens="900", seed="3")
    generate(page)
    stream = page.locator("section.stream")
    expect(stream.locator("[data-sample='0']")).not_to_be_empty(timeout=30_000)
    stream.get_by_role("button", name=re.compile("Stop")).click()
    expect(stream).to_contain_text("Stopped by you", timeout=30_000)


def test_2_a_wrong_field_is_named_and_nothing_is_lost(visitor: Open) -> None:
    page = visitor("cleo")
    fill_playground(page, temperature="-1")
    generate(page)
    expect(page.locator(".error-summary")).to_contain_text("must lie between 0 and 2")
    expect(page.locator("[name=prompt]")).to_have_value(PROMPT)
    shot(page, "2-wrong-field")


def test_3_a_person_without_a_grant_is_told_why_not_and_a_visitor_sees_what_is_public(visitor: Open) -> None:
    page = visitor("finn")
    page.goto(SIZE + "playground/")
    for words in ("only researchers with an active grant", "stage research_hosted x generate", "Apply for access"):
        expect(page.locator("main")).to_contain_text(words)
    shot(page, "3-why-not")
    anonymous = visitor()
    answer = anonymous.goto(HIDDEN)
    assert answer is not None
    assert answer.status == 404
    anonymous.goto(SIZE)
    expect(anonymous.locator("main")).to_contain_text("you need an account")
    shot(anonymous, "3-anonymous")


def test_4_one_person_rolls_a_size_back_and_what_people_may_do_changes_at_once(visitor: Open) -> None:
    anonymous, page = visitor(), visitor("ada")
    page.goto(OPEN + "move/")
    page.get_by_role("radio", name=re.compile("Disclosed")).check()
    page.fill("[name=reason]", "Two people saw odd output.")
    page.get_by_role("button", name="Roll back now").click()
    expect(page.locator("main")).to_contain_text("a second person has not confirmed it")
    anonymous.goto(OPEN + "timeline/")
    expect(anonymous.locator("main")).to_contain_text("Two people saw odd output.")
    shot(anonymous, "4-timeline")


def test_5_a_suspension_stops_the_running_text_and_says_why_and_lifting_it_lets_her_go_on(visitor: Open) -> None:
    cleo, ben, olu = visitor("cleo"), visitor("ben"), visitor("olu")
    cleo.goto("/grants/")
    grant = cleo.locator("main a[href^='/grants/g-']").first.get_attribute("href")
    assert grant
    ben.goto(grant)
    ben.fill("[name=reason] >> visible=true", "Tokens seen on a public list.")
    fill_playground(cleo, max_tokens="900", seed="4")
    generate(cleo)
    stream = cleo.locator("section.stream")
    expect(stream.locator("[data-sample='0']")).not_to_be_empty(timeout=30_000)
    ben.get_by_role("button", name="Suspend now").click()
    expect(stream).to_contain_text("Tokens seen on a public list.", timeout=30_000)
    shot(cleo, "5-stopped")
    shot(ben, "5-suspended")
    cleo.goto(SIZE + "playground/")
    expect(cleo.locator("main")).to_contain_text("Your grant is suspended: Tokens seen on a public list.")

    ben.goto(grant)
    expect(ben.locator("main")).to_contain_text("another officer")
    olu.goto(grant)
    section = olu.locator("section", has=olu.get_by_role("button", name="Lift the suspension"))
    section.locator("textarea[name=reason]").fill("The list was a copy of our own test.")
    section.get_by_role("button", name="Lift the suspension").click()
    olu.wait_for_load_state()
    fill_playground(cleo, max_tokens="8", seed="4")
    generate(cleo)
    expect(cleo.locator("section.stream")).to_have_attribute("data-state", "ended", timeout=60_000)


def test_6_every_act_stands_in_the_record_and_the_chain_holds(visitor: Open, portal: Portal) -> None:
    page = visitor("olu")
    acts = {"grant.suspended": "suspended", "grant.lifted": "lifted", "stage.rolled_back": "narrower stage"}
    for kind, words in acts.items():
        page.goto(f"/audit/?kind={kind}")
        expect(page.locator("main")).to_contain_text(words)
        expect(page.locator("main table")).to_contain_text({"stage.rolled_back": "ada"}.get(kind, "g-"))
    page.goto("/audit/")
    shot(page, "6-record")
    assert "intact" in portal.manage("audit_verify")
