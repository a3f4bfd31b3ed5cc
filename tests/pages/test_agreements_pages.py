"""The agreement on the pages: reading, signing, the banner, and the desk of two people."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse

from release_portal.access.agreements.drafts import Wording, write_draft
from release_portal.access.models import AgreementDraft, AgreementVersion, Grant, Signature
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from release_portal.pages.forms.times import written
from tests.services.agreeing import next_version
from tests.world import World

DAY = timedelta(days=1)
DESK, NEW, LIST = reverse("agreement-desk"), reverse("agreement-draft-new"), reverse("agreements")
ClientOf = Callable[[str], Any]


@pytest.fixture(autouse=True)
def first(world: World, at: datetime) -> AgreementVersion:
    """The shipped agreement, signed by who holds a demo grant."""
    return write_agreement(DEMO, at=at - 100 * DAY)


def shown(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def second(world: World, at: datetime, days: int) -> AgreementVersion:
    """A material version that took effect some days ago."""
    return next_version(world, "Other terms.\n\nYou may not post.", at=at - days * DAY)


def draft_form(at: datetime, **changes: str) -> dict[str, str]:
    return {
        "wording": "Other terms.", "effective_from": written(at + DAY), "weight": "material", "reason": "It changed.",
        "expected_version": "0",
    } | changes  # fmt: skip


def test_the_public_reads_every_version_that_was_in_force_and_what_changed(
    client_of: ClientOf, world: World, at: datetime
) -> None:
    second(world, at, 1)
    next_version(world, "Not yet.", at=at, start=at + DAY)
    page = shown(client_of("anonymous").get(LIST))
    assert "Version 1" in page
    assert "Version 2" in page
    assert "Version 3" not in page
    answer = client_of("anonymous").get(reverse("agreement", args=[2]))
    assert "<ins>You may not post.</ins>" in answer.content.decode()
    assert "written by ivy, approved by ada" in shown(answer)
    assert "Sign it" not in shown(answer)
    assert client_of("anonymous").get(reverse("agreement", args=[3])).status_code == 404


def test_in_grace_every_page_says_until_when_and_signing_ends_it(
    client_of: ClientOf, world: World, at: datetime
) -> None:
    version, cleo = second(world, at, 5), client_of("cleo")
    assert "Version 2 of the agreement waits for your signature" in shown(cleo.get(reverse("catalogue")))
    assert "waits for your signature" not in shown(client_of("finn").get(reverse("catalogue")))
    refused = cleo.post(reverse("agreement-sign", args=[2]), {"agreement_hash": version.sha256})
    assert refused.status_code == 400
    assert 'id="id_agreement_error"' in refused.content.decode()
    done = cleo.post(reverse("agreement-sign", args=[2]), {"agreement": "on", "agreement_hash": version.sha256})
    assert done.status_code == 303
    assert Signature.objects.get(account=world.people["cleo"], agreement=version).sha256 == version.sha256
    assert "waits for your signature" not in shown(cleo.get(reverse("catalogue")))


def test_after_grace_the_grant_is_paused_and_says_what_ends_it(client_of: ClientOf, world: World, at: datetime) -> None:
    second(world, at, 31)
    cleo = client_of("cleo")
    page = shown(cleo.get(reverse("grant", args=[world.grants["cleo"].pk])))
    assert "paused" in page
    assert "Sign version 2; it works again at once." in page
    assert "Your access is paused" in shown(cleo.get(reverse("home")))
    played = cleo.get(reverse("playground", args=["huggingfacetb", "smollm2-135m-instruct"]))
    assert played.status_code == 409
    staff = client_of("ivy").get(reverse("staff-grants"), {"state": "paused"})
    assert world.grants["cleo"].pk in shown(staff)
    assert world.grants["eve"].pk not in shown(staff), "a suspended grant is suspended"


def test_a_text_that_changed_while_it_was_read_is_not_signed(client_of: ClientOf, world: World, at: datetime) -> None:
    old = second(world, at, 5)
    next_version(world, "Newer.", at=at)
    answer = client_of("cleo").post(
        reverse("agreement-sign", args=[2]), {"agreement": "on", "agreement_hash": old.sha256}
    )
    assert answer.status_code == 409
    assert "version 3 is in force now" in shown(answer)
    assert "Agreement, version 3" in shown(answer)
    assert not re.search(r'name="agreement"[^>]*checked', answer.content.decode()), "another text is accepted anew"


@pytest.mark.usefixtures("portal_redis")
def test_consent_is_taken_back_with_a_typed_word(client_of: ClientOf, world: World) -> None:
    cleo = client_of("cleo")
    assert "Take your consent back" in shown(cleo.get(reverse("agreement", args=[1])))
    refused = cleo.post(reverse("agreement-withdraw"), {"typed": "yes", "reason": "I disagree."})
    assert refused.status_code == 400
    assert "I disagree." in refused.content.decode()
    assert cleo.post(reverse("agreement-withdraw"), {"typed": "withdraw", "reason": "x"}).status_code == 303
    assert Grant.objects.get(pk=world.grants["cleo"].pk).state == "surrendered"


# --- The desk --------------------------------------------------------------------------------------------------------


def test_one_writes_and_another_approves_on_the_pages(client_of: ClientOf, world: World, at: datetime) -> None:
    ivy, ada = client_of("ivy"), client_of("ada")
    assert "Nothing is being written." in shown(ivy.get(DESK))
    preview = ivy.post(NEW, draft_form(at, preview="1"))
    assert "<ins>Other terms.</ins>" in preview.content.decode()
    assert not AgreementDraft.objects.exists()
    assert ivy.post(NEW, draft_form(at)).status_code == 303
    draft = AgreementDraft.objects.get()
    address = reverse("agreement-draft", args=[draft.pk])
    assert "You wrote this draft; another person must approve it." in shown(ivy.get(address))
    approve = reverse("agreement-draft-command", args=[draft.pk, "schedule"])
    assert ivy.post(approve, {"expected_version": "1"}).status_code == 403
    assert "Approve this text" in shown(ada.get(address))
    assert ada.post(approve, {"expected_version": "1"}).status_code == 303
    assert AgreementVersion.objects.get(number=2).published_by == "ada"
    assert "scheduled" in shown(ivy.get(DESK))
    assert "It became version 2." in shown(ivy.get(address))


def test_a_refused_draft_keeps_its_text_with_an_error_at_the_field(client_of: ClientOf, at: datetime) -> None:
    for changes, field in (
        ({"reason": ""}, "reason"), ({"weight": ""}, "weight"), ({"effective_from": "soon"}, "effective_from"),
        ({"wording": " "}, "wording"),
    ):  # fmt: skip
        answer = client_of("ivy").post(NEW, draft_form(at, **changes))
        assert answer.status_code == 400, field
        assert f'id="id_{field}_error"' in answer.content.decode()
        assert field == "wording" or "Other terms." in answer.content.decode()


def test_a_draft_is_changed_and_dropped(client_of: ClientOf, world: World, at: datetime) -> None:
    draft = write_draft(world.actor("ivy"), Wording("Other terms.", at + DAY, True, "x"), at=at)
    address, ivy = reverse("agreement-draft", args=[draft.pk]), client_of("ivy")
    assert ivy.post(address, draft_form(at, wording="Mended.", expected_version="1")).status_code == 303
    assert ivy.post(address, draft_form(at, wording="Late.", expected_version="1")).status_code == 409
    drop = reverse("agreement-draft-command", args=[draft.pk, "retire"])
    assert ivy.post(drop, {"reason": "", "expected_version": "2"}).status_code == 400
    assert ivy.post(drop, {"reason": "Not needed.", "expected_version": "2"}).status_code == 303
    assert ivy.get(reverse("agreement-draft-command", args=[draft.pk, "explode"])).status_code == 404


def test_a_version_is_taken_back_on_the_desk(client_of: ClientOf, world: World, at: datetime) -> None:
    next_version(world, "Other terms.", at=at, start=at + DAY)
    ivy = client_of("ivy")
    assert "Take version 2 back before its day" in shown(ivy.get(DESK))
    assert ivy.post(reverse("agreement-retire", args=[2]), {"reason": ""}).status_code == 400
    assert ivy.post(reverse("agreement-retire", args=[2]), {"reason": "An error."}).status_code == 303
    assert "taken back" in shown(ivy.get(DESK))
