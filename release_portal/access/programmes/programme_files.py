"""Read a programme from its file: everything in it is checked, and what is wrong is named with its line (pure)."""

from __future__ import annotations

import re
from functools import cache
from hashlib import sha256
from pathlib import Path

from release_portal.access.application_rules import LONGEST_LINE, LONGEST_TEXT, REVIEWERS
from release_portal.access.conditions import MOST
from release_portal.access.grant_rules import LONGEST_DAYS
from release_portal.access.modifiers import MODIFIERS
from release_portal.access.programmes.countries import COUNTRIES
from release_portal.access.programmes.eligibility import AT_ONCE, RULES
from release_portal.access.programmes.programme_rules import (
    ADMITTED,
    ASKED,
    CARE,
    CHOICE,
    COUNTRY,
    IGNORE,
    KINDS,
    LONG_TEXT,
    NOT_ADMITTED,
    PERSON,
    REFUSE,
    REQUIRED,
    TEXTS,
    CountryRule,
    FormQuestion,
    PlacedModifier,
    Programme,
)
from release_portal.access.purposes import PURPOSES
from release_portal.access.quota import Limits
from release_portal.access.refusals import REASONS
from release_portal.access.review_steps import MOST_PEOPLE, TIERS, Step, is_weaker
from release_portal.releases.yaml_tables import PolicyFileError, Table, Value, read

__all__ = ["PACKAGED", "PRESETS", "PolicyFileError", "packaged_text", "parse", "preset", "presets"]

FOLDER = Path(__file__).with_name("files")
# By kind of grant: the file that applies where nothing is published.
PRESETS = {"research": "research", "partner": "partner"}
PACKAGED = (*PRESETS.values(), "demo-research")

SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
MOST_QUESTIONS = 40
MOST_CHOICES = 60
LONGEST_COOL_DOWN = 366

KEYS = (
    "name", "version", "kind", "title", "about", "purposes", "eligibility", "cool_down_days", "countries", "questions",
    "summary", "modifiers", "review", "end_days", "quota",
)  # fmt: skip
QUESTION_KEYS = ("key", "kind", "label", "why", "readers", "required", "choices", "longest", "only_for")


