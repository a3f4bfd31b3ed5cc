"""Jobs."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from release_portal.api.fields import LARGEST, Input, Number, SizeSlug, Text, Whole
from release_portal.api.paging import PageQuery
from release_portal.generation.limits import LONGEST_STOP, MOST_STOPS, RANGES
from release_portal.jobs.states import STATES


def _limits(name: str) -> dict[str, Any]:
    limits = RANGES[name]
    kind = int if limits.is_whole else float
    return {"min_value": kind(limits.least), "max_value": LARGEST if name == "seed" else kind(limits.most)}


class JobQuery(PageQuery):
    """Which jobs are wanted."""

    state = serializers.ChoiceField(STATES, required=False)
    size = serializers.CharField(max_length=96, required=False, help_text="lab/name.")


class GenerationInput(Input):
    """What shall be generated."""

    size = SizeSlug(help_text="lab/name, as the catalogue has it.")
    prompt = Text(min_length=1, max_length=1_000_000, help_text="The text to continue.")
    max_tokens = Whole(required=False, help_text="New tokens for each sample.", **_limits("max_tokens"))
    temperature = Number(required=False, help_text="0 takes the likeliest token.", **_limits("temperature"))
    top_k = Whole(required=False, help_text="0: no limit.", **_limits("top_k"))
    top_p = Number(required=False, **_limits("top_p"))
    stop = serializers.ListField(
        child=Text(max_length=LONGEST_STOP), max_length=MOST_STOPS, required=False, help_text="Texts at which it ends."
    )
    seed = Whole(required=False, help_text="The same seed, the same text; a fresh one else.", **_limits("seed"))
    samples = Whole(required=False, **_limits("samples"))
    repetition_penalty = Number(
        required=False,
        help_text="Divides what tokens of prompt and output score; 1: none.",
        **_limits("repetition_penalty"),
    )
    presence_penalty = Number(
        required=False, help_text="Taken once from tokens of the output.", **_limits("presence_penalty")
    )
    frequency_penalty = Number(
        required=False, help_text="Taken for each time a token is in the output.", **_limits("frequency_penalty")
    )
    purpose = Text(max_length=3, required=False, help_text="P01 to P15; needed where your grant has several.")


class SettingFacts(serializers.Serializer[Any]):
    """How the tokens were chosen."""

    max_tokens = serializers.IntegerField()
    temperature = serializers.FloatField()
    top_k = serializers.IntegerField()
    top_p = serializers.FloatField()
    stop = serializers.ListField(child=serializers.CharField())
    seed = serializers.IntegerField()
    samples = serializers.IntegerField()
    repetition_penalty = serializers.FloatField()
    presence_penalty = serializers.FloatField()
    frequency_penalty = serializers.FloatField()
    logit_bias = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField()), help_text="Pairs of token id and bias."
    )


class UsageFacts(serializers.Serializer[Any]):
    """What it cost."""

    prompt_tokens = serializers.IntegerField()
    completion_tokens = serializers.IntegerField()
    charged_tokens = serializers.IntegerField()


class JobRow(serializers.Serializer[Any]):
    """A request to the worker: under what it was permitted, how it ended, what it cost."""

    id = serializers.CharField()
    size = serializers.CharField(source="size.slug")
    grant = serializers.CharField(source="grant_id", allow_null=True)
    function = serializers.CharField(help_text="generate, score, embed or classify.")
    purpose = serializers.CharField(help_text="P01 to P15; empty where none is needed.")
    interface = serializers.CharField()
    state = serializers.ChoiceField(STATES)
    finish_reason = serializers.CharField(help_text="Empty until it has ended.")
    message = serializers.CharField(help_text="How it ended, in a sentence.")
    stage = serializers.CharField()
    policy_version = serializers.CharField()
    card_version = serializers.IntegerField(help_text="0: there was no card.")
    weights_digest = serializers.CharField()
    usage = UsageFacts(source="*")
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class SampleFacts(serializers.Serializer[Any]):
    """One text that was generated."""

    text = serializers.CharField()
    tokens = serializers.IntegerField()
    finish = serializers.CharField(allow_null=True)


class EmbeddingFacts(serializers.Serializer[Any]):
    """The vector of a text."""

    vector = serializers.CharField(help_text="Base64 of little-endian float32.")
    width = serializers.IntegerField(help_text="How many numbers it has.")
    pooling = serializers.CharField(help_text="mean or last, of the hidden states of the text's tokens.")
    prompt_tokens = serializers.IntegerField()


class JobFacts(JobRow):
    """A job with what was asked and, once it is there, what came out."""

    prompt = serializers.CharField()
    settings = SettingFacts()
    samples = SampleFacts(many=True, help_text="Empty until the job has ended; a score is shown by its detection.")
    detection = serializers.CharField(allow_null=True, help_text="Id of the detection that a score belongs to.")
    embedding = EmbeddingFacts(allow_null=True, help_text="Of an embedding that has ended.")
