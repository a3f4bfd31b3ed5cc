"""Bring a family into the catalogue from a file: the way in for everything that a lab wants to release here."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from release_portal.core.actors import Actor, system_actor
from release_portal.core.decisions import Decision, allow, may_not
from release_portal.core.errors import InvalidInput, error_of
from release_portal.ops.demo import write_cards
from release_portal.registry.catalogue import FamilyFacts
from release_portal.registry.models import ModelSize
from release_portal.registry.services import write_family
from release_portal.releases.services import register_standing

LOADER = system_actor("catalogue")
FIRST_STAGE = "registered"
LOADERS = ("release_manager", "administrator")


def may_load(actor: Actor) -> Decision:
    """Decide whether the actor may bring a family into the catalogue."""
    rule = "catalogue: load"
    if actor.scopes is None and actor.has_role(*LOADERS):
        return allow("role", "Release managers and administrators load families.", rule)
    return may_not("role", "A family is loaded by a release manager or administrator.", rule, "Ask one of them.")


@transaction.atomic
def load_new_family(actor: Actor, facts: FamilyFacts, *, at: datetime) -> list[ModelSize]:
    """Write a family's facts; new sizes start at Registered, because every wider stage is reached through its gate.

    Raises:
        NotAllowed: the rule says no.
        InvalidInput: a new size names another stage, or the file names a size of another family.
    """
    decision = may_load(actor)
    if not decision:
        raise error_of(decision)
    named = ModelSize.objects.filter(slug__in=[size.id for size in facts.sizes])
    known = dict(named.values_list("slug", "family__slug"))
    for named_size in facts.sizes:
        _check(named_size.id, named_size.stage, known, facts.slug)
    written = write_family(actor, facts, at=at)
    for size, _size_facts in written:
        register_standing(actor, size, FIRST_STAGE, reason=f"loaded from the file of {facts.name}", at=at)
    write_cards(LOADER, at=at)
    return [size for size, _size_facts in written]


def _check(slug: str, stage: str, known: dict[str, str], family: str) -> None:
    if known.get(slug, family) != family:
        raise InvalidInput(
            f"{slug} belongs to the family {known[slug]}.", field="sizes", change="Choose another id for the size."
        )
    if slug not in known and stage != FIRST_STAGE:
        raise InvalidInput(
            f"{slug} names the stage {stage}; a new size starts at {FIRST_STAGE}.",
            field="stage",
            change="Write `stage: registered`. It advances through its gates.",
        )
