"""Sign versions of the safety checklist."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput, NotFound, StaleVersion, error_of
from release_portal.evidence import checklist
from release_portal.evidence.checklist import Answer
from release_portal.evidence.digests import content_digest
from release_portal.evidence.models import ChecklistVersion, Evidence
from release_portal.evidence.rules import may_sign_checklist
from release_portal.evidence.services import UnfitEvidence, size_subject
from release_portal.registry.models import ModelSize


class UnfitChecklist(UnfitEvidence):
    """Answers that cannot be stored, at several items perhaps."""

    code = "unfit_checklist"


@transaction.atomic
def save_checklist(
    actor: Actor, size: ModelSize, subject: str, answers: Mapping[str, Answer], *, expected_number: int, at: datetime
) -> ChecklistVersion:
    """Sign the next version of a subject's checklist; it may be incomplete, then it says so.

    Args:
        actor: who signs.
        size: what the subject moves.
        subject: what the checklist belongs to, e.g. `proposal:12`.
        answers: answer by item id, as `checklist` describes them.
        expected_number: number of the version that the form showed; 0 for none.
        at: the time of signing.

    Raises:
        NotAllowed: the actor may not sign.
        StaleVersion: somebody signed another version meanwhile.
        UnfitChecklist: an answer cannot be stored, named item by item.
    """
    decision = may_sign_checklist(actor)
    if not decision:
        raise error_of(decision)
    ModelSize.objects.select_for_update().get(pk=size.pk)
    newest = ChecklistVersion.objects.filter(subject=subject).order_by("-number").first()
    _check_version(size, newest, expected_number)
    _check_answers(size, subject, answers)
    version = ChecklistVersion(
        size=size,
        subject=subject,
        number=expected_number + 1,
        answers=checklist.normalised(answers),
        signed_by_id=actor.id,
        signed_by=actor.name,
        signed_at=at,
    )
    version.digest = content_digest(version.content())
    version.save(force_insert=True)
    data = {"checklist": subject, "number": version.number, "digest": version.digest}
    data |= {"unanswered": checklist.unanswered(version.answers)}
    record("checklist.signed", actor=actor, subject=size_subject(size), at=at, data=data)
    return version


def _check_version(size: ModelSize, newest: ChecklistVersion | None, expected: int) -> None:
    if newest is not None and newest.size_id != size.pk:
        raise NotFound("This size has no such checklist.", change="Open the checklist from its proposal.")
    if (newest.number if newest else 0) != expected:
        who = f"{newest.signed_by} signed version {newest.number}" if newest else "There is no version"
        reason = f"The checklist changed while this form was open: {who}."
        raise StaleVersion(reason, change="Look at what changed, then sign yours over it.")


def _check_answers(size: ModelSize, subject: str, answers: Mapping[str, Answer]) -> None:
    if not 0 < len(subject) <= 60:
        raise InvalidInput("The checklist has no subject.", field="subject", change="Name what it belongs to.")
    known = frozenset(Evidence.objects.filter(size=size).values_list("pk", flat=True))
    found = checklist.draft_problems(answers, known_evidence=known)
    if found:
        pairs = [(problem.field, problem.reason) for problem in found]
        raise UnfitChecklist(found[0].reason, pairs, rule="checklist: sign", change=found[0].change)
