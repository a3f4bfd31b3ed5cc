"""The agreement: published in versions that never change, signed by hash."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from release_portal.access.agreements.drafts import (
    Wording,
    retire_draft,
    retire_version,
    save_draft,
    schedule_draft,
    write_draft,
)
from release_portal.access.agreements.lookups import draft_for, version_for
from release_portal.access.agreements.services import (
    FIRST_TEXT,
    agreement_in_force,
    agreement_numbered,
    publish_agreement,
    sign_agreement,
)
from release_portal.access.models import AgreementVersion, Signature
from release_portal.access.models.agreements import text_hash
from release_portal.accounts.roles import scopes_for
from release_portal.audit.models import AuditEvent
from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput, NotAllowed, NotFound, NotNow, StaleVersion
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from tests.services.agreeing import next_version
from tests.world import World

DAY = timedelta(days=1)


@pytest.fixture
def first(world: World, at: datetime) -> AgreementVersion:
    """The shipped agreement, in force."""
    return write_agreement(DEMO, at=at)


def test_the_shipped_text_is_version_one_and_says_what_it_must(first: AgreementVersion) -> None:
    assert first.number == 1
    assert first.sha256 == text_hash(FIRST_TEXT.read_text(encoding="utf-8"))
    for word in ("grant", "may not", "suspend", "refusal", "72 hours", "publish"):
        assert word in first.text


def test_publishing_twice_at_setup_changes_nothing(first: AgreementVersion, at: datetime) -> None:
    assert write_agreement(DEMO, at=at + DAY).pk == first.pk
    assert AgreementVersion.objects.count() == 1


def wording(at: datetime, text: str = "Another text.", **changes: Any) -> Wording:
    return replace(Wording(text, at, True, "It changed."), **changes)


@pytest.mark.parametrize("name", ["ivy", "ada", "cleo", "anonymous"])
def test_people_never_publish_alone(first: AgreementVersion, world: World, at: datetime, name: str) -> None:
    with pytest.raises(NotAllowed, match="approved by another"):
        publish_agreement(world.actor(name), "Another text.", effective_from=at, at=at)


def test_a_system_publishes_only_the_first_version(first: AgreementVersion, at: datetime) -> None:
    with pytest.raises(NotNow) as caught:
        publish_agreement(DEMO, "Another text.", effective_from=at, at=at)
    assert caught.value.code == "published"


def test_one_writes_another_approves_and_the_text_is_settled(
    first: AgreementVersion, world: World, at: datetime
) -> None:
    draft = write_draft(world.actor("ivy"), wording(at), at=at)
    second = schedule_draft(world.actor("ada"), draft.pk, expected_version=draft.version, at=at)
    assert (second.number, second.drafted_by, second.published_by) == (2, "ivy", "ada")
    assert second.sha256 == text_hash("Another text.\n")
    assert agreement_in_force(at).pk == second.pk
    assert AgreementVersion.objects.get(pk=first.pk).text == first.text
    event = AuditEvent.objects.filter(kind="agreement.published").last()
    assert event is not None
    assert (event.actor_name, event.data["sha256"], event.data["material"]) == ("ada", second.sha256, True)
    draft.refresh_from_db()
    with pytest.raises(NotNow, match="scheduled"):
        save_draft(world.actor("ivy"), draft.pk, wording(at), expected_version=draft.version, at=at)


def test_T6_nobody_approves_what_they_wrote_any_of(first: AgreementVersion, world: World, at: datetime) -> None:
    """Seen to fail with only the last editor looked at."""
    draft = write_draft(world.actor("ivy"), wording(at), at=at)
    save_draft(world.actor("ada"), draft.pk, wording(at, "Mended."), expected_version=1, at=at)
    for name in ("ivy", "ada"):
        with pytest.raises(NotAllowed) as caught:
            schedule_draft(world.actor(name), draft.pk, expected_version=2, at=at)
        assert caught.value.code == "same_person"
    with pytest.raises(IntegrityError), transaction.atomic():
        AgreementVersion.objects.create(
            number=9, text="x", sha256="x", effective_from=at, drafted_by_id="7", published_by_id="7", published_at=at
        )


@pytest.mark.parametrize("name", ["jo", "ben", "hal", "gia", "kim", "olu", "cleo", "finn", "anonymous"])
def test_nobody_else_writes_approves_or_reads_a_draft(
    first: AgreementVersion, world: World, at: datetime, name: str
) -> None:
    draft = write_draft(world.actor("ivy"), wording(at), at=at)
    actor = world.actor(name)
    with pytest.raises(NotAllowed):
        write_draft(actor, wording(at, "Mine."), at=at)
    with pytest.raises(NotAllowed):
        schedule_draft(actor, draft.pk, expected_version=1, at=at)
    with pytest.raises(NotFound):
        draft_for(actor, draft.pk)
    assert draft_for(world.actor("ada"), draft.pk) == draft


def test_T24_a_token_of_an_access_lead_neither_writes_nor_reads(
    first: AgreementVersion, world: World, at: datetime
) -> None:
    ivy = world.actor("ivy")
    token = Actor(ivy.kind, ivy.id, ivy.name, ivy.roles, frozenset(scopes_for(ivy.roles)))
    draft = write_draft(world.actor("ada"), wording(at), at=at)
    with pytest.raises(NotAllowed):
        schedule_draft(token, draft.pk, expected_version=1, at=at)
    with pytest.raises(NotFound):
        draft_for(token, draft.pk)


@pytest.mark.parametrize("text", ["", "  \n ", "x" * 100_001, "a\x00b"])
def test_a_text_has_a_length(first: AgreementVersion, world: World, at: datetime, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        write_draft(world.actor("ivy"), wording(at, text), at=at)
    assert caught.value.field == "wording"


def test_the_same_text_is_not_published_twice(first: AgreementVersion, world: World, at: datetime) -> None:
    with pytest.raises(InvalidInput, match="published already"):
        write_draft(world.actor("ivy"), wording(at, first.text.replace("\n", "\r\n")), at=at)


def test_a_reason_is_asked_for_and_a_day_that_has_not_passed(
    first: AgreementVersion, world: World, at: datetime
) -> None:
    for changes, field in (({"reason": " "}, "reason"), ({"effective_from": at - DAY}, "effective_from")):
        with pytest.raises(InvalidInput) as caught:
            write_draft(world.actor("ivy"), wording(at, **changes), at=at)
        assert caught.value.field == field


def test_a_day_that_passes_while_the_draft_waits_is_refused_at_its_approval(
    first: AgreementVersion, world: World, at: datetime
) -> None:
    draft = write_draft(world.actor("ivy"), wording(at), at=at)
    with pytest.raises(InvalidInput, match="applied in the past"):
        schedule_draft(world.actor("ada"), draft.pk, expected_version=1, at=at + DAY)


def test_a_version_does_not_overtake_one_that_is_scheduled(first: AgreementVersion, world: World, at: datetime) -> None:
    next_version(world, "Second.", at=at, start=at + 9 * DAY)
    with pytest.raises(InvalidInput, match="Version 2 takes effect later"):
        write_draft(world.actor("ivy"), wording(at, effective_from=at + 8 * DAY), at=at)


def test_a_stale_draft_is_not_approved(first: AgreementVersion, world: World, at: datetime) -> None:
    draft = write_draft(world.actor("ivy"), wording(at), at=at)
    save_draft(world.actor("ivy"), draft.pk, wording(at, "Sneaked in."), expected_version=1, at=at)
    with pytest.raises(StaleVersion):
        schedule_draft(world.actor("ada"), draft.pk, expected_version=1, at=at)


def test_a_later_version_waits_for_its_day(first: AgreementVersion, world: World, at: datetime) -> None:
    second = next_version(world, "Another text.", at=at, start=at + DAY)
    assert agreement_in_force(at).pk == first.pk
    with pytest.raises(NotFound):
        agreement_numbered(2, at=at)
    with pytest.raises(NotFound):
        version_for(world.actor("cleo"), 2, at=at)
    assert version_for(world.actor("ivy"), 2, at=at) == second
    assert agreement_in_force(at + DAY).pk == second.pk
    assert agreement_numbered(2, at=at + DAY).pk == second.pk
    assert first.state_at(at + DAY, newest=2) == "superseded"


def test_a_version_is_taken_back_before_its_day_only_and_its_number_is_gone(
    first: AgreementVersion, world: World, at: datetime
) -> None:
    next_version(world, "Another text.", at=at, start=at + DAY)
    with pytest.raises(InvalidInput):
        retire_version(world.actor("ivy"), 2, reason=" ", at=at)
    retire_version(world.actor("ivy"), 2, reason="An error.", at=at)
    assert agreement_in_force(at + DAY).pk == first.pk
    assert next_version(world, "Third.", at=at).number == 3
    with pytest.raises(NotNow):
        retire_version(world.actor("ivy"), 3, reason="Too late.", at=at)


def test_a_draft_that_is_dropped_stays_on_record(first: AgreementVersion, world: World, at: datetime) -> None:
    draft = write_draft(world.actor("ivy"), wording(at), at=at)
    retire_draft(world.actor("ivy"), draft.pk, reason="Not needed.", expected_version=1, at=at)
    draft.refresh_from_db()
    assert (draft.state, draft.text) == ("retired", "Another text.\n")
    with pytest.raises(NotNow):
        schedule_draft(world.actor("ada"), draft.pk, expected_version=2, at=at)


def test_without_any_version_there_is_nothing_to_accept(world: World, at: datetime) -> None:
    with pytest.raises(NotNow) as caught:
        agreement_in_force(at)
    assert caught.value.code == "no_agreement"


def test_a_changed_text_is_seen(first: AgreementVersion) -> None:
    """Seen to fail with `is_intact` returning True."""
    assert first.is_intact
    AgreementVersion.objects.filter(pk=first.pk).update(text=first.text.replace("may not", "may"))
    first.refresh_from_db()
    assert not first.is_intact


def test_a_signature_is_bound_to_account_version_and_hash(first: AgreementVersion, world: World, at: datetime) -> None:
    finn = world.people["finn"]
    signature = sign_agreement(world.actor("finn"), finn, first, at=at)
    assert (signature.account, signature.agreement, signature.sha256, signature.at) == (finn, first, first.sha256, at)
    event = AuditEvent.objects.last()
    assert event is not None
    assert (event.kind, event.data["sha256"]) == ("agreement.signed", first.sha256)


def test_accepting_again_keeps_the_first_signature(first: AgreementVersion, world: World, at: datetime) -> None:
    for when in (at, at + DAY):
        sign_agreement(world.actor("finn"), world.people["finn"], first, at=when)
    assert Signature.objects.get(account=world.people["finn"]).at == at
    subject = f"account:{world.people['finn'].pk}"
    assert AuditEvent.objects.filter(kind="agreement.signed", subject=subject).count() == 1
    with pytest.raises(IntegrityError), transaction.atomic():
        Signature.objects.create(account=world.people["finn"], agreement=first, sha256=first.sha256, at=at)
