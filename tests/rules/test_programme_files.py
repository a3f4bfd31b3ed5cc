"""Programme files: what comes with the portal can be read, and what is wrong is named with its line."""

from __future__ import annotations

import pytest

from release_portal.access.application_rules import DECIDERS, REVIEWERS, TWO_PEOPLE_FROM
from release_portal.access.conditions import USUAL
from release_portal.access.programmes.eligibility import AT_ONCE
from release_portal.access.programmes.programme_changes import programme_diff
from release_portal.access.programmes.programme_files import PACKAGED, PRESETS, PolicyFileError, packaged_text, parse
from release_portal.access.programmes.programme_rules import Programme
from release_portal.access.purposes import PURPOSES
from release_portal.access.refusals import REASONS
from release_portal.access.review_steps import TIERS, house_step
from release_portal.access.risk_rules import RISKY_PURPOSES

RESEARCH = packaged_text("research")
# A preset that changes takes a new version: applications are bound to the bytes.
DIGESTS = {
    ("research", 1): "a7af27552b812b0c6c8f78e883e72070e6b24b49c71d5da3f764896a9ee7558b",
    ("partner", 1): "ef20f0d41fe4f76399509d2e9fcf19f541a80f36ee54224a8ddf987995ad3e21",
}


def changed(*pairs: tuple[str, str], text: str = RESEARCH) -> str:
    """The file with some words exchanged, each of which must be there."""
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def refused(text: str) -> PolicyFileError:
    with pytest.raises(PolicyFileError) as caught:
        parse(text)
    return caught.value


@pytest.mark.parametrize("name", PACKAGED)
def test_every_packaged_programme_reads_and_says_something_of_every_purpose(name: str) -> None:
    programme = parse(packaged_text(name))
    assert set(programme.purposes) == set(PURPOSES)
    assert {code for code in RISKY_PURPOSES if programme.needs_care(code)} == set(RISKY_PURPOSES)
    assert programme.default_days <= programme.longest_days
    assert programme.quota == USUAL


@pytest.mark.parametrize("kind", PRESETS)
def test_a_preset_asks_for_the_house_rule_of_review(kind: str) -> None:
    programme = parse(packaged_text(PRESETS[kind]))
    for tier in TIERS:
        house = house_step(kind, tier)
        assert (programme.step(tier).people, set(programme.step(tier).roles)) == (house.people, set(house.roles))


@pytest.mark.parametrize("name", PRESETS.values())
def test_a_changed_preset_has_a_new_version(name: str) -> None:
    programme = parse(packaged_text(name))
    assert DIGESTS[programme.name, programme.version] == programme.digest


def test_who_can_mend_a_refusal_alone_never_waits() -> None:
    assert set(REASONS) > AT_ONCE
    for code in sorted(AT_ONCE):
        error = refused(changed(("  open_breach: 90", f"  {code}: 1")))
        assert "can be mended" in error.reason


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("version: 1", "version: 0", "version is 0"),
        ("kind: research", "kind: other", "kind 'other' is unknown"),
        ("summary: asked", "summary: never", "summary 'never' is unknown"),
        ("summary: asked", "sumary: asked", "the key 'sumary' is unknown"),
        ("  not_admitted: [P15]", "  not_admitted: []", "purposes say nothing of P15"),
        ("  not_admitted: [P15]", "  not_admitted: [P15, P01]", "P01 stands twice"),
        ("  not_admitted: [P15]", "  not_admitted: [P16]", "a purpose 'P16' is unknown"),
        ("  duties_done: person", "  duties_done: maybe", "duties_done 'maybe' is unknown"),
        ("  duties_done: person\n", "", "eligibility lacks duties_done"),
        ("  open_breach: 90", "  open_breach: 0", "open_breach is 0"),
        ("  open_breach: 90", "  nothing: 9", "the key 'nothing' is unknown"),
        ("    kind: country", "    kind: colour", "kind 'colour' is unknown"),
        ("  - key: country", "  - key: Country", "must be small letters"),
        ("  - key: method", "  - key: country", "the question country stands twice"),
        ("readers: [access_lead, safety_reviewer]", "readers: []", "somebody must read"),
        ("readers: [access_lead, safety_reviewer]", "readers: [kim]", "readers 'kim' is unknown"),
        ("only_for: [P05, P06]", "only_for: [P99]", "only_for 'P99' is unknown"),
        ("only_for: [P05, P06]", "longest: 201", "longest is 201"),
        ("    kind: choice", "    kind: date", "has no choices"),
        ("  - code: Q02", "  - code: Q16", "code 'Q16' is unknown"),
        ("  - code: Q02", "  - code: Q06\n    value: 3", "Q06 stands twice"),
        ("    value: 12", "    value: soon", "must be a whole number"),
        ("  - code: Q12", "  - code: Q12\n    value: 3", "Q12 takes no value"),
        ("default: 180, longest: 366", "default: 180, longest: 367", "longest is 367"),
        ("default: 180, longest: 366", "default: 180, longest: 90", "default is 180"),
        ("tokens_per_day: 50000", "tokens_per_day: 0", "tokens_per_day is 0"),
        ("tokens_per_day: 50000", "tokens_per_day: 10000001", "tokens_per_day is 10000001"),
    ],
)
def test_a_bad_file_is_refused_with_line_and_reason(old: str, new: str, reason: str) -> None:
    text = changed((old, new))
    error = refused(text)
    assert reason in error.reason
    assert 1 <= error.line <= text.count("\n") + 1


