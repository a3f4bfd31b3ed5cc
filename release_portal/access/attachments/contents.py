"""What a file is: decided from its bytes, from the first to the last; nothing in it is ever unpacked (pure).

A library that names a file by its beginning would call a picture with an archive behind it a picture. Here a file is of
a kind only when all of it is: what follows its end, or opens as something else, makes it no file of ours.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from dataclasses import dataclass


@dataclass(frozen=True)
class FileKind:
    """A kind of file that is taken.

    Args:
        slug: stable name.
        label: what people read.
        media_type: how it is served.
        extensions: what its name may end with.
        declared: what a client may call it.
    """

    slug: str
    label: str
    media_type: str
    extensions: tuple[str, ...]
    declared: tuple[str, ...]


PDF = FileKind("pdf", "PDF", "application/pdf", ("pdf",), ("application/pdf",))
PNG = FileKind("png", "PNG", "image/png", ("png",), ("image/png",))
JPEG = FileKind("jpeg", "JPEG", "image/jpeg", ("jpg", "jpeg"), ("image/jpeg",))
TEXT = FileKind("text", "plain text", "text/plain", ("txt",), ("text/plain",))
KINDS: dict[str, FileKind] = {kind.slug: kind for kind in (PDF, PNG, JPEG, TEXT)}
MEDIA_TYPES = tuple(kind.media_type for kind in KINDS.values())

PNG_START = b"\x89PNG\r\n\x1a\n"
# A browser that guesses looks this far for the beginning of a page.
SNIFFED = 1_024
_MARKUP = re.compile(rb"<(?:!doctype\s|html|head|body|script|iframe|svg|\?xml|\?php)", re.IGNORECASE)
_ACTIVE = re.compile(rb"/(?:JavaScript|Launch|EmbeddedFile|RichMedia)\b")
_ARCHIVES = (b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c", b"\xfd7zXZ\x00", b"PK\x03\x04\x14\x00")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")


def kind_of_content(data: bytes) -> FileKind | None:
    """Return of which kind the bytes are as a whole; None for every other file, and for one that is two things."""
    if is_archive(data):
        return None
    if data.startswith(b"%PDF-"):
        return PDF if _is_pdf(data) else None
    if data.startswith(PNG_START):
        return PNG if _is_png(data) and not _MARKUP.search(data) else None
    if data.startswith(b"\xff\xd8\xff"):
        return JPEG if _is_jpeg(data) and not _MARKUP.search(data) else None
    return TEXT if _is_text(data) else None


def is_archive(data: bytes) -> bool:
    """Return whether some program would open the bytes as an archive, wherever in them it begins."""
    is_tar = data[257:262] == b"ustar"
    is_packed = data.startswith((b"\x1f\x8b", b"PK\x03\x04", b"PK\x05\x06")) or data[4:10] == b"1AY&SY"
    return is_tar or is_packed or any(mark in data for mark in _ARCHIVES) or zipfile.is_zipfile(io.BytesIO(data))


def _is_pdf(data: bytes) -> bool:
    is_whole = data[5:7] in (b"1.", b"2.") and data.rstrip(b"\r\n \t").endswith(b"%%EOF") and b"startxref" in data
    return is_whole and not _MARKUP.search(data) and not _ACTIVE.search(data)


def _is_png(data: bytes) -> bool:
    """Walk the chunks: each as long as it says and with its check sum, the last one at the end of the file."""
    place, is_first = len(PNG_START), True
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        name, end = data[place + 4 : place + 8], place + 12 + length
        if end > len(data) or zlib.crc32(data[place + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            return False
        if is_first != (name == b"IHDR"):
            return False
        if name == b"IEND":
            return end == len(data)
        place, is_first = end, False
    return False


def _is_jpeg(data: bytes) -> bool:
    """Walk the segments and the coded picture between them, up to an end mark that is the end of the file."""
    place = 2
    while place + 2 <= len(data):
        if data[place] != 0xFF:
            return False
        mark = data[place + 1]
        if mark == 0xFF:  # a filler
            place += 1
        elif mark == 0xD9:
            return place + 2 == len(data)
        else:
            length = int.from_bytes(data[place + 2 : place + 4], "big")
            if mark in (0x00, 0x01, 0xD8) or length < 2:
                return False
            place += 2 + length
            place = _after_scan(data, place) if mark == 0xDA else place
    return False


def _after_scan(data: bytes, place: int) -> int:
    """Return where the coded picture ends: at the next mark that is no stuffing and no restart."""
    while (place := data.find(b"\xff", place)) >= 0:
        following = data[place + 1] if place + 1 < len(data) else 0xFF
        if following != 0x00 and not 0xD0 <= following <= 0xD7:
            return place
        place += 2
    return len(data)


def _is_text(data: bytes) -> bool:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not _CONTROL.search(text) and not _MARKUP.search(data[:SNIFFED]) and b"%PDF-" not in data[:SNIFFED]
