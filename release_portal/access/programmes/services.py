"""Store programmes, publish them for a family at a stage, and find the one that applies."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from django.db import IntegrityError, transaction

from release_portal.access.application_rules import DECIDERS, DRAFT, functions_open, kind_of_grant
from release_portal.access.models import Application, ProgrammePublication, ProgrammeVersion
from release_portal.access.programmes.programme_files import PRESETS, PolicyFileError, parse, preset, presets
from release_portal.access.programmes.programme_rules import Programme
from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision, allow, may_not
from release_portal.core.errors import InvalidInput, NotFound, NotNow, error_of
from release_portal.registry.models import ModelFamily, ModelSize
from release_portal.releases.ladder import LADDER, stage_of

LONGEST_NAME, LONGEST_REASON = 60, 2_000
PORTAL = "the portal"
STAGES = tuple(stage.slug for stage in LADDER if functions_open(stage.slug))  # at which grants are given


def programme_subject(version: ProgrammeVersion) -> str:
    """Return how the record names a programme."""
    return f"programme:{version.name}"


# --- Storing and publishing ------------------------------------------------------------------------------------------


@transaction.atomic
def store_programme(actor: Actor, text: str, *, at: datetime) -> ProgrammeVersion:
    """Keep a programme file for good, without publishing it; the same file again changes nothing.

    Raises:
        InvalidInput: the file is wrong, with line and reason; or another file has its name and version.
        NotAllowed: the actor does not lead this kind of grant.
    """
    programme = _read(text.replace("\r\n", "\n"))
    _check_leads(actor, programme.kind, "store")
    found = ProgrammeVersion.objects.filter(digest=programme.digest).first()
    if found is not None:
        return found
    version = _create(actor, programme, at)
    data = {"digest": version.digest, "name": version.name, "version": version.version}
    record("programme.stored", actor=actor, subject=programme_subject(version), at=at, data=data)
    return version


def keeping_decision(actor: Actor, kind: str, act: str) -> Decision:
    """Decide whether somebody may store or publish a programme for this kind of grant; a token never may."""
    role, rule = DECIDERS[kind], f"programme: {act}"
    if actor.scopes is not None or not actor.has_role(role):
        reason = f"Programmes for {kind} grants are kept by the {role.replace('_', ' ')}."
        return may_not("not_a_lead", reason, rule, "Ask one.")
    return allow("lead", "You lead this kind of grant.", rule)


def _check_leads(actor: Actor, kind: str, act: str) -> None:
    decision = keeping_decision(actor, kind, act)
    if not decision:
        raise error_of(decision)


def _read(text: str) -> Programme:
    try:
        programme = parse(text)
    except PolicyFileError as error:
        raise InvalidInput(f"Line {error.line}: {error.reason}.", field="file", change="Correct the file.") from None
    if len(programme.name) > LONGEST_NAME:
        raise InvalidInput(f"The name has more than {LONGEST_NAME} characters.", field="file", change="Shorten it.")
    if programme.name in PRESETS.values() and programme.digest not in presets():
        change = "Give yours another name."
        raise InvalidInput(f"{programme.name} is the name of the portal's own file.", field="file", change=change)
    return programme


def _create(actor: Actor, programme: Programme, at: datetime) -> ProgrammeVersion:
    try:
        with transaction.atomic():
            return ProgrammeVersion.objects.create(stored_at=at, stored_by=actor.name, **_columns(programme))
    except IntegrityError:
        raise InvalidInput(
            f"There is a programme {programme} already, and it says something else.",
            field="file",
            change="Give the file the next version.",
        ) from None


def _columns(programme: Programme) -> dict[str, str | int]:
    return {
        "digest": programme.digest,
        "name": programme.name,
        "version": programme.version,
        "kind": programme.kind,
        "title": programme.title[:200],
        "text": programme.text,
    }


@transaction.atomic
def publish_programme(
    actor: Actor, digest: str, *, family: ModelFamily, stage: str, reason: str, at: datetime
) -> ProgrammePublication:
    """Let a stored programme apply to a family at a stage from now on; what was handed in keeps its own.

    Raises:
        NotFound: no programme of that digest is stored.
        NotAllowed: the actor does not lead this kind of grant.
        InvalidInput: no reason; or at this stage another kind of grant is given, or none.
        NotNow: it applies already.
    """
    version = ProgrammeVersion.objects.select_for_update().filter(digest=digest).first()
    if version is None:
        raise NotFound("There is no such programme.", change="Store the file first.")
    _check_leads(actor, version.kind, "publish")
    _check_stage(version, stage)
    reason = reason.strip()
    if not reason or len(reason) > LONGEST_REASON or "\x00" in reason:
        raise InvalidInput("Write why; the record keeps it.", field="reason")
    if _published(family.pk, stage, at) == digest:
        raise NotNow("It applies already.", code="in_force", rule="programme: publish", change="Nothing to do.")
    publication = ProgrammePublication.objects.create(
        programme=version,
        family=family,
        stage=stage,
        published_at=at,
        published_by_id=actor.id,
        published_by=actor.name,
        reason=reason,
    )
    data = {"digest": digest, "version": version.version, "family": family.slug, "stage": stage}
    record("programme.published", actor=actor, subject=programme_subject(version), at=at, reason=reason, data=data)
    return publication


def _check_stage(version: ProgrammeVersion, stage: str) -> None:
    if stage not in STAGES:
        raise InvalidInput("At this stage no grants are given.", field="stage", change="Choose another stage.")
    kind = kind_of_grant(stage)
    if kind != version.kind:
        sentence = f"At the stage {stage_of(stage).label} {kind} grants are given, and this file is for {version.kind}."
        raise InvalidInput(sentence, field="stage", change="Choose another stage, or another file.")


# --- Finding ---------------------------------------------------------------------------------------------------------


def stored_programme(name_or_digest: str) -> ProgrammeVersion:
    """Return a stored programme by its digest, or the highest version of a name; raises NotFound."""
    found = ProgrammeVersion.objects.filter(digest=name_or_digest).first()
    found = found or ProgrammeVersion.objects.filter(name=name_or_digest).order_by("-version").first()
    if found is None:
        raise NotFound(f"There is no programme {name_or_digest!r}.", change="Store the file first.")
    return found


def programme_of(digest: str) -> Programme:
    """Return what the file of that digest states."""
    return presets().get(digest) or _stored(digest)


@lru_cache(maxsize=256)
def _stored(digest: str) -> Programme:
    """A file never changes, so it is read once for each process."""
    return parse(ProgrammeVersion.objects.values_list("text", flat=True).get(digest=digest))


def programme_in_force(size: ModelSize, at: datetime) -> Programme:
    """Return the programme that applies to a size where it stands: what its family published, else the preset."""
    return programme_for(size.family_id, size.standing.stage, at)


def programme_for(family_id: int, stage: str, at: datetime) -> Programme:
    """Return the programme of a family at a stage; what was published for another kind of grant does not count."""
    digest = _published(family_id, stage, at)
    return programme_of(digest) if digest else preset(kind_of_grant(stage))


def _published(family_id: int, stage: str, at: datetime) -> str:
    found = ProgrammePublication.objects.filter(family_id=family_id, stage=stage, published_at__lte=at)
    return found.values_list("programme_id", flat=True).first() or ""


def programme_facing(application: Application) -> Programme:
    """Return the programme to which an application is bound; before forms had versions it was the preset."""
    if application.programme_id:
        return programme_of(application.programme_id)
    return preset(kind_of_grant(application.size.standing.stage))


def form_of(application: Application, at: datetime) -> Programme:
    """Return whose form counts: for a draft that in force now, for what was handed in the one it was written in."""
    if application.state == DRAFT:
        return programme_in_force(application.size, at)
    return programme_facing(application)


def bound(programme: Programme, at: datetime) -> ProgrammeVersion:
    """Return the row to which an application is bound; a preset is stored when the first one needs it."""
    given = {**_columns(programme), "stored_at": at, "stored_by": PORTAL}
    return ProgrammeVersion.objects.get_or_create(digest=programme.digest, defaults=given)[0]
