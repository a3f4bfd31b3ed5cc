"""A row as an answer shows it: with what the answer adds, and without writing on the row."""

from __future__ import annotations

from typing import Any


class Shown:
    """Reads as the row, and under the names that are added as what was added.

    Args:
        row: what is shown.
        added: facts that the row does not hold, by the names under which the serializer asks for them.
    """

    def __init__(self, row: Any, **added: Any) -> None:
        self._row, self._added = row, added

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._added[name] if name in self._added else getattr(self._row, name)
