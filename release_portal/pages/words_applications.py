"""Words of applications and their queue."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

STEPS: dict[str, Any] = {
    "write": _("Write and send"),
    "asked": _("Questions"),
    "review": _("Review"),
    "second": _("Second review"),
    "decision": _("Decision"),
    "terms": _("Terms"),
}
STANDINGS: dict[str, dict[str, Any]] = {
    "done": {"slug": "done", "label": _("done"), "tone": "good"},
    "now": {"slug": "now", "label": _("now"), "tone": "info"},
    "later": {"slug": "later", "label": _("later"), "tone": ""},
}
OWNERS: dict[str, Any] = {
    "applicant": _("you"),
    "access_lead": _("an access lead"),
    "partner_lead": _("the partner lead"),
    "two": _("two of: access lead, partner lead, safety reviewer"),
    "second": _("a second reviewer: access lead, partner lead or safety reviewer"),
}
NEXT_ACTS: dict[str, Any] = {
    "send": _("you send it"),
    "answer": _("you answer the questions"),
    "accept_terms": _("you accept the terms of the approval, and the grant is made"),
    "review": _("it is read and decided, or you are asked"),
    "second_review": _("another person reviews it"),
}
GROUPS: dict[str, Any] = {
    "waiting": _("Wait for a decision"),
    "resting": _("Wait for the applicant"),
    "ended": _("Ended"),
}
FIGURES: dict[str, Any] = {
    "tier_0": _("Decision, tier 0"),
    "tier_1": _("Decision, tier 1"),
    "tier_2": _("Decision, tier 2"),
    "tier_3": _("Decision, tier 3"),
    "answer": _("Answer of an applicant"),
    "first_review": _("First of two reviews"),
}
