"""The apply page: questions with their reasons, autosaving, what is missing, and which checks would fail now."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse

from release_portal.access.application_rules import Answers
from release_portal.access.applications import save_application
from release_portal.access.completeness import missing_from
from release_portal.access.models import AgreementVersion, Application, EligibilityTrace
from release_portal.access.programmes import slots
from release_portal.access.programmes.programme_files import packaged_text
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from tests.pages.test_applications import APPLY, form_of, hidden, shown
from tests.services.applying import answers, submit
from tests.services.test_programmes import ASKED_MORE, TEXT, changed, publish
from tests.world import SERVED, World

DAY = timedelta(days=1)
EVIL = "<script>alert('x')</script>"
ClientOf = Callable[[str], Any]


@pytest.fixture(autouse=True)
def agreement(world: World, at: datetime) -> AgreementVersion:
    """The shipped agreement, in force."""
    return write_agreement(DEMO, at=at - 10 * DAY)


@pytest.fixture
def strict(world: World, at: datetime) -> None:
    """The demo's strict programme, for the served size."""
    publish(world, packaged_text("demo-research"), at - DAY)


def autosave(client: Any, world: World, at: datetime, **changes: Any) -> Any:
    return client.post(APPLY, form_of(world, at, act="autosave", **changes), headers={"HX-Request": "true"})


def draft_of(world: World, name: str) -> Application:
    return Application.objects.get(applicant=world.people[name])


# --- The form --------------------------------------------------------------------------------------------------------


def test_every_question_says_why_it_is_asked_and_who_reads_the_answer(
    client_of: ClientOf, world: World, strict: None
) -> None:
    page = client_of("finn").get(APPLY)
    text, source = shown(page), page.content.decode()
    for name in ("country", "method", "starts_on", "no_people_deceived"):
        assert f'name="answer_{name}"' in source
        assert f'id="id_answer_{name}_helptext"' in source
    assert "Some laws depend on it, and reviewers look for people who are missing." in text
    assert "Read by: access leads, safety reviewers." in text
    assert 'value="FR">France' in source
    assert 'type="date" name="answer_starts_on"' in source.replace("  ", " ") or 'name="answer_starts_on"' in source
    assert text.count("Read by:") >= 10, "what every application says has readers, too"


def test_a_question_for_some_purposes_appears_with_the_purpose(
    client_of: ClientOf, world: World, at: datetime, strict: None
) -> None:
    finn = client_of("finn")
    assert 'name="answer_harm"' not in finn.get(APPLY).content.decode()
    finn.post(APPLY, form_of(world, at, act="save", purpose_code="P05"))
    page = finn.get(APPLY).content.decode()
    assert 'name="answer_harm"' in page
    assert 'name="answer_ethics_board"' in page


def test_answers_are_saved_shown_again_and_sent(client_of: ClientOf, world: World, at: datetime, strict: None) -> None:
    finn = client_of("finn")
    page = finn.get(APPLY)
    asked = hidden(page, "asked")
    assert asked.split() == ["country", "method", "starts_on", "no_people_deceived"]
    given = {
        "asked": asked,
        "answer_country": "FR",
        "answer_method": "automatic",
        "answer_no_people_deceived": "on",
        "summary": "We study how short a text may be and still be recognised.",
        "summary_withheld": "An embargo until spring.",
    }
    finn.post(APPLY, form_of(world, at, act="save", **given))
    page = finn.get(APPLY)
    source = page.content.decode()
    assert 'value="FR" selected' in source
    assert 'value="automatic" selected' in source
    assert 'name="answer_no_people_deceived"' in source
    assert "checked" in source.split('name="answer_no_people_deceived"')[1][:200]
    sent = finn.post(APPLY, form_of(world, at, expected_version=hidden(page, "expected_version"), **given))
    assert sent.status_code == 303
    one = draft_of(world, "finn")
    assert one.form_answers == {"country": "FR", "method": "automatic", "no_people_deceived": "yes"}
    own = shown(finn.get(reverse("application", args=[one.pk])))
    for words in ("France", "Prompts that a program makes", "confirmed", "An embargo until spring.", "opt-research 1"):
        assert words in own


