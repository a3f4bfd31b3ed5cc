"""Write down what was served, and ask whether a text stands in it.

Fingerprints are kept for as long as their job is: they hold no text, and a record with holes would answer "none" where
it should answer "not known any more". A key that is rotated out stays in PROVENANCE_KEYS behind the new one, since
look-ups try every key; a key that is removed makes what it wrote unfindable, which is how a record is retired.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any

from django.db.models import Count

from inference.contract import Keys
from release_portal.core.keys import keys_for
from release_portal.jobs.models import Job
from release_portal.provenance.fingerprint import LEAST_HITS, LEAST_WORDS, hashes_of, winnow
from release_portal.provenance.matching import Match, Posting, conclude, covered_words
from release_portal.provenance.models import Fingerprint, ServedSample
from release_portal.provenance.wording import Word, words_of

# Samples whose fingerprints are read for spans; any further ones are counted only.
MOST_COMPARED = 20
# Values in one query: below what the smallest database takes as parameters.
BATCH = 10_000


@dataclass(frozen=True)
class JobMatch:
    """A job whose output stands in a text, for staff who follow a misuse report.

    Args:
        job_id: the job.
        share: words of the text that stand in its output, of all words; 0 to 1.
    """

    job_id: str
    share: float


def write_fingerprints(job: Job, samples: list[dict[str, Any]], at: datetime) -> None:
    """Write down each sample of a settled generation that is long enough to be found again, once.

    Runs in the settlement's transaction. What was delivered counts, however the job ended.
    """
    if ServedSample.objects.filter(job=job).exists():
        return
    keys = keys_for("provenance")
    for number, sample in enumerate(samples):
        _write_sample(job, number, words_of(sample["text"]), keys, at)


def _write_sample(job: Job, number: int, words: list[Word], keys: Keys, at: datetime) -> None:
    if len(words) < LEAST_WORDS:
        return
    served = ServedSample.objects.create(
        job=job, sample=number, words=len(words), key_version=keys.newest, written_at=at
    )
    hashes = hashes_of(words, partial(keys.mac, keys.newest))
    Fingerprint.objects.bulk_create(
        Fingerprint(value=hashes[place], sample=served, position=place) for place in winnow(hashes)
    )


def match(text: str, *, at: datetime) -> Match:
    """Return what of a text stands in generations served until `at`; never whose they were."""
    question = _ask(text)
    hits = _hits(question)
    jobs = _jobs_of(hits, at)
    best = [sample for sample, _ in hits.most_common() if sample in jobs][:MOST_COMPARED]
    postings = _postings(question, best)
    found = [postings[sample] for sample in best]
    return conclude(question.words, question.places, found, len(set(jobs.values())))


def jobs_matching(text: str, *, limit: int = 5) -> list[JobMatch]:
    """Return the jobs whose output stands in a text, the best first.

    For staff on a misuse report only: it leads to whose it was. The caller checks who asks and records that they did.
    """
    question = _ask(text)
    hits = _hits(question)
    best = [sample for sample, _ in hits.most_common(max(limit, MOST_COMPARED))]
    jobs = dict(ServedSample.objects.filter(pk__in=best).values_list("pk", "job_id"))
    shares: dict[str, float] = defaultdict(float)
    for sample, postings in _postings(question, best).items():
        share = len(covered_words(question.places, postings)) / len(question.words)
        shares[jobs[sample]] = max(shares[jobs[sample]], share)
    ranked = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
    return [JobMatch(job_id, share) for job_id, share in ranked[:limit]]


@dataclass(frozen=True)
class _Question:
    """A text with the places of its fingerprints under every key."""

    words: Sequence[Word]
    places: dict[int, list[int]]


def _ask(text: str) -> _Question:
    words = words_of(text)
    places: dict[int, list[int]] = defaultdict(list)
    if len(words) < LEAST_WORDS:
        return _Question(words, places)
    keys = keys_for("provenance")
    for version in keys.secrets:
        for place, value in enumerate(hashes_of(words, partial(keys.mac, version))):
            places[value].append(place)
    return _Question(words, places)


def _hits(question: _Question) -> Counter[int]:
    """Count the different fingerprints that each sample shares with the text; fewer than LEAST_HITS are no match."""
    hits: Counter[int] = Counter()
    for batch in _batches(question.places):
        rows = Fingerprint.objects.filter(value__in=batch).values_list("sample_id")
        hits.update(dict(rows.annotate(Count("value", distinct=True))))
    return Counter({sample: count for sample, count in sorted(hits.items()) if count >= LEAST_HITS})


def _jobs_of(samples: Iterable[int], at: datetime) -> dict[int, str]:
    jobs: dict[int, str] = {}
    for batch in _batches(samples):
        jobs.update(ServedSample.objects.served_until(at).filter(pk__in=batch).values_list("pk", "job_id"))
    return jobs


def _postings(question: _Question, samples: Sequence[int]) -> dict[int, list[Posting]]:
    """Read the shared fingerprints of a few samples, each sample in its own order."""
    postings: dict[int, list[Posting]] = {sample: [] for sample in samples}
    for batch in _batches(question.places if samples else ()):
        rows = Fingerprint.objects.filter(value__in=batch, sample_id__in=samples).order_by("sample_id", "position")
        for sample, value, position in rows.values_list("sample_id", "value", "position"):
            postings[sample].append(Posting(value, position))
    return postings


def _batches(values: Iterable[int]) -> Iterator[list[int]]:
    rest = iter(values)
    while batch := list(islice(rest, BATCH)):
        yield batch