def test_the_line_is_the_one_that_is_wrong() -> None:
    text = changed(("kind: country", "kind: colour"))
    line = next(number for number, one in enumerate(text.splitlines(), 1) if "colour" in one)
    assert refused(text).line == line


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("2: {people: 2,", "2: {people: 1,", "tier 2 needs at least 2"),
        ("3: {people: 2,", "3: {people: 1,", "tier 3 needs at least 2"),
        ("0: {people: 1, roles: [access_lead]}", "0: {people: 1, roles: [safety_reviewer]}", "one person alone is"),
        ("1: {people: 1, roles: [access_lead]}", "1: {people: 1, roles: [access_lead, partner_lead]}", "one person"),
        ("1: {people: 1, roles: [access_lead]}", "1: {people: 4, roles: [access_lead]}", "people is 4"),
        ("1: {people: 1, roles: [access_lead]}", "1: {people: 2, roles: [board]}", "roles 'board' is unknown"),
        ("1: {people: 1, roles: [access_lead]}", "1: {people: 2, roles: []}", "only these review"),
        ("  1: {people: 1, roles: [access_lead]}\n", "", "review lacks 1"),
    ],
)
def test_a_programme_never_asks_for_less_than_the_house(old: str, new: str, reason: str) -> None:
    assert reason in refused(changed((old, new))).reason


def test_a_programme_may_ask_for_more_than_the_house() -> None:
    wanted = "1: {people: 2, roles: [access_lead, safety_reviewer]}"
    programme = parse(changed(("1: {people: 1, roles: [access_lead]}", wanted)))
    assert programme.step(1).people == 2
    assert TWO_PEOPLE_FROM == 2
    assert set(DECIDERS.values()) <= set(REVIEWERS)


REQUIRED = ("readers: [access_lead, safety_reviewer]", "readers: [access_lead, safety_reviewer]\n    required: true")
LIMITED = ("  country: ignore", "  country: refuse")


def limited(rule: str) -> str:
    return changed(REQUIRED, LIMITED, ("questions:", f"countries:\n  question: country\n  {rule}\n\nquestions:"))


def test_countries_are_limited_by_a_question_that_everybody_answers() -> None:
    programme = parse(limited("without: [AQ]"))
    assert programme.countries is not None
    assert (programme.countries.admits("FR"), programme.countries.admits("AQ")) == (True, False)
    only = parse(limited("only: [FR]")).countries
    assert only is not None
    assert (only.admits("FR"), only.admits("AQ")) == (True, False)


def test_a_limit_of_countries_that_cannot_be_held_is_refused() -> None:
    assert "either only or without" in refused(limited("only: [FR]\n  without: [AQ]")).reason
    assert "is unknown" in refused(limited("only: [ZZ]")).reason
    assert "name none" in refused(limited("only: []")).reason
    free = limited("without: [AQ]").replace("    required: true\n", "", 1)
    assert "everybody must answer" in refused(free).reason
    ignored = limited("without: [AQ]").replace("country: refuse", "country: ignore")
    assert "ignores the rule" in refused(ignored).reason


def two(*pairs: tuple[str, str]) -> tuple[Programme, Programme]:
    return parse(RESEARCH), parse(changed(("version: 1", "version: 2"), *pairs))


def test_versions_that_ask_for_the_same_have_no_difference() -> None:
    assert programme_diff(*two()) == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("title: Research access", "title: Study", "title: Research access becomes Study"),
        ("not_admitted: [P15]", "admitted: [P15]", ""),
        ("  duties_done: person", "  duties_done: refuse", "a person looks becomes nobody is asked until it is met"),
        ("  open_breach: 90", "  open_breach: 30", "90 days becomes 30 days"),
        ("  - key: method", "  - key: manner", "no longer asked: How do you study it?"),
        ("  - key: method", "  - key: manner", "asked anew: How do you study it?"),
        ("    only_for: [P05, P06]", "    only_for: [P05]", "asked for: P05, P06 becomes P05"),
        ("      other: Something else, as", "      rest: Something else, as", "choices"),
        ("  - code: Q02\n", "", "holders are no longer bound to Q02"),
        ("  - code: Q12", "  - code: Q15", "holders are bound to Q15"),
        ("    value: 12", "    value: 6", "within 12 months. becomes"),
        ("  2: {people: 2,", "  2: {people: 3,", "review at tier 2: 2 of access lead"),
        ("default: 180,", "default: 90,", "default length: 180 days becomes 90 days"),
        ("concurrent: 4", "concurrent: 2", "requests at once: 4 becomes 2"),
        ("summary: asked", "summary: required", "plain-language summary: asked becomes required"),
    ],
)
def test_every_change_is_said_in_words(old: str, new: str, words: str) -> None:
    if not words:  # a purpose moves from one list to another
        moved = changed((", P14]", ", P14, P15]"), (old, "not_admitted: []"))
        assert programme_diff(parse(RESEARCH), parse(moved)) == ["P15 A product: not admitted becomes admitted"]
        return
    assert any(words in one for one in programme_diff(*two((old, new))))
