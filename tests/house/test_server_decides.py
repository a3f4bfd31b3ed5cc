"""T38: the rules are evaluated on the server only; the browser shows what came out. Views ask, they do not query."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from release_portal.access.grant_rules import GRANT
from release_portal.access.lookups import decisions_for
from release_portal.access.policy import Action
from release_portal.accounts.roles import Role
from release_portal.releases.ladder import LADDER as STAGES
from tests.house.code import ROOT, sources, tree
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


# --- Views ask lookups ----------------------------------------------------------------------------------------------

VIEWS = ("release_portal/pages/views/", "release_portal/api/views/")


def queries_in(module: ast.AST) -> list[int]:
    """The lines that reach for a table by themselves."""
    return sorted(
        node.lineno for node in ast.walk(module) if isinstance(node, ast.Attribute) and node.attr == "objects"
    )


def test_no_view_queries_a_table_by_itself() -> None:
    """What a view shows comes from a lookup that knows who asks: a number in an address is never enough.

    Failed on three commands that fetched a hold, a roll-back and a partner's report by number before anybody asked who.
    """
    views = [path for path in sources() if path.relative_to(ROOT).as_posix().startswith(VIEWS)]
    assert len(views) > 30, "the search finds the views"
    found = {path.relative_to(ROOT).as_posix(): lines for path in views if (lines := queries_in(tree(path)))}
    assert found == {}, "move these into a lookups.py that filters by the actor"


def test_the_look_at_the_views_sees_what_it_looks_for() -> None:
    assert queries_in(ast.parse("a = 1\nhold = Hold.objects.filter(pk=pk).first()")) == [2]
