"""Many people, applications and grants at once, written without services: what a large lab's portal may hold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from release_portal.access.models import AnswerChange, Application, Grant, GrantFunction, Question
from release_portal.access.purposes import PURPOSES
from release_portal.accounts.models import User
from release_portal.registry.models import ModelSize

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
BATCH = 500
PLACES = ("Institute of Tides", "University of the North", "Text laboratory", "Independent")


def write_people(count: int, *, label: str = "bulk") -> list[User]:
    """Write accounts without a usable password."""
    people = [
        User(username=f"{label}-{number}", email=f"{label}-{number}@mail{number % 50}.example", first_name=f"P{number}")
        for number in range(count)
    ]
    return User.objects.bulk_create(people, batch_size=BATCH)


def write_applications(people: Sequence[User], sizes: Sequence[ModelSize], count: int, *, at: datetime) -> None:
    """Write so many applications: of ten, five wait for us, one for its applicant, four are refused."""
    room = len(people) * len(sizes)
    rows, questions, changes = [], [], []
    for number in range(count):
        waits = number % 10 < 6 and number < room
        application = _application(people, sizes, number, waits, at)
        rows.append(application)
        if application.state in ("needs_info", "refused"):
            question = _question(application, at)
            questions.append(question)
            if question.answered_at:
                changes.append(question)
    Application.objects.bulk_create(rows, batch_size=BATCH)
    Question.objects.bulk_create(questions, batch_size=BATCH)
    AnswerChange.objects.bulk_create((_change(one, at) for one in changes), batch_size=BATCH)


def _change(question: Question, at: datetime) -> AnswerChange:
    named = {"field": "purpose", "label": "The question", "old": "A", "new": "B"}
    return AnswerChange(application_id=question.application_id, question=question, at=at, **named)


def _application(
    people: Sequence[User], sizes: Sequence[ModelSize], number: int, waits: bool, at: datetime
) -> Application:
    state = ("submitted", "submitted", "submitted", "submitted", "second_review", "needs_info")[number % 10 % 6]
    sent = at - 40 * DAY + number % 20_000 * MINUTE
    size = sizes[number // len(people) % len(sizes)]
    decided = {"decided_at": sent + (1 + number % 9) * DAY, "decision_code": "purpose_unclear"}
    return Application(
        id=f"a-{people[0].pk:x}-{number:06x}",
        applicant=people[number % len(people)],
        size=size,
        state=state if waits else "refused",
        purpose_code=sorted(PURPOSES)[number % len(PURPOSES)],
        purpose="What a model of this size does that a smaller one does not, on three kinds of text. " * 3,
        affiliation=PLACES[number % len(PLACES)],
        intended_use="Counted, kept for a year, and seen by three people. " * 3,
        functions=["detect", "generate"],
        requested_end=(at + 100 * DAY).date(),
        tier=number % 4,
        tier_basis="bulk",
        created_at=sent,
        saved_at=sent,
        submitted_at=sent,
        due_at=sent + 20 * DAY,
        **({} if waits else decided),
    )


def _question(application: Application, at: datetime) -> Question:
    asked = {"asked_by_id": "1", "asked_by_name": "bulk", "asked_at": application.saved_at, "field": "purpose"}
    answered = {"answer": "So.", "answered_at": application.saved_at + DAY} if application.state == "refused" else {}
    return Question(application=application, text="Why?", label="The question", **asked, **answered)


def write_grants(people: Sequence[User], sizes: Sequence[ModelSize], count: int, *, at: datetime) -> None:
    """Write so many grants, a tenth of them suspended, a tenth ended."""
    states = ("active",) * 8 + ("suspended", "expired")
    grants = Grant.objects.bulk_create(
        (
            Grant(
                id=f"g-{people[0].pk:x}-{number:06x}",
                holder=people[number % len(people)],
                purpose="A study.",
                state=states[number % 10],
                starts_at=at - 50 * DAY,
                ends_at=at + (-1 if states[number % 10] == "expired" else 50) * DAY,
                tokens_per_day=1_000,
                requests_per_minute=10,
                concurrent=1,
                created_at=at - 50 * DAY + number * MINUTE / 10,
            )
            for number in range(count)
        ),
        batch_size=BATCH,
    )
    GrantFunction.objects.bulk_create((GrantFunction(grant=one, name="generate") for one in grants), batch_size=BATCH)
    link = Grant.sizes.through
    link.objects.bulk_create(
        (link(grant_id=one.pk, modelsize_id=sizes[n % len(sizes)].pk) for n, one in enumerate(grants)), batch_size=BATCH
    )
