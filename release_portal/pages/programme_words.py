"""A programme as pages say it."""

from __future__ import annotations

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from release_portal.access.programmes.eligibility import ASKED, CHANGES
from release_portal.access.programmes.programme_changes import step_words
from release_portal.access.programmes.programme_files import presets
from release_portal.access.programmes.programme_rules import IGNORE, Programme
from release_portal.access.purposes import PURPOSES
from release_portal.access.refusals import REASONS
from release_portal.access.review_steps import TIERS
from release_portal.pages.forms.programme_questions import ROLE_WORDS

_PURPOSES: dict[str, str | Promise] = {
    "admitted": lazy("Admitted"),
    "care": lazy("With special care: two people decide"),
    "not_admitted": lazy("Not admitted"),
}
_VERDICTS: dict[str, str | Promise] = {
    "refuse": lazy("nobody is asked until it is met"),
    "person": lazy("a person looks"),
}


def is_preset(programme: Programme) -> bool:
    """Return whether it applies where nothing is published."""
    return programme.digest in presets()


def figures(programme: Programme) -> list[tuple[str, str]]:
    """Return how it is reviewed, how long it lasts, and what is offered first."""
    quota = programme.quota
    tiers = [_("tier %(tier)s: %(who)s") % {"tier": t, "who": step_words(programme.step(t))} for t in TIERS]
    days = {"usual": programme.default_days, "most": programme.longest_days}
    numbers = (f"{quota.tokens_per_day:,}", f"{quota.requests_per_minute:,}", f"{quota.concurrent:,}")
    return [
        (_("Kind of grant"), programme.kind),
        (_("Who must agree"), "; ".join(tiers)),
        (_("How long"), _("%(usual)s days as a rule, %(most)s at most") % days),
        (_("Quota that is offered"), _("%s tokens a day, %s requests a minute, %s at once") % numbers),
        (_("Summary in plain words"), _("must be written") if programme.summary == "required" else _("may be written")),
    ]


def purposes_shown(programme: Programme) -> list[tuple[str, list[str]]]:
    """Return what is said of each purpose."""
    return [
        (str(label), [f"{code} {PURPOSES[code]}" for code in PURPOSES if programme.purposes[code] == verdict])
        for verdict, label in _PURPOSES.items()
    ]


def rules_shown(programme: Programme) -> list[dict[str, Any]]:
    """Return the rules that are looked at, and what follows when one is not met."""
    return [
        {"asked": ASKED[code], "verdict": _VERDICTS[verdict], "change": CHANGES[code]}
        for code, verdict in programme.eligibility.items()
        if verdict != IGNORE
    ]


def waits(programme: Programme) -> list[tuple[str, int]]:
    """Return after which refusals somebody waits, and for how many days."""
    return [(REASONS[code].label, days) for code, days in programme.cool_down.items()]


def questions_shown(programme: Programme) -> list[dict[str, Any]]:
    """Return the questions with their readers and the purposes for which they are asked."""
    return [
        {
            "question": one,
            "readers": ", ".join(str(ROLE_WORDS[role]) for role in one.readers),
            "purposes": ", ".join(PURPOSES[code] for code in one.only_for) or _("all purposes"),
        }
        for one in programme.questions
    ]
