"""Typed readers of environment variables; each variable is declared once, with its default and its sentence."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}


@dataclass
class Environment:
    """Reads variables and remembers which were asked for, so that a test can compare them with the docs.

    Args:
        values: usually os.environ. A variable NAME may also be given as NAME_FILE, the path of a file that holds it.
    """

    values: Mapping[str, str] = field(default_factory=lambda: os.environ)
    asked: dict[str, str] = field(default_factory=dict)

    def text(self, name: str, default: str = "") -> str:
        """Return a variable as text."""
        self.asked[name] = default
        path = self.values.get(f"{name}_FILE")
        if path:
            return self._read(name, path)
        return self.values.get(name, default)

    def boolean(self, name: str, default: bool) -> bool:
        """Return a variable as yes or no; anything that is neither is an error, not a no."""
        value = self.text(name, "1" if default else "0").strip().lower()
        if value in TRUE:
            return True
        if value in FALSE:
            return False
        raise ImproperlyConfigured(f"{name} is {value!r}; write 1 or 0.")

    def integer(self, name: str, default: int, least: int = 0) -> int:
        """Return a variable as a whole number of at least `least`."""
        value = self.text(name, str(default))
        try:
            number = int(value)
        except ValueError as error:
            raise ImproperlyConfigured(f"{name} is {value!r}; write a whole number.") from error
        if number < least:
            raise ImproperlyConfigured(f"{name} is {number}; it must be at least {least}.")
        return number

    def words(self, name: str, default: str = "") -> list[str]:
        """Return a variable as a list of comma-separated words."""
        return [word.strip() for word in self.text(name, default).split(",") if word.strip()]

    def path(self, name: str, default: Path) -> Path:
        """Return a variable as an absolute path."""
        return Path(self.text(name, str(default))).expanduser().resolve()

    def _read(self, name: str, path: str) -> str:
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE names {path}, which cannot be read: {error}") from error
