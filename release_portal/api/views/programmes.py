"""Programmes: public, known by their digests; and the checks of your own applications."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from release_portal.access.policy import READ_SCOPE
from release_portal.access.programmes.lookups import kept_programmes, programme_named, publications_in_force
from release_portal.access.programmes.previews import checks_of
from release_portal.access.programmes.programme_files import presets
from release_portal.access.programmes.programme_rules import Programme
from release_portal.api.base import ApiView
from release_portal.api.documented import documented
from release_portal.api.paging import PageQuery, page_of, page_schema
from release_portal.api.serializers.programmes import ApplicationChecks, ProgrammeFacts, ProgrammeRow
from release_portal.api.views.applications import ApplicationView

TAG = "programmes"


class ProgrammeView(ApiView):
    """What the addresses of programmes share."""

    scopes = (READ_SCOPE,)

    def shown(self, programmes: list[Programme]) -> list[dict[str, Any]]:
        """Return programmes with where they apply."""
        places = publications_in_force(self.actor, self.at)
        return [
            {**vars(one), "is_preset": one.digest in presets(), "places": places.get(one.digest, [])}
            for one in programmes
        ]


class Programmes(ProgrammeView):
    """Programmes of access."""

    query = PageQuery

    @documented("list_programmes", page_schema("Programme", ProgrammeRow), tag=TAG, query=PageQuery)
    def get(self, request: Request) -> Response:
        """List every programme, with where it applies now."""
        return page_of(self.shown(kept_programmes()), ProgrammeRow, self.asked_for)


class OneProgramme(ProgrammeView):
    """One programme."""

    @documented("read_programme", ProgrammeFacts, tag=TAG, errors=(404,))
    def get(self, request: Request, digest: str) -> Response:
        """Return a programme by its digest, or the newest version of a name: form, purposes, review, and the file."""
        (shown,) = self.shown([programme_named(digest)])
        return Response(ProgrammeFacts(shown).data)


class Checks(ApplicationView):
    """What the rules say of one of your applications."""

    @documented("read_checks", ApplicationChecks, tag="applications", errors=(404,))
    def get(self, request: Request, application_id: str) -> Response:
        """For a draft: which checks would fail now, and what is missing. Else: what was kept when it was handed in."""
        return Response(ApplicationChecks(checks_of(self.found(application_id), self.at)).data)
