"""T38: the rules are evaluated on the server only; the browser shows what came out. Views ask, they do not query."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from release_portal.access.grant_rules import GRANT
from release_portal.access.lookups import decisions_for
from release_portal.access.policy import Action
from release_portal.accounts.roles import Role
from release_portal.releases.ladder import LADDER as STAGES
from tests.house.code import ROOT, dotted, sources, tree
from tests.world import World

SCRIPT = Path(settings.BASE_DIR) / "release_portal" / "pages" / "static" / "portal" / "portal.js"


def words_of_the_rules() -> set[str]:
    """Stages, states of a grant, roles and actions: a rule without any of them decides nothing about access."""
    return {stage.slug for stage in STAGES} | {*GRANT.states} | {role.value for role in Role} | {*map(str, Action)}


def found_in(text: str) -> set[str]:
    """The words of the rules that stand in a script as a value."""
    return {word for word in words_of_the_rules() if re.search(rf"[\"'`]{re.escape(word)}[\"'`]", text)}


def test_T38_the_portals_script_knows_no_rule() -> None:
    assert found_in(SCRIPT.read_text(encoding="utf-8")) == set()


def test_T38_the_look_at_the_script_sees_what_it_looks_for() -> None:
    assert found_in("if (grant.state === 'suspended' && role === \"duty_officer\") show()") == {
        "suspended",
        "duty_officer",
    }


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["finn", "dan", "eve"])
def test_T38_the_page_shows_the_decision_of_the_server(
    world: World, client_of: Callable[[str], Any], name: str
) -> None:
    decision = decisions_for(world.actor(name), world.size, at=world.at)[Action.GENERATE]
    page = client_of(name).get(f"/sizes/{world.size.slug}/playground/").content.decode()
    assert not decision.allowed
    assert f'data-code="{decision.code}"' in page


# --- Interfaces ask lookups ------------------------------------------------------------------------------------------

INTERFACES = ("pages", "api", "openai_api")


def queries_in(module: ast.AST, room: str) -> list[int]:
    """The lines that reach for a table of another room; what a room keeps for itself is told by its import."""
    own = {
        name.asname or name.name
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom) and node.module == f"release_portal.{room}.models"
        for name in node.names
    }
    return [node.lineno for node in _reading(module, "objects") if dotted(node.value) not in own]


def roles_asked_in(module: ast.AST) -> list[int]:
    """The lines that decide by a role themselves."""
    return [node.lineno for node in _reading(module, "has_role")]


def _reading(module: ast.AST, name: str) -> list[ast.Attribute]:
    found = [node for node in ast.walk(module) if isinstance(node, ast.Attribute) and node.attr == name]
    return sorted(found, key=lambda node: node.lineno)


@cache
def files_of(room: str) -> tuple[Path, ...]:
    """Every file of an interface."""
    return tuple(path for path in sources() if path.is_relative_to(ROOT / "release_portal" / room))


@pytest.mark.parametrize("room", INTERFACES)
def test_no_interface_queries_a_table_by_itself(room: str) -> None:
    """What it shows comes from a lookup that knows who asks: a number in an address is never enough.

    Failed on three commands that fetched a hold, a roll-back and a partner's report by number before anybody asked
    who; and on three files beside the views that queried for the home page, the banner and a proposal's history.
    """
    assert len(files_of(room)) > 5, "the search finds the files"
    found = {path.name: lines for path in files_of(room) if (lines := queries_in(tree(path), room))}
    assert found == {}, "move these into a lookups.py that filters by the actor"


@pytest.mark.parametrize("room", INTERFACES)
def test_no_interface_asks_for_a_role_by_itself(room: str) -> None:
    """Failed on the menu, which read the roles that its views declare."""
    found = {path.name: lines for path in files_of(room) if (lines := roles_asked_in(tree(path)))}
    assert found == {}, "ask the rule, a lookup, or the view's own guard"


def test_the_look_at_the_interfaces_sees_what_it_looks_for() -> None:
    foreign = "from release_portal.releases.models import Hold\nhold = Hold.objects.filter(pk=pk).first()"
    assert queries_in(ast.parse(foreign), "api") == [2]
    assert queries_in(ast.parse("from release_portal.api.models import Hold\nHold.objects.first()"), "api") == []
    assert queries_in(ast.parse("from release_portal.api.models import Hold\nHold.objects.first()"), "pages") == [2]
    assert roles_asked_in(ast.parse("a = 1\nshown = actor.has_role('board')")) == [2]
