"""The demo's programmes: the presets published for SmolLM2, and a stricter one for OPT."""

from __future__ import annotations

import datetime as dt

from django.db import transaction

from release_portal.access.models import ProgrammePublication
from release_portal.access.programmes.programme_files import packaged_text
from release_portal.access.programmes.services import publish_programme, store_programme
from release_portal.accounts.actors import actor_of
from release_portal.accounts.models import User
from release_portal.registry.models import ModelFamily

# Who publishes which file, for which family, at which stage.
PUBLISHED = (
    ("ivy", "research", "smollm2", "research_hosted"),
    ("hal", "partner", "smollm2", "partner"),
    ("ivy", "demo-research", "opt", "research_weights"),
)
REASON = "the demo's programmes"


@transaction.atomic
def write_programmes(*, at: dt.datetime) -> None:
    """Publish the demo's programmes, unless any was ever published."""
    if ProgrammePublication.objects.exists():
        return
    people = {user.username: actor_of(user) for user in User.objects.filter(is_demo=True)}
    families = {family.slug: family for family in ModelFamily.objects.all()}
    for name, file, slug, stage in PUBLISHED:
        actor, family = people.get(name), families.get(slug)
        if actor is not None and family is not None:
            version = store_programme(actor, packaged_text(file), at=at)
            publish_programme(actor, version.digest, family=family, stage=stage, reason=REASON, at=at)
