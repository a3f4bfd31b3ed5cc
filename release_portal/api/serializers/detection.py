"""Detections."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from release_portal.api.fields import Input, SizeSlug, Text
from release_portal.detection.models import FAILED, SCORED, WAITING
from release_portal.provenance.matching import Strength

STATES = [WAITING, SCORED, FAILED]


class DetectionInput(Input):
    """A text to ask about."""

    size = SizeSlug(help_text="lab/name of the size that shall score it.")
    text = Text(min_length=1, max_length=1_000_000)
    purpose = Text(max_length=3, required=False, help_text="P01 to P15; needed where your grant has several.")


class DetectionRow(serializers.Serializer[Any]):
    """A text that was asked about, without the text."""

    id = serializers.CharField()
    state = serializers.ChoiceField(STATES)
    size = serializers.CharField(source="size.slug")
    text_sha256 = serializers.CharField()
    created_at = serializers.DateTimeField()
    scored_at = serializers.DateTimeField(allow_null=True)


class LayerFacts(serializers.Serializer[Any]):
    """One kind of evidence in words; it gives no verdict."""

    name = serializers.CharField()
    title = serializers.CharField()
    statements = serializers.ListField(child=serializers.CharField())
    is_calibrated = serializers.BooleanField()


class RecordFacts(serializers.Serializer[Any]):
    """What the portal's own record of generations says; never whose one was."""

    strength = serializers.ChoiceField([strength.value for strength in Strength])
    words = serializers.IntegerField()
    covered = serializers.IntegerField()
    generations = serializers.IntegerField()
    share = serializers.FloatField(help_text="Covered words of all words, 0 to 1.")
    spans = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField(), min_length=2, max_length=2),
        help_text="Characters from, to.",
    )


class EvidenceFacts(serializers.Serializer[Any]):
    """What the model's own probabilities say; not calibrated."""

    tokens = serializers.IntegerField()
    scored = serializers.IntegerField()
    ranks = serializers.ListField(child=serializers.IntegerField(), help_text="Tokens by rank: 10, 100, 1,000, beyond.")
    rank_fractions = serializers.ListField(child=serializers.FloatField())
    mean_logprob = serializers.FloatField()
    mean_entropy = serializers.FloatField()
    curvature = serializers.FloatField(allow_null=True)


class TokenFacts(serializers.Serializer[Any]):
    """What the model thought of one token."""

    text = serializers.CharField()
    start = serializers.IntegerField(allow_null=True)
    end = serializers.IntegerField(allow_null=True)
    logprob = serializers.FloatField(allow_null=True)
    rank = serializers.IntegerField(allow_null=True)
    entropy = serializers.FloatField(allow_null=True)
    mean = serializers.FloatField(allow_null=True)
    variance = serializers.FloatField(allow_null=True)


class DetectionFacts(serializers.Serializer[Any]):
    """Evidence about one text: what the record says, and what the model's own numbers say."""

    id = serializers.CharField()
    state = serializers.ChoiceField(STATES)
    message = serializers.CharField()
    size = serializers.CharField()
    weights_digest = serializers.CharField()
    text_sha256 = serializers.CharField()
    created_at = serializers.DateTimeField()
    scored_at = serializers.DateTimeField(allow_null=True)
    calibration = serializers.CharField()
    notice = serializers.CharField()
    cannot_say = serializers.ListField(child=serializers.CharField())
    layers = LayerFacts(many=True)
    record = RecordFacts()
    evidence = EvidenceFacts(allow_null=True)
    detectors = serializers.DictField(child=serializers.CharField(), help_text="Name to version.")
    charged_tokens = serializers.IntegerField()
    tokens = TokenFacts(many=True)
