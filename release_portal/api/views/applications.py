"""Access applications: as the applicant, whose token may file and follow but never decide."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from release_portal.access.agreements.services import agreement_in_force
from release_portal.access.application_lookups import own_application, own_applications, own_draft
from release_portal.access.application_rules import WRITE_SCOPE, Answers
from release_portal.access.applications import (
    answer_questions,
    save_application,
    submit_application,
    withdraw_application,
)
from release_portal.access.models import Application
from release_portal.access.queue.status import status_of
from release_portal.api.base import ApiView, TokenView
from release_portal.api.documented import documented
from release_portal.api.fields import Input
from release_portal.api.paging import page_of, page_schema
from release_portal.api.serializers.applications import (
    AgreementFacts,
    ApplicationFacts,
    ApplicationInput,
    ApplicationQuery,
    DraftInput,
    SubmissionInput,
    VersionInput,
)
from release_portal.api.serializers.questions import AnswerInput, StatusFacts

TAG = "applications"
ANSWERS = (
    "purpose_code", "purpose", "affiliation", "intended_use", "functions", "requested_end", "summary",
    "summary_withheld",
)  # fmt: skip


class Agreement(ApiView):
    """The research access agreement."""

    @documented("read_agreement", AgreementFacts, tag=TAG, errors=(409,))
    def get(self, request: Request) -> Response:
        """Return the terms that an application must accept now."""
        return Response(AgreementFacts(agreement_in_force(self.at)).data)


class ApplicationView(TokenView):
    """What the addresses of applications share."""

    scopes = (WRITE_SCOPE,)

    def found(self, application_id: str) -> Application:
        """Return one of the asker's own applications."""
        return own_application(self.actor, application_id)

    def commanded(self, form: type[Input], act: Callable[[dict[str, Any]], Application]) -> Response:
        """Answer a command with the application as it stands after it."""
        return self.once(lambda _key: self.shown(act(self.sent(form))))

    def shown(self, application: Application, status: int = 200) -> Response:
        """Answer with an application, read anew so that what a command changed is there."""
        response = Response(ApplicationFacts(self.found(application.pk)).data, status=status)
        response["Location"] = reverse("api-application", args=[application.pk])
        return response


class Applications(ApplicationView):
    """Your applications."""

    query = ApplicationQuery

    @documented("list_applications", page_schema("Application", ApplicationFacts), tag=TAG, query=ApplicationQuery)
    def get(self, request: Request) -> Response:
        """List what you filed, newest first."""
        mine = own_applications(self.actor)
        if state := self.asked_for.get("state"):
            mine = mine.filter(state=state)
        return page_of(mine, ApplicationFacts, self.asked_for)

    @documented("apply", ApplicationFacts, tag=TAG, body=ApplicationInput, is_keyed=True, status=201, errors=(404,))
    def post(self, request: Request) -> Response:
        """Start an application for a size: a draft, or handed in at once with the agreement accepted."""
        return self.once(lambda _key: self._start(self.sent(ApplicationInput)))

    def _start(self, values: dict[str, Any]) -> Response:
        common: dict[str, Any] = {"expected_version": 0, "at": self.at, "renews": values.get("renews", "")}
        answers = answers_of(values, Answers())
        if values["submit"]:
            accepted = values.get("agreement_hash", "")
            made = submit_application(self.actor, values["size"], answers, agreement_hash=accepted, **common)
        else:
            made = save_application(self.actor, values["size"], answers, **common)
        return self.shown(made, 201)


class OneApplication(ApplicationView):
    """One of your applications."""

    @documented("read_application", ApplicationFacts, tag=TAG, errors=(404,))
    def get(self, request: Request, application_id: str) -> Response:
        """Return one of your applications."""
        return Response(ApplicationFacts(self.found(application_id)).data)

    @documented("change_application", ApplicationFacts, tag=TAG, body=DraftInput, errors=(404, 409))
    def patch(self, request: Request, application_id: str) -> Response:
        """Change a draft; what is left out stays as it is."""
        values = self.sent(DraftInput)
        draft = own_draft(self.actor, application_id)
        version = values["expected_version"]
        answers = answers_of(values, draft.answers())
        return self.shown(save_application(self.actor, draft.size.slug, answers, expected_version=version, at=self.at))


class Submission(ApplicationView):
    """Hand a draft in."""

    @documented("submit_application", ApplicationFacts, tag=TAG, body=SubmissionInput, is_keyed=True, errors=(404,))
    def post(self, request: Request, application_id: str) -> Response:
        """Hand a draft in: the agreement is signed and the clock starts."""
        return self.commanded(SubmissionInput, lambda values: self._submit(application_id, values))

    def _submit(self, application_id: str, values: dict[str, Any]) -> Application:
        draft = own_draft(self.actor, application_id)
        return submit_application(self.actor, draft.size.slug, draft.answers(), at=self.at, **values)


class Withdrawal(ApplicationView):
    """Take an application back."""

    @documented("withdraw_application", ApplicationFacts, tag=TAG, body=VersionInput, is_keyed=True, errors=(404,))
    def post(self, request: Request, application_id: str) -> Response:
        """Take an application back before it is decided."""
        return self.commanded(
            VersionInput,
            lambda values: withdraw_application(self.actor, self.found(application_id).pk, at=self.at, **values),
        )


class Answer(ApplicationView):
    """Answer a reviewer."""

    @documented("answer_question", ApplicationFacts, tag=TAG, body=AnswerInput, is_keyed=True, errors=(404,))
    def post(self, request: Request, application_id: str) -> Response:
        """Answer what the reviewer asked, and change what was asked about; the clock goes on."""
        return self.commanded(AnswerInput, lambda values: self._reply(application_id, values))

    def _reply(self, application_id: str, values: dict[str, Any]) -> Application:
        replies = {one.get("field", ""): one["answer"] for one in values.get("answers", [])}
        if "answer" in values:
            replies[""] = values["answer"]
        given = {"expected_version": values["expected_version"], "changes": values.get("changes", {})}
        return answer_questions(self.actor, self.found(application_id).pk, replies=replies, at=self.at, **given)


class Status(ApplicationView):
    """Where an application stands."""

    @documented("read_application_status", StatusFacts, tag=TAG, errors=(404,))
    def get(self, request: Request, application_id: str) -> Response:
        """Return step, whose turn it is, the clock, the place in the queue, and what may be expected."""
        return Response(StatusFacts(status_of(self.found(application_id), at=self.at)).data)


def answers_of(values: dict[str, Any], before: Answers) -> Answers:
    """Return what an application says after a change."""
    changed = {name: values[name] for name in ANSWERS if name in values}
    if "functions" in changed:
        changed["functions"] = tuple(changed["functions"])
    if "answers" in values:
        changed["more"] = {**before.more, **values["answers"]}
    return Answers(**{**vars(before), **changed})
