"""The release stages as data: their order, who they open a size to, and which artefacts (pure)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """One release stage.

    Args:
        slug: stable name.
        ordinal: place on the ladder; 0 is the most closed.
        label: what people read.
        audience: sentence that says to whom the stage opens a size.
        artefacts: what opens at this stage, beyond the stages below.
        is_reversible: whether narrowing takes everything back; copies of weights cannot be recalled.
    """

    slug: str
    ordinal: int
    label: str
    audience: str
    artefacts: tuple[str, ...]
    is_reversible: bool = True

    @property
    def code(self) -> str:
        """Short name: S0 to S7."""
        return f"S{self.ordinal}"


LADDER: tuple[Stage, ...] = (
    Stage("registered", 0, "Registered", "Staff prepare the release; nobody else sees the size.", ()),
    Stage(
        "disclosed", 1, "Disclosed", "Everyone may read about the size; nobody runs it.", ("paper", "card", "samples")
    ),
    Stage("partner", 2, "Partner", "Named partners under an agreement generate here.", ()),
    Stage("research_hosted", 3, "Research, hosted", "Approved researchers generate here within quotas.", ()),
    Stage(
        "public_hosted", 4, "Public, hosted", "Everyone signed in generates here within tighter limits.", ("detector",)
    ),
    Stage("research_weights", 5, "Research weights", "Approved researchers also download the weights.", (), False),
    Stage("open_weights", 6, "Open weights", "Everyone downloads weights and code.", ("weights", "code"), False),
    Stage("open_science", 7, "Open science", "Data recipe and logbook are open as well.", ("data", "logbook"), False),
)

ARTEFACT_KINDS = ("paper", "card", "samples", "code", "detector", "weights", "data", "logbook")
_BY_SLUG = {stage.slug: stage for stage in LADDER}


def stage_of(slug: str) -> Stage:
    """Return the stage of that slug; raises KeyError for an unknown one."""
    return _BY_SLUG[slug]


def neighbours(slug: str) -> tuple[Stage | None, Stage | None]:
    """Return the stage below and the stage above."""
    place = stage_of(slug).ordinal
    below = LADDER[place - 1] if place > 0 else None
    above = LADDER[place + 1] if place + 1 < len(LADDER) else None
    return below, above


def stages_from(slug: str) -> frozenset[str]:
    """Return the slugs of this stage and every wider one."""
    least = stage_of(slug).ordinal
    return frozenset(stage.slug for stage in LADDER if stage.ordinal >= least)


def artefacts_open_at(slug: str) -> tuple[str, ...]:
    """Return the artefacts that everyone may open at this stage."""
    most = stage_of(slug).ordinal
    return tuple(kind for stage in LADDER if stage.ordinal <= most for kind in stage.artefacts)
