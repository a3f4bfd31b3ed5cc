"""The closed catalogue of notices (pure).

Each kind has a text in templates/notices/<kind>.txt; its first line is the subject.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NoticeKind:
    """One kind of notice.

    Args:
        kind: stable slug and name of the text file.
        needs: the strings that the text names; all must be given, and no other.
        is_for_outsiders: it goes by mail to an address alone, whether or not it has an account; there is no notice.
    """

    kind: str
    needs: frozenset[str]
    is_for_outsiders: bool = False


def _kind(kind: str, needs: str, *, is_for_outsiders: bool = False) -> NoticeKind:
    return NoticeKind(kind, frozenset(needs.split()), is_for_outsiders)


_ALL = (
    _kind("application_received", "application size due"),
    _kind("application_arrived", "application size applicant purpose due"),
    _kind("application_second_review", "application size applicant due"),
    _kind("application_promise", "application size applicant due percent"),
    _kind("application_question", "application size question until"),
    _kind("application_approved", "application size grant functions tokens_per_day requests concurrent seats end by"),
    _kind("application_refused", "application size reason text change by"),
    _kind("application_lapses_soon", "application size state until"),
    _kind("application_lapsed", "application size state"),
    _kind("attestation_asked", "applicant size role until", is_for_outsiders=True),
    _kind("attestation_reminder", "applicant size role until", is_for_outsiders=True),
    _kind("attestation_answered", "application size attester role answer"),
    _kind("attestation_expired", "application size attester role left"),
    _kind("attestation_disputed", "application size applicant attester role"),
    _kind("grant_suspended", "grant purpose reason"),
    _kind("grant_restricted", "grant purpose reason changes"),
    _kind("grant_lifted", "grant purpose reason end"),
    _kind("grant_suspension_lapsed", "grant purpose end"),
    _kind("grant_expired", "grant purpose end"),
    _kind("grant_ends_soon", "grant purpose end days"),
    _kind("grant_revocation_proposed", "grant purpose reason text"),
    _kind("grant_revoked", "grant purpose reason text by"),
    _kind("grant_reinstated", "grant purpose state reason end"),
    _kind("application_reopened", "application size due"),
    _kind("appeal_received", "appeal title due"),
    _kind("appeal_arrived", "appeal title due appellant"),
    _kind("appeal_assigned", "appeal title due"),
    _kind("appeal_inadmissible", "appeal title reason"),
    _kind("appeal_question", "appeal title question"),
    _kind("appeal_upheld", "appeal title reason by"),
    _kind("appeal_partly", "appeal title reason by"),
    _kind("appeal_overturned", "appeal title reason by"),
    _kind("size_retires", "size grant date"),
    _kind("size_retirement_called_off", "size grant reason"),
    _kind("size_archived", "size grant"),
    _kind("application_terms", "application size terms until by"),
    _kind("grant_terms_offered", "grant reason until"),
    _kind("grant_report_due", "grant purpose"),
    _kind("grant_reported", "grant holder"),
    _kind("grant_closed", "grant purpose"),
    _kind("grant_engagement", "grant until"),
    _kind("grant_engagement_ended", "grant reason"),
    _kind("obligation_due_soon", "grant what due days"),
    _kind("obligation_overdue", "grant what due pause"),
    _kind("obligation_handed_in", "grant what holder"),
    _kind("obligation_met", "grant what"),
    _kind("obligation_returned", "grant what note"),
    _kind("obligation_waived", "grant what until reason"),
    _kind("agreement_to_sign", "number until"),
    _kind("agreement_sign_soon", "number until days"),
    _kind("agreement_lapsed", "number until"),
    _kind("weights_recalled", "size grant reason"),
    _kind("deletion_asked", "due"),
    _kind("deletion_waits", "reason change"),
    _kind("deletion_done", "account"),
    _kind("review_invited", "size due by"),
    _kind("review_deposited", "size reviewer finding"),
    _kind("seat_invited", "by purpose until", is_for_outsiders=True),
    _kind("seat_joined", "member purpose"),
    _kind("seat_declined", "member purpose"),
    _kind("seat_left", "member purpose"),
    _kind("seat_removed", "purpose reason by"),
    _kind("seat_ended", "purpose"),
    _kind("seat_opened", "grant purpose"),
    _kind("seat_suspended", "purpose reason"),
    _kind("seat_lifted", "purpose reason"),
    _kind("cohort_deputy", "grant purpose"),
    _kind("cohort_without_lead", "grant purpose reason until"),
    _kind("cohort_paused", "grant purpose"),
    _kind("cohort_taken_over", "grant purpose lead"),
)
KINDS: dict[str, NoticeKind] = {kind.kind: kind for kind in _ALL}


def kind_choices() -> list[tuple[str, str]]:
    """Return the kinds as a column's choices; as a function, so that a new kind is no change of the database."""
    return [(kind, kind) for kind in KINDS]


def notice_kind(kind: str) -> NoticeKind:
    """Return the entry of the catalogue; raises KeyError for a notice that nobody declared."""
    return KINDS[kind]
