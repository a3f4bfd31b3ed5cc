"""Misuse reports: anyone files one and follows it by its code, which stands in bodies only."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from release_portal.api.base import ApiView
from release_portal.api.documented import documented
from release_portal.api.serializers.reports import CodeInput, FiledReport, MessageInput, ReportFacts, ReportInput
from release_portal.misuse.filing import Filing, file_report, read_by_code, write_by_code

TAG = "reports"


class ReportView(ApiView):
    """Open to everyone; a token that is sent must be made for it."""

    scopes = ("reports:write",)


class Reports(ReportView):
    """Misuse reports."""

    @documented("file_report", FiledReport, tag=TAG, body=ReportInput, is_keyed=True, status=201, errors=(429,))
    def post(self, request: Request) -> Response:
        """Report misuse; keep the code that comes back, it is shown this once."""
        return self.once(lambda _key: self._file(Filing(**self.sent(ReportInput))))

    def _file(self, filing: Filing) -> Response:
        address = str(self.request.META.get("REMOTE_ADDR", ""))
        report, code = file_report(self.actor, filing, address=address, at=self.at)
        facts: dict[str, Any] = {"code": code, "state": report.state}
        facts |= {"received_at": report.received_at, "due_at": report.due_at}
        return Response(FiledReport(facts).data, status=201)


class Status(ReportView):
    """A report as its reporter reads it."""

    @documented("read_report", ReportFacts, tag=TAG, body=CodeInput, is_keyed=True, errors=(404,))
    def post(self, request: Request) -> Response:
        """Return where a report stands; the code is sent in the body, because addresses are written to logs."""
        return self.once(lambda _key: Response(ReportFacts(read_by_code(self.sent(CodeInput)["code"])).data))


class Messages(ReportView):
    """What the reporter adds."""

    @documented(
        "write_to_report", ReportFacts, tag=TAG, body=MessageInput, is_keyed=True, status=201, errors=(404, 429)
    )
    def post(self, request: Request) -> Response:
        """Add a message, or answer a question of the desk."""
        return self.once(lambda _key: self._write(self.sent(MessageInput)))

    def _write(self, values: dict[str, Any]) -> Response:
        write_by_code(values["code"], values["text"], at=self.at)
        return Response(ReportFacts(read_by_code(values["code"])).data, status=201)
