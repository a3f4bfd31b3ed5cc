"""Files as people send them, good and bad; made here, so that every byte is known."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib


def png(*extra: tuple[bytes, bytes]) -> bytes:
    """A picture of one pixel, with more chunks before its end if wanted."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(b"\x00\x00"))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in [*chunks, *extra, (b"IEND", b"")])


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def jpeg(comment: bytes = b"made here") -> bytes:
    """Segments and a coded part as a JPEG has them, with a stuffed byte and a restart mark."""
    quantisation = b"\xff\xdb" + struct.pack(">H", 67) + b"\x00" + bytes(range(1, 65))
    frame = b"\xff\xc0" + struct.pack(">H", 11) + b"\x08\x00\x01\x00\x01\x01\x01\x11\x00"
    scan = b"\xff\xda" + struct.pack(">H", 8) + b"\x01\x01\x00\x00\x3f\x00" + b"\x12\xff\x00\x34\xff\xd0\x56"
    note = b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment
    return b"\xff\xd8" + note + quantisation + frame + scan + b"\xff\xd9"


def pdf(inside: bytes = b"") -> bytes:
    """A PDF of one empty page, with more between its objects and its trailer if wanted."""
    objects = b"1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"
    return b"%PDF-1.7\n" + objects + inside + b"trailer<</Root 1 0 R>>\nstartxref\n0\n%%EOF\n"


def archive(content: bytes = b"inside", method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP of one file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as opened:
        opened.writestr("a.txt", content)
    return file.getvalue()


def bomb() -> bytes:
    """A ZIP of a few kilobytes whose content fills many megabytes."""
    return archive(bytes(30_000_000))
