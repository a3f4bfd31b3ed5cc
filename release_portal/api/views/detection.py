"""Detection: ask about a text, and read the evidence."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from release_portal.api.base import TokenView
from release_portal.api.documented import WAITS, documented
from release_portal.api.paging import PageQuery, page_of, page_schema
from release_portal.api.serializers.detection import DetectionFacts, DetectionInput, DetectionRow
from release_portal.detection.lookups import report_for, reports_for
from release_portal.detection.services import detect, report_payload

TAG = "detection"


class Detections(TokenView):
    """The texts that you asked about."""

    query = PageQuery
    is_one_transaction = False

    @documented("list_detections", page_schema("Detection", DetectionRow), tag=TAG, query=PageQuery)
    def get(self, request: Request) -> Response:
        """List the texts that you asked about, newest first."""
        return page_of(reports_for(self.actor), DetectionRow, self.asked_for)

    @documented("detect", DetectionFacts, tag=TAG, body=DetectionInput, is_keyed=True, status=202, errors=(404, *WAITS))
    def post(self, request: Request) -> Response:
        """Compare a text with the portal's own record, and have a size score it; read it until it is scored."""
        return self.once(self._detect)

    def _detect(self, key: str | None) -> Response:
        values = self.sent(DetectionInput)
        given: dict[str, Any] = {"interface": "api", "submit_key": key, "purpose": values.get("purpose", "")}
        report = detect(self.actor, values["size"], values["text"], at=self.at, **given)
        response = Response(DetectionFacts(report_payload(report)).data, status=202)
        response["Location"] = reverse("api-detection", args=[report.pk])
        return response


class OneDetection(TokenView):
    """One text that you asked about."""

    @documented("read_detection", DetectionFacts, tag=TAG, errors=(404,))
    def get(self, request: Request, report_id: str) -> Response:
        """Return the evidence about one text; it is evidence, not a verdict."""
        return Response(DetectionFacts(report_payload(report_for(self.actor, report_id))).data)
