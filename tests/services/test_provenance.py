"""The portal's own record: written once at settlement, asked by text, silent about whose it was."""

from __future__ import annotations

import base64
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

import pytest
import redis
from django.db import IntegrityError, transaction

from inference.contract import FinishReason, Function, Usage
from release_portal.generation.services import generate
from release_portal.jobs import handlers
from release_portal.jobs.models import Job
from release_portal.jobs.settle import Outcome, settle
from release_portal.provenance.fingerprint import LEAST_WORDS
from release_portal.provenance.matching import Match, Strength
from release_portal.provenance.models import Fingerprint, ServedSample
from release_portal.provenance.services import jobs_matching, match, write_fingerprints
from tests.rules.test_fingerprint import GENERATED, UNRELATED
from tests.world import SERVED, World


@pytest.fixture
def generation(world: World, service: redis.Redis, committed: Any) -> Any:
    """Return a function that submits a generation for cleo and settles it with these samples."""

    def make(*texts: str, reason: FinishReason = FinishReason.LENGTH, at: datetime = world.at) -> Job:
        values = {"prompt": "Once upon a time", "samples": len(texts), "max_tokens": 8}
        with committed():
            job = generate(world.actor("cleo"), SERVED, values, at=at, interface="api")
        samples = [{"text": text, "tokens": 8, "finish": reason.value} for text in texts]
        assert settle(Outcome(job.pk, reason, "", Usage(16, 8 * len(texts))), samples, at=at)
        job.refresh_from_db()
        return job

    return make


def test_a_served_text_is_found_word_for_word(generation: Any, at: datetime) -> None:
    job = generation(GENERATED)
    found = match(GENERATED.upper().replace(" ", "\n"), at=at)
    assert (found.strength, found.generations) == (Strength.EXACT, 1)
    assert found.share > 0.85
    served = ServedSample.objects.get(job=job)
    assert (served.sample, served.key_version) == (0, "v1")


def test_spans_point_into_the_text_that_was_asked(generation: Any, at: datetime) -> None:
    generation(GENERATED)
    text = f"{UNRELATED}\n\n{GENERATED}"
    found = match(text, at=at)
    assert found.strength is Strength.NEAR
    (span,) = found.spans
    assert text[span.start : span.end] in GENERATED
    assert span.start >= len(UNRELATED)


def test_an_edited_text_is_near(generation: Any, at: datetime) -> None:
    generation(GENERATED)
    words = GENERATED.split()
    words[10] = words[25] = words[40] = "xylophone"
    found = match(" ".join(words), at=at)
    assert found.strength is Strength.NEAR
    assert 0.2 < found.share < 1


def test_an_unrelated_text_and_a_short_one_do_not_match(generation: Any, at: datetime) -> None:
    generation(GENERATED)
    assert match(UNRELATED, at=at).strength is Strength.NONE
    assert match(" ".join(GENERATED.split()[: LEAST_WORDS - 1]), at=at).strength is Strength.TOO_SHORT
    assert match("", at=at).strength is Strength.TOO_SHORT


def test_a_match_names_no_job_and_nobody(generation: Any, world: World, at: datetime) -> None:
    job = generation(GENERATED)
    found = match(GENERATED, at=at)
    assert {field.name for field in fields(Match)} == {"strength", "words", "covered", "generations", "spans"}
    said = repr(found) + repr(found.to_data())
    assert job.pk not in said
    assert "cleo" not in said


def test_the_same_text_from_two_generations_counts_both(generation: Any, at: datetime) -> None:
    generation(GENERATED)
    generation(GENERATED, GENERATED)
    assert ServedSample.objects.count() == 3
    assert match(GENERATED, at=at).generations == 2


def test_settling_twice_writes_once(generation: Any, at: datetime) -> None:
    job = generation(GENERATED)
    before = Fingerprint.objects.count()
    assert before > 0
    samples = [{"text": GENERATED, "tokens": 8, "finish": "length"}]
    assert not settle(Outcome(job.pk, FinishReason.LENGTH, "", Usage()), samples, at=at)
    write_fingerprints(job, samples, at)
    assert (Fingerprint.objects.count(), ServedSample.objects.count()) == (before, 1)
    with pytest.raises(IntegrityError), transaction.atomic():
        ServedSample.objects.create(job=job, sample=0, words=1, key_version="v1", written_at=at)


def test_what_was_delivered_before_a_stop_is_in_the_record(generation: Any, at: datetime) -> None:
    generation(GENERATED, reason=FinishReason.STOPPED)
    assert match(GENERATED, at=at).strength is Strength.EXACT


def test_a_sample_too_short_to_be_found_again_is_not_written(generation: Any) -> None:
    generation("Too short.", "", GENERATED)
    assert list(ServedSample.objects.values_list("sample", flat=True)) == [2]


def test_a_fault_in_the_same_transaction_leaves_no_fingerprints(
    generation: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(job: Job, samples: list[dict[str, Any]], at: datetime) -> None:
        raise RuntimeError("after the fingerprints")

    monkeypatch.setitem(handlers._HANDLERS, Function.GENERATE.value, [write_fingerprints, fail])
    with pytest.raises(RuntimeError):
        generation(GENERATED)
    assert not Fingerprint.objects.exists()
    assert Job.objects.open().exists()


def test_the_record_answers_for_a_time(generation: Any, at: datetime) -> None:
    generation(GENERATED)
    assert match(GENERATED, at=at - timedelta(seconds=1)).strength is Strength.NONE


def fresh_key(letter: bytes) -> str:
    return base64.b64encode(letter * 32).decode()


def test_after_a_rotation_old_and_new_generations_are_found(generation: Any, at: datetime, settings: Any) -> None:
    generation(GENERATED)
    old = settings.PORTAL_KEYS["provenance"]
    settings.PORTAL_KEYS = settings.PORTAL_KEYS | {"provenance": f"v2:{fresh_key(b'n')},{old}"}
    generation(UNRELATED)
    assert list(ServedSample.objects.order_by("pk").values_list("key_version", flat=True)) == ["v1", "v2"]
    assert match(GENERATED, at=at).strength is Strength.EXACT
    assert match(UNRELATED, at=at).strength is Strength.EXACT
    settings.PORTAL_KEYS = settings.PORTAL_KEYS | {"provenance": f"v2:{fresh_key(b'n')}"}
    assert match(GENERATED, at=at).strength is Strength.NONE, "its key is gone"


def test_no_text_lies_in_the_record(generation: Any) -> None:
    generation(GENERATED)
    rows = [*ServedSample.objects.values(), *Fingerprint.objects.values()]
    assert not any(word in str(rows) for word in ("unicorn", "scientists", "valley"))


def test_staff_are_led_to_the_jobs_best_first(generation: Any) -> None:
    whole, part = generation(GENERATED), generation(" ".join(GENERATED.split()[:25]))
    generation(UNRELATED)
    found = jobs_matching(GENERATED)
    assert [one.job_id for one in found] == [whole.pk, part.pk]
    assert found[0].share > 0.85 > found[1].share > 0.2
    assert [one.job_id for one in jobs_matching(GENERATED, limit=1)] == [whole.pk]
    assert jobs_matching("nothing of this kind was ever served to anybody here " * 3) == []
    assert jobs_matching("short") == []


def test_a_score_leaves_no_fingerprints() -> None:
    assert write_fingerprints in handlers.registered()[Function.GENERATE.value]
    assert write_fingerprints not in handlers.registered()[Function.SCORE.value]
