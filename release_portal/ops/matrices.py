"""The published matrix: which role may give which command in which state, printed from the tables themselves."""

from __future__ import annotations

from release_portal.access.agreements.rules import AGREEMENT
from release_portal.access.application_rules import APPLICATION
from release_portal.access.attestations.rules import ATTESTATION
from release_portal.access.grant_rules import GRANT
from release_portal.access.obligations.rules import OBLIGATION
from release_portal.access.people.cohort_rules import COHORT
from release_portal.access.people.seat_rules import SEAT
from release_portal.accounts.deletion_rules import DELETION
from release_portal.appeals.rules import APPEAL
from release_portal.batches.rules import BATCH
from release_portal.core.lifecycle import Lifecycle
from release_portal.misuse.report_rules import REPORT
from release_portal.moves.recall_rules import RECALL
from release_portal.releases.consultation_rules import COMMENT, EXTERNAL_REVIEW, WINDOW
from release_portal.releases.freeze_rules import FREEZE
from release_portal.releases.hold_rules import HOLD
from release_portal.releases.narrowing_rules import NARROWING
from release_portal.releases.proposal_rules import PROPOSAL
from release_portal.releases.retirement_rules import RETIREMENT
from release_portal.releases.waiver_rules import WAIVER

LIFECYCLES: tuple[Lifecycle, ...] = (
    APPLICATION,
    ATTESTATION,
    GRANT,
    SEAT,
    COHORT,
    AGREEMENT,
    OBLIGATION,
    APPEAL,
    DELETION,
    HOLD,
    REPORT,
    PROPOSAL,
    WAIVER,
    WINDOW,
    COMMENT,
    EXTERNAL_REVIEW,
    FREEZE,
    NARROWING,
    RETIREMENT,
    RECALL,
    BATCH,
)

HEAD = """# Who may do what, and when

Printed by `manage.py print_matrices` from the tables that the services ask; a test fails when this file differs.
A command in a cell may be given by that role while the object is in that state. Everything else is refused.
"""


def matrices() -> str:
    """Return the whole document."""
    return "\n".join([HEAD, *(_section(lifecycle) for lifecycle in LIFECYCLES)])


def _section(lifecycle: Lifecycle) -> str:
    who = sorted({role for command in lifecycle.commands for role in command.by})
    states = [state for state in lifecycle.states if any(state in command.sources for command in lifecycle.commands)]
    final = [state for state in lifecycle.states if state not in states]
    lines = [
        f"## {lifecycle.kind.capitalize()}",
        "",
        _row(["", *map(_words, states)]),
        _row(["---"] * (len(states) + 1)),
    ]
    lines += [_row([_words(role), *(_cell(lifecycle, role, state) for state in states)]) for role in who]
    lines += ["", f"No command leaves: {', '.join(map(_words, final))}.", ""]
    lines += [_row(["Command", "From", "To", "By", "Note"]), _row(["---"] * 5)]
    lines += [_command_row(lifecycle, name) for name in (command.name for command in lifecycle.commands)]
    return "\n".join(lines) + "\n"


def _cell(lifecycle: Lifecycle, role: str, state: str) -> str:
    return ", ".join(command.name for command in lifecycle.available(state, {role})) or "–"


def _command_row(lifecycle: Lifecycle, name: str) -> str:
    command = lifecycle.command(name)
    sources = [state for state in lifecycle.states if state in command.sources]
    by = ", ".join(map(_words, sorted(command.by)))
    return _row([name, ", ".join(map(_words, sources)), _words(command.target or "the same"), by, command.note])


def _words(slug: str) -> str:
    return slug.replace("_", " ")


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
