"""The pages of attached files: add, refuse clearly, download safely, remove."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from release_portal.access.applications import save_application, submit_application
from release_portal.access.models import AgreementVersion, Application, Attachment
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from tests.files import bomb, pdf, png
from tests.services.applying import DAY, answers
from tests.world import SERVED, World

pytestmark = pytest.mark.django_db
ClientOf = Callable[[str], Any]
APPLY = f"/sizes/{SERVED}/apply/"


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> None:
    """A private storage of its own for each test."""
    backend = "django.core.files.storage.FileSystemStorage"
    files = {"BACKEND": backend, "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = {**settings.STORAGES, "attachments": files}


@pytest.fixture(autouse=True)
def agreement(world: World, at: datetime) -> AgreementVersion:
    """The shipped agreement, in force."""
    return write_agreement(DEMO, at=at - 10 * DAY)


@pytest.fixture
def draft(world: World, at: datetime) -> Application:
    """A draft of finn's."""
    return save_application(world.actor("finn"), SERVED, answers(at), expected_version=0, at=at)


def shown(response: Any) -> str:
    """What a reader sees, without tags and doubled spaces."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def send(client: Any, application: Application, name: str, data: bytes, declared: str, **more: str) -> Any:
    """Send the form with a file."""
    file = SimpleUploadedFile(name, data, content_type=declared)
    return client.post(f"/applications/{application.pk}/attachments/", {"file": file, **more})


def test_a_file_is_added_listed_downloaded_and_removed(client_of: ClientOf, draft: Application) -> None:
    finn = client_of("finn")
    sent = send(finn, draft, "Größe.pdf", pdf(), "application/pdf")
    assert (sent.status_code, sent["Location"]) == (303, APPLY + "#files")
    assert "Größe.pdf is attached" in shown(finn.get(APPLY))
    kept = Attachment.objects.get()
    address = f"/applications/{draft.pk}/attachments/{kept.pk}/"
    file = finn.get(address)
    assert file.content == pdf()
    assert file["Content-Disposition"].startswith("attachment;")
    assert (file["Content-Type"], file["X-Content-Type-Options"]) == ("application/pdf", "nosniff")
    assert file["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert file["Cache-Control"] == "no-store"
    assert finn.post(address + "remove/").status_code == 303
    assert finn.get(address).status_code == 404


@pytest.mark.parametrize(
    ("name", "data", "declared", "sentence"),
    [
        ("letter.pdf", bomb(), "application/pdf", "is an archive"),
        ("letter.png", pdf(), "image/png", "its name does not end with .pdf"),
        ("empty.txt", b"", "text/plain", "The file is empty"),
        ("page.txt", b"<html>", "text/plain", "something else besides"),
    ],
)
def test_T37_a_file_that_is_not_taken_says_why_beside_the_field(
    client_of: ClientOf, draft: Application, name: str, data: bytes, declared: str, sentence: str
) -> None:
    answer = send(client_of("finn"), draft, name, data, declared)
    assert answer.status_code == 400
    assert sentence in shown(answer)
    assert 'id="id_file_error"' in answer.content.decode()
    assert not Attachment.objects.exists()


def test_no_file_chosen_says_so(client_of: ClientOf, draft: Application) -> None:
    answer = client_of("finn").post(f"/applications/{draft.pk}/attachments/", {})
    assert (answer.status_code, "Choose a file." in shown(answer)) == (400, True)


def test_T37_two_gigabytes_are_refused_from_their_announced_length(client_of: ClientOf, draft: Application) -> None:
    """Seen to fail with the limit of text fields at every address: a file of 5 MB is taken."""
    url = f"/applications/{draft.pk}/attachments/"
    answer = client_of("finn").post(url, b"", content_type="multipart/form-data; boundary=x", CONTENT_LENGTH=str(2**31))
    assert answer.status_code == 413
    assert "larger than 10 MB" in shown(answer)
    assert "choose a smaller file" in shown(answer)
    assert "Sign in" not in shown(answer), "nobody was asked who it is, and it may be somebody who is signed in"
    large = b"A line of text.\n" * 320_000
    assert send(client_of("finn"), draft, "large.txt", large, "text/plain").status_code == 303


def test_a_file_over_the_limit_that_still_fits_the_request_is_refused_at_the_field(
    client_of: ClientOf, draft: Application
) -> None:
    answer = send(client_of("finn"), draft, "large.txt", b"x" * 10_500_000, "text/plain")
    assert (answer.status_code, "larger than 10 MB" in shown(answer)) == (413, True)


def test_the_sixth_file_finds_the_reason_in_place_of_the_form(client_of: ClientOf, draft: Application) -> None:
    finn = client_of("finn")
    for number in range(5):
        assert send(finn, draft, f"{number}.png", png(), "image/png").status_code == 303
    page = finn.get(f"/applications/{draft.pk}/attachments/")
    assert "at most 5 files" in shown(page)
    assert 'type="file"' not in page.content.decode()
    assert send(finn, draft, "6.png", png(), "image/png").status_code == 409


def test_a_name_never_runs_on_a_page_or_in_a_header(client_of: ClientOf, draft: Application) -> None:
    finn, name = client_of("finn"), "'><img src=x onerror=alert(1)>.pdf"
    send(finn, draft, name, pdf(), "application/pdf")
    page = finn.get(f"/applications/{draft.pk}/attachments/").content.decode()
    assert "img src=x onerror" in page
    assert "<img src=x" not in page
    Attachment.objects.update(name='a"\r\nX-Evil: 1.pdf')  # also if such a name had got in
    kept = Attachment.objects.get()
    file = finn.get(f"/applications/{draft.pk}/attachments/{kept.pk}/")
    assert "X-Evil" not in file.headers


def test_reviewers_read_the_files_of_what_was_sent(
    client_of: ClientOf, world: World, draft: Application, at: datetime, agreement: AgreementVersion
) -> None:
    finn = client_of("finn")
    send(finn, draft, "vote.pdf", pdf(), "application/pdf")
    kept = Attachment.objects.get()
    address = f"/applications/{draft.pk}/attachments/{kept.pk}/"
    assert client_of("ivy").get(address).status_code == 404
    submit_application(
        world.actor("finn"), SERVED, answers(at), agreement_hash=agreement.sha256, expected_version=draft.version, at=at
    )
    assert "vote.pdf" in shown(client_of("ivy").get(f"/staff/applications/{draft.pk}/"))
    assert client_of("ivy").get(address).content == pdf()
    assert client_of("ada").get(address).status_code == 404
    assert "vote.pdf" in shown(finn.get(f"/applications/{draft.pk}/"))
