"""Evidence: attached, superseded, measured and reviewed; never edited, not even by the database."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import Model
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from release_portal.accounts.actors import actor_of_token
from release_portal.accounts.models import RoleAssignment
from release_portal.accounts.own_data import export_own_data
from release_portal.accounts.services import create_token
from release_portal.audit.models import AuditEvent
from release_portal.core.actors import ANONYMOUS, system_actor
from release_portal.core.errors import InvalidInput, NotAllowed, NotFound, NotNow, StaleVersion
from release_portal.evidence.facts import ACCEPTED, REJECTED, WAITING
from release_portal.evidence.kinds import ASSURANCES, KINDS, MEASURED
from release_portal.evidence.lookups import evidence_for, evidence_of, newest_evidence
from release_portal.evidence.measurers import measurable
from release_portal.evidence.models import ChecklistVersion, Evidence, EvidenceReview
from release_portal.evidence.rules import EvidenceDraft, problems
from release_portal.evidence.services import (
    UnfitEvidence,
    attach_evidence,
    measure_evidence,
    measure_now,
    review_evidence,
)
from release_portal.registry.models import ModelSize
from tests.world import World, stored_digest

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
LONG_AGO = datetime(2024, 2, 29, tzinfo=UTC)


def draft(criterion: str = "C17", **change: Any) -> EvidenceDraft:
    said = EvidenceDraft(criterion, "attestation", "The line was tried.", LONG_AGO, statement="Somebody answered.")
    return replace(said, **change)


def figure(**change: Any) -> EvidenceDraft:
    said = EvidenceDraft(
        "C07", MEASURED, "Most texts are found.", LONG_AGO, value=Decimal("0.71"), ci_low=Decimal("0.650"),
        ci_high=Decimal("0.77"), n=400, harness="probe 1.2", dataset="texts", subject_digest=stored_digest(),
    )  # fmt: skip
    return replace(said, **change)


def attached(world: World, said: EvidenceDraft | None = None, *, by: str = "jo", over: int | None = None) -> Evidence:
    return attach_evidence(world.actor(by), world.size, said or draft(), expected_newest=over, at=world.at)


def reviewed(world: World, evidence: Evidence, verdict: str = ACCEPTED, *, by: str = "ben", **more: Any) -> None:
    more = {"reason": "The figures do not add up." if verdict == REJECTED else "", "at": world.at, **more}
    review_evidence(world.actor(by), world.size, evidence.pk, verdict, **more)


def other_size(world: World) -> ModelSize:
    size = ModelSize.objects.exclude(pk=world.size.pk).first()
    assert size is not None
    return size


def last_event() -> AuditEvent:
    event = AuditEvent.objects.last()
    assert event is not None
    return event


# --- Attaching -------------------------------------------------------------------------------------------------------


def test_what_was_said_is_stored_signed_and_recorded(world: World) -> None:
    evidence = attached(world, figure(params={"temperature": "0.7", "seed": 4}))
    stored = Evidence.objects.get(pk=evidence.pk)
    assert (stored.signer, stored.signer_kind, stored.created_at) == ("jo", "user", world.at)
    assert (stored.value, stored.n, stored.params) == (Decimal("0.71"), 400, {"temperature": "0.7", "seed": 4})
    assert stored.recomputed() == stored.digest == evidence.digest
    event = last_event()
    assert (event.kind, event.subject) == ("evidence.attached", f"size:{world.size.slug}")
    assert event.data == {
        "criterion": "C07", "evidence": stored.pk, "digest": stored.digest, "supersedes": None, "value": "0.71",
    }  # fmt: skip


def test_newer_evidence_supersedes_and_the_old_one_stays(world: World) -> None:
    old = attached(world)
    new = attached(world, draft(summary="Tried again."), by="ada", over=old.pk)
    other = attached(world, draft("C18"))
    assert new.supersedes == old
    assert other.supersedes is None
    assert list(evidence_of(world.size, "C17")) == [new, old]
    assert list(evidence_of(world.size)) == [other, new, old]
    assert Evidence.objects.get(pk=new.pk).recomputed() == new.digest


def test_a_stale_form_is_refused_and_says_what_was_attached_meanwhile(world: World) -> None:
    attached(world, draft(summary="The first one."), by="ada")
    with pytest.raises(
        StaleVersion, match="ada attached evidence for C17 while this form was open: The first one."
    ) as e:
        attached(world)
    assert e.value.status == 409
    with pytest.raises(StaleVersion, match="no evidence for C18"):
        attached(world, draft("C18"), over=12)
    assert Evidence.objects.count() == 1


def test_what_cannot_be_is_refused_field_by_field_and_nothing_is_stored(world: World) -> None:
    before = AuditEvent.objects.count()
    wrong = figure(value=Decimal("nan"), n=0, ci_low=Decimal(1), ci_high=Decimal(0), subject_digest="c" * 64)
    with pytest.raises(UnfitEvidence) as caught:
        attached(world, wrong)
    assert caught.value.status == 400
    assert {field for field, _ in caught.value.problems} == {"value", "n", "ci_low", "subject_digest"}
    assert stored_digest() in dict(caught.value.problems)["subject_digest"]
    assert not Evidence.objects.exists()
    assert AuditEvent.objects.count() == before


@pytest.mark.parametrize("name", ["olu", "hal", "ivy", "gia", "kim"])
def test_staff_and_external_reviewers_attach(world: World, name: str) -> None:
    assert attached(world, by=name).signer == name


@pytest.mark.parametrize("name", ["cleo", "anonymous"])
def test_nobody_else_attaches_or_has_the_portal_measure(world: World, name: str) -> None:
    with pytest.raises(NotAllowed):
        attached(world, by=name)
    with pytest.raises(NotAllowed):
        measure_now(world.actor(name), world.size, "C01", at=world.at)


def test_a_token_attaches_while_its_owner_is_staff_and_never_reviews(world: World) -> None:
    scopes = ("evidence:write", "staff:read")
    token, _ = create_token(world.actor("olu"), world.people["olu"], name="lab", scopes=scopes, at=world.at)
    actor = actor_of_token(token)
    reader = replace(actor, scopes=frozenset({"staff:read"}))
    evidence = attach_evidence(actor, world.size, draft(), expected_newest=0, at=world.at)
    assert evidence.signer == "olu"
    for asker in (actor, replace(world.actor("ada"), scopes=frozenset(scopes))):
        with pytest.raises(NotAllowed, match="A token never reviews"):
            review_evidence(asker, world.size, evidence.pk, ACCEPTED, at=world.at)
    RoleAssignment.objects.filter(user=world.people["olu"]).delete()
    with pytest.raises(NotAllowed, match="staff and external reviewers"):
        attach_evidence(actor, world.size, draft(), expected_newest=evidence.pk, at=world.at)
    with pytest.raises(NotAllowed, match="evidence:write"):
        attach_evidence(reader, world.size, draft(), expected_newest=evidence.pk, at=world.at)


# --- Never edited ----------------------------------------------------------------------------------------------------


def test_the_database_refuses_to_change_a_row_and_still_deletes_it(world: World) -> None:
    """Seen to fail with migration 0002 (the triggers) taken out: the three updates then go through."""
    evidence = attached(world)
    reviewed(world, evidence)
    ChecklistVersion.objects.create(
        size=world.size, subject="proposal:1", number=1, signed_by_id="1", signed_by="jo", signed_at=world.at
    )
    changes: list[tuple[type[Model], dict[str, str]]] = [
        (Evidence, {"summary": "Better."}),
        (EvidenceReview, {"reason": "Better."}),
        (ChecklistVersion, {"subject": "proposal:2"}),
    ]
    for model, change in changes:
        table = model._meta.db_table
        with pytest.raises(IntegrityError, match=f"{table} is append-only"), transaction.atomic():
            model._default_manager.update(**change)
        row = model._default_manager.get()
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            row.save()
    EvidenceReview.objects.all().delete()
    Evidence.objects.all().delete()
    assert not Evidence.objects.exists()


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"n": 0}, "n_positive"),
        ({"ttl_days": 0}, "ttl_positive"),
        ({"ci_low": Decimal("0.9"), "ci_high": Decimal("0.1"), "value": None}, "interval_in_order"),
        ({"ci_high": None}, "interval_in_order"),
        ({"value": Decimal("0.99")}, "value_in_interval"),
        ({"kind": "rumour"}, "kind_known"),
        ({"assurance": "hope"}, "assurance_known"),
        ({"signer_kind": "anonymous"}, "signer_kind_known"),
    ],
)
def test_the_database_refuses_what_the_rules_refuse(world: World, change: dict[str, Any], constraint: str) -> None:
    evidence = attached(world, figure())
    fields = {field.attname: getattr(evidence, field.attname) for field in Evidence._meta.fields}
    fields |= {"id": None, "supersedes_id": None, **change}
    with pytest.raises(IntegrityError, match=f"evidence_{constraint}"), transaction.atomic():
        Evidence.objects.create(**fields)


def test_an_altered_row_no_longer_has_its_digest(world: World) -> None:
    evidence = attached(world, figure())
    for name, value in (("value", Decimal("0.72")), ("signer", "ada"), ("items", ["x"]), ("params", {"a": 1})):
        altered = Evidence.objects.get(pk=evidence.pk)
        setattr(altered, name, value)
        assert altered.recomputed() != evidence.digest


# --- Reviews ---------------------------------------------------------------------------------------------------------


def test_another_person_accepts(world: World) -> None:
    evidence = attached(world)
    assert evidence.review_state == WAITING
    reviewed(world, evidence)
    assert evidence_for(world.actor("jo"), world.size, evidence.pk).review_state == ACCEPTED
    event = last_event()
    assert (event.kind, event.actor_name) == ("evidence.accepted", "ben")
    assert event.data == {"criterion": "C17", "evidence": evidence.pk, "digest": evidence.digest}


def test_the_last_review_counts(world: World) -> None:
    evidence = attached(world)
    reviewed(world, evidence)
    reviewed(world, evidence, REJECTED, by="gia")
    facts = newest_evidence([world.size])[world.size.pk]["C17"]
    assert (facts.review, facts.review_reason) == (REJECTED, "The figures do not add up.")
    assert (last_event().kind, last_event().reason) == ("evidence.rejected", "The figures do not add up.")
    reviewed(world, evidence, by="kim")
    assert newest_evidence([world.size])[world.size.pk]["C17"].review == ACCEPTED


def test_nobody_reviews_their_own_not_even_in_the_database(world: World) -> None:
    """Seen to fail at each half alone: without `may_review`'s signer line, and without the constraint."""
    evidence = attached(world)
    with pytest.raises(NotAllowed, match="You signed this evidence"):
        reviewed(world, evidence, by="jo")
    me = world.actor("jo")
    with pytest.raises(IntegrityError, match="evidence_reviewed_by_another"), transaction.atomic():
        EvidenceReview.objects.create(
            evidence=evidence, verdict=ACCEPTED, signer_id=me.id, reviewer_id=me.id, reviewer=me.name, at=world.at
        )


