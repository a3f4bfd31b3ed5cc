"""Evidence: what is attached, and how it was reviewed."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from release_portal.api.fields import Choice, Exact, Figure, Input, Moment, Text, Whole
from release_portal.api.paging import PageQuery
from release_portal.evidence.facts import ACCEPTED, REJECTED, WAITING
from release_portal.evidence.kinds import ASSURANCES, KINDS
from release_portal.evidence.rules import LARGEST_N, LONGEST, LONGEST_TTL_DAYS, MOST_ITEMS

DIGEST = 64
LONGEST_CRITERION = 12
LARGEST_ID = 2**31 - 1
SHA256 = "SHA-256 in hex, small letters."


class EvidenceQuery(PageQuery):
    """Which evidence is wanted."""

    criterion = serializers.CharField(max_length=LONGEST_CRITERION, required=False, help_text="Id, like C07.")


def _words(name: str, help_text: str = "") -> Text:
    return Text(max_length=LONGEST[name], required=False, allow_blank=True, help_text=help_text)


def _figure(help_text: str) -> Figure:
    return Figure(required=False, allow_null=True, help_text=help_text)


def _digest(help_text: str = SHA256) -> Text:
    return Text(max_length=DIGEST, required=False, allow_blank=True, help_text=help_text)


class EvidenceInput(Input):
    """A piece of evidence; figures are text, so that nothing rounds them."""

    criterion = Text(max_length=LONGEST_CRITERION, help_text="Id of the criterion that it bears on, like C07.")
    kind = Choice(list(KINDS))
    summary = Text(max_length=LONGEST["summary"], help_text="What it states, in a sentence.")
    measured_at = Moment(help_text="When what it states was measured or written.")
    statement = _words("statement", "The words themselves.")
    value = _figure('Like "0.71".')
    ci_low = _figure("Lower end of the 95 % interval; both ends or none.")
    ci_high = _figure("Upper end of it.")
    n = Whole(required=False, allow_null=True, help_text=f"How many were measured: 1 to {LARGEST_N:,}.")
    unit = _words("unit", "What the value counts.")
    subject_digest = _digest("Digest of the weights that it was measured on.")
    harness = _words("harness", "What measured it, with its version.")
    harness_digest = _digest()
    dataset = _words("dataset", "What it was measured with.")
    dataset_digest = _digest()
    params = serializers.DictField(child=Exact(), required=False, help_text="How it was measured.")
    link = _words("link", "Where the document lies.")
    document_digest = _digest()
    items = serializers.ListField(
        child=Text(allow_blank=True), max_length=MOST_ITEMS, required=False, help_text="Where the kind is set_equal."
    )
    assurance = Choice(list(ASSURANCES), required=False)
    ttl_days = Whole(
        required=False,
        allow_null=True,
        help_text=f"Days that it counts by its own word: 1 to {LONGEST_TTL_DAYS:,}.",
    )
    expected_newest = Whole(
        min_value=0,
        max_value=LARGEST_ID,
        help_text="Id of the newest for the criterion that you read; 0: none.",
    )


class EvidenceReviewFacts(serializers.Serializer[Any]):
    """How somebody other than the signer judged it."""

    verdict = serializers.ChoiceField([ACCEPTED, REJECTED])
    reason = serializers.CharField()
    reviewer = serializers.CharField()
    at = serializers.DateTimeField()


class AttachedEvidence(serializers.Serializer[Any]):
    """A piece of evidence: signed, never edited, superseded by newer."""

    id = serializers.IntegerField(source="pk")
    criterion = serializers.CharField()
    kind = serializers.ChoiceField(list(KINDS))
    summary = serializers.CharField()
    statement = serializers.CharField()
    value = Figure(allow_null=True)
    ci_low = Figure(allow_null=True)
    ci_high = Figure(allow_null=True)
    n = serializers.IntegerField(allow_null=True)
    unit = serializers.CharField()
    subject_digest = serializers.CharField()
    harness = serializers.CharField()
    harness_digest = serializers.CharField()
    dataset = serializers.CharField()
    dataset_digest = serializers.CharField()
    params = serializers.DictField(child=Exact())
    link = serializers.CharField()
    document_digest = serializers.CharField()
    items = serializers.ListField(child=serializers.CharField())
    assurance = serializers.ChoiceField(list(ASSURANCES))
    measured_at = serializers.DateTimeField()
    ttl_days = serializers.IntegerField(allow_null=True)
    signer = serializers.CharField()
    is_measured_here = serializers.BooleanField(help_text="This portal measured it; it needs no review.")
    created_at = serializers.DateTimeField()
    supersedes = serializers.IntegerField(source="supersedes_id", allow_null=True)
    superseded_by = serializers.IntegerField(source="superseded_by.pk", allow_null=True, help_text="null: the newest.")
    digest = serializers.CharField(help_text="SHA-256 over its content.")
    review_state = serializers.ChoiceField([WAITING, ACCEPTED, REJECTED])
    review = EvidenceReviewFacts(allow_null=True, help_text="The one that counts: the last.")
