"""Addresses of the JSON interface; each ends with a slash, and nothing redirects."""

from __future__ import annotations

from django.urls import URLPattern, path, re_path, register_converter
from django.urls.converters import StringConverter
from rest_framework.views import APIView

from release_portal.api.schema import SchemaView, docs
from release_portal.api.views import (
    account,
    agreements,
    appeals,
    applications,
    attachments,
    attestations,
    catalogue,
    detection,
    duties,
    evidence,
    gates,
    jobs,
    policies,
    programmes,
    proposals,
    reports,
    standings,
    teams,
    unknown,
)
from release_portal.core.declare import by_token, public


class NameConverter(StringConverter):
    """A part of an address that can name something: what no database would take never reaches one."""

    regex = "[A-Za-z0-9][A-Za-z0-9._-]{0,95}"


register_converter(NameConverter, "name")


def _open(route: str, view: type[APIView], name: str) -> URLPattern:
    return path(route, public(view.as_view()), name=name)


def _token(route: str, view: type[APIView], name: str) -> URLPattern:
    return path(route, by_token(view.as_view()), name=name)


SIZE = "sizes/<name:lab>/<name:name>/"
APPLICATION = "applications/<name:application_id>/"
GRANT = "grants/<name:grant_id>/"
SEAT = "team/<int:seat_id>/"
ATTACHMENT = "attachments/<name:attachment_id>/"
ATTESTATION = APPLICATION + "attestations/<name:attestation_id>/"