def test_an_unticked_box_takes_the_answer_back(client_of: ClientOf, world: World, at: datetime, strict: None) -> None:
    finn = client_of("finn")
    more = {"asked": "no_people_deceived", "answer_no_people_deceived": "on"}
    finn.post(APPLY, form_of(world, at, act="save", **more))
    assert draft_of(world, "finn").form_answers == {"no_people_deceived": "yes"}
    finn.post(APPLY, form_of(world, at, act="save", asked="no_people_deceived", expected_version="1"))
    assert draft_of(world, "finn").form_answers == {}


def test_what_is_missing_stands_in_the_summary_and_at_its_question(
    client_of: ClientOf, world: World, at: datetime, strict: None
) -> None:
    refused = client_of("finn").post(APPLY, form_of(world, at, asked="country method"))
    text, source = shown(refused), refused.content.decode()
    assert refused.status_code == 409
    for name in ("answer_country", "answer_method", "answer_no_people_deceived", "summary"):
        assert f'href="#id_{name}"' in source
        assert f'id="id_{name}_error"' in source
    assert "Answer: From which country do you work?" in text
    assert "How short can a text be?" in source, "what was written stays"


def test_a_choice_that_is_none_is_refused_at_its_question(client_of: ClientOf, world: World, at: datetime) -> None:
    refused = client_of("finn").post(
        APPLY, form_of(world, at, act="save", asked="country nothing", answer_country="ZZ", answer_nothing="x")
    )
    assert refused.status_code == 400
    assert 'id="id_answer_country_error"' in refused.content.decode()


def test_words_of_a_file_and_of_people_are_text(client_of: ClientOf, world: World, at: datetime) -> None:
    publish(world, changed("label: How do you study it?", f'label: "{EVIL}"'), at)
    finn = client_of("finn")
    finn.post(APPLY, form_of(world, at, act="save", summary=EVIL, asked="ethics_board", answer_ethics_board=EVIL))
    for page in (finn.get(APPLY), finn.get(reverse("programme", args=["ours"]))):
        assert page.status_code == 200
        assert EVIL not in page.content.decode()


def test_the_purpose_that_is_not_admitted_says_so_and_cannot_be_sent(
    client_of: ClientOf, world: World, at: datetime
) -> None:
    finn = client_of("finn")
    assert "A product (not admitted by this programme)" in shown(finn.get(APPLY))
    refused = finn.post(APPLY, form_of(world, at, purpose_code="P15"))
    assert refused.status_code == 409
    assert 'id="id_purpose_code_error"' in refused.content.decode()
    assert "does not admit the purpose: A product." in shown(refused)
    assert not EligibilityTrace.objects.exists()


# --- Checks before sending -------------------------------------------------------------------------------------------


def test_T38_the_page_shows_which_checks_would_fail_now_as_the_server_found(
    client_of: ClientOf, world: World, at: datetime
) -> None:
    page = client_of("finn").get(APPLY)
    text, source = shown(page), page.content.decode()
    assert "2 checks would fail now" in text, "neither purpose nor affiliation is given"
    for code in (
        "size_named",
        "purpose",
        "mail_confirmed",
        "affiliation_given",
        "cool_down",
        "not_held",
        "duties_done",
    ):
        assert f'data-check="{code}"' in source
    assert 'data-check="country"' not in source, "the preset does not look at it"
    save_application(world.actor("finn"), SERVED, answers(at), expected_version=0, at=at)
    after = shown(client_of("finn").get(APPLY))
    assert "No check would fail now" in after
    assert "Confirm your mail address" in after, "what a person looks at is shown with its fix"


