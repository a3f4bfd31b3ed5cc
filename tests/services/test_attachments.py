"""Files at applications: who adds, reads and removes them, how they lie there, and when they go."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from release_portal.access.applications import lapse_applications, save_application, withdraw_application
from release_portal.access.attachments import store
from release_portal.access.attachments.lookups import attachment_for, readable_attachment
from release_portal.access.attachments.rules import Upload
from release_portal.access.attachments.services import (
    attach_file,
    content_of,
    detach_file,
    purge_attachments,
    sweep_left_behind,
)
from release_portal.access.models import AgreementVersion, Application, Attachment
from release_portal.access.reviews import ask_applicant, refuse_application
from release_portal.accounts.actors import actor_of_token
from release_portal.accounts.services import create_token
from release_portal.appeals.services import file_appeal
from release_portal.audit.models import AuditEvent
from release_portal.core.actors import system_actor
from release_portal.core.clock import now
from release_portal.core.errors import InvalidInput, NotAllowed, NotFound, NotNow, PortalError, StaleVersion, TooLarge
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from tests.files import archive, pdf, png
from tests.services.applying import DAY, answers, submit
from tests.world import SERVED, World

pytestmark = pytest.mark.django_db

SWEEPER = system_actor("sweeper")
LETTER = Upload("letter.pdf", "application/pdf", pdf())
FIGURE = Upload("figure.png", "image/png", png())


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    """A private storage of its own for each test."""
    options = {"location": tmp_path / "files", "file_permissions_mode": 0o600, "directory_permissions_mode": 0o700}
    backend = "django.core.files.storage.FileSystemStorage"
    settings.STORAGES = {**settings.STORAGES, "attachments": {"BACKEND": backend, "OPTIONS": options}}
    return tmp_path / "files"


@pytest.fixture(autouse=True)
def agreement(world: World, at: datetime) -> AgreementVersion:
    """The shipped agreement, in force."""
    return write_agreement(DEMO, at=at - 10 * DAY)


@pytest.fixture
def draft(world: World, at: datetime) -> Application:
    """A draft of finn's."""
    return save_application(world.actor("finn"), SERVED, answers(at), expected_version=0, at=at)


@pytest.fixture
def sent(world: World, at: datetime) -> Application:
    """An application of finn's that was handed in."""
    return submit(world, "finn", at)


def attach(world: World, application: Application, upload: Upload = LETTER, *, at: datetime, **more: Any) -> Attachment:
    """Finn attaches a file."""
    return attach_file(world.actor("finn"), application.pk, upload, at=at, **more)


def test_a_file_is_kept_sealed_under_a_name_that_says_nothing(
    world: World, draft: Application, folder: Path, at: datetime
) -> None:
    kept = attach(world, draft, at=at, field_key="ethics_vote")
    (lying,) = folder.iterdir()
    assert lying.name == kept.stored_as
    assert "letter" not in lying.name
    assert b"%PDF" not in lying.read_bytes()
    assert lying.stat().st_mode & 0o777 == 0o600
    assert (content_of(kept), kept.kind, kept.size) == (LETTER.data, "pdf", len(LETTER.data))
    assert attachment_for(draft, "ethics_vote") == kept
    assert attachment_for(draft, "other") is None
    event = AuditEvent.objects.get(kind="application.file_attached")
    assert event.data["sha256"] == kept.sha256
    assert "letter" not in str(event.data)


def test_private_storage_lies_outside_everything_that_is_served(settings: Any) -> None:
    root = Path(settings.ATTACHMENT_ROOT)
    assert Path(settings.STATIC_ROOT) not in (root, *root.parents)
    assert not settings.MEDIA_URL.strip("/")


@pytest.mark.parametrize(
    ("upload", "error"),
    [
        (Upload("a.txt", "text/plain", b""), InvalidInput),
        (Upload("a.pdf", "application/pdf", pdf(archive())), InvalidInput),
        (Upload("a.png", "image/png", pdf()), InvalidInput),
        (Upload("a.txt", "text/plain", b"x" * 10_000_001), TooLarge),
    ],
)
def test_T37_what_is_refused_leaves_nothing_behind(
    world: World, draft: Application, folder: Path, at: datetime, upload: Upload, error: type[PortalError]
) -> None:
    with pytest.raises(error) as raised:
        attach(world, draft, upload, at=at)
    assert raised.value.field == "file"
    assert not Attachment.objects.exists()
    assert not folder.exists() or not list(folder.iterdir())


def test_the_sixth_file_is_refused_until_one_is_removed(
    world: World, draft: Application, at: datetime, committed: Callable[[], Any], folder: Path
) -> None:
    kept = [attach(world, draft, at=at) for _ in range(5)]
    with pytest.raises(NotNow, match="at most 5 files"):
        attach(world, draft, at=at)
    with committed():
        detach_file(world.actor("finn"), draft.pk, kept[0].pk, at=at)
    assert len(list(folder.iterdir())) == 4
    attach(world, draft, at=at)


@pytest.mark.parametrize("who", ["cleo", "ivy", "ada", "anonymous"])
def test_nobody_attaches_to_the_application_of_another(
    world: World, draft: Application, who: str, at: datetime
) -> None:
    """Seen to fail without the check of the command."""
    with pytest.raises(NotAllowed):
        attach_file(world.actor(who), draft.pk, LETTER, at=at)
    kept = attach(world, draft, at=at)
    with pytest.raises(NotAllowed):
        detach_file(world.actor(who), draft.pk, kept.pk, at=at)


