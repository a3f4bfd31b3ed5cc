"""Appeals against decisions about oneself: by a token that files and follows and never decides."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from release_portal.api.base import TokenView
from release_portal.api.documented import documented
from release_portal.api.paging import page_of, page_schema
from release_portal.api.serializers.appeals import (
    AppealableFacts,
    AppealableList,
    AppealAnswerInput,
    AppealFacts,
    AppealInput,
    AppealQuery,
)
from release_portal.appeals.lookups import appealable_decisions, own_appeal, own_appeals
from release_portal.appeals.rules import WRITE_SCOPE
from release_portal.appeals.services import answer_appeal, file_appeal

TAG = "appeals"


class AppealView(TokenView):
    """What the addresses of appeals share."""

    scopes = (WRITE_SCOPE,)

    def shown(self, appeal_id: str, status: int = 200) -> Response:
        """Answer with one of the asker's own appeals, read anew."""
        response = Response(AppealFacts(own_appeal(self.actor, appeal_id)).data, status=status)
        response["Location"] = reverse("api-appeal", args=[appeal_id])
        return response


class AppealableDecisions(AppealView):
    """What you may appeal."""

    @documented("list_appealable", AppealableList, tag=TAG)
    def get(self, request: Request) -> Response:
        """List the decisions about you that you may appeal now, the latest first."""
        found = appealable_decisions(self.actor, self.at)
        return Response({"results": AppealableFacts(found, many=True).data})


class Appeals(AppealView):
    """Your appeals."""

    query = AppealQuery

    @documented("list_appeals", page_schema("Appeal", AppealFacts), tag=TAG, query=AppealQuery)
    def get(self, request: Request) -> Response:
        """List what you filed, newest first."""
        mine = own_appeals(self.actor)
        if state := self.asked_for.get("state"):
            mine = mine.filter(state=state)
        return page_of(mine, AppealFacts, self.asked_for)

    @documented("file_appeal", AppealFacts, tag=TAG, body=AppealInput, is_keyed=True, status=201, errors=(404,))
    def post(self, request: Request) -> Response:
        """Appeal against a decision about you; somebody who took no part in it answers."""
        return self.once(lambda _key: self._file(self.sent(AppealInput)))

    def _file(self, values: dict[str, Any]) -> Response:
        filed = file_appeal(self.actor, values["decision"], text=values["grounds"], at=self.at)
        return self.shown(filed.pk, 201)


class OneAppeal(AppealView):
    """One of your appeals."""

    @documented("read_appeal", AppealFacts, tag=TAG, errors=(404,))
    def get(self, request: Request, appeal_id: str) -> Response:
        """Return one of your appeals."""
        return Response(AppealFacts(own_appeal(self.actor, appeal_id)).data)


class AppealAnswer(AppealView):
    """Answer whoever decides."""

    @documented("answer_appeal", AppealFacts, tag=TAG, body=AppealAnswerInput, is_keyed=True, errors=(404,))
    def post(self, request: Request, appeal_id: str) -> Response:
        """Answer what was asked about your appeal."""
        return self.once(lambda _key: self._answer_with(appeal_id, self.sent(AppealAnswerInput)))

    def _answer_with(self, appeal_id: str, values: dict[str, Any]) -> Response:
        found = own_appeal(self.actor, appeal_id)
        answer_appeal(self.actor, found.pk, at=self.at, **values)
        return self.shown(found.pk)
