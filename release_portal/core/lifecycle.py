"""Transition tables: every change of state is a command with allowed-from states and allowed roles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from release_portal.core.decisions import Decision, allow, may_not, not_now


@dataclass(frozen=True)
class Command:
    """One row of a transition table.

    Args:
        name: verb.
        sources: states from which the command is allowed.
        target: state after it; None when the state stays.
        by: role slugs that may give it; "holder", "applicant", "owner" and "system" stand for relations, not roles.
        note: sentence for the published matrix.
    """

    name: str
    sources: frozenset[str]
    target: str | None
    by: frozenset[str]
    note: str = ""


@dataclass(frozen=True)
class Lifecycle:
    """The states of one kind of object and the commands between them."""

    kind: str
    states: tuple[str, ...]
    commands: tuple[Command, ...]

    def command(self, name: str) -> Command:
        """Return the command of that name; raises KeyError for an unknown one."""
        for command in self.commands:
            if command.name == name:
                return command
        raise KeyError(f"{self.kind} has no command {name!r}")

    def decide(self, name: str, state: str, who: Iterable[str]) -> Decision:
        """Decide whether somebody with these roles and relations may give the command in this state."""
        command = self.command(name)
        rule = f"{self.kind}: {name}"
        if not command.by.intersection(who):
            return may_not("role", f"Your account may not {name} {self._one()}.", rule, self._who(command))
        if state not in command.sources:
            return not_now("state", f"This {self.kind} is {state}.", rule, self._when(command))
        return allow("transition", f"{name} is allowed while {state}.", rule)

    def available(self, state: str, who: Iterable[str]) -> tuple[Command, ...]:
        """Return the commands that somebody with these roles may give now."""
        who = frozenset(who)
        return tuple(c for c in self.commands if state in c.sources and c.by & who)

    def _one(self) -> str:
        return f"{'an' if self.kind[0] in 'aeiou' else 'a'} {self.kind}"

    def _who(self, command: Command) -> str:
        return "It can be done by: " + ", ".join(sorted(command.by)).replace("_", " ") + "."

    def _when(self, command: Command) -> str:
        return f"It can be done while the {self.kind} is: " + ", ".join(sorted(command.sources)) + "."


def command(name: str, sources: str, target: str | None, by: str, note: str = "") -> Command:
    """Write a table row briefly: sources and roles are separated by spaces."""
    return Command(name, frozenset(sources.split()), target, frozenset(by.split()), note)