@pytest.mark.parametrize("name", ["olu", "ivy", "hal", "cleo", "anonymous"])
def test_others_do_not_review(world: World, name: str) -> None:
    with pytest.raises(NotAllowed, match="Evidence is reviewed by"):
        reviewed(world, attached(world), by=name)


@pytest.mark.parametrize(
    ("verdict", "reason", "field"),
    [
        ("perhaps", "x", "verdict"),
        (REJECTED, " ", "reason"),
        (ACCEPTED, "x" * 2_001, "reason"),
        (ACCEPTED, "a\x00", "reason"),
    ],
)
def test_a_review_that_says_something_wrong_is_refused(world: World, verdict: str, reason: str, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        reviewed(world, attached(world), verdict, reason=reason)
    assert caught.value.field == field
    assert not EvidenceReview.objects.exists()


def test_a_review_is_never_repeated_or_given_to_superseded_evidence(world: World) -> None:
    evidence = attached(world)
    reviewed(world, evidence)
    with pytest.raises(NotNow, match="never changed"):
        reviewed(world, evidence, REJECTED)
    attached(world, by="ada", over=evidence.pk)
    with pytest.raises(NotNow, match="ada attached newer evidence for C17"):
        reviewed(world, evidence, by="gia")


def test_evidence_is_reached_through_its_own_size_only(world: World) -> None:
    evidence, elsewhere = attached(world), other_size(world)
    assert evidence_for(world.actor("jo"), world.size, evidence.pk) == evidence
    with pytest.raises(NotFound):
        evidence_for(world.actor("jo"), elsewhere, evidence.pk)
    with pytest.raises(NotFound):
        review_evidence(world.actor("ben"), elsewhere, evidence.pk, ACCEPTED, at=world.at)


# --- Measured here ---------------------------------------------------------------------------------------------------


def test_the_portal_measures_the_stored_weights_and_names_who_asked(world: World) -> None:
    assert "C01" in measurable()
    evidence = measure_now(world.actor("jo"), world.size, "C01", at=world.at)
    assert (evidence.value, evidence.n, evidence.subject_digest) == (1, 4, stored_digest())
    assert (evidence.signer, evidence.is_measured_here) == ("system: measurement", True)
    assert newest_evidence([world.size])[world.size.pk]["C01"].is_measured_here
    assert (last_event().kind, last_event().data["asked_by"]) == ("evidence.attached", "jo")
    assert measure_now(world.actor("jo"), world.size, "C01", at=world.at + HOUR).supersedes == evidence


def test_damaged_weights_measure_zero_and_name_the_file(world: World, settings: Any, tmp_path: Path) -> None:
    settings.STORE_ROOT = shutil.copytree(settings.STORE_ROOT, tmp_path / "store")
    for blob in (tmp_path / "store" / "blobs").iterdir():
        blob.write_bytes(b"other bytes")
    evidence = measure_now(world.actor("jo"), world.size, "C01", at=world.at)
    assert evidence.value == 0
    assert "model.safetensors" in evidence.statement


def test_what_cannot_be_measured_is_refused_with_the_way_out(world: World) -> None:
    with pytest.raises(NotNow, match="No weights") as caught:
        measure_now(world.actor("jo"), other_size(world), "C01", at=world.at)
    assert caught.value.code == "no_weights"
    with pytest.raises(InvalidInput, match="cannot measure C99") as unknown:
        measure_now(world.actor("jo"), world.size, "C99", at=world.at)
    assert "C01" in unknown.value.change


def test_only_a_system_actor_signs_a_measurement_and_it_is_checked_too(world: World) -> None:
    for actor in (world.actor("jo"), ANONYMOUS):
        with pytest.raises(ValueError, match="only a system actor"):
            measure_evidence(actor, world.size, figure(), at=world.at)
    with pytest.raises(UnfitEvidence):
        measure_evidence(system_actor("measurement"), world.size, figure(n=0), at=world.at)


# --- Reading ---------------------------------------------------------------------------------------------------------


def test_the_newest_evidence_takes_two_queries_however_much_there_is(
    world: World, django_assert_num_queries: Callable[[int], Any]
) -> None:
    first = attached(world)
    reviewed(world, first)
    second = attached(world, draft(summary="Newer."), over=first.pk)
    attached(world, figure())
    elsewhere = other_size(world)
    attach_evidence(world.actor("jo"), elsewhere, draft(), expected_newest=0, at=world.at)
    with django_assert_num_queries(2):
        found = newest_evidence(ModelSize.objects.all())
    assert set(found[world.size.pk]) == {"C17", "C07"}
    assert (found[world.size.pk]["C17"].id, found[world.size.pk]["C17"].review) == (second.pk, WAITING)
    assert set(found) == {world.size.pk, elsewhere.pk}
    assert set(newest_evidence([elsewhere])) == {elsewhere.pk}
    with django_assert_num_queries(2):
        assert [len(one.reviews.all()) for one in evidence_of(world.size)] == [0, 0, 1]


def test_what_was_known_at_a_time_leaves_out_what_came_later(world: World) -> None:
    first = attached(world)
    review_evidence(world.actor("ben"), world.size, first.pk, ACCEPTED, at=world.at + HOUR)
    attach_evidence(world.actor("jo"), world.size, draft(), expected_newest=first.pk, at=world.at + 2 * HOUR)

    def then(hours: int) -> Any:
        return newest_evidence([world.size], as_of=world.at + hours * HOUR).get(world.size.pk, {}).get("C17")

    assert then(-1) is None
    assert (then(0).id, then(0).review) == (first.pk, WAITING)
    assert (then(1).id, then(1).review) == (first.pk, ACCEPTED)
    assert then(2).id != first.pk


def test_the_facts_say_what_the_row_says(world: World) -> None:
    row = attached(world, figure(ttl_days=30))
    facts = Evidence.objects.get(pk=row.pk).facts()
    assert (facts.value, facts.ci_low, facts.n, facts.ttl_days) == (Decimal("0.71"), Decimal("0.65"), 400, 30)
    assert (facts.signer, facts.digest, facts.is_measured_here) == ("jo", row.digest, False)
    names = attached(world, draft("C11", kind="set_equal", items=("bias", "toxicity")))
    assert Evidence.objects.get(pk=names.pk).facts().items == ("bias", "toxicity")


def test_what_a_person_signed_is_in_their_own_data(world: World) -> None:
    evidence = attached(world)
    reviewed(world, evidence)
    jo = export_own_data(world.actor("jo"), world.people["jo"], at=world.at)["holdings"]
    ben = export_own_data(world.actor("ben"), world.people["ben"], at=world.at)["holdings"]
    assert [row["id"] for row in jo["evidence"]] == [evidence.pk]
    assert jo["evidence_reviews"] == ben["evidence"] == []
    assert [row["verdict"] for row in ben["evidence_reviews"]] == [ACCEPTED]


# --- Anything --------------------------------------------------------------------------------------------------------

NUMBERS = st.none() | st.decimals() | st.decimals(min_value=0, max_value=1, places=3) | st.just(Decimal("0.5"))
TEXTS = st.text(max_size=12) | st.just("said")
DIGESTS = st.sampled_from(["", "", "", "x", "c" * 64]) | st.builds(stored_digest)
DRAFTS = st.builds(
    EvidenceDraft,
    criterion=st.just("C07") | TEXTS,
    kind=st.sampled_from([*KINDS]) | st.text(max_size=3),
    summary=TEXTS,
    measured_at=st.none() | st.datetimes(timezones=st.just(UTC)) | st.just(LONG_AGO),
    statement=TEXTS,
    value=NUMBERS,
    ci_low=st.none() | NUMBERS | st.just(Decimal(0)),
    ci_high=st.none() | NUMBERS | st.just(Decimal(1)),
    n=st.none() | st.integers(-2, 10**14),
    unit=TEXTS,
    subject_digest=DIGESTS,
    harness=TEXTS,
    harness_digest=DIGESTS,
    dataset=TEXTS,
    params=st.dictionaries(TEXTS, TEXTS | st.integers() | st.booleans(), max_size=2),
    link=st.sampled_from(["", "", "https://example.org/x", "no link"]),
    document_digest=DIGESTS,
    items=st.just(()) | st.lists(TEXTS, max_size=3).map(tuple),
    assurance=st.sampled_from([*ASSURANCES]) | TEXTS,
    ttl_days=st.none() | st.integers(-1, 5_000),
)
WHOLE = st.builds(
    lambda said, value, width: replace(
        said, criterion="C07", kind=MEASURED, summary="s", measured_at=LONG_AGO, value=value, ci_low=value - width,
        ci_high=value + width, n=3, harness="h", dataset="d", subject_digest="", harness_digest="", document_digest="",
        link="", items=(), params={}, assurance="self", ttl_days=None, unit="", statement="",
    ),
    DRAFTS, st.decimals(-(10**6), 10**6, places=9), st.decimals(0, 10, places=8),
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(said=DRAFTS | WHOLE)
def test_any_draft_has_problems_or_is_stored_and_keeps_its_digest(world: World, said: EvidenceDraft) -> None:
    digest = stored_digest()
    found = problems(said, served_digest=digest, known_digests={digest}, at=world.at)
    newest = None if found else evidence_of(world.size, said.criterion).first()
    if found:
        with pytest.raises(UnfitEvidence):
            attached(world, said, over=newest.pk if newest else 0)
        return
    evidence = attached(world, said, over=newest.pk if newest else 0)
    stored = Evidence.objects.get(pk=evidence.pk)
    assert stored.recomputed() == evidence.digest
    assert (stored.value, stored.ci_low, stored.ci_high) == (said.value, said.ci_low, said.ci_high)
