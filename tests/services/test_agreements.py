"""The agreement: published in versions that never change, signed by hash."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

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
from release_portal.core.errors import InvalidInput, NotAllowed, NotFound, NotNow
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from tests.world import World

DAY = timedelta(days=1)


@pytest.fixture
def first(world: World, at: datetime) -> AgreementVersion:
    """The shipped agreement, in force."""
    return write_agreement(DEMO, at=at)


def publish(world: World, at: datetime, text: str, name: str = "ivy", *, start: datetime | None = None):
    return publish_agreement(world.actor(name), text, effective_from=start or at, at=at)


def test_the_shipped_text_is_version_one_and_says_what_it_must(first: AgreementVersion) -> None:
    assert first.number == 1
    assert first.sha256 == text_hash(FIRST_TEXT.read_text(encoding="utf-8"))
    for word in ("grant", "may not", "suspend", "refusal", "72 hours", "publish"):
        assert word in first.text


def test_publishing_twice_at_setup_changes_nothing(first: AgreementVersion, at: datetime) -> None:
    assert write_agreement(DEMO, at=at + DAY).pk == first.pk
    assert AgreementVersion.objects.count() == 1


@pytest.mark.parametrize("name", ["ivy", "ada"])
def test_access_leads_and_administrators_publish_the_next_version(
    first: AgreementVersion, world: World, at: datetime, name: str
) -> None:
    second = publish(world, at, "Another text.", name)
    assert second.number == 2
    assert agreement_in_force(at).pk == second.pk
    assert AgreementVersion.objects.get(pk=first.pk).text == first.text
    event = AuditEvent.objects.filter(kind="agreement.published").last()
    assert event is not None
    assert event.data["sha256"] == second.sha256


@pytest.mark.parametrize("name", ["jo", "ben", "hal", "gia", "kim", "olu", "cleo", "finn", "anonymous"])
def test_nobody_else_publishes(first: AgreementVersion, world: World, at: datetime, name: str) -> None:
    with pytest.raises(NotAllowed):
        publish(world, at, "Another text.", name)
    assert AgreementVersion.objects.count() == 1


def test_a_token_of_an_access_lead_does_not_publish(first: AgreementVersion, world: World, at: datetime) -> None:
    ivy = world.actor("ivy")
    token = Actor(ivy.kind, ivy.id, ivy.name, ivy.roles, frozenset(scopes_for(ivy.roles)))
    with pytest.raises(NotAllowed):
        publish_agreement(token, "Another text.", effective_from=at, at=at)


@pytest.mark.parametrize("text", ["", "  \n ", "x" * 100_001])
def test_a_text_has_a_length(first: AgreementVersion, world: World, at: datetime, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        publish(world, at, text)
    assert caught.value.field == "text"


def test_the_same_text_is_not_published_twice(first: AgreementVersion, world: World, at: datetime) -> None:
    with pytest.raises(InvalidInput, match="published already"):
        publish(world, at, first.text.replace("\n", "\r\n"))


def test_a_version_cannot_have_applied_in_the_past(first: AgreementVersion, world: World, at: datetime) -> None:
    with pytest.raises(InvalidInput) as caught:
        publish(world, at, "Another text.", start=at - DAY)
    assert caught.value.field == "effective_from"


def test_a_later_version_waits_for_its_day(first: AgreementVersion, world: World, at: datetime) -> None:
    second = publish(world, at, "Another text.", start=at + DAY)
    assert agreement_in_force(at).pk == first.pk
    with pytest.raises(NotFound):
        agreement_numbered(2, at=at)
    assert agreement_in_force(at + DAY).pk == second.pk
    assert agreement_numbered(2, at=at + DAY).pk == second.pk


def test_without_any_version_there_is_nothing_to_accept(world: World, at: datetime) -> None:
    AgreementVersion.objects.all().delete()
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
    assert AuditEvent.objects.filter(kind="agreement.signed").count() == 1
    with pytest.raises(IntegrityError), transaction.atomic():
        Signature.objects.create(account=world.people["finn"], agreement=first, sha256=first.sha256, at=at)
