"""The safety checklist: signed version by version, complete or not, and compared."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from release_portal.accounts.own_data import export_own_data
from release_portal.audit.models import AuditEvent
from release_portal.core.errors import InvalidInput, NotAllowed, NotFound, NotNow, StaleVersion
from release_portal.evidence.checklist import IDS, unanswered
from release_portal.evidence.checklist_services import UnfitChecklist, save_checklist
from release_portal.evidence.lookups import checklist_diff, checklists_of, newest_checklist
from release_portal.evidence.models import ChecklistVersion
from release_portal.evidence.services import measure_now
from release_portal.registry.models import ModelSize
from release_portal.releases.checklists import sign_checklist
from release_portal.releases.proposals import abort_proposal
from tests.governance import adopt, propose, small_policy
from tests.world import World

pytestmark = pytest.mark.django_db

SUBJECT = "proposal:12"
DONE = {"answer": "yes", "reason": "It was done in March.", "evidence": []}


def saved(world: World, answers: dict[str, Any], *, by: str = "jo", number: int = 0, **more: Any) -> ChecklistVersion:
    more = {"subject": SUBJECT, "size": world.size, **more}
    return save_checklist(world.actor(by), answers=answers, expected_number=number, at=world.at, **more)


def test_a_version_is_signed_and_recorded_even_when_it_is_incomplete(world: World) -> None:
    version = saved(world, {"2": {"answer": "no", "reason": "  Nobody has asked yet. "}, "3": {"answer": ""}})
    stored = ChecklistVersion.objects.get()
    assert stored.answers == {"2": {"answer": "no", "reason": "Nobody has asked yet.", "evidence": []}}
    assert (stored.number, stored.signed_by, stored.signed_at) == (1, "jo", world.at)
    assert stored.recomputed() == stored.digest == version.digest
    event = AuditEvent.objects.last()
    assert event is not None
    assert (event.kind, event.subject) == ("checklist.signed", f"size:{world.size.slug}")
    assert event.data["unanswered"] == [number for number in range(1, 25) if number != 2]
    assert (event.data["checklist"], event.data["number"], event.data["digest"]) == (SUBJECT, 1, stored.digest)


def test_a_proposal_that_has_ended_takes_no_further_version(world: World) -> None:
    adopt(world, small_policy(), at=world.at)
    proposal = propose(world, world.size, "public_hosted", at=world.at)
    sign_checklist(world.actor("jo"), proposal.pk, {"2": DONE}, expected_number=0, at=world.at)
    abort_proposal(world.actor("jo"), proposal.pk, reason="Over.", expected_version=proposal.version, at=world.at)
    with pytest.raises(NotNow, match="aborted"):
        sign_checklist(world.actor("jo"), proposal.pk, {"2": DONE, "3": DONE}, expected_number=1, at=world.at)
    with pytest.raises(NotAllowed):
        sign_checklist(world.actor("cleo"), proposal.pk, {"2": DONE}, expected_number=1, at=world.at)
    assert ChecklistVersion.objects.get().subject == f"proposal:{proposal.pk}"


def test_a_whole_one_rests_on_evidence_of_the_size(world: World) -> None:
    evidence = measure_now(world.actor("jo"), world.size, "C01", at=world.at)
    version = saved(world, {key: {**DONE, "evidence": [evidence.pk, evidence.pk]} for key in IDS})
    assert unanswered(version.answers) == []
    assert version.answers["24"]["evidence"] == [evidence.pk]


def test_the_next_version_stands_beside_the_first_and_the_difference_is_by_item(world: World) -> None:
    first = saved(world, {"1": DONE, "2": DONE})
    second = saved(world, {"1": DONE, "2": {**DONE, "answer": "partial"}, "10": DONE}, by="ben", number=1)
    assert newest_checklist(world.size, SUBJECT) == second
    assert list(checklists_of(world.size, SUBJECT)) == [second, first]
    changes = [(change.item, change.old, change.new) for change in checklist_diff(first, second)]
    assert changes == [(2, DONE, {**DONE, "answer": "partial"}), (10, None, DONE)]
    assert [change.item for change in checklist_diff(None, first)] == [1, 2]
    assert newest_checklist(world.size, "proposal:13") is None


def test_a_stale_form_is_refused_and_names_who_signed(world: World) -> None:
    saved(world, {"1": DONE}, by="ben")
    with pytest.raises(StaleVersion, match="ben signed version 1"):
        saved(world, {"2": DONE})
    with pytest.raises(StaleVersion, match="There is no version"):
        saved(world, {"2": DONE}, subject="proposal:13", number=1)
    assert ChecklistVersion.objects.count() == 1


def test_the_database_keeps_one_version_per_number(world: World) -> None:
    """Seen to fail without the constraint `one_checklist_per_number`."""
    saved(world, {"1": DONE})
    with pytest.raises(IntegrityError), transaction.atomic():
        ChecklistVersion.objects.create(
            size=world.size, subject=SUBJECT, number=1, signed_by_id="1", signed_by="x", signed_at=world.at
        )


def test_what_cannot_be_stored_is_refused_item_by_item(world: World) -> None:
    with pytest.raises(UnfitChecklist) as caught:
        saved(world, {"1": {**DONE, "answer": "maybe"}, "2": DONE, "3": {**DONE, "evidence": [99_999]}, "25": DONE})
    assert [field for field, _ in caught.value.problems] == ["item_1", "item_3", "item"]
    assert caught.value.status == 400
    assert not ChecklistVersion.objects.exists()


@pytest.mark.parametrize("subject", ["", "x" * 61])
def test_a_checklist_has_a_subject(world: World, subject: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        saved(world, {"1": DONE}, subject=subject)
    assert caught.value.field == "subject"


def test_a_subject_belongs_to_one_size(world: World) -> None:
    saved(world, {"1": DONE})
    elsewhere = ModelSize.objects.exclude(pk=world.size.pk).first()
    with pytest.raises(NotFound):
        saved(world, {"1": DONE}, size=elsewhere, number=1)


@pytest.mark.parametrize("name", ["cleo", "gia", "anonymous"])
def test_only_staff_sign(world: World, name: str) -> None:
    with pytest.raises(NotAllowed, match="signed by staff"):
        saved(world, {"1": DONE}, by=name)


def test_what_a_person_signed_is_in_their_own_data(world: World) -> None:
    saved(world, {"1": DONE})
    held = export_own_data(world.actor("jo"), world.people["jo"], at=world.at)["holdings"]["checklists"]
    assert [(row["subject"], row["number"]) for row in held] == [(SUBJECT, 1)]
