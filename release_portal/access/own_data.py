"""What this room holds about a person."""

from allauth.account.models import EmailAddress
from django.db.models import Q, QuerySet

from release_portal.access.attestations.people_rules import mailbox_of
from release_portal.access.erasing import (
    erase_applications,
    erase_changes,
    erase_close_outs,
    erase_duties,
    erase_files,
    erase_grants,
    erase_seats,
    erase_traces,
    grants_in_force,
    open_applications,
    seats_in_force,
)
from release_portal.access.models import (
    AnswerChange,
    Attestation,
    CloseOut,
    Cohort,
    EligibilityTrace,
    GrantTerm,
    Obligation,
    Question,
    Seat,
)
from release_portal.access.obligations.files import erase_duty_files
from release_portal.accounts.deletions import register_obstacles
from release_portal.accounts.models import User
from release_portal.accounts.own_data import NOTHING_IS_KEPT, Holding, register

_KEPT = "A decision about somebody rests on it, so it stays with the decision."
_VOUCHED = (
    "A year after the application ended and the confirmation ran out, name, address and words go by themselves; "
    "states and dates stay with the decision."
)


def declare() -> None:
    """Declare grants, applications, signatures, and what reviewers wrote."""
    register_obstacles("applications", open_applications)
    register_obstacles("grants", grants_in_force)
    register_obstacles("seats", seats_in_force)
    _declare_reviews()
    _declare_questions()
    _declare_eligibility()
    _declare_people()
    _declare_duties()
    _declare_papers()
    _declare_attestations()
    register(
        Holding(
            "grants",
            "Grants",
            "To know what you may use; kept as long as the record refers to them.",
            lambda user: user.grants.all(),
            (
                "id", "kind", "purpose", "purposes", "sampler", "state", "starts_at", "ends_at", "tokens_per_day",
                "created_at",
            ),
            kept="Three years after its end its purpose goes; size, times and decisions stay with the record.",
            erase=erase_grants,
        )
    )  # fmt: skip
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
            kept="Drafts go. What was sent stays three years after its end, without your name; then your words go.",
            erase=erase_applications,
        )
    )  # fmt: skip


def _declare_papers() -> None:
    register(
        Holding(
            "signatures",
            "Agreements that you signed",
            "To know to which text you agreed.",
            lambda user: user.signatures.all(),
            ("agreement_id", "sha256", "at", "withdrawn_at", "withdrawn_reason"),
            kept="That somebody agreed to this text stays with the grant; without your name.",
        )
    )
    register(
        Holding(
            "attachments",
            "Files that you attached",
            "Those who review the application read them; kept until a year after the decision or the end of the grant.",
            lambda user: user.attachments.order_by("-uploaded_at"),
            ("id", "application_id", "field_key", "name", "kind", "size", "sha256", "uploaded_at"),
            kept=NOTHING_IS_KEPT,
            erase=erase_files,
        )
    )


def _declare_duties() -> None:
    _declare_duty_files()
    register(
        Holding(
            "grant_terms",
            "Extra terms of your grants",
            "To know what you accepted beyond the agreement.",
            lambda user: GrantTerm.objects.filter(grant__holder=user),
            ("grant_id", "code", "value"),
            kept="They stay with the grant, without your name.",
        )
    )
    register(
        Holding(
            "obligations",
            "Duties of your grants and what you handed in",
            "To know what is owed; what you handed in is read by those who decide on your next application.",
            lambda user: Obligation.objects.filter(grant__holder=user),
            ("grant_id", "code", "what", "due_at", "state", "text", "link", "handed_in_at", "note", "waived_until"),
            kept="What you handed in goes three years after the grant ended; that it was owed stays with the grant.",
            erase=erase_duties,
        )
    )
    register(
        Holding(
            "close_outs",
            "What you said at the end of your grants",
            "To know what came of a grant and what became of copies.",
            lambda user: CloseOut.objects.filter(grant__holder=user),
            ("grant_id", "report", "disposal", "statement", "handed_in_at", "closed_at"),
            kept="Your words go three years after the grant ended; what became of copies stays with the grant.",
            erase=erase_close_outs,
        )
    )


def _declare_duty_files() -> None:
    register(
        Holding(
            "duty_files",
            "Files that you handed in with duties",
            "Those who look at your duties read them; kept until a year after the end of the grant.",
            lambda user: user.duty_files.order_by("-uploaded_at"),
            ("id", "obligation_id", "name", "kind", "size", "sha256", "uploaded_at"),
            kept=NOTHING_IS_KEPT,
            erase=erase_duty_files,
        )
    )


def _declare_questions() -> None:
    register(
        Holding(
            "questions",
            "Questions about your applications, with your answers",
            "Those who decide read them; they stay with the decision.",
            lambda user: Question.objects.filter(application__applicant=user),
            ("application_id", "field", "label", "text", "asked_at", "answer", "answered_at"),
            kept="Your answers go with the words of the application, three years after its end.",
        )
    )
    register(
        Holding(
            "changes",
            "What you changed in your applications when you were asked",
            "So that everybody who reviews sees what was there before.",
            lambda user: AnswerChange.objects.filter(application__applicant=user),
            ("application_id", "field", "old", "new", "at"),
            kept="They go with the words of the application, three years after its end.",
            erase=erase_changes,
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
            kept="It goes with your words, three years after the application ended.",
            erase=erase_traces,
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
            kept=_KEPT,
        )
    )
    register(
        Holding(
            "advice",
            "Advice that you wrote on applications",
            "Those who decide read it; it stays with the decision.",
            lambda user: user.advice_given.all(),
            ("application_id", "role", "text", "at"),
            kept=_KEPT,
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
            kept="That there was a seat, and its times, stay with the grant; address and affiliation go.",
            erase=erase_seats,
        )
    )  # fmt: skip
    register(
        Holding(
            "cohorts",
            "Labs and classes that you lead, or whose deputy you are",
            "To know who looks after them.",
            lambda user: Cohort.objects.filter(Q(lead=user) | Q(deputy=user)),
            ("grant_id", "kind", "seats", "state", "starts_at", "ends_at"),
            kept="They stay with the grant, without your name.",
        )
    )


def _declare_attestations() -> None:
    register(
        Holding(
            "attestations_asked",
            "People whom you named to vouch for you",
            "To ask them; deleted a year after the application ended and the confirmation ran out.",
            lambda user: Attestation.objects.filter(application__applicant=user),
            ("kind", "state", "name", "mail", "domain", "stated_relation", "named_at", "asked_at", "valid_until"),
            kept=_VOUCHED,
        )
    )
    register(
        Holding(
            "attestations_given",
            "What you were asked to confirm for others, and what you answered",
            "Reviewers read it; name, address and words are deleted a year after the application ended.",
            _given_by,
            ("kind", "state", "name", "mail", "relation", "since", "words", "statement", "asked_at", "ended_at"),
            kept=_VOUCHED,
        )
    )


def _given_by(user: User) -> QuerySet[Attestation]:
    """Only by addresses that the person was proven to read: what was answered is shown to nobody else."""
    proven = EmailAddress.objects.filter(user=user, verified=True).values_list("email", flat=True)
    return Attestation.objects.filter(mailbox__in={mailbox_of(one) for one in proven} - {""}).exclude(asked_at=None)
