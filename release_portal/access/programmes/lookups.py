"""The only way to programmes and their publications: what is public, without families that are not disclosed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import QuerySet

from release_portal.access.application_rules import kind_of_grant
from release_portal.access.lookups import sizes_for
from release_portal.access.models import ProgrammePublication, ProgrammeVersion
from release_portal.access.policy import Action
from release_portal.access.programmes.programme_files import presets
from release_portal.access.programmes.programme_rules import Programme
from release_portal.access.programmes.services import STAGES, programme_of, stored_programme
from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput
from release_portal.registry.models import ModelFamily


def kept_programmes() -> list[Programme]:
    """Return every programme: the presets, and what was stored."""
    stored = ProgrammeVersion.objects.exclude(digest__in=presets()).values_list("digest", flat=True)
    return [*presets().values(), *(programme_of(digest) for digest in stored)]


def programme_named(name_or_digest: str) -> Programme:
    """Return a programme by its digest, or the highest version of a name; raises NotFound."""
    by_name = {one.name: one for one in presets().values()}
    known = presets().get(name_or_digest) or by_name.get(name_or_digest)
    return known or programme_of(stored_programme(name_or_digest).digest)


def families_seen(actor: Actor, at: datetime) -> QuerySet[ModelFamily]:
    """Return the families of which the actor may know."""
    seen = sizes_for(actor, Action.VIEW, at=at).order_by().values("family")
    return ModelFamily.objects.filter(pk__in=seen).order_by("name")


def family_to_publish_for(actor: Actor, slug: str, at: datetime) -> ModelFamily:
    """Return the family of that slug, if the actor may know of it."""
    family = families_seen(actor, at).filter(slug=slug[:100].replace("\x00", "")).first()
    if family is None:
        raise InvalidInput("Choose a family from the list.", field="family")
    return family


def publications_in_force(actor: Actor, at: datetime) -> dict[str, list[ProgrammePublication]]:
    """Return what applies now by digest; families of which the actor may not know are left out."""
    found = ProgrammePublication.objects.filter(family__in=families_seen(actor, at), published_at__lte=at)
    latest: dict[tuple[int, str], ProgrammePublication] = {}
    for one in found.select_related("family").order_by("published_at", "pk"):
        latest[one.family_id, one.stage] = one
    by_digest: dict[str, list[ProgrammePublication]] = {}
    for one in latest.values():
        by_digest.setdefault(one.programme_id, []).append(one)
    return by_digest


def stages_of_kind(kind: str) -> Iterable[str]:
    """Return the stages at which that kind of grant is given, the narrowest first."""
    return tuple(stage for stage in STAGES if kind_of_grant(stage) == kind)