def packaged_text(name: str) -> str:
    """Return a file that comes with the portal; raises KeyError for an unknown name."""
    if name not in PACKAGED:
        raise KeyError(name)
    return (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")


@cache
def preset(kind: str) -> Programme:
    """Return what applies to that kind of grant where nothing is published."""
    return parse(packaged_text(PRESETS[kind]))


@cache
def presets() -> dict[str, Programme]:
    """Return the presets by their digests."""
    return {preset(kind).digest: preset(kind) for kind in PRESETS}


def parse(text: str) -> Programme:
    """Return the programme that a file states.

    Raises:
        PolicyFileError: anything in it is wrong; the error names the line and the reason.
    """
    file = read(text, "the programme")
    file.refuse_unknown(KEYS)
    kind = file.need("kind").one_of("kind", tuple(PRESETS))
    questions = _questions(file.need("questions"))
    default, longest = _end(file.need("end_days"))
    eligibility = _eligibility(file.need("eligibility"))
    return Programme(
        name=file.need("name").match("name", SLUG, "a slug such as research"),
        version=file.need("version").whole("version", least=1, most=100_000),
        kind=kind,
        title=file.need("title").text("title"),
        about=file.need("about").text("about"),
        digest=sha256(text.encode()).hexdigest(),
        text=text,
        purposes=_purposes(file.need("purposes")),
        eligibility=eligibility,
        cool_down=_cool_down(file.get("cool_down_days")),
        countries=_countries(file, questions, eligibility),
        questions=questions,
        summary=file.need("summary").one_of("summary", (ASKED, REQUIRED)),
        modifiers=_modifiers(file.need("modifiers")),
        steps=_steps(file.need("review"), kind),
        default_days=default,
        longest_days=longest,
        quota=_quota(file.need("quota")),
    )


# --- Who may ask -----------------------------------------------------------------------------------------------------


def _purposes(value: Value) -> dict[str, str]:
    """Every code stands in exactly one list, so that nothing is left to silence."""
    table = value.table("purposes")
    table.refuse_unknown((ADMITTED, CARE, NOT_ADMITTED))
    found: dict[str, str] = {}
    for name, codes in table.entries.items():
        for item in codes.items(name):
            code = item.one_of("a purpose", tuple(PURPOSES))
            if code in found:
                item.refuse(f"{code} stands twice in purposes")
            found[code] = name
    if left_out := [code for code in PURPOSES if code not in found]:
        value.refuse(f"purposes say nothing of {', '.join(left_out)}")
    if all(verdict == NOT_ADMITTED for verdict in found.values()):
        value.refuse("no purpose is admitted")
    return found


def _eligibility(value: Value) -> dict[str, str]:
    table = value.table("eligibility")
    table.refuse_unknown(RULES)
    return {rule: table.need(rule).one_of(rule, (REFUSE, PERSON, IGNORE)) for rule in RULES}


def _cool_down(value: Value | None) -> dict[str, int]:
    """A reason that can be mended has no cool-down: whoever corrects a typo asks again at once."""
    if value is None:
        return {}
    table, found = value.table("cool_down_days"), {}
    table.refuse_unknown(tuple(REASONS))
    for code, days in table.entries.items():
        if code in AT_ONCE:
            table.keys[code].refuse(f"{code} can be mended, so nobody waits for it")
        found[code] = days.whole(code, least=1, most=LONGEST_COOL_DOWN)
    return found


def _countries(file: Table, questions: tuple[FormQuestion, ...], eligibility: dict[str, str]) -> CountryRule | None:
    value = file.get("countries")
    if value is None:
        return None
    table = value.table("countries")
    table.refuse_unknown(("question", "only", "without"))
    asked = [one.key for one in questions if one.kind == COUNTRY and one.required and not one.only_for]
    key = table.need("question").text("question")
    if key not in asked:
        table.need("question").refuse(f"{key} is no question of the kind country that everybody must answer")
    only, without = table.get("only"), table.get("without")
    if (only is None) == (without is None):
        value.refuse("countries need either only or without")
    if eligibility["country"] == IGNORE:
        value.refuse("countries are limited, and eligibility ignores the rule country")
    codes = (only or table.need("without")).words("countries", tuple(COUNTRIES))
    if not codes:
        value.refuse("countries name none")
    return CountryRule(key, codes, ()) if only else CountryRule(key, (), codes)


# --- The form --------------------------------------------------------------------------------------------------------


def _questions(value: Value) -> tuple[FormQuestion, ...]:
    found: dict[str, FormQuestion] = {}
    items = value.items("questions")
    if len(items) > MOST_QUESTIONS:
        value.refuse(f"more than {MOST_QUESTIONS} questions are a form that nobody fills in")
    for item in items:
        question = _question(item)
        if question.key in found:
            item.refuse(f"the question {question.key} stands twice")
        found[question.key] = question
    return tuple(found.values())


def _question(item: Value) -> FormQuestion:
    table = item.table("a question")
    table.refuse_unknown(QUESTION_KEYS)
    kind = table.need("kind").one_of("kind", KINDS)
    readers = table.need("readers").words("readers", REVIEWERS)
    if not readers:
        table.need("readers").refuse("somebody must read the answer, or it need not be asked")
    required, only_for = table.get("required"), table.get("only_for")
    return FormQuestion(
        key=table.need("key").match("key", KEY, "small letters, digits and _"),
        kind=kind,
        label=table.need("label").text("label"),
        why=table.need("why").text("why"),
        readers=readers,
        required=required.flag("required") if required else False,
        choices=_choices(table, kind),
        longest=_longest(table, kind),
        only_for=only_for.words("only_for", tuple(PURPOSES)) if only_for else (),
    )


def _choices(table: Table, kind: str) -> tuple[tuple[str, str], ...]:
    value = table.get("choices")
    if kind != CHOICE:
        if value is not None:
            value.refuse(f"a question of the kind {kind} has no choices")
        return ()
    choices = table.need("choices").table("choices")
    if not 2 <= len(choices.entries) <= MOST_CHOICES:
        choices.at.refuse(f"a choice is one of 2 to {MOST_CHOICES}")
    for key in choices.keys.values():
        key.match("a choice", KEY, "small letters, digits and _")
    return tuple((name, label.text("a choice")) for name, label in choices.entries.items())


def _longest(table: Table, kind: str) -> int:
    value = table.get("longest")
    if kind not in TEXTS:
        if value is not None:
            value.refuse(f"a question of the kind {kind} has no longest")
        return 0
    most = LONGEST_TEXT if kind == LONG_TEXT else LONGEST_LINE
    return value.whole("longest", least=1, most=most) if value else most


def _modifiers(value: Value) -> tuple[PlacedModifier, ...]:
    found: dict[str, PlacedModifier] = {}
    for item in value.items("modifiers"):
        one = _modifier(item)
        if one.code in found:
            item.refuse(f"{one.code} stands twice in modifiers")
        found[one.code] = one
    return tuple(found.values())


def _modifier(item: Value) -> PlacedModifier:
    table = item.table("a modifier")
    table.refuse_unknown(("code", "value"))
    code, value = table.need("code").one_of("code", tuple(MODIFIERS)), table.get("value")
    parameter = MODIFIERS[code].parameter
    if not parameter:
        if value is not None:
            value.refuse(f"{code} takes no value")
        return PlacedModifier(code)
    if parameter in ("months", "days"):
        return PlacedModifier(code, str(table.need("value").whole("value", least=1, most=3_650)))
    return PlacedModifier(code, table.need("value").text("value"))


# --- Review, end, quota ----------------------------------------------------------------------------------------------


def _steps(value: Value, kind: str) -> tuple[Step, ...]:
    table = value.table("review")
    table.refuse_unknown(tuple(map(str, TIERS)))
    return tuple(_step(table.need(str(tier)), kind, tier) for tier in TIERS)


def _step(value: Value, kind: str, tier: int) -> Step:
    table = value.table(f"tier {tier}")
    table.refuse_unknown(("people", "roles"))
    people = table.need("people").whole("people", least=1, most=MOST_PEOPLE)
    step = Step(people, table.need("roles").words("roles", REVIEWERS))
    if weakness := is_weaker(step, kind, tier):
        value.refuse(f"the review of {weakness}" if weakness.startswith("tier") else weakness)
    return step


def _end(value: Value) -> tuple[int, int]:
    table = value.table("end_days")
    table.refuse_unknown(("default", "longest"))
    longest = table.need("longest").whole("longest", least=1, most=LONGEST_DAYS)
    return table.need("default").whole("default", least=1, most=longest), longest


def _quota(value: Value) -> Limits:
    table, names = value.table("quota"), ("tokens_per_day", "requests_per_minute", "concurrent")
    table.refuse_unknown(names)
    return Limits(*(table.need(name).whole(name, least=1, most=getattr(MOST, name)) for name in names))
