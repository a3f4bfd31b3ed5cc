"""Grants with their usage, applications with their questions, agreement versions with their signatures."""

from release_portal.access.models.agreements import AgreementDraft, AgreementVersion, Signature
from release_portal.access.models.applications import Application, new_application_id
from release_portal.access.models.attachments import Attachment, DutyFile, KeptFile, new_attachment_id
from release_portal.access.models.attestations import Attestation, new_attestation_id
from release_portal.access.models.closings import CloseOut
from release_portal.access.models.engagements import Engagement
from release_portal.access.models.grants import Grant, GrantFunction, Suspension, UsageDay, new_grant_id
from release_portal.access.models.obligations import Obligation
from release_portal.access.models.people import Cohort, Seat, SeatSuspension
from release_portal.access.models.programmes import EligibilityTrace, ProgrammePublication, ProgrammeVersion
from release_portal.access.models.questions import AnswerChange, Question
from release_portal.access.models.reviews import Advice, ReviewVote
from release_portal.access.models.revocations import Revocation
from release_portal.access.models.terms import GrantTerm, TermsOffer

__all__ = [
    "Advice",
    "AgreementDraft",
    "AgreementVersion",
    "AnswerChange",
    "Application",
    "CloseOut",
    "Cohort",
    "DutyFile",
    "EligibilityTrace",
    "Engagement",
    "Attachment",
    "Attestation",
    "Grant",
    "GrantFunction",
    "GrantTerm",
    "KeptFile",
    "Obligation",
    "ProgrammePublication",
    "ProgrammeVersion",
    "Question",
    "ReviewVote",
    "Revocation",
    "Seat",
    "SeatSuspension",
    "Signature",
    "Suspension",
    "TermsOffer",
    "UsageDay",
    "new_application_id",
    "new_attachment_id",
    "new_attestation_id",
    "new_grant_id",
]
