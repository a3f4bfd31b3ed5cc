"""Attachments: how many, how large, under which name, until when they are kept (pure)."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta

from release_portal.access.attachments.contents import KINDS, FileKind, is_archive, kind_of_content
from release_portal.core.decisions import Decision, allow, not_now

MOST_FILES = 5
LONGEST_NAME, LONGEST_EXTENSION = 100, 10
LONGEST_FIELD = 60
# How long after the decision, or after the end of what was granted, files are kept: as long as it can be asked why.
KEPT = timedelta(days=365)
TAKEN = "PDF, PNG, JPEG or plain text"


@dataclass(frozen=True)
class Upload:
    """A file as it was sent.

    Args:
        name: what the client calls it.
        declared: media type that the client gives.
        data: its bytes.
    """

    name: str
    declared: str
    data: bytes


def clean_name(name: str) -> str:
    """Return a name under which a file can be shown and saved: no folders, nothing invisible, not too long."""
    base = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    seen = "".join(one for one in base if unicodedata.category(one)[0] != "C" and one not in '<>:"|?*')
    whole = " ".join(seen.split()).strip(". ")
    stem, _, extension = whole.rpartition(".")
    if not stem or len(extension) > LONGEST_EXTENSION:
        return whole[:LONGEST_NAME].strip(". ") or "file"
    return f"{stem[: LONGEST_NAME - len(extension) - 1].strip('. ')}.{extension.lower()}"


def problem_with(upload: Upload, largest: int) -> str:
    """Return why a file is not taken; empty when it is."""
    if not upload.data:
        return "The file is empty."
    if len(upload.data) > largest:
        return too_large(largest)
    found = kind_of_content(upload.data)
    if found is None:
        if is_archive(upload.data):
            return f"The file is an archive, or holds one. Archives are not opened here; send {TAKEN}."
        return f"The file is not {TAKEN}, or it is something else besides. Save it again as one of these."
    extension = clean_name(upload.name).rpartition(".")[2]
    if extension not in found.extensions:
        return f"The file is {found.label}, but its name does not end with .{' or .'.join(found.extensions)}."
    if upload.declared.partition(";")[0].strip().lower() not in found.declared:
        return f"The file is {found.label}, but it was sent as {upload.declared[:60] or 'nothing in particular'}."
    return ""


def too_large(largest: int) -> str:
    """Return the sentence for a file that is larger than the portal takes."""
    return f"The file is larger than {largest / 1_000_000:g} MB."


def kind_of(upload: Upload) -> FileKind:
    """Return the kind of a file with which there is no problem."""
    found = kind_of_content(upload.data)
    assert found is not None  # `problem_with` said so
    return found


def room_for_another(count: int) -> Decision:
    """Decide whether an application may have one more file."""
    rule = f"attachments: at most {MOST_FILES}"
    if count < MOST_FILES:
        return allow("room", "There is room for another file.", rule)
    reason = f"An application has at most {MOST_FILES} files."
    return not_now("too_many_files", reason, rule, "Remove one first, or put several into one PDF.")


def kept_until(decided_at: datetime | None, grant_ends_at: datetime | None) -> datetime | None:
    """Return until when the files of an application that has ended are kept; None: it has not ended."""
    ends = [moment for moment in (decided_at, grant_ends_at) if moment is not None]
    return max(ends) + KEPT if ends else None


def label_of(kind: str) -> str:
    """Return what people read for a kind."""
    return KINDS[kind].label