def test_reviewers_and_the_applicant_read_what_the_checks_said_on_sending(
    client_of: ClientOf, world: World, at: datetime
) -> None:
    sent = submit(world, "finn", at, purpose_code="P05")
    for name, address in (("finn", "application"), ("ivy", "review")):
        page = shown(client_of(name).get(reverse(address, args=[sent.pk])))
        assert "Checks on sending: a person must look" in page
        assert "The purpose asks for people&#x27;s special care" in page
        assert "under research 1, rules version 1." in page


# --- Autosaving ------------------------------------------------------------------------------------------------------


def test_a_draft_saves_itself_and_the_answer_is_a_part_of_the_page(
    client_of: ClientOf, world: World, at: datetime
) -> None:
    finn = client_of("finn")
    page = finn.get(APPLY).content.decode()
    assert "data-autosave" in page
    assert f'hx-post="{APPLY}"' in page
    answer = autosave(finn, world, at, affiliation="")
    source = answer.content.decode()
    assert answer.status_code == 200
    assert "<html" not in source
    assert 'id="draft-state"' in source
    assert hidden(answer, "expected_version") == "1"
    assert 'href="#id_affiliation"' in source
    assert draft_of(world, "finn").version == 1
    again = autosave(finn, world, at, expected_version="1")
    assert hidden(again, "expected_version") == "2"
    assert "Nothing but the agreement" in shown(again)


def test_two_windows_never_overwrite_each_other_by_themselves(client_of: ClientOf, world: World, at: datetime) -> None:
    finn = client_of("finn")
    autosave(finn, world, at, purpose="First window")
    stale = autosave(finn, world, at, purpose="Second window")
    source = stale.content.decode()
    assert stale.status_code == 409
    assert "saved in another window" in shown(stale)
    assert 'name="expected_version"' not in source, "the window keeps its version, so it cannot overwrite unseen"
    assert draft_of(world, "finn").purpose == "First window"
    refused = finn.post(APPLY, form_of(world, at, act="save", purpose="Second window"))
    assert refused.status_code == 409
    assert "Second window" in refused.content.decode(), "the text is kept"
    meant = form_of(
        world, at, act="save", purpose="Second window", expected_version=hidden(refused, "expected_version")
    )
    assert finn.post(APPLY, meant).status_code == 303
    assert draft_of(world, "finn").purpose == "Second window"


def test_questions_that_another_purpose_brings_come_with_the_next_save(
    client_of: ClientOf, world: World, at: datetime, strict: None
) -> None:
    finn = client_of("finn")
    asked = hidden(finn.get(APPLY), "asked")
    same = autosave(finn, world, at, asked=asked)
    assert 'id="own-questions"' not in same.content.decode(), "what is being written stays as it is"
    other = autosave(finn, world, at, asked=asked, purpose_code="P05", expected_version="1", answer_country="FR")
    source = other.content.decode()
    assert 'id="own-questions" hx-swap-oob="true"' in source
    assert 'name="answer_harm"' in source
    assert 'value="FR" selected' in source


def test_an_answer_survives_a_change_of_purpose_and_back(
    client_of: ClientOf, world: World, at: datetime, strict: None
) -> None:
    finn = client_of("finn")
    autosave(finn, world, at, purpose_code="P05", asked="country harm", answer_harm="Nothing leaves.")
    autosave(
        finn, world, at, purpose_code="P01", asked="country method starts_on no_people_deceived", expected_version="1"
    )
    back = autosave(
        finn, world, at, purpose_code="P05", asked="country method starts_on no_people_deceived", expected_version="2"
    )
    assert "Nothing leaves." in back.content.decode()
    assert draft_of(world, "finn").form_answers == {"harm": "Nothing leaves."}


def test_what_cannot_be_kept_is_said_and_nothing_is_saved(client_of: ClientOf, world: World, at: datetime) -> None:
    answer = autosave(client_of("finn"), world, at, requested_end="tomorrow")
    assert answer.status_code == 400
    assert "&#x27;tomorrow&#x27; is no date." in answer.content.decode()
    assert not Application.objects.filter(applicant=world.people["finn"]).exists()


