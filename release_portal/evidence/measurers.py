"""What the portal measures by itself: each room declares how a criterion is measured, in the `ready` of its app."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from release_portal.evidence.rules import EvidenceDraft
from release_portal.registry.models import ModelSize

Measurer = Callable[[ModelSize, datetime], EvidenceDraft]

_MEASURERS: dict[str, Measurer] = {}


def measurer(criterion: str) -> Callable[[Measurer], Measurer]:
    """Declare the function that measures a criterion; it may raise NotNow when a size cannot be measured."""

    def declare(measure: Measurer) -> Measurer:
        _MEASURERS[criterion] = measure
        return measure

    return declare


def measurer_of(criterion: str) -> Measurer | None:
    """Return what measures the criterion, or None when the portal cannot."""
    return _MEASURERS.get(criterion)


def measurable() -> tuple[str, ...]:
    """Return the ids of the criteria that the portal measures by itself, sorted."""
    return tuple(sorted(_MEASURERS))
