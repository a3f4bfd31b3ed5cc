"""Files with duties: handed in with the words or not at all, read with the grant, gone a year after its end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from release_portal.access.attachments.rules import MOST_FILES, Upload
from release_portal.access.attachments.services import content_of, sweep_left_behind
from release_portal.access.extra_terms import Term
from release_portal.access.models import DutyFile, Grant, Obligation
from release_portal.access.obligations.files import duty_file_of, erase_duty_files, hand_in_with, purge_duty_files
from release_portal.access.obligations.lookups import obligation_of
from release_portal.access.obligations.services import add_duties, give_back_duty
from release_portal.audit.models import AuditEvent
from release_portal.core.actors import system_actor
from release_portal.core.clock import now
from release_portal.core.errors import InvalidInput, NotAllowed, NotFound, NotNow, PortalError
from tests.files import archive, pdf
from tests.world import World

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
SWEEPER = system_actor("sweeper")
REPORT = Upload("report.pdf", "application/pdf", pdf())


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    """A private storage of its own for each test."""
    backend = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path / "files"}}
    settings.STORAGES = {**settings.STORAGES, "attachments": backend}
    return tmp_path / "files"


@pytest.fixture
def duty(world: World, at: datetime, folder: Path) -> Obligation:
    """Cleo owes a report."""
    return add_duties(Grant.objects.get(pk=world.grants["cleo"].pk), [Term("Q06", "6")], at=at)[0]


def hand_in(
    world: World, duty: Obligation, at: datetime, upload: Upload | None = REPORT, name: str = "cleo"
) -> Obligation:
    version = Obligation.objects.get(pk=duty.pk).version
    return hand_in_with(world.actor(name), duty.pk, upload, said="The report.", expected_version=version, at=at)


def names(folder: Path) -> list[str]:
    return [one.name for one in folder.iterdir()] if folder.exists() else []


def test_a_file_is_handed_in_with_the_words_sealed_and_recorded_without_its_name(
    world: World, duty: Obligation, at: datetime, folder: Path
) -> None:
    assert hand_in(world, duty, at).state == "handed_in"
    kept = duty.files.get()
    assert (kept.name, kept.kind, content_of(kept)) == ("report.pdf", "pdf", REPORT.data)
    (sealed,) = folder.iterdir()
    assert REPORT.data not in sealed.read_bytes()
    event = AuditEvent.objects.get(kind="obligation.file_attached")
    assert (event.data["file"], event.data["sha256"]) == (kept.pk, kept.sha256)
    assert "report.pdf" not in str(event.data)
    assert sweep_left_behind(at=now() + DAY) == 0, "its bytes belong to a row"


def test_without_a_file_the_words_alone_are_handed_in(world: World, duty: Obligation, at: datetime) -> None:
    assert hand_in(world, duty, at, None).state == "handed_in"
    assert not duty.files.exists()


@pytest.mark.parametrize(
    ("upload", "said", "version", "error"),
    [
        (Upload("report.pdf", "application/pdf", archive()), "The report.", 1, InvalidInput),
        (Upload("report.png", "image/png", pdf()), "The report.", 1, InvalidInput),
        (REPORT, " ", 1, InvalidInput),
        (REPORT, "The report.", 9, NotNow),
    ],
    ids=["archive", "name", "no words", "stale"],
)
def test_of_a_refused_hand_in_neither_words_nor_bytes_are_kept(
    world: World,
    duty: Obligation,
    at: datetime,
    folder: Path,
    upload: Upload,
    said: str,
    version: int,
    error: type[PortalError],
) -> None:
    with pytest.raises(error):
        hand_in_with(world.actor("cleo"), duty.pk, upload, said=said, expected_version=version, at=at)
    assert Obligation.objects.get(pk=duty.pk).state == "open"
    assert (DutyFile.objects.count(), names(folder)) == (0, [])


def test_nobody_hands_in_for_another_and_nothing_of_it_is_written(
    world: World, duty: Obligation, at: datetime, folder: Path
) -> None:
    for name in ("finn", "ivy", "anonymous"):
        with pytest.raises(NotAllowed):
            hand_in(world, duty, at, name=name)
    assert names(folder) == []


def test_what_is_handed_in_again_stands_beside_the_first_up_to_five(
    world: World, duty: Obligation, at: datetime
) -> None:
    for _ in range(MOST_FILES):
        version = hand_in(world, duty, at).version
        give_back_duty(world.actor("ivy"), duty.pk, note="More.", expected_version=version, at=at)
    assert duty.files.count() == MOST_FILES
    with pytest.raises(NotNow) as caught:
        hand_in(world, duty, at)
    assert caught.value.code == "too_many_files"
    assert hand_in(world, duty, at, None).state == "handed_in"


def test_a_file_is_read_with_its_grant_and_under_no_other_duty(world: World, duty: Obligation, at: datetime) -> None:
    hand_in(world, duty, at)
    kept, other = duty.files.get(), add_duties(duty.grant, [Term("Q11")], at=at)[0]
    for name in ("cleo", "ivy"):
        assert duty_file_of(obligation_of(world.actor(name), duty.grant_id, duty.pk), kept.pk) == kept
    with pytest.raises(NotFound):
        duty_file_of(other, kept.pk)
    with pytest.raises(NotFound):
        obligation_of(world.actor("finn"), duty.grant_id, duty.pk)


def test_files_go_a_year_after_the_end_of_the_grant_or_with_the_account(
    world: World, duty: Obligation, at: datetime, folder: Path, committed: Callable[[], Any]
) -> None:
    hand_in(world, duty, at)
    year = duty.grant.ends_at + timedelta(days=365)
    assert purge_duty_files(SWEEPER, at=year - timedelta(seconds=1)) == 0
    with committed():
        assert purge_duty_files(SWEEPER, at=year) == 1
    assert (DutyFile.objects.count(), names(folder)) == (0, [])
    assert AuditEvent.objects.get(kind="obligation.file_removed").reason == "no longer needed"
    give_back_duty(world.actor("ivy"), duty.pk, note="Again.", expected_version=2, at=at)
    hand_in(world, duty, at)
    assert erase_duty_files(world.people["finn"], at) == 0
    with committed():
        assert erase_duty_files(world.people["cleo"], at) == 1
    assert names(folder) == []
