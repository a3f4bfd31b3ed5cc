"""The files of one's own applications."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from rest_framework.request import Request
from rest_framework.response import Response

from release_portal.access.application_lookups import own_application
from release_portal.access.application_rules import WRITE_SCOPE
from release_portal.access.attachments.contents import MEDIA_TYPES
from release_portal.access.attachments.lookups import attachments_of, readable_attachment
from release_portal.access.attachments.rules import Upload
from release_portal.access.attachments.services import attach_file, detach_file
from release_portal.access.models import Attachment
from release_portal.api.base import TokenView
from release_portal.api.documented import documented
from release_portal.api.serializers.attachments import AttachmentFacts, AttachmentsFacts, Removed, UploadInput
from release_portal.api.uploads import MEDIA_TYPE, digest_of, download_of, read_upload

TAG = "applications"


class FileView(TokenView):
    """What the addresses of files share: they are reached through the asker's own application."""

    scopes = (WRITE_SCOPE,)

    def found(self, application_id: str, attachment_id: str) -> Attachment:
        """Return a file of one of the asker's own applications."""
        return readable_attachment(self.actor, own_application(self.actor, application_id).pk, attachment_id).attachment


class Attachments(FileView):
    """The files of one of your applications."""

    @documented("list_attachments", AttachmentsFacts, tag=TAG, errors=(404,))
    def get(self, request: Request, application_id: str) -> Response:
        """List the files of one of your applications."""
        found = attachments_of(own_application(self.actor, application_id))
        return Response({"results": AttachmentFacts(found, many=True).data})

    @documented(
        "attach_file",
        AttachmentFacts,
        tag=TAG,
        body={MEDIA_TYPE: UploadInput},
        is_keyed=True,
        status=201,
        errors=(404,),
    )
    def post(self, request: Request, application_id: str) -> Response:
        """Attach a file to one of your applications: multipart/form-data with the part `file`."""
        upload, more = read_upload(request._request, "field_key")
        application = own_application(self.actor, application_id)
        return self.once(
            lambda _key: self._attach(application.pk, upload, more["field_key"]), digest=digest_of(upload, more)
        )

    def _attach(self, application_id: str, upload: Upload, field_key: str) -> Response:
        kept = attach_file(self.actor, application_id, upload, at=self.at, field_key=field_key)
        response = Response(AttachmentFacts(kept).data, status=201)
        response["Location"] = reverse("api-attachment", args=[application_id, kept.pk])
        return response


class OneAttachment(FileView):
    """A file of one of your applications."""

    @documented("read_attachment", AttachmentFacts, tag=TAG, errors=(404,))
    def get(self, request: Request, application_id: str, attachment_id: str) -> Response:
        """Return what is known of a file."""
        return Response(AttachmentFacts(self.found(application_id, attachment_id)).data)


class Content(FileView):
    """The bytes of a file."""

    @documented("download_attachment", OpenApiTypes.BINARY, tag=TAG, errors=(404,), media_types=MEDIA_TYPES)
    def get(self, request: Request, application_id: str, attachment_id: str) -> HttpResponse:
        """Return a file as it was sent, as a download."""
        return download_of(self.found(application_id, attachment_id))


class Removal(FileView):
    """Remove a file."""

    @documented("remove_attachment", Removed, tag=TAG, is_keyed=True, errors=(404,))
    def post(self, request: Request, application_id: str, attachment_id: str) -> Response:
        """Remove a file from a draft."""
        return self.once(lambda _key: self._remove(application_id, attachment_id))

    def _remove(self, application_id: str, attachment_id: str) -> Response:
        found = self.found(application_id, attachment_id)
        answer: dict[str, Any] = {"id": found.pk, "removed": True}
        detach_file(self.actor, application_id, found.pk, at=self.at)
        return Response(answer)
