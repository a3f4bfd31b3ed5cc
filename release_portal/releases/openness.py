"""How open a size is, on three public scales, and which artefact is open to whom at which stage (pure).

Everything here is computed from the stage, the open artefacts and the licence; nobody can type it. The class of the
Model Openness Framework (MOF) is computed from the artefacts that this portal knows. Two of the 17 components have no
artefact here; they are named beside the class and nothing is claimed of them.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from release_portal.releases.ladder import ARTEFACT_KINDS, LADDER, Stage, stage_of

SOLAIMAN, LIANG, MOF = "solaiman", "liang", "mof"
LICENCE = "licence"

# Licences that let anyone use, change and share, as their identifiers stand on the Hub.
OPEN_LICENCES = frozenset(
    {
        "agpl-3.0", "apache-2.0", "bsd-2-clause", "bsd-3-clause", "bsl-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc0-1.0",
        "cdla-permissive-2.0", "gpl-2.0", "gpl-3.0", "isc", "lgpl-2.1", "lgpl-3.0", "mit", "mpl-2.0", "openmdw-1.0",
        "unlicense",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Lack:
    """One thing that is missing for the next level.

    Args:
        component: what is missing, as the scale calls it.
        reason: sentence that says why it does not count.
    """

    component: str
    reason: str


@dataclass(frozen=True)
class Level:
    """Where a size stands on one scale.

    Args:
        scale: solaiman, liang or mof.
        name: slug of the level.
        label: the level as people read it.
        reason: sentence that says what the level rests on.
        next_label: the level above; empty at the top.
        lacks: what is missing for that one.
        unknown: components of the levels reached or aimed at of which this portal cannot tell.
    """

    scale: str
    name: str
    label: str
    reason: str
    next_label: str = ""
    lacks: tuple[Lack, ...] = ()
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Rung:
    """A level of a scale: reached from a stage on, or with all of these artefacts open to everyone.

    Args:
        name: slug.
        label: what people read.
        stage: slug of the stage from which it is reached; empty when only artefacts count.
        artefacts: the artefacts that reach it; empty when only the stage counts.
        beyond: what it asks for that this portal does not know; it is never reached then.
    """

    name: str
    label: str
    stage: str = ""
    artefacts: tuple[str, ...] = ()
    beyond: str = ""

    def is_reached(self, stage: Stage, artefacts: AbstractSet[str]) -> bool:
        """Whether a size at that stage with those artefacts open has come so far."""
        if self.beyond:
            return False
        by_stage = bool(self.stage) and stage.ordinal >= stage_of(self.stage).ordinal
        return by_stage or (bool(self.artefacts) and artefacts >= set(self.artefacts))


_SOLAIMAN = (
    _Rung("closed", "fully closed", "registered"),
    _Rung("staged", "gradual or staged access", "partner"),
    _Rung("hosted", "hosted access", "research_hosted"),
    _Rung("api", "cloud or API access", "public_hosted"),
    _Rung("downloadable_approved", "downloadable for approved researchers", "research_weights"),
    _Rung("downloadable", "downloadable", artefacts=("weights",)),
    _Rung("fully_open", "fully open", artefacts=("paper", "code", "weights", "data")),
)
_LIANG = (
    _Rung("L0", "L0: nothing to study", "registered"),
    _Rung("L1", "L1: the paper", artefacts=("paper",)),
    _Rung("L2-", "L2, for partners: the model behind an interface", "partner"),
    _Rung("L2", "L2: the model behind an interface", "research_hosted"),
    _Rung("L3-approved", "L3 in part: the weights, for approved researchers", "research_weights"),
    _Rung("L3-", "L3 in part: the weights, without the training data", artefacts=("weights",)),
    _Rung("L3", "L3: weights and training data", artefacts=("weights", "data")),
    _Rung("L4", "L4: compute to train again", beyond="The portal keeps no record of compute that is given away."),
)


def solaiman_level(stage: str, artefacts: AbstractSet[str]) -> Level:
    """Return the level of access on Solaiman's scale.

    Args:
        stage: slug of the stage.
        artefacts: kinds that are open to everyone.
    """
    return _level(SOLAIMAN, _SOLAIMAN, stage, artefacts)


def liang_level(stage: str, artefacts: AbstractSet[str]) -> Level:
    """Return how deep the questions are that a researcher can ask, on Liang's scale.

    Args:
        stage: slug of the stage.
        artefacts: kinds that are open to everyone.
    """
    return _level(LIANG, _LIANG, stage, artefacts)


def _level(scale: str, rungs: tuple[_Rung, ...], slug: str, artefacts: AbstractSet[str]) -> Level:
    stage = stage_of(slug)
    place = max(number for number, rung in enumerate(rungs) if rung.is_reached(stage, artefacts))
    rung, above = rungs[place], rungs[place + 1] if place + 1 < len(rungs) else None
    if rung.artefacts and artefacts >= set(rung.artefacts):
        reason = f"Open to everyone: {', '.join(rung.artefacts)}."
    else:
        reason = f"The size stands at {stage.label}. {stage.audience}"
    lacks = _lacks_of(above, artefacts) if above else ()
    return Level(scale, rung.name, rung.label, reason, above.label if above else "", lacks)


def _lacks_of(rung: _Rung, artefacts: AbstractSet[str]) -> tuple[Lack, ...]:
    if rung.beyond:
        return (Lack("compute", rung.beyond),)
    if rung.stage:
        target = stage_of(rung.stage)
        return (Lack(f"stage {target.label}", f"The size has not reached {target.label}."),)
    return tuple(Lack(kind, _not_open(kind)) for kind in rung.artefacts if kind not in artefacts)


def _not_open(kind: str) -> str:
    return f"The artefact {kind} is not open to everyone."


# --- Model Openness Framework --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Component:
    """One of the 17 components of the framework.

    Args:
        name: as the framework calls it.
        mof_class: the lowest class that asks for it.
        artefact: the kind of artefact that holds it here; empty when the portal knows none.
        is_optional: whether the class is reached without it.
    """

    name: str
    mof_class: str
    artefact: str
    is_optional: bool = False


# From the class that asks for least to the one that asks for most; each asks for everything of those before it.
CLASSES = {"III": "class III, open model", "II": "class II, open tooling", "I": "class I, open science"}
# The artefact `code` runs a model; how it was trained is told by the data recipe, the artefact `data`.
COMPONENTS: tuple[Component, ...] = (
    Component("model architecture", "III", "code"),
    Component("final weights", "III", "weights"),
    Component("technical report", "III", "paper"),
    Component("evaluation results", "III", "card"),
    Component("model card", "III", "card"),
    Component("data card", "III", "card"),
    Component("sample outputs", "III", "samples", is_optional=True),
    Component("training code", "II", "data"),
    Component("inference code", "II", "code"),
    Component("evaluation code", "II", "code"),
    Component("evaluation data", "II", ""),
    Component("supporting libraries and tools", "II", "code"),
    Component("data preprocessing code", "I", "data"),
    Component("intermediate weights", "I", ""),
    Component("data sets", "I", "data"),
    Component("model metadata", "I", "logbook"),
    Component("research paper", "I", "paper"),
)


def mof_class(artefacts: AbstractSet[str], licence: str) -> Level:
    """Return the class of the Model Openness Framework, as far as the artefacts of this portal show it.

    Args:
        artefacts: kinds that are open to everyone.
        licence: identifier of the licence, e.g. `apache-2.0`; one that is not known to be open reaches no class.
    """
    reached = "none"
    for name in CLASSES:
        lacks, unknown = _mof_lacks(name, artefacts, licence), _unknown_of(name)
        if lacks:
            return Level(MOF, reached, _mof_label(reached), _mof_reason(reached), CLASSES[name], lacks, unknown)
        reached = name
    return Level(MOF, reached, _mof_label(reached), _mof_reason(reached), unknown=_unknown_of(reached))


def _asked_of(name: str) -> tuple[Component, ...]:
    """Return the components that a class asks for, with those of the classes below it."""
    order = tuple(CLASSES)
    return tuple(one for one in COMPONENTS if order.index(one.mof_class) <= order.index(name) and not one.is_optional)


def _unknown_of(name: str) -> tuple[str, ...]:
    return tuple(component.name for component in _asked_of(name) if not component.artefact)


def _mof_lacks(name: str, artefacts: AbstractSet[str], licence: str) -> tuple[Lack, ...]:
    closed = tuple(
        Lack(component.name, _not_open(component.artefact))
        for component in _asked_of(name)
        if component.artefact and component.artefact not in artefacts
    )
    return closed if is_open_licence(licence) else (*closed, Lack(LICENCE, _licence_reason(licence)))


def is_open_licence(licence: str) -> bool:
    """Whether the identifier is that of a licence known to be open."""
    return licence.strip().lower() in OPEN_LICENCES


def _licence_reason(licence: str) -> str:
    if not licence.strip():
        return "No licence is stated."
    return f"The licence {licence.strip()} is not on the list of open licences."


def _mof_label(name: str) -> str:
    return f"{CLASSES[name]}, as far as this portal can tell" if name in CLASSES else "no class"


def _mof_reason(name: str) -> str:
    if name not in CLASSES:
        return "Not every component of class III is open under an open licence."
    return f"Every component of {CLASSES[name]} that the portal knows is open under an open licence."


# --- All scales, and the matrix ------------------------------------------------------------------------------------


def openness_of(stage: str, artefacts: AbstractSet[str], licence: str) -> tuple[Level, Level, Level]:
    """Return where a size stands on the three scales: Solaiman, Liang, MOF.

    Args:
        stage: slug of the stage.
        artefacts: kinds that are open to everyone.
        licence: identifier of the licence; empty when there is none.
    """
    return (
        solaiman_level(stage, artefacts),
        liang_level(stage, artefacts),
        mof_class(artefacts, licence),
    )


@dataclass(frozen=True)
class Cell:
    """To whom an artefact is open at a stage.

    Args:
        stage: slug of the stage.
        audience: sentence that says to whom.
        is_open: whether it is open to everyone.
    """

    stage: str
    audience: str
    is_open: bool


@dataclass(frozen=True)
class Row:
    """One artefact over all stages."""

    artefact: str
    cells: tuple[Cell, ...]


# Open to some before they are open to everyone: who, by artefact and stage.
_EARLIER = {("weights", "research_weights"): "Approved researchers."}


def matrix() -> tuple[Row, ...]:
    """Return to whom each artefact is open at each stage, in the order of the ladder."""
    return tuple(Row(kind, tuple(_cell(kind, stage) for stage in LADDER)) for kind in ARTEFACT_KINDS)


def _cell(kind: str, stage: Stage) -> Cell:
    opens = next(one for one in LADDER if kind in one.artefacts)
    if stage.ordinal >= opens.ordinal:
        return Cell(stage.slug, "Everyone.", True)
    earlier = _EARLIER.get((kind, stage.slug), "Staff only.")
    return Cell(stage.slug, f"{earlier} It opens to everyone at {opens.label}.", False)
