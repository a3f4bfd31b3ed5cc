"""The code base as text and trees, for tests about the code itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("release_portal", "model_cards", "inference")


@cache
def sources() -> tuple[Path, ...]:
    """Every Python file of the product; migrations are written by Django."""
    files = [ROOT / "manage.py"]
    for package in PACKAGES:
        files += [path for path in (ROOT / package).rglob("*.py") if "migrations" not in path.parts]
    return tuple(sorted(files))


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of one file."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def walk() -> Iterator[tuple[str, ast.AST]]:
    """Every node of every file, with the file's name as people write it."""
    for path in sources():
        for node in ast.walk(tree(path)):
            yield path.relative_to(ROOT).as_posix(), node


def dotted(node: ast.AST) -> str:
    """`a.b.c` for a name or attribute, else nothing."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""
