"""The words that pages give to proposals, votes, evidence and what can be done with them."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from release_portal.pages.words import Word
from release_portal.releases.proposal_rules import OPEN, STATES

OPEN_GROUP, WATCHED, DONE, ENDED, EVERY = "open", "observing", "completed", "ended", "every"
# State groups of the list: slug, label, states.
GROUPS: tuple[tuple[str, Word, tuple[str, ...]], ...] = (
    (OPEN_GROUP, _("Open"), OPEN),
    (WATCHED, _("Observed"), ("observing",)),
    (DONE, _("Completed"), ("completed",)),
    (ENDED, _("Ended without effect"), ("rejected", "expired", "aborted", "rolled_back")),
    (EVERY, _("Every state"), STATES),
)
# Pages that the list leads to, for those to whom they are open.
NEARBY: tuple[tuple[str, Word], ...] = (("freezes", _("Freezes and dates")), ("duty", _("Duty roster")))

_STATES: dict[str, tuple[Word, str]] = {
    "draft": (_("draft"), ""),
    "collecting": (_("collects evidence"), "info"),
    "locked": (_("locked"), "info"),
    "in_review": (_("in review"), "info"),
    "changes_requested": (_("changes requested"), "warn"),
    "approved": (_("approved"), "good"),
    "cooling": (_("cools off"), "good"),
    "scheduled": (_("scheduled"), "good"),
    "executing": (_("being carried out"), "info"),
    "observing": (_("carried out, observed"), "good"),
    "completed": (_("completed"), "good"),
    "rejected": (_("rejected"), "bad"),
    "expired": (_("expired"), "bad"),
    "aborted": (_("aborted"), ""),
    "rolled_back": (_("rolled back"), "bad"),
}

# What a proposal in this state waits for, and for whom; the votes that are missing are named beside it.
WAITS: dict[str, tuple[Word, Word]] = {
    "draft": (_("The case is being written."), _("release manager")),
    "collecting": (_("Evidence and checklist, then the lock."), _("release manager")),
    "locked": (_("Submission to those who vote."), _("release manager")),
    "in_review": (_("Votes."), ""),
    "changes_requested": (_("Changes, then a new lock."), _("release manager")),
    "approved": (_("The cool-off begins at once."), _("nobody")),
    "cooling": (_("The end of the cool-off, then a time for the move."), _("release manager")),
    "scheduled": (_("The time of the move, then its execution."), _("release manager")),
    "executing": (_("The move is being carried out."), _("nobody")),
    "observing": (_("The end of the observation; monitors watch."), _("nobody")),
    "completed": (_("Nothing; it is completed."), _("nobody")),
    "rejected": (_("Nothing; it was rejected."), _("nobody")),
    "expired": (_("Nothing; its evidence became stale."), _("nobody")),
    "aborted": (_("Nothing; it was aborted."), _("nobody")),
    "rolled_back": (_("Nothing; the size was rolled back."), _("nobody")),
}

# Command -> what its button says, what it does, what the page says afterwards.
COMMANDS: dict[str, tuple[Word, Word, Word]] = {
    "edit": (
        _("Change the case"),
        _("Rationale and conditions can change until the lock."),
        _("The case is changed."),
    ),
    "collect": (
        _("Begin to collect evidence"),
        _("The case is stated; evidence and checklist come next."),
        _("Evidence is being collected."),
    ),
    "lock": (
        _("Lock what is voted on"),
        _("Policy, results, card, checklist and weights get one digest. Any change after it voids the votes."),
        _("Locked. Nothing in it can change without voiding the lock."),
    ),
    "submit": (
        _("Submit for review"),
        _("Those who vote are asked to decide on the lock."),
        _("Submitted: people vote on the lock now."),
    ),
    "request_changes": (
        _("Request changes"),
        _("The lock and every vote on it are void."),
        _("Changes are requested; the lock and its votes are void."),
    ),
    "reopen": (
        _("Reopen"),
        _("Back to collecting: the lock and every vote on it are void."),
        _("Reopened; the lock and its votes are void."),
    ),
    "schedule": (
        _("Schedule the move"),
        _("The case is assessed once more; the move can be carried out from that time on."),
        _("The time of the move is set."),
    ),
    "execute": (_("Carry out the move"), _("The stage changes at once."), _("The move is carried out and observed.")),
    "abort": (_("Abort"), _("The proposal ends; another can be opened."), _("The proposal is aborted.")),
    "move_policy": (
        _("Move to the policy in force"),
        _("The gate of the newer policy applies from then on."),
        _("The proposal stands under the policy in force now."),
    ),
    "vote": (_("Cast your vote"), _("Named, in one role, on exactly this lock."), _("Your vote is recorded.")),
    "answer": (_("Answer"), "", _("Your answer stands beside the vote.")),
    "ask": (
        _("Ask for a waiver"),
        _("One criterion, with a reason and an end that everybody reads."),
        _("The waiver is asked for; others must agree."),
    ),
    "agree": (_("Agree to this waiver"), "", _("You agreed; it counts once enough people have.")),
    "open_window": (
        _("Open a window"),
        _("People outside read it and have until its end."),
        _("The window is open."),
    ),
    "invite": (
        _("Invite an external reviewer"),
        _("They read the terms first, and see no vote before their report is deposited."),
        _("The reviewer is invited."),
    ),
    "answer_comment": (_("Answer"), "", _("Your answer stands under the comment.")),
    "hide_comment": (_("Hide"), "", _("The comment is hidden; the reason stands in its place.")),
}

VERDICTS: dict[str, Word] = {
    "approve": _("approve"),
    "approve_if": _("approve on a condition"),
    "abstain": _("abstain"),
    "object": _("object"),
    "veto": _("veto: ends the proposal"),
}
VERDICT_TONES = {"approve": "good", "approve_if": "warn", "abstain": "", "object": "bad", "veto": "bad"}
FINDINGS: dict[str, Word] = {
    "supports": _("supports the move"),
    "concerns": _("has concerns"),
    "adverse": _("advises against the move"),
}
WINDOWS: dict[str, Word] = {
    "comment": _("Public comment: everybody who sees the size may answer"),
    "notice": _("Notice to other labs: they learn of it beforehand"),
}
ASSURANCES: dict[str, Word] = {
    "self": _("author's own measurement"),
    "reproduced": _("reproduced by somebody else in the lab"),
    "third_party": _("third party"),
}
MEASURED_HERE: Word = _("measured by this portal")
_REVIEWS: dict[str, tuple[Word, str]] = {
    "waiting": (_("waits for review"), "info"),
    "accepted": (_("accepted"), "good"),
    "rejected": (_("rejected"), "bad"),
}
PARTS: dict[str, Word] = {
    "card": _("model card"),
    "case": _("rationale and conditions"),
    "checklist": _("safety checklist"),
    "lock": _("lock"),
    "manifest": _("weights that are served"),
    "policy": _("policy"),
}


def state_pill(state: str) -> dict[str, Any]:
    """Return a proposal's state with its word and its tone."""
    label, tone = _STATES.get(state, (state, ""))
    return {"slug": state, "label": label, "tone": tone}


def review_pill(state: str) -> dict[str, Any]:
    """Return the state of evidence's review with its word and its tone."""
    label, tone = _REVIEWS[state]
    return {"slug": state, "label": label, "tone": tone}


def verdict_pill(verdict: str) -> dict[str, Any]:
    """Return a verdict with its word and its tone."""
    return {"slug": verdict, "label": VERDICTS[verdict], "tone": VERDICT_TONES[verdict]}


def role_word(role: str) -> str:
    """Return a role as people read it."""
    return role.replace("_", " ")


def part_word(part: str) -> Word:
    """Return a part of what is locked as people read it; a criterion is named by its id."""
    return PARTS.get(part, part)