def test_a_token_attaches_with_its_scope_only(world: World, draft: Application, at: datetime) -> None:
    finn = world.people["finn"]
    for scope, may in (("applications:write", True), ("generate", False)):
        token, _ = create_token(world.actor("finn"), finn, name="x", scopes=[scope], at=at)
        actor = actor_of_token(token)
        if may:
            kept = attach_file(actor, draft.pk, LETTER, at=at)
            assert readable_attachment(actor, draft.pk, kept.pk).attachment == kept
        else:
            with pytest.raises(NotAllowed):
                attach_file(actor, draft.pk, LETTER, at=at)
            with pytest.raises(NotFound):
                readable_attachment(actor, draft.pk, kept.pk)


def test_a_draft_and_its_files_are_their_writers_alone_and_what_was_sent_its_reviewers_too(
    world: World, draft: Application, at: datetime, agreement: Any
) -> None:
    kept = attach(world, draft, at=at)
    readers = {name for name in world.people if _reads(world, name, draft.pk, kept.pk)}
    assert readers == {"finn"}
    submit(world, "finn", at, version=Application.objects.get(pk=draft.pk).version)
    readers = {name for name in [*world.people, "anonymous"] if _reads(world, name, draft.pk, kept.pk)}
    assert readers == {"finn", "ivy", "hal", "ben"}


def _reads(world: World, name: str, application: str, attachment: str) -> bool:
    try:
        readable_attachment(world.actor(name), application, attachment)
    except NotFound:
        return False
    return True


def test_T2_a_file_of_another_application_is_not_there(world: World, at: datetime) -> None:
    """Seen to fail with the attachment looked up by its own id alone."""
    first, second = submit(world, "finn", at), submit(world, "lou", at)
    kept = attach(world, first, at=at)
    for who in ("finn", "ivy", "lou"):
        with pytest.raises(NotFound):
            readable_attachment(world.actor(who), second.pk, kept.pk)
    with pytest.raises(PortalError):
        detach_file(world.actor("lou"), second.pk, kept.pk, at=at)
    assert Attachment.objects.filter(pk=kept.pk).exists()


def test_what_was_sent_stays_and_a_new_file_makes_whoever_decides_look_again(
    world: World, sent: Application, at: datetime
) -> None:
    kept = attach(world, sent, at=at)
    with pytest.raises(NotNow):
        detach_file(world.actor("finn"), sent.pk, kept.pk, at=at)
    with pytest.raises(StaleVersion):
        refuse_application(
            world.actor("ivy"), sent.pk, code="purpose_unclear", text="No.", expected_version=sent.version, at=at
        )


def test_a_file_that_comes_while_a_question_is_open_belongs_to_the_answer(
    world: World, sent: Application, at: datetime
) -> None:
    ask_applicant(world.actor("ivy"), sent.pk, question="Which vote?", expected_version=sent.version, at=at)
    kept = attach(world, sent, at=at)
    assert kept.question is not None
    assert kept.question.text == "Which vote?"


def test_once_it_is_decided_nothing_more_is_attached(world: World, sent: Application, at: datetime) -> None:
    _refuse(world, sent, at)
    with pytest.raises(NotNow, match="refused"):
        attach(world, sent, at=at)


def _refuse(world: World, application: Application, at: datetime) -> Application:
    version = Application.objects.get(pk=application.pk).version
    return refuse_application(
        world.actor("ivy"), application.pk, code="purpose_unclear", text="No.", expected_version=version, at=at
    )


# --- What time removes -----------------------------------------------------------------------------------------------


def test_the_files_of_a_draft_that_lapses_or_is_withdrawn_go_with_it(
    world: World, draft: Application, at: datetime, folder: Path, committed: Callable[[], Any]
) -> None:
    attach(world, draft, at=at)
    assert purge_attachments(SWEEPER, at=at + 59 * DAY) == 0
    lapse_applications(SWEEPER, at=at + 60 * DAY)
    with committed():
        assert purge_attachments(SWEEPER, at=at + 60 * DAY) == 1
    assert list(folder.iterdir()) == []
    again = save_application(world.actor("finn"), SERVED, answers(at), expected_version=0, at=at)
    attach(world, again, at=at)
    withdraw_application(world.actor("finn"), again.pk, expected_version=again.version, at=at)
    assert purge_attachments(SWEEPER, at=at) == 1
    removed = AuditEvent.objects.filter(kind="application.file_removed")
    assert {event.actor_kind for event in removed} == {"system"}


def test_files_of_a_decided_application_stay_a_year_and_longer_while_it_is_appealed(
    world: World, sent: Application, at: datetime
) -> None:
    attach(world, sent, at=at)
    _refuse(world, sent, at)
    year = timedelta(days=365)
    assert purge_attachments(SWEEPER, at=at + year - DAY) == 0
    file_appeal(world.actor("finn"), f"application:{sent.pk}", text="The vote was attached.", at=at + 2 * DAY)
    assert purge_attachments(SWEEPER, at=at + year + DAY) == 0
    world.people["finn"].appeals.update(state="closed")
    assert purge_attachments(SWEEPER, at=at + year + DAY) == 1


def test_bytes_without_a_row_are_removed_after_a_while(
    world: World, draft: Application, at: datetime, committed: Callable[[], Any], folder: Path
) -> None:
    kept = attach(world, draft, at=at)
    store.put(b"left by a process that died")
    assert sweep_left_behind(at=at) == 0
    written_at = now()  # files bear the time of the disk's clock, not of the world
    with committed():
        assert sweep_left_behind(at=written_at + 2 * timedelta(hours=1)) == 1
    assert [one.name for one in folder.iterdir()] == [kept.stored_as]
