"""Read a request that brings one file, as multipart/form-data; everything else is JSON and read by `bodies`."""

from __future__ import annotations

import hashlib
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.multipartparser import MultiPartParserError
from django.utils.datastructures import MultiValueDict, MultiValueDictKeyError

from release_portal.access.attachments.rules import Upload
from release_portal.access.attachments.services import content_of
from release_portal.access.models import KeptFile
from release_portal.api.errors import WrongFields, WrongMediaType
from release_portal.core.errors import InvalidInput

MEDIA_TYPE = "multipart/form-data"


def read_upload(request: HttpRequest, *fields: str) -> tuple[Upload, dict[str, str]]:
    """Return the part named `file`, and the text of the fields that are known.

    Raises:
        WrongMediaType: the body is declared as something else.
        InvalidInput: it cannot be read, brings other parts, or no file.
    """
    if request.content_type != MEDIA_TYPE:
        change = f"Send the header 'Content-Type: {MEDIA_TYPE}' and the file as the part 'file'."
        raise WrongMediaType(f"This address reads {MEDIA_TYPE} only.", change=change)
    post, files = _parts(request)
    known = {"file", *fields}
    if unknown := sorted({*post, *files} - known):
        sentence = "This is no field here. Known: " + ", ".join(sorted(known)) + "."
        raise WrongFields([(name[:100], sentence) for name in unknown[:10]])
    sent = files.get("file")
    if sent is None:
        raise WrongFields([("file", "This field is required.")])
    return _upload(sent), {name: post.get(name, "") for name in fields}


def _parts(request: HttpRequest) -> tuple[QueryDict, MultiValueDict[str, UploadedFile[Any]]]:
    try:
        return request.POST, request.FILES
    except (MultiPartParserError, MultiValueDictKeyError, UnicodeError) as error:
        change = "Let your client's library write the parts."
        raise InvalidInput("The parts of the body cannot be read.", code="invalid_multipart", change=change) from error


def _upload(sent: UploadedFile[Any]) -> Upload:
    sent.seek(0)
    return Upload(sent.name or "", sent.content_type or "", sent.read())


def download_of(found: KeptFile) -> HttpResponse:
    """Return a file as it was sent, as a download."""
    response = HttpResponse(content_of(found), content_type=found.media_type)
    response["Content-Disposition"] = "attachment"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def digest_of(upload: Upload, more: dict[str, Any]) -> str:
    """Return what an idempotency key remembers of a request with a file."""
    told = hashlib.sha256(upload.data)
    for part in (upload.name, upload.declared, *(f"{name}={more[name]}" for name in sorted(more))):
        told.update(b"\x00" + part.encode("utf-8", "surrogatepass"))
    return told.hexdigest()
