"""What a file is: all of it, from the first byte to the last; nothing is ever unpacked."""

from __future__ import annotations

import io
import tarfile
import zipfile
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from release_portal.access.attachments import rules
from release_portal.access.attachments.contents import JPEG, PDF, PNG, TEXT, kind_of_content
from release_portal.access.attachments.rules import Upload, clean_name, kept_until, problem_with
from tests.files import archive, bomb, jpeg, pdf, png

MOST = 10_000_000
PAGE = b"<html><script>alert(1)</script></html>"


def tar(content: bytes) -> bytes:
    """A tar that begins with bytes of somebody's choice: the name of its first file."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as opened:
        opened.addfile(tarfile.TarInfo(content.decode("latin-1")))
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (pdf(), PDF), (png(), PNG), (png((b"tEXt", b"Title\x00A figure")), PNG), (jpeg(), JPEG),
        (b"A letter.\nIn two lines.\n", TEXT), ("Ein Brief, größer als nötig.".encode(), TEXT),
        (b"\xef\xbb\xbfA", TEXT),
        (b"PK is a pharmacokinetic study. BZ too.", TEXT),
    ],
)  # fmt: skip
def test_files_that_are_one_thing_are_known_by_their_content(data: bytes, kind: Any) -> None:
    assert kind_of_content(data) is kind


@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("a PNG with a ZIP behind it", png() + archive()),
        ("a JPEG with a ZIP behind it", jpeg() + archive()),
        ("a JPEG with a byte behind it", jpeg() + b"\x00"),
        ("a PDF that is a ZIP", pdf(archive())),
        ("a PDF that is a stored ZIP", pdf(archive(method=zipfile.ZIP_STORED))),
        ("a ZIP behind a PDF", pdf() + archive()),
        ("a PDF with a page in it", pdf(PAGE)),
        ("a page that is a PDF from its second line on", b"<!doctype html>\n" + pdf()),
        ("a PDF that runs a script", pdf(b"3 0 obj<</S/JavaScript/JS(app.alert)>>endobj\n")),
        ("a PDF that holds files", pdf(b"3 0 obj<</Type/EmbeddedFile>>endobj\n")),
        ("a PDF without an end", pdf()[:-8]),
        ("a PNG with a page in a comment", png((b"tEXt", PAGE))),
        ("a JPEG with a page in a comment", jpeg(PAGE)),
        ("a PNG that was cut", png()[:-4]),
        ("a PNG with a changed byte", png().replace(b"IDAT", b"IDAX")),
        ("a PNG of nothing but a beginning", b"\x89PNG\r\n\x1a\n"),
        ("a JPEG that was cut", jpeg()[:-2]),
        ("a JPEG in a JPEG", jpeg() + jpeg()),
        ("a page", PAGE),
        ("a drawing that runs scripts", b"<svg xmlns='http://www.w3.org/2000/svg' onload='x()'/>"),
        ("a text with a page at its beginning", b"Hello\n<script>alert(1)</script>"),
        ("a program", b"MZ\x90\x00\x03\x00\x00\x00"),
        ("text in another encoding", "größer".encode("latin-1")),
        ("text with a NUL", b"a\x00b"),
        ("text with an escape", b"a\x1b[2Jb"),
        ("a ZIP", archive()),
        ("an empty ZIP", archive()[:0] + b"PK\x05\x06" + bytes(18)),
        ("a bomb", bomb()),
        ("a bomb behind a PNG", png() + bomb()),
        ("a gzip", b"\x1f\x8b\x08\x00" + zlib.compress(b"x")),
        ("a tar", tar(b"a.txt")),
        ("a tar that begins as a PDF", tar(b"%PDF-1.7")),
        ("a RAR in a PDF", pdf(b"Rar!\x1a\x07\x01\x00")),
        ("a 7z in a PDF", pdf(b"7z\xbc\xaf\x27\x1c\x00\x04")),
    ],
)  # fmt: skip
def test_T37_polyglots_archives_and_broken_files_are_of_no_kind(what: str, data: bytes) -> None:
    """Seen to fail with `_is_png` answering by its beginning alone, and with `is_archive` left out."""
    assert kind_of_content(data) is None, what


def test_T37_a_bomb_is_refused_as_an_archive_and_never_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*_args: Any) -> None:
        raise AssertionError("an archive was opened")

    data = bomb()
    monkeypatch.setattr(zipfile.ZipFile, "__init__", opened)
    monkeypatch.setattr(zlib, "decompress", opened)
    assert "archive" in problem_with(Upload("letter.zip", "application/zip", data), MOST)
    assert "archive" in problem_with(Upload("letter.pdf", "application/pdf", data), MOST)


@pytest.mark.parametrize(
    ("name", "declared", "data", "problem"),
    [
        ("a.pdf", "application/pdf", pdf(), ""),
        ("a.PDF", "application/pdf", pdf(), ""),
        ("a.jpeg", "image/jpeg", jpeg(), ""),
        ("a.txt", "text/plain; charset=utf-8", b"x", ""),
        ("a.txt", "text/plain", b"", "is empty"),
        ("a.txt", "text/plain", b"x" * (MOST + 1), "larger than 10 MB"),
        ("a.txt", "text/plain", b"x" * MOST, ""),
        ("a.png", "image/png", pdf(), "does not end with .pdf"),
        ("a.pdf", "image/png", pdf(), "was sent as image/png"),
        ("a.pdf", "", pdf(), "sent as nothing in particular"),
        ("a.pdf.exe", "application/pdf", pdf(), "does not end with"),
        ("a", "application/pdf", pdf(), "does not end with"),
        ("a.html", "text/html", b"plain words", "does not end with .txt"),
        ("a.txt", "text/plain", PAGE, "something else besides"),
    ],
)  # fmt: skip
def test_T37_name_declared_type_and_content_must_agree(name: str, declared: str, data: bytes, problem: str) -> None:
    found = problem_with(Upload(name, declared, data), MOST)
    assert problem in found
    assert bool(problem) == bool(found)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("letter.pdf", "letter.pdf"),
        ("../../etc/passwd.txt", "passwd.txt"),
        ("..\\..\\windows\\win.txt", "win.txt"),
        ("/absolute/a.png", "a.png"),
        ("cv\u202efdp.exe", "cvfdp.exe"),  # what would read "cvexe.pdf"
        ("a\u200b\x00\x07b\r\n.txt", "ab.txt"),
        ("  many   spaces .pdf", "many spaces.pdf"),
        (".htaccess", "htaccess"),
        (".....txt", "txt"),
        ("..", "file"),
        ("", "file"),
        ('a"b<c>:d|?*.PNG', "abcd.png"),
        ("\u0645\u0633\u0648\u062f\u0629.pdf", "\u0645\u0633\u0648\u062f\u0629.pdf"),  # letters of every script stay
        ("x" * 300 + ".pdf", "x" * 96 + ".pdf"),
        ("a." + "y" * 300, "a." + "y" * 98),
    ],
)
def test_names_lose_folders_what_cannot_be_seen_and_what_is_too_long(sent: str, kept: str) -> None:
    found = clean_name(sent)
    assert found == kept
    assert len(found) <= rules.LONGEST_NAME


def test_files_are_kept_a_year_after_the_decision_or_the_end_of_the_grant() -> None:
    decided, year = datetime(2026, 3, 1, tzinfo=UTC), timedelta(days=365)
    assert kept_until(None, None) is None
    assert kept_until(decided, None) == decided + year
    assert kept_until(decided, decided + 2 * year) == decided + 3 * year


def test_there_is_room_for_five() -> None:
    assert rules.room_for_another(4)
    assert (refused := rules.room_for_another(5)).code == "too_many_files"
    assert "Remove one" in refused.change
