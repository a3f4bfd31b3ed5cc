"""Why is a size not further? Every reason, one line each, for one size or a thousand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from release_portal.accounts.duty import on_duty
from release_portal.registry.models import ModelSize
from release_portal.releases.assessments import Case, gate_facts, next_cases
from release_portal.releases.gates import Outcome, Result, assess
from release_portal.releases.ladder import Stage, stage_of
from release_portal.releases.models import Freeze, Hold, Narrowing, Proposal
from release_portal.releases.policy_services import policies_in_force
from release_portal.releases.proposal_rules import COOLING, IN_REVIEW, SCHEDULED


@dataclass(frozen=True)
class ExcuseLine:
    """One reason why a size is not further.

    Args:
        code: criterion id, or `hold`, `freeze`, `duty`, `roll_back`, `proposal`, `cool_off`, `ended`, `policy`.
        outcome: outcome of the criterion, or `blocks` for everything that is none.
        title: what is asked.
        have: what there is.
        need: what is needed.
        owner: slug of the role that must act; empty where only time helps.
        days_left: whole days, rounded up, until waiting alone may change it; None: never.
        reason: sentence that says why.
        change: sentence that says what would change it.
    """

    code: str
    outcome: str
    title: str
    have: str
    need: str
    owner: str
    days_left: int | None
    reason: str
    change: str


@dataclass(frozen=True)
class Excuses:
    """Every reason why a size is not at its next stage; none of them means that the move can be prepared or made."""

    size: ModelSize
    target: Stage | None
    lines: tuple[ExcuseLine, ...]
    proposal: Proposal | None


def excuses_for(sizes: Sequence[ModelSize], at: datetime) -> dict[int, Excuses]:
    """Return the reasons for each size, by its key, in a constant number of queries.

    Args:
        sizes: with `standing` loaded.
        at: the time of asking.
    """
    cases = {case.size.pk: case for case in next_cases(sizes, at)}
    facts = gate_facts(list(cases.values()), at)
    around = _Around(sizes, at)
    found = {}
    for size in sizes:
        case = cases.get(size.pk)
        results = assess(case.gate, facts[size.pk], at).unmet if case else ()
        lines = (*around.lines_for(size, case), *(_of_result(result) for result in results))
        target = stage_of(case.gate.target) if case else None
        found[size.pk] = Excuses(size, target, lines, case.proposal if case else None)
    return found


def _of_result(result: Result) -> ExcuseLine:
    criterion = result.criterion
    waits = result.days_left if result.outcome is not Outcome.PASS else None
    return ExcuseLine(
        criterion.id,
        result.outcome.value,
        criterion.title,
        result.have,
        result.need,
        criterion.owner,
        waits,
        result.reason,
        result.change,
    )


class _Around:
    """What lies around the gates of many sizes: holds, freezes, roll-backs, duty; each loaded once."""

    def __init__(self, sizes: Sequence[ModelSize], at: datetime) -> None:
        keys = [size.pk for size in sizes]
        self.at = at
        self.holds = _by_size(Hold.objects.open().filter(size__in=keys))
        self.narrowings = _by_size(Narrowing.objects.unconfirmed().filter(size__in=keys))
        self.freezes = list(Freeze.objects.in_force(at))
        self.on_duty = len(on_duty(at))
        self.policies = policies_in_force(sizes, at)

    def lines_for(self, size: ModelSize, case: Case | None) -> Iterable[ExcuseLine]:
        """Return the lines that are no criteria."""
        if size.standing.ending:
            return [_blocks("ended", _("Ended"), size.standing.ending, "", "", _("The size is not released again."))]
        if case is None:
            return []
        lines = [_of_hold(hold) for hold in self.holds.get(size.pk, [])]
        lines += [_of_narrowing(one, self.at) for one in self.narrowings.get(size.pk, [])]
        lines += [_of_freeze(one, self.at) for one in self.freezes if one.family_id in (None, size.family_id)]
        lines += self._duty(size)
        return lines + _of_proposal(case.proposal, self.at)

    def _duty(self, size: ModelSize) -> list[ExcuseLine]:
        policy = self.policies.get(size.pk)
        if policy is None or self.on_duty >= policy.on_duty:
            return []
        have, need = _("%(n)s on duty") % {"n": self.on_duty}, _("%(n)s on duty") % {"n": policy.on_duty}
        return [_blocks("duty", _("People on duty"), have, need, "operator", _("Complete the duty roster."))]


def _by_size(rows: Iterable[Hold] | Iterable[Narrowing]) -> dict[int, list]:  # type: ignore[type-arg]
    found: dict[int, list] = {}  # type: ignore[type-arg]
    for row in rows:
        found.setdefault(row.size_id, []).append(row)
    return found


def _of_hold(hold: Hold) -> ExcuseLine:
    have = _("raised by %(name)s: %(reason)s") % {"name": hold.raised_by, "reason": hold.reason}
    change = _("The case is closed.") if hold.case else _("Another person than the raiser releases it.")
    title = _("Hold") if hold.level == "hold" else _("Restriction %(level)s") % {"level": hold.level}
    return _blocks("hold", title, have, _("none open"), "safety_reviewer", change)


def _of_narrowing(one: Narrowing, at: datetime) -> ExcuseLine:
    have = _("rolled back by %(name)s, not confirmed") % {"name": one.raised_by}
    days = _days(one.lapses_at - at) if one.lapses_at else None
    change = _("Another officer confirms it, or it lapses.")
    return _blocks("roll_back", _("Roll-back"), have, _("none waiting"), "duty_officer", change, days)


def _of_freeze(one: Freeze, at: datetime) -> ExcuseLine:
    have = _("until %(day)s: %(reason)s") % {"day": f"{one.ends_at:%d %B %Y, %H:%M UTC}", "reason": one.reason}
    return _blocks("freeze", _("Freeze"), have, _("none in force"), "", _("It ends."), _days(one.ends_at - at))


def _of_proposal(proposal: Proposal | None, at: datetime) -> list[ExcuseLine]:
    title = _("Proposal")
    if proposal is None:
        change = _("A release manager opens a proposal.")
        return [_blocks("proposal", title, _("none open"), _("one approved"), "release_manager", change)]
    have = proposal.state.replace("_", " ")
    if proposal.state == COOLING and proposal.cool_off_until and proposal.cool_off_until > at:
        days = _days(proposal.cool_off_until - at)
        return [_blocks("cool_off", _("Cool-off"), have, _("over"), "", _("It ends by itself."), days)]
    if proposal.state == SCHEDULED and proposal.execute_after and proposal.execute_after > at:
        days = _days(proposal.execute_after - at)
        return [_blocks("proposal", title, have, _("carried out"), "release_manager", _("Wait for its time."), days)]
    owner = "" if proposal.state == IN_REVIEW else "release_manager"
    change = _("Those who vote decide.") if proposal.state == IN_REVIEW else _("A release manager takes the next step.")
    return [_blocks("proposal", title, have, _("carried out"), owner, change)]


def _days(left: timedelta) -> int:
    return -(-left // timedelta(days=1))


def _blocks(
    code: str, title: str, have: str, need: str, owner: str, change: str, days_left: int | None = None
) -> ExcuseLine:
    return ExcuseLine(code, "blocks", title, have, need, owner, days_left, f"{title}: {have}.", change)
