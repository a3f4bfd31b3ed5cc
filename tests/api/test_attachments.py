"""Files of one's own applications by token: send, list, take out, remove."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test.client import MULTIPART_CONTENT

from release_portal.access.models import Attachment
from tests.api.conftest import Caller, multipart
from tests.files import archive, pdf, png

SERVED = "huggingfacetb/smollm2-135m-instruct"


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> None:
    """A private storage of its own for each test."""
    backend = "django.core.files.storage.FileSystemStorage"
    files = {"BACKEND": backend, "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = {**settings.STORAGES, "attachments": files}


@pytest.fixture
def finn(api: Any) -> Caller:
    """Finn's token."""
    found: Caller = api("finn")
    return found


@pytest.fixture
def files(finn: Caller) -> str:
    """Address of the files of a draft of finn's."""
    draft = finn.post("/api/applications/", {"size": SERVED, "purpose": "A draft"}).json()
    return f"/api/applications/{draft['id']}/attachments/"


def send(caller: Caller, path: str, body: bytes, **more: Any) -> Any:
    """Send the parts of a form."""
    return caller("POST", path, body, content_type=MULTIPART_CONTENT, **more)


def test_a_file_is_sent_listed_taken_out_and_removed(finn: Caller, files: str) -> None:
    sent = send(finn, files, multipart(png(), "figure.png", "image/png", field_key="figure"))
    assert (sent.status_code, sent.json()["kind"], sent.json()["field_key"]) == (201, "png", "figure")
    path = sent["Location"]
    assert finn.get(path).json() == sent.json()
    assert [one["id"] for one in finn.get(files).json()["results"]] == [sent.json()["id"]]
    content = finn.get(path + "content/")
    assert (content.content, content["Content-Type"]) == (png(), "image/png")
    assert (content["Content-Disposition"], content["X-Content-Type-Options"]) == ("attachment", "nosniff")
    assert finn.post(path + "remove/").json() == {"id": sent.json()["id"], "removed": True}
    assert finn.get(path).status_code == 404


def test_the_same_key_attaches_once_and_another_file_under_it_is_refused(finn: Caller, files: str) -> None:
    body = multipart(pdf(), "letter.pdf", "application/pdf")
    first, second = (send(finn, files, body, key="letter-1") for _ in range(2))
    assert first.json() == second.json()
    assert second["Idempotent-Replay"] == "true"
    assert Attachment.objects.count() == 1
    other = send(finn, files, multipart(png(), "a.png", "image/png"), key="letter-1")
    assert other.json()["error"]["code"] == "idempotency_mismatch"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (multipart(archive(), "a.zip", "application/zip"), 400, "file_not_taken"),
        (multipart(png() + archive(), "a.png", "image/png"), 400, "file_not_taken"),
        (multipart(b"", "a.txt"), 400, "file_not_taken"),
        (multipart(b"x" * 10_000_001), 413, "too_large"),
        (multipart(colour="red"), 400, "invalid_input"),
        (multipart(field_key="x" * 61), 400, "invalid_input"),
        (b"--BoUnDaRyStRiNg\r\n", 400, "invalid_input"),
    ],
)
def test_T37_what_is_not_taken_is_refused_with_its_code(
    finn: Caller, files: str, body: bytes, status: int, code: str
) -> None:
    answer = send(finn, files, body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert not Attachment.objects.exists()


def test_T37_two_gigabytes_and_other_media_types_are_refused_unread(finn: Caller, files: str) -> None:
    large = send(finn, files, b"", CONTENT_LENGTH=str(2**31))
    assert (large.status_code, large.json()["error"]["code"]) == (413, "too_large")
    assert "10 MB" in large.json()["error"]["message"]
    assert finn.post(files, {"file": "words"}).status_code == 415


def test_T2_files_are_reached_through_ones_own_application_only(api: Any, finn: Caller, files: str) -> None:
    kept = send(finn, files, multipart()).json()["id"]
    lou = api("lou")
    lous = lou.post("/api/applications/", {"size": SERVED, "purpose": "Hers"}).json()["id"]
    for caller, path in (
        (lou, files), (lou, f"{files}{kept}/"), (lou, f"{files}{kept}/content/"),
        (lou, f"/api/applications/{lous}/attachments/{kept}/"), (finn, f"/api/applications/none/attachments/{kept}/"),
        (api("finn", "generate"), files),
    ):  # fmt: skip
        assert caller.get(path).status_code in (403, 404), path
    assert send(lou, files, multipart()).status_code == 404
    assert lou.post(f"{files}{kept}/remove/").status_code == 404