def test_a_stranger_saves_nothing(client_of: ClientOf, world: World, at: datetime) -> None:
    assert autosave(client_of("anonymous"), world, at).status_code == 401


# --- T16 -------------------------------------------------------------------------------------------------------------


def test_T16_the_page_names_only_what_is_new_and_shows_the_old_answers(
    client_of: ClientOf, world: World, at: datetime
) -> None:
    publish(world, TEXT, at - 2 * DAY)
    given = Answers(purpose="A question", more={"country": "FR"})
    save_application(world.actor("finn"), SERVED, given, expected_version=0, at=at - 2 * DAY)
    finn = client_of("finn")
    assert "The form has changed" not in shown(finn.get(APPLY))
    publish(world, ASKED_MORE, at - DAY)
    page = finn.get(APPLY)
    text, source = shown(page), page.content.decode()
    assert "You began under ours 1; ours 2 applies now. Your answers are kept." in text
    assert source.count('href="#id_answer_storage"') == 2, "as new, and as missing"
    new = source.split('id="moved"')[1].split("</section>")[0]
    assert "answer_country" not in new
    assert 'value="FR" selected' in source
    assert "A question" in source


# --- Files -----------------------------------------------------------------------------------------------------------


def test_a_question_that_a_file_answers_has_its_place_and_is_missing_until_one_is_attached(
    client_of: ClientOf, world: World, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "_KEEPERS", [])
    publish(world, ASKED_MORE.replace("kind: text\n    label: Where are", "kind: file\n    label: Where are"), at)
    draft = save_application(world.actor("finn"), SERVED, answers(at), expected_version=0, at=at)
    finn = client_of("finn")
    page = finn.get(APPLY)
    assert "Where are outputs kept? not attached yet" in shown(page)
    assert 'name="answer_storage"' not in page.content.decode(), "a file is no field of the form"
    assert [one.field for one in missing_from(draft, at=at)] == ["answer_storage"]
    slots.register(lambda application: ["storage"] if application.pk == draft.pk else [])
    assert "Where are outputs kept? attached" in shown(finn.get(APPLY))
    assert missing_from(draft, at=at) == []


# --- Reviewers -------------------------------------------------------------------------------------------------------


def test_reviewers_read_only_the_answers_that_the_form_named_them_for(
    client_of: ClientOf, world: World, at: datetime, strict: None
) -> None:
    more = {"country": "FR", "method": "people", "harm": "Somebody is deceived.", "no_people_deceived": "yes"}
    more["ethics_board"] = "Board 7"
    summary = "We study what happens when people read model-generated text."
    sent = submit(world, "finn", at, purpose_code="P05", more=more, summary=summary)
    seen = {name: shown(client_of(name).get(reverse("review", args=[sent.pk]))) for name in ("ivy", "hal", "ben")}
    assert {name for name, text in seen.items() if "Somebody is deceived." in text} == {"ben"}
    assert {name for name, text in seen.items() if "France" in text} == {"ivy", "ben"}
    assert {name for name, text in seen.items() if "take part in a study" in text} == {"ivy", "hal", "ben"}
    assert all(summary in text for text in seen.values())


def test_the_approval_form_offers_the_programmes_end_and_quota(client_of: ClientOf, world: World, at: datetime) -> None:
    text = changed("default: 180, longest: 366", "default: 30, longest: 200")
    publish(world, text.replace("tokens_per_day: 50000", "tokens_per_day: 700"), at)
    sent = submit(world, "finn", at)
    page = client_of("ivy").get(reverse("review", args=[sent.pk])).content.decode()
    assert 'name="tokens_per_day" value="700"' in page
    assert f'name="last_day" value="{(at + 29 * DAY).date().isoformat()}"' in page
    assert "What a grant would bind you to" in page
