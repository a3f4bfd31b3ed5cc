"""What changes from one version of a programme to another, in words (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from release_portal.access.modifiers import MODIFIERS
from release_portal.access.programmes.countries import COUNTRIES
from release_portal.access.programmes.eligibility import ASKED
from release_portal.access.programmes.programme_rules import CountryRule, FormQuestion, PlacedModifier, Programme
from release_portal.access.purposes import PURPOSES
from release_portal.access.refusals import REASONS
from release_portal.access.review_steps import TIERS, Step

_OUTCOMES = {"refuse": "nobody is asked until it is met", "person": "a person looks", "ignore": "it is not looked at"}
_PURPOSES = {"admitted": "admitted", "care": "with special care", "not_admitted": "not admitted"}


def programme_diff(old: Programme, new: Programme) -> list[str]:
    """Return every change from one version to another, one sentence part each; empty when they ask for the same."""
    return [
        *_changed("title", old.title, new.title),
        *_changed("what it is for", old.about, new.about),
        *_purposes(old, new),
        *_eligibility(old, new),
        *_changed("countries", _countries(old.countries), _countries(new.countries)),
        *_questions(old, new),
        *_changed("plain-language summary", old.summary, new.summary),
        *_modifiers(old.modifiers, new.modifiers),
        *_steps(old, new),
        *_changed("default length", f"{old.default_days} days", f"{new.default_days} days"),
        *_changed("longest length", f"{old.longest_days} days", f"{new.longest_days} days"),
        *_changed("tokens a day", f"{old.quota.tokens_per_day:,}", f"{new.quota.tokens_per_day:,}"),
        *_changed("requests a minute", f"{old.quota.requests_per_minute:,}", f"{new.quota.requests_per_minute:,}"),
        *_changed("requests at once", f"{old.quota.concurrent:,}", f"{new.quota.concurrent:,}"),
    ]


def _changed(what: str, before: str, after: str) -> Iterator[str]:
    if before != after:
        yield f"{what}: {before} becomes {after}"


def _purposes(old: Programme, new: Programme) -> Iterator[str]:
    for code, name in PURPOSES.items():
        yield from _changed(f"{code} {name}", _PURPOSES[old.purposes[code]], _PURPOSES[new.purposes[code]])


def _eligibility(old: Programme, new: Programme) -> Iterator[str]:
    for code in old.eligibility:
        yield from _changed(ASKED[code], _OUTCOMES[old.eligibility[code]], _OUTCOMES[new.eligibility[code]])
    for code, reason in REASONS.items():
        before, after = old.cool_down.get(code, 0), new.cool_down.get(code, 0)
        yield from _changed(f"wait after “{reason.label}”", f"{before} days", f"{after} days")


def _countries(rule: CountryRule | None) -> str:
    if rule is None:
        return "all"
    names = ", ".join(COUNTRIES[code] for code in rule.only or rule.without)
    return f"only {names}" if rule.only else f"all but {names}"


def _questions(old: Programme, new: Programme) -> Iterator[str]:
    for question in old.questions:
        other = new.question(question.key)
        if other is None:
            yield f"no longer asked: {question.label}"
        elif other != question:
            yield from _question(question, other)
    yield from (f"asked anew: {one.label}" for one in new.questions if old.question(one.key) is None)


def _question(old: FormQuestion, new: FormQuestion) -> Iterator[str]:
    what = f"question {old.key}"
    yield from _changed(f"{what}, words", old.label, new.label)
    yield from _changed(f"{what}, kind", old.kind, new.kind)
    yield from _changed(f"{what}, why it is asked", old.why, new.why)
    yield from _changed(f"{what}, who reads it", _roles(old.readers), _roles(new.readers))
    yield from _changed(f"{what}, must be answered", _yes(old.required), _yes(new.required))
    yield from _changed(f"{what}, choices", _listed(map(_choice, old.choices)), _listed(map(_choice, new.choices)))
    yield from _changed(f"{what}, most characters", f"{old.longest:,}", f"{new.longest:,}")
    yield from _changed(f"{what}, asked for", _listed(old.only_for, "all"), _listed(new.only_for, "all"))


def _choice(choice: tuple[str, str]) -> str:
    return f"{choice[1]} ({choice[0]})"


def _modifiers(old: Iterable[PlacedModifier], new: Iterable[PlacedModifier]) -> Iterator[str]:
    before, after = {one.code: one for one in old}, {one.code: one for one in new}
    for code in MODIFIERS:
        was, will = before.get(code), after.get(code)
        if was is None and will is not None:
            yield f"holders are bound to {code}: {will.sentence}"
        elif was is not None and will is None:
            yield f"holders are no longer bound to {code}: {was.sentence}"
        elif was is not None and will is not None:
            yield from _changed(code, was.sentence, will.sentence)


def _steps(old: Programme, new: Programme) -> Iterator[str]:
    for tier in TIERS:
        yield from _changed(f"review at tier {tier}", step_words(old.step(tier)), step_words(new.step(tier)))


def step_words(step: Step) -> str:
    """Return a step of the review in words."""
    return f"{step.people} of {_roles(step.roles)}" if step.people > 1 else f"{_roles(step.roles)}"


def _roles(roles: Iterable[str]) -> str:
    return _listed(role.replace("_", " ") for role in roles)


def _listed(words: Iterable[str], nothing: str = "none") -> str:
    return ", ".join(words) or nothing


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"