urlpatterns = [
    path("docs/", docs, name="api-docs"),
    _open("schema/", SchemaView, "api-schema"),
    _open("stages/", catalogue.Stages, "api-stages"),
    _open("families/", catalogue.Families, "api-families"),
    _open("sizes/", catalogue.Sizes, "api-sizes"),
    _open(SIZE, catalogue.Size, "api-size"),
    _open(SIZE + "timeline/", catalogue.Timeline, "api-size-timeline"),
    _open(SIZE + "card/", catalogue.Card, "api-size-card"),
    _open(SIZE + "gate/", gates.SizeGate, "api-size-gate"),
    _open(SIZE + "excuses/", gates.SizeExcuses, "api-size-excuses"),
    _open(SIZE + "as_of/", standings.AsOf, "api-size-as-of"),
    _open(SIZE + "evidence/", evidence.SizeEvidence, "api-size-evidence"),
    _open("excuses/", gates.AllExcuses, "api-excuses"),
    _open("board/", standings.Board, "api-board"),
    _open("policies/", policies.Policies, "api-policies"),
    _open("policies/<name:digest>/", policies.OnePolicy, "api-policy"),
    _open("programmes/", programmes.Programmes, "api-programmes"),
    _open("programmes/<name:digest>/", programmes.OneProgramme, "api-programme"),
    _open("proposals/", proposals.Proposals, "api-proposals"),
    _open("proposals/<name:proposal_id>/", proposals.OneProposal, "api-proposal"),
    _open("decisions/<name:proposal_id>/", proposals.OneDecision, "api-decision"),
    _token("me/", account.Account, "api-me"),
    _token("grants/", account.Grants, "api-grants"),
    _token("grants/<name:grant_id>/", account.OneGrant, "api-grant"),
    _token(GRANT + "terms/", duties.GrantTerms, "api-grant-terms"),
    _token(GRANT + "terms/answer/", duties.TermsAnswer, "api-grant-terms-answer"),
    _token(GRANT + "duties/", duties.Duties, "api-grant-duties"),
    _token(GRANT + "duties/<int:pk>/hand_in/", duties.HandIn, "api-grant-duty-hand-in"),
    _token(GRANT + "duties/<int:pk>/files/<name:file_id>/content/", duties.DutyFileContent, "api-grant-duty-file"),
    _token(GRANT + "closing/", duties.CloseOuts, "api-grant-closing"),
    _token("grants/<name:grant_id>/surrender/", account.Surrender, "api-grant-surrender"),
    _token("grants/<name:grant_id>/renewal/", account.Renewal, "api-grant-renewal"),
    _token("jobs/", jobs.Jobs, "api-jobs"),
    _token("jobs/<name:job_id>/", jobs.OneJob, "api-job"),
    _token("jobs/<name:job_id>/cancel/", jobs.Cancellation, "api-job-cancel"),
    _open("agreement/", applications.Agreement, "api-agreement"),
    _open("agreements/", agreements.Versions, "api-agreements"),
    _open("agreements/<int:number>/", agreements.OneVersion, "api-agreement-version"),
    _token("agreements/<int:number>/sign/", agreements.Signing, "api-agreement-sign"),
    _token("signature/", agreements.OwnSignature, "api-signature"),
    _token("applications/", applications.Applications, "api-applications"),
    _token(APPLICATION, applications.OneApplication, "api-application"),
    _token(APPLICATION + "checks/", programmes.Checks, "api-application-checks"),
    _token(APPLICATION + "submit/", applications.Submission, "api-application-submit"),
    _token(APPLICATION + "withdraw/", applications.Withdrawal, "api-application-withdraw"),
    _token(APPLICATION + "status/", applications.Status, "api-application-status"),
    _token(APPLICATION + "answer/", applications.Answer, "api-application-answer"),
    _token(APPLICATION + "cohort/", teams.ApplicationCohort, "api-application-cohort"),
    _token(APPLICATION + "team/", teams.ApplicationTeam, "api-application-team"),
    _token(APPLICATION + SEAT + "undo/", teams.ApplicationSeatUndo, "api-application-seat-undo"),
    _token(APPLICATION + SEAT + "remove/", teams.ApplicationSeatRemoval, "api-application-seat-remove"),
    _token(GRANT + "team/", teams.GrantTeam, "api-grant-team"),
    _token(GRANT + SEAT + "undo/", teams.GrantSeatUndo, "api-grant-seat-undo"),
    _token(GRANT + SEAT + "remove/", teams.GrantSeatRemoval, "api-grant-seat-remove"),
    _token(GRANT + "cohort/deputy/", teams.CohortDeputy, "api-cohort-deputy"),
    _token(GRANT + "cohort/hand-over/", teams.CohortHandOver, "api-cohort-hand-over"),
    _token(GRANT + "cohort/take-over/", teams.CohortTakeOver, "api-cohort-take-over"),
    _token(GRANT + "cohort/close/", teams.CohortClosing, "api-cohort-close"),
    _token("seats/", teams.Seats, "api-seats"),
    _token("seats/<int:seat_id>/", teams.OneSeat, "api-seat"),
    _token("seats/<int:seat_id>/leave/", teams.SeatLeaving, "api-seat-leave"),
    _token("invitations/", teams.Invitation, "api-invitation"),
    _token("invitations/join/", teams.Joining, "api-invitation-join"),
    _token("invitations/decline/", teams.Declining, "api-invitation-decline"),
    _token(APPLICATION + "terms/", duties.ApplicationTerms, "api-application-terms"),
    _token(APPLICATION + "attachments/", attachments.Attachments, "api-attachments"),
    _token(APPLICATION + ATTACHMENT, attachments.OneAttachment, "api-attachment"),
    _token(APPLICATION + ATTACHMENT + "content/", attachments.Content, "api-attachment-content"),
    _token(APPLICATION + ATTACHMENT + "remove/", attachments.Removal, "api-attachment-remove"),
    _token("appealable/", appeals.AppealableDecisions, "api-appealable"),
    _token("appeals/", appeals.Appeals, "api-appeals"),
    _token("appeals/<name:appeal_id>/", appeals.OneAppeal, "api-appeal"),
    _token("appeals/<name:appeal_id>/answer/", appeals.AppealAnswer, "api-appeal-answer"),
    _token(APPLICATION + "attestations/", attestations.Attestations, "api-attestations"),
    _token(ATTESTATION + "swap/", attestations.Swap, "api-attestation-swap"),
    _token(ATTESTATION + "cancel/", attestations.Cancellation, "api-attestation-cancel"),
    _token(ATTESTATION + "resend/", attestations.Resending, "api-attestation-resend"),
    _token(ATTESTATION + "again/", attestations.AskingAgain, "api-attestation-again"),
    _open("reports/", reports.Reports, "api-reports"),
    _open("reports/status/", reports.Status, "api-report-status"),
    _open("reports/messages/", reports.Messages, "api-report-messages"),
    _token("detections/", detection.Detections, "api-detections"),
    _token("detections/<name:report_id>/", detection.OneDetection, "api-detection"),
    re_path("^", public(unknown.Unknown.as_view()), name="api-unknown"),
]
