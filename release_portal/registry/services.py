"""Write the registry: catalogue facts, and weights into the store."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from django.db import transaction

from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput, NotFound
from release_portal.registry import store
from release_portal.registry.catalogue import FamilyFacts, SizeFacts
from release_portal.registry.models import (
    Artefact,
    HistoricEvent,
    ModelFamily,
    ModelSize,
    Revision,
    SizeAlias,
    WeightFile,
)

COMMIT_DIGITS = 40


@transaction.atomic
def write_family(actor: Actor, facts: FamilyFacts, *, at: datetime) -> list[tuple[ModelSize, SizeFacts]]:
    """Write a family's facts over what is there; sizes are never removed. Return each size with its facts."""
    family, _ = ModelFamily.objects.update_or_create(
        slug=facts.slug,
        defaults={
            "name": facts.name,
            "lab": facts.lab,
            "summary": facts.summary,
            "licence": facts.licence,
            "note": facts.note,
            "ordinal": facts.ordinal,
        },
    )
    written = [(_write_size(actor, family, size, at), size) for size in facts.sizes]
    _write_events(family, facts)
    record(
        "catalogue.loaded",
        actor=actor,
        subject=f"family:{facts.slug}",
        at=at,
        data={"sizes": [size.id for size in facts.sizes], "events": len(facts.events)},
    )
    return written


def _write_size(actor: Actor, family: ModelFamily, facts: SizeFacts, at: datetime) -> ModelSize:
    size, is_new = ModelSize.objects.update_or_create(
        slug=facts.id,
        defaults={
            "family": family,
            "name": facts.name,
            "ordinal": facts.ordinal,
            "parameters": facts.parameters,
            "parameters_verified": facts.parameters_verified,
            "layers": facts.layers,
            "d_model": facts.d_model,
            "heads": facts.heads,
            "context": facts.context,
            "vocabulary": facts.vocabulary,
            "note": facts.note,
        },
    )
    if is_new:
        record("size.registered", actor=actor, subject=f"size:{size.slug}", at=at, data={"family": family.slug})
    for alias in facts.aliases:
        SizeAlias.objects.update_or_create(size=size, name=alias.name, defaults={"note": alias.note})
    for artefact in facts.artefacts:
        Artefact.objects.update_or_create(
            size=size,
            kind=artefact.kind,
            defaults={
                "opened_on": artefact.opened_on,
                "note": artefact.note,
                "is_verified": artefact.is_verified,
            },
        )
    return size


def _write_events(family: ModelFamily, facts: FamilyFacts) -> None:
    """Replace the family's historic events: they are facts of a file, nobody edits them here."""
    family.historic_events.all().delete()
    by_slug = {size.slug: size for size in family.sizes.all()}
    for event in facts.events:
        row = HistoricEvent.objects.create(
            family=family,
            happened_on=event.happened_on,
            text=event.text,
            source=event.source,
            is_verified=event.is_verified,
        )
        row.sizes.set([by_slug[slug] for slug in event.sizes])


def register_revision(actor: Actor, slug: str, digest: str, root: Path, *, source: str, at: datetime) -> Revision:
    """Make stored weights the current revision of a size; the same digest again changes nothing.

    Raises:
        NotFound: no such size. InvalidInput: the store does not hold these weights whole.
    """
    problems = store.verify(root, digest)
    if problems:
        raise InvalidInput("The stored weights are damaged: " + "; ".join(problems), field="source")
    files = store.list_files(root, digest)
    with transaction.atomic():
        size = ModelSize.objects.select_for_update().filter(slug=slug).first()
        if size is None:
            raise NotFound(f"The catalogue has no size {slug}.", change="Use an id from the catalogue, lab/size-slug.")
        revision, is_new = Revision.objects.get_or_create(
            size=size,
            digest=digest,
            defaults={
                "commit": digest[:COMMIT_DIGITS],
                "total_bytes": sum(file.size for file in files),
                "source": source[:300],
                "created_at": at,
            },
        )
        if is_new:
            WeightFile.objects.bulk_create(
                [WeightFile(revision=revision, path=f.name, sha256=f.sha256, size_bytes=f.size) for f in files]
            )
        if not revision.is_current:
            size.revisions.filter(is_current=True).update(is_current=False)
            revision.is_current = True
            revision.save(update_fields=["is_current"])
            data = {"digest": digest, "files": len(files), "bytes": revision.total_bytes, "source": source[:300]}
            record("revision.imported", actor=actor, subject=f"size:{slug}", at=at, data=data)
    return revision
