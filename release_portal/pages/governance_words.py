"""The words and the order that pages give to outcomes, owners and gates; those of proposals are `words_proposals`."""

from __future__ import annotations

from datetime import timedelta

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from release_portal.accounts.roles import Role
from release_portal.evidence.checklist import ANSWERS
from release_portal.pages.words import Word
from release_portal.releases.gate_policy import ApprovalNeed
from release_portal.releases.outcomes import Outcome

# As lists of what is missing are read. Glyph and word of each: `templatetags.portal` and components/outcome.html.
BLOCKS = "blocks"
OUTCOMES: tuple[str, ...] = (
    BLOCKS,
    Outcome.FAIL,
    Outcome.INCONCLUSIVE,
    Outcome.STALE,
    Outcome.NOT_RUN,
    Outcome.WAIVED,
    Outcome.PASS,
)
# Who acts, as lists are sorted; what only time or a vote changes has no owner and comes last.
OWNERS: tuple[str, ...] = (
    Role.RELEASE_MANAGER,
    Role.SAFETY_REVIEWER,
    Role.OPERATOR,
    Role.DUTY_OFFICER,
    Role.ACCESS_LEAD,
    Role.PARTNER_LEAD,
    Role.EXTERNAL_REVIEWER,
    Role.BOARD,
    Role.ADMINISTRATOR,
)
NOBODY: Word = gettext_lazy("time or a vote")
_SEVERITIES: dict[str, Word] = {
    "block": gettext_lazy("blocks"),
    "warn": gettext_lazy("warns"),
    "info": gettext_lazy("informs"),
}
_ANSWERS: dict[str, Word] = {"": gettext_lazy("not answered"), **ANSWERS}


def owner_word(slug: str) -> Word:
    """Return who must act, as people read it."""
    return slug.replace("_", " ") if slug else NOBODY


def owner_order(slug: str) -> int:
    """Return the place of an owner in lists that are sorted by who must act."""
    return OWNERS.index(slug) if slug in OWNERS else len(OWNERS)


def outcome_order(outcome: str) -> int:
    """Return the place of an outcome: what stands in the way most comes first."""
    return OUTCOMES.index(outcome) if outcome in OUTCOMES else len(OUTCOMES)


def severity_word(severity: str) -> Word:
    """Return what a criterion does when it is not met."""
    return _SEVERITIES.get(severity, severity)


def answer_word(answer: str) -> Word:
    """Return an answer of the checklist, as people read it."""
    return _ANSWERS.get(answer, answer)


def days_word(span: timedelta | None) -> str:
    """Return a length of time in whole days."""
    if span is None:
        return _("no limit")
    return ngettext("%(n)d day", "%(n)d days", span.days) % {"n": span.days} if span else _("none")


def need_word(need: ApprovalNeed) -> str:
    """Return who must approve, as people read it."""
    role = owner_word(need.role)
    if need.share:
        return _("two thirds of those with the role %(role)s") % {"role": role}
    return f"{need.count} × {role}"
