"""The pages of appeals: from the holder's grant to a grant that works again, and by the mailed link."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.core import mail
from structlog.testing import capture_logs

from release_portal.access.models import Grant
from release_portal.access.revocations import revocation_subject, suspension_subject
from release_portal.appeals.models import Appeal
from release_portal.appeals.services import file_appeal
from release_portal.notices.services import send_due_mail
from tests.services.appealing import TEXT, revoked, suspended, version
from tests.world import World

Clients = Callable[[str], Any]


@pytest.fixture
def grant(world: World) -> Grant:
    """The grant of cleo."""
    return world.grants["cleo"]


def post(clients: Clients, who: str, appeal: Appeal, name: str, **data: str) -> Any:
    appeal.refresh_from_db()
    sent = {"expected_version": str(appeal.version), **data}
    return clients(who).post(f"/staff/appeals/{appeal.pk}/{name}/", sent)


def test_a_holder_appeals_from_the_grant_and_gets_it_back(
    world: World, grant: Grant, client_of: Clients, at: datetime
) -> None:
    subject = suspension_subject(suspended(world, grant, at))
    address = f"/appeals/new/{subject}/"
    assert address in client_of("cleo").get(f"/grants/{grant.pk}/").content.decode()
    assert address not in client_of("ben").get(f"/grants/{grant.pk}/").content.decode()
    assert client_of("cleo").get(address).status_code == 200
    assert client_of("cleo").post(address, {"grounds": " "}).status_code == 400
    answer = client_of("cleo").post(address, {"grounds": TEXT})
    appeal = Appeal.objects.get()
    assert answer["Location"] == f"/appeals/{appeal.pk}/"
    assert post(client_of, "ben", appeal, "accept").status_code == 303
    assert post(client_of, "ben", appeal, "assign", to="ben").status_code == 303
    assert post(client_of, "ben", appeal, "ask", question="When?").status_code == 303
    appeal.refresh_from_db()
    sent = {"answer": "In May.", "expected_version": str(appeal.version)}
    assert client_of("cleo").post(f"/appeals/{appeal.pk}/answer/", sent).status_code == 303
    assert post(client_of, "ben", appeal, "decide", verdict="overturn", reason="").status_code == 400
    assert post(client_of, "ben", appeal, "decide", verdict="overturn", reason="It was wrong.").status_code == 303
    assert post(client_of, "ben", appeal, "execute").status_code == 303
    page = client_of("cleo").get(f"/appeals/{appeal.pk}/").content.decode()
    assert "It was wrong." in page
    assert "In May." in page
    assert "is active and ends on" in page
    assert post(client_of, "ben", appeal, "close").status_code == 303
    assert Grant.objects.get(pk=grant.pk).state == "active"
    assert appeal.pk in client_of("ivy").get("/staff/appeals/").content.decode()


def test_the_desk_says_who_took_part_and_refuses_them(
    world: World, grant: Grant, client_of: Clients, at: datetime
) -> None:
    subject = suspension_subject(suspended(world, grant, at, by="ben"))
    appeal = file_appeal(world.actor("cleo"), subject, text="<b>bold</b>", at=at)
    page = client_of("ben").get(f"/staff/appeals/{appeal.pk}/").content.decode()
    assert "You took part in the decision" in page
    assert "&lt;b&gt;bold" in page
    assert 'action="/staff/appeals' not in page
    assert post(client_of, "ben", appeal, "accept").status_code == 403
    assert post(client_of, "ivy", appeal, "nonsense").status_code == 404
    assert post(client_of, "ivy", appeal, "accept", expected_version="9").status_code == 409
    assert client_of("cleo").get(f"/staff/appeals/{appeal.pk}/").status_code == 403
    assert client_of("dan").get(f"/appeals/{appeal.pk}/").status_code == 404


def test_T2_an_appeal_against_somebody_elses_decision_is_not_there(
    world: World, grant: Grant, client_of: Clients, at: datetime
) -> None:
    """Also when the number of the suspension is paired with another grant."""
    suspension = suspended(world, grant, at)
    other = world.grants["dan"].pk
    for subject in (suspension_subject(suspension), f"grant:{other}:suspension:{suspension.pk}", "nonsense"):
        assert client_of("dan").get(f"/appeals/new/{subject}/").status_code == 404


def test_T30_the_link_in_the_mail_opens_the_form_without_signing_in(
    world: World, grant: Grant, client_of: Clients, at: datetime
) -> None:
    revoked(world, grant, at)
    send_due_mail(at=at)
    body = next(str(one.body) for one in mail.outbox if "is revoked" in one.subject)
    found = re.search(r"/appeals/link/[\w-]+/", body)
    assert found is not None
    visitor = client_of("anonymous")
    assert visitor.get(found[0]).status_code == 200
    assert visitor.post(found[0], {"grounds": ""}).status_code == 400
    assert visitor.post(found[0], {"grounds": TEXT}).status_code == 200
    assert visitor.get(found[0]).status_code == 404
    assert visitor.get("/appeals/link/wrong/").status_code == 404
    assert Appeal.objects.get().is_by_link


def test_T18_the_link_stands_in_no_line_of_the_log(client_of: Clients) -> None:
    """Seen to fail with the path written as it came."""
    with capture_logs() as lines:
        client_of("anonymous").get("/appeals/link/a-secret-of-the-mail/")
    assert [line["path"] for line in lines if line["event"] == "request"] == ["/appeals/link/.../"]


def test_two_leads_revoke_on_the_page_of_the_grant(
    world: World, grant: Grant, client_of: Clients, at: datetime
) -> None:
    address = f"/grants/{grant.pk}/"

    def send(who: str, name: str, **data: str) -> int:
        return client_of(who).post(f"{address}{name}/", {"expected_version": str(version(grant)), **data}).status_code

    assert send("ivy", "propose", code="", explanation="x") == 400
    assert send("ivy", "propose", code="misuse", explanation="Spam was sold.") == 303
    assert "Spam was sold." in client_of("hal").get(address).content.decode()
    assert send("ivy", "revoke", reason="") == 403
    assert send("hal", "revoke", reason="Checked.") == 303
    revocation = grant.revocations.get()
    assert f"/appeals/new/{revocation_subject(revocation)}/" in client_of("cleo").get(address).content.decode()
