"""schemathesis asks every address for everything that its document allows and much that it does not, as four people.

No fault of ours, and no answer outside the document. HYPOTHESIS_PROFILE=ci asks more.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.test.client import MULTIPART_CONTENT
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, settings
from schemathesis import checks
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi import checks as openapi_checks

from release_portal.access.models import AgreementVersion, Grant
from release_portal.access.quota import Limits
from tests import governance
from tests.api.conftest import EVERY_SCOPE, Caller, multipart

SERVED = "huggingfacetb/smollm2-135m-instruct"
IS_THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "ci"
EXAMPLES = 10 if IS_THOROUGH else 5
CHECKS = [
    checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance,
    openapi_checks.response_headers_conformance,
]
OTHERS = ("anonymous", "finn", "ivy")
MORE_SCOPES = {"ivy": ("staff:read", "evidence:write")}


def configured(*, is_covered: bool) -> SchemathesisConfig:
    """Reproducible, and as many requests as there is time for."""
    return SchemathesisConfig.from_dict(
        {
            "seed": 20190214,
            "generation": {
                "max-examples": EXAMPLES,
                "deterministic": True,
                "database": "none",
                "with-security-parameters": False,
            },
            "phases": {"coverage": {"enabled": is_covered}, "stateful": {"enabled": False}},
        }
    )


def document(*, is_covered: bool) -> Any:
    """The portal's document, with the portal behind it in this process."""
    found = schemathesis.openapi.from_dict(
        SchemaGenerator().get_schema(public=True), config=configured(is_covered=is_covered)
    )
    found.app = get_wsgi_application()
    return found


# Every boundary of every field is asked by one person, the others ask samples: bodies are read the same for all.
whole, sampled = document(is_covered=True), document(is_covered=False)
SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@contextmanager
def one_connection() -> Iterator[None]:
    """A request over WSGI closes the database's connection at both its ends, and with it the test's transaction."""
    ends = (request_started, request_finished)
    for signal in ends:
        signal.disconnect(close_old_connections)
    yield
    for signal in ends:
        signal.connect(close_old_connections)


@pytest.fixture
def asker(person: str, api: Any, service: redis.Redis, world: Any) -> Caller:
    """Their token, with limits that do not end the test early."""
    Grant.objects.filter(holder__username=person).update(**vars(Limits(10**7, 10**4, 10**3)))
    return api("" if person == "anonymous" else person, *EVERY_SCOPE, *MORE_SCOPES.get(person, ()))


@pytest.fixture
def known(asker: Caller, world: Any) -> Known:
    """What is theirs, and what everybody may read."""
    proposal = governance.propose(world, world.size, "public_hosted", at=world.at)
    public = {"digest": proposal.policy_id, "proposal_id": str(proposal.pk)}
    agreement = AgreementVersion.objects.in_force(world.at)
    return Known(asker, public | {"number": str(agreement.number if agreement else "")})


class Known:
    """Parts of addresses: what is public, and something of the asker's, made when it is needed."""

    def __init__(self, asker: Caller, public: dict[str, str]) -> None:
        self.parts = dict(zip(("lab", "name"), SERVED.split("/"), strict=True)) | public
        self._asker = asker

    def part(self, name: str, otherwise: str) -> str:
        """Return the part of that name; what was generated where the asker has nothing."""
        if name not in self.parts:
            self.parts[name] = self._make(name) if self._asker.secret else ""
        return self.parts[name] or otherwise

    def _make(self, name: str) -> str:
        if name == "grant_id":
            grants = self._asker.get("/api/grants/").json()["results"]
            return str(grants[0]["id"]) if grants else ""
        if name in ("appeal_id", "id", "file_id"):
            return ""  # nothing was decided about the asker, and no duty is due
        if name == "attachment_id":
            return self._attach()
        if name == "attestation_id":
            return self._name_referee()
        if name == "seat_id":
            return self._name_member()
        path, body = {
            "application_id": ("/api/applications/", {"size": SERVED, "purpose": "A draft"}),
            "job_id": ("/api/jobs/", {"size": SERVED, "prompt": "The unicorns"}),
            "report_id": ("/api/detections/", {"size": SERVED, "text": "Some text about unicorns. " * 6}),
        }[name]
        return str(self._asker.post(path, body).json().get("id", ""))

    def _attach(self) -> str:
        path = f"/api/applications/{self.part('application_id', 'none')}/attachments/"
        sent = self._asker("POST", path, multipart(), content_type=MULTIPART_CONTENT)
        return str(sent.json().get("id", ""))

    def _name_referee(self) -> str:
        """Somebody who shall vouch for the draft."""
        person = {"kind": "referee", "name": "Rae", "mail": "rae@elsewhere.example", "relation": "colleague"}
        path = f"/api/applications/{self.part('application_id', 'none')}/attestations/"
        return str(self._asker.post(path, {**person, "expected_version": 0}).json().get("id", ""))

    def _name_member(self) -> str:
        """Somebody who is named as a member of the draft's team."""
        path = f"/api/applications/{self.part('application_id', 'none')}/team/"
        team = self._asker.post(path, {"mails": ["mo@elsewhere.example"]}).json()
        return str(team["members"][0]["id"]) if team.get("members") else ""


@pytest.mark.parametrize("person", ["cleo"])
@whole.parametrize()
@SETTINGS
def test_every_boundary_is_answered_as_the_document_says(
    case: Any, person: str, asker: Caller, known: Known, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        check(case, asker, known)


@pytest.mark.parametrize("person", OTHERS)
@sampled.parametrize()
@SETTINGS
def test_every_answer_is_as_the_document_says(
    case: Any, person: str, asker: Caller, known: Known, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        check(case, asker, known)


def check(case: Any, asker: Caller, known: Known) -> None:
    """Send one request and compare the answer with the document."""
    aim(case, known)
    with one_connection():
        response = case.call(headers={"Authorization": f"Bearer {asker.secret}"} if asker.secret else {})
    case.validate_response(response, checks=CHECKS)
    if response.status_code >= 400 and case.method != "HEAD":
        assert set(json.loads(response.content)) == {"error"}


def aim(case: Any, known: Known) -> None:
    """Let every second case name what exists, and ask under a key of its own."""
    shown = repr((case.body, case.path_parameters, case.query)).encode()
    if len(shown) % 2:
        return
    case.path_parameters = {name: known.part(name, value) for name, value in (case.path_parameters or {}).items()}
    if isinstance(case.body, dict) and "size" in case.body:
        case.body["size"] = SERVED
    if case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = hashlib.sha256(shown).hexdigest()
