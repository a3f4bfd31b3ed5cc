"""What this room holds about a person."""

from django.db.models import Q

from release_portal.access.models import CloseOut, Cohort, EligibilityTrace, GrantTerm, Obligation, Seat
from release_portal.accounts.own_data import Holding, register


def declare() -> None:
    """Declare grants, applications, signatures, and what reviewers wrote."""
    _declare_reviews()
    _declare_eligibility()
    _declare_people()
    _declare_duties()
    register(
        Holding(
            "grants",
            "Grants",
            "To know what you may use; kept as long as the record refers to them.",
            lambda user: user.grants.all(),
            ("id", "kind", "purpose", "state", "starts_at", "ends_at", "tokens_per_day", "created_at"),
        )
    )
    register(
        Holding(
            "applications",
            "Applications",
            "To decide on access, and to be able to say later why it was given or not.",
            lambda user: user.applications.all(),
            (
                "id", "state", "purpose_code", "purpose", "affiliation", "intended_use", "functions", "requested_end",
                "programme_id", "form_answers", "summary", "summary_withheld", "created_at", "submitted_at",
                "decided_at", "decided_by_name", "decision_code", "decision_text",
            ),
        )
    )  # fmt: skip
    register(
        Holding(
            "signatures",
            "Agreements that you signed",
            "To know to which text you agreed.",
            lambda user: user.signatures.all(),
            ("agreement_id", "sha256", "at", "withdrawn_at", "withdrawn_reason"),
        )
    )


def _declare_duties() -> None:
    register(
        Holding(
            "grant_terms",
            "Extra terms of your grants",
            "To know what you accepted beyond the agreement.",
            lambda user: GrantTerm.objects.filter(grant__holder=user),
            ("grant_id", "code", "value"),
        )
    )
    register(
        Holding(
            "obligations",
            "Duties of your grants and what you handed in",
            "To know what is owed; what you handed in is read by those who decide on your next application.",
            lambda user: Obligation.objects.filter(grant__holder=user),
            ("grant_id", "code", "what", "due_at", "state", "text", "link", "handed_in_at", "note", "waived_until"),
        )
    )
    register(
        Holding(
            "close_outs",
            "What you said at the end of your grants",
            "To know what came of a grant and what became of copies.",
            lambda user: CloseOut.objects.filter(grant__holder=user),
            ("grant_id", "report", "disposal", "statement", "handed_in_at", "closed_at"),
        )
    )


def _declare_eligibility() -> None:
    register(
        Holding(
            "eligibility",
            "What the rules said of your applications",
            "To be able to say later by which rules you were let in or not.",
            lambda user: EligibilityTrace.objects.filter(application__applicant=user),
            ("application_id", "programme_id", "evaluator", "outcome", "lines", "at"),
        )
    )


def _declare_reviews() -> None:
    register(
        Holding(
            "reviews",
            "Reviews that you gave",
            "To know who decided on access, and why.",
            lambda user: user.review_votes.all(),
            ("application_id", "role", "verdict", "code", "text", "functions", "last_day", "at"),
        )
    )
    register(
        Holding(
            "advice",
            "Advice that you wrote on applications",
            "Those who decide read it; it stays with the decision.",
            lambda user: user.advice_given.all(),
            ("application_id", "role", "text", "at"),
        )
    )


def _declare_people() -> None:
    register(
        Holding(
            "seats",
            "Seats on grants of others, and invitations to them",
            "To know who may use a grant, and that each signed for themselves.",
            lambda user: Seat.objects.filter(Q(person=user) | Q(person=None, mail=user.email.casefold())),
            (
                "id", "mail", "affiliation", "state", "invited_by_name", "invited_at", "joined_at", "ended_at",
                "ended_by_name", "end_reason",
            ),
        )
    )  # fmt: skip
    register(
        Holding(
            "cohorts",
            "Labs and classes that you lead, or whose deputy you are",
            "To know who looks after them.",
            lambda user: Cohort.objects.filter(Q(lead=user) | Q(deputy=user)),
            ("grant_id", "kind", "seats", "state", "starts_at", "ends_at"),
        )
    )
