"""Those who vouch for an application, as its applicant reads them: states and dates, never words or links."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from release_portal.access.attestations.rules import KINDS, LONGEST_NAME, RELATIONS, STATES
from release_portal.api.fields import Choice, Input, Text, Whole
from release_portal.api.serializers.applications import MOST_VERSIONS, VersionInput

RELATION_CODES = sorted({code for names in RELATIONS.values() for code in names})


class PersonInput(Input):
    """Somebody who is named to vouch."""

    name = Text(min_length=1, max_length=LONGEST_NAME, help_text="How the person is called.")
    mail = Text(min_length=3, max_length=254, help_text="Their own address; the link goes there and nowhere else.")
    relation = Choice(RELATION_CODES, help_text="How you stand to each other, or which office they hold.")
    domain = Text(
        max_length=253, required=False, allow_blank=True, help_text="Of the institution, for its officer; else empty."
    )


class NamingInput(PersonInput):
    """A first person of a kind; in a draft, a change of who is named."""

    kind = Choice(list(KINDS), help_text="referee or institution.")
    expected_version = Whole(
        min_value=0, max_value=MOST_VERSIONS, help_text="The version that you read; 0 when nobody is named."
    )


class SwapInput(PersonInput, VersionInput):
    """Another person instead."""


class AttestationFacts(serializers.Serializer[Any]):
    """Somebody who was named, and what became of it."""

    id = serializers.CharField()
    kind = serializers.ChoiceField(KINDS)
    state = serializers.ChoiceField(STATES, help_text="As it counts now: late is expired.")
    version = serializers.IntegerField(help_text="Send it with each command.")
    name = serializers.CharField()
    mail = serializers.CharField()
    domain = serializers.CharField()
    relation = serializers.CharField(help_text="As you stated it.")
    counts = serializers.BooleanField(help_text="Whether it is a confirmation that holds for what you say now.")
    swaps_left = serializers.IntegerField(help_text="How often you may name another person of this kind.")
    asked_at = serializers.DateTimeField(allow_null=True)
    mailed_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True, help_text="Until when an answer is awaited.")
    ended_at = serializers.DateTimeField(allow_null=True)
    valid_until = serializers.DateTimeField(allow_null=True, help_text="Until when a confirmation lives.")
