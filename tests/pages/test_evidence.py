"""The evidence of a size through its pages: attached, reviewed, measured; and every way in which it is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from release_portal.core.clock import now
from release_portal.evidence.models import Evidence, EvidenceReview
from release_portal.registry.models import ModelSize
from release_portal.releases.policy_services import policy_in_force
from tests.governance import accept, adopt, attach, passing_draft, small_policy
from tests.world import SERVED, World, put_at_stage

Clients = Callable[[str], Any]
LAB, NAME = SERVED.split("/")
DRAWER = f"/sizes/{LAB}/{NAME}/evidence/"
HTML = "<script>alert(1)</script>"


@pytest.fixture
def small(world: World) -> World:
    adopt(world, small_policy())
    return world


def measured(world: World, **changes: str) -> dict[str, str]:
    """What somebody types for C07."""
    return {
        "summary": "Three of four are found.",
        "value": "0.75",
        "ci_low": "0.7",
        "ci_high": "0.8",
        "n": "1200",
        "harness": "detector 1.2",
        "dataset": "held-out web text",
        "subject_digest": world.size.current_revision.digest,  # type: ignore[union-attr]
        "measured_at": f"{now() - timedelta(hours=2):%Y-%m-%dT%H:%M}",
        "assurance": "third_party",
        "expected_newest": "0",
        **changes,
    }


def send(client: Any, criterion: str, data: dict[str, str]) -> Any:
    return client.post(f"{DRAWER}{criterion}/", data)


def drawer(client: Any) -> str:
    return str(client.get(DRAWER).content.decode())


# --- Attaching -------------------------------------------------------------------------------------------------------


def test_what_somebody_attaches_is_shown_with_interval_n_age_and_assurance(small: World, client_of: Clients) -> None:
    ben, visitor = client_of("ben"), client_of("anonymous")
    assert "Evidence appears here." in drawer(visitor)
    form = ben.get(f"{DRAWER}C07/").content.decode()
    assert small.size.current_revision.digest in form, "the digest of the served weights is filled in"  # type: ignore[union-attr]
    assert send(ben, "C07", measured(small)).status_code == 303
    shown = drawer(visitor)
    for text in ("0.75", "[0.7, 0.8]", "n = 1,200", "2 hours ago", "third party", "waits for review", "Three of four"):
        assert text in shown
    assert Evidence.objects.get().digest in shown


@pytest.mark.parametrize(
    ("changes", "at_field"),
    [
        ({"value": "NaN"}, "value"),
        ({"value": "0,75"}, "value"),
        ({"value": "9" * 100}, "value"),
        ({"value": ""}, "value"),
        ({"n": "0"}, "n"),
        ({"n": "-3"}, "n"),
        ({"n": "many"}, "n"),
        ({"ci_low": "0.8", "ci_high": "0.7"}, "ci_low"),
        ({"ci_low": "0.76"}, "value"),
        ({"subject_digest": "0" * 64}, "subject_digest"),
        ({"subject_digest": "x"}, "subject_digest"),
        ({"measured_at": ""}, "measured_at"),
        ({"measured_at": "yesterday"}, "measured_at"),
        ({"measured_at": "2999-01-01T00:00"}, "measured_at"),
        ({"summary": " "}, "summary"),
        ({"harness": ""}, "harness"),
        ({"ttl_days": "0"}, "ttl_days"),
        ({"ttl_days": "1.5"}, "ttl_days"),
        ({"assurance": "nobody"}, "assurance"),
        ({"link": "javascript:alert(1)"}, ""),
    ],
)
def test_unfit_evidence_is_refused_at_its_field_with_everything_else_kept(
    small: World, client_of: Clients, changes: dict[str, str], at_field: str
) -> None:
    sent = send(client_of("ben"), "C07", measured(small, **{"dataset": "a rare data set", **changes}))
    assert sent.status_code == 400
    shown = sent.content.decode()
    assert not at_field or f'id="id_{at_field}_error"' in shown
    assert "a rare data set" in shown
    assert not Evidence.objects.exists()


def test_several_problems_are_shown_at_once(small: World, client_of: Clients) -> None:
    shown = send(client_of("ben"), "C07", measured(small, value="x", n="y")).content.decode()
    assert 'id="id_value_error"' in shown
    assert 'id="id_n_error"' in shown


def test_evidence_that_came_meanwhile_is_named_and_the_next_try_stands_over_it(
    small: World, client_of: Clients
) -> None:
    ben, typed = client_of("ben"), measured(small, summary="My own sentence.")
    criterion = policy_in_force(small.size, small.at).criterion("C07")
    assert criterion is not None
    other = attach(small, small.size, passing_draft(criterion, small.size, small.at), at=small.at)
    sent = send(ben, "C07", typed)
    assert sent.status_code == 409
    shown = sent.content.decode()
    for text in ("ivy attached evidence for C07", "My own sentence.", f'value="{other.pk}"'):
        assert text in shown
    assert send(ben, "C07", {**typed, "expected_newest": str(other.pk)}).status_code == 303
    assert "1 older piece of evidence" in drawer(ben)


def test_each_kind_asks_for_its_own_fields(small: World, client_of: Clients) -> None:
    ben = client_of("ben")
    document = ben.get(f"{DRAWER}C03/").content.decode()
    assert 'name="statement"' in document
    assert 'name="value"' not in document
    sent = send(ben, "C03", {"summary": "The register.", "measured_at": f"{now():%Y-%m-%dT%H:%M}"})
    assert sent.status_code == 400
    said = {"summary": "The register.", "measured_at": f"{now():%Y-%m-%dT%H:%M}", "statement": HTML}
    assert send(ben, "C03", said).status_code == 303
    assert HTML not in drawer(ben)


@pytest.mark.parametrize("criterion", ["C99", "L01", "x", "%00", "C" * 300])
def test_a_criterion_that_nobody_asks_for_is_not_found(small: World, client_of: Clients, criterion: str) -> None:
    assert client_of("ben").get(f"{DRAWER}{criterion}/").status_code == 404


def test_people_without_a_role_read_and_do_not_attach(small: World, client_of: Clients) -> None:
    assert [client_of(name).get(f"{DRAWER}C07/").status_code for name in ("anonymous", "cleo", "gia", "ivy")] == [
        401, 403, 200, 200,
    ]  # fmt: skip
    assert "Attach evidence" not in drawer(client_of("cleo"))
    assert "Attach evidence" in drawer(client_of("gia"))


# --- Reviewing -------------------------------------------------------------------------------------------------------


@pytest.fixture
def attached(small: World) -> Evidence:
    criterion = policy_in_force(small.size, small.at).criterion("C03")
    assert criterion is not None
    return attach(small, small.size, passing_draft(criterion, small.size, small.at), at=small.at, by="ben")


def judge(client: Any, evidence: Evidence, **data: str) -> Any:
    return client.post(reverse("evidence-review", args=[LAB, NAME, evidence.pk]), data)


def test_another_person_accepts_and_everybody_reads_it(attached: Evidence, client_of: Clients) -> None:
    jo = client_of("jo")
    assert "Review it" in drawer(jo)
    assert judge(jo, attached, verdict="accepted").status_code == 303
    assert "accepted" in drawer(client_of("anonymous"))
    assert "Review it" not in drawer(jo), "one review each"
    assert judge(jo, attached, verdict="rejected", reason="On second thought.").status_code == 409


def test_a_rejection_needs_a_reason_that_everybody_reads(attached: Evidence, client_of: Clients) -> None:
    jo = client_of("jo")
    assert judge(jo, attached, verdict="rejected").status_code == 400
    assert judge(jo, attached, verdict="perhaps", reason="x").status_code == 400
    assert not EvidenceReview.objects.exists()
    judge(jo, attached, verdict="rejected", reason="It names another size.")
    assert "It names another size." in drawer(client_of("anonymous"))


def test_nobody_reviews_their_own_and_the_page_says_so(attached: Evidence, client_of: Clients) -> None:
    ben = client_of("ben")
    assert "You signed this evidence" in drawer(ben)
    assert judge(ben, attached, verdict="accepted").status_code == 403
    assert judge(client_of("ivy"), attached, verdict="accepted").status_code == 403
    assert judge(client_of("anonymous"), attached, verdict="accepted").status_code == 401


def test_evidence_of_another_size_is_not_found_here(attached: Evidence, client_of: Clients) -> None:
    other = ModelSize.objects.exclude(pk=attached.size_id).first()
    assert other is not None
    url = reverse("evidence-review", args=[other.lab_slug, other.size_slug, attached.pk])
    assert client_of("jo").post(url, {"verdict": "accepted"}).status_code == 404


# --- Measuring -------------------------------------------------------------------------------------------------------


def test_what_the_portal_measures_is_shown_as_such_and_needs_no_review(world: World, client_of: Clients) -> None:
    ben = client_of("ben")
    url = reverse("evidence-measure", args=[LAB, NAME, "C14"])
    assert url in drawer(ben)
    assert ben.get(url).status_code == 303
    assert ben.post(url).status_code == 303
    shown = drawer(ben)
    assert "measured by this portal" in shown
    assert "waits for review" not in shown


def test_what_the_portal_cannot_measure_is_refused_by_name(small: World, client_of: Clients) -> None:
    sent = client_of("ben").post(reverse("evidence-measure", args=[LAB, NAME, "C03"]))
    assert sent.status_code == 400
    assert "The portal cannot measure C03" in sent.content.decode()
    assert client_of("cleo").post(reverse("evidence-measure", args=[LAB, NAME, "C03"])).status_code == 403


def test_the_drawer_costs_the_same_however_much_is_in_it(
    small: World, client_of: Clients, django_assert_max_num_queries: Any
) -> None:
    visitor = client_of("anonymous")
    criterion = policy_in_force(small.size, small.at).criterion("C03")
    assert criterion is not None
    for number in range(12):
        one = attach(small, small.size, passing_draft(criterion, small.size, small.at), at=small.at, by="ivy")
        accept(small, one, at=small.at)
        assert number < 12
    visitor.get(DRAWER)
    with django_assert_max_num_queries(30):
        visitor.get(DRAWER)


def test_the_evidence_of_an_undisclosed_size_is_to_strangers_as_none(small: World, client_of: Clients) -> None:
    put_at_stage(small.size, "registered", small.at)
    assert client_of("anonymous").get(DRAWER).status_code == 404
    assert client_of("gia").get(f"{DRAWER}C07/").status_code == 404
    assert client_of("ben").get(DRAWER).status_code == 200
