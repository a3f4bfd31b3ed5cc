"""Versions of the agreement, and signatures."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from release_portal.access.agreements.rules import EFFECTIVE, SUPERSEDED, Standing
from release_portal.api.fields import Input, Text


class VersionFacts(serializers.Serializer[Any]):
    """A version that is or was in force."""

    number = serializers.IntegerField()
    state = serializers.ChoiceField([EFFECTIVE, SUPERSEDED])
    sha256 = serializers.CharField(help_text="Signatures are bound to it.")
    effective_from = serializers.DateTimeField()
    is_material = serializers.BooleanField(help_text="Whether whoever uses a grant must accept it.")
    reason = serializers.CharField(help_text="What changed, and why that matters or not.")


class VersionText(VersionFacts):
    """A version with its text."""

    text = serializers.CharField()


class SignatureInput(Input):
    """Accept the version in force."""

    sha256 = Text(min_length=1, max_length=64, help_text="Of the text that you read and accept.")


class SignatureAnswer(serializers.Serializer[Any]):
    """How your signature stands."""

    standing = serializers.ChoiceField([one.value for one in Standing])
    number = serializers.IntegerField(help_text="Version in force; 0 where there is none.")
    signed = serializers.IntegerField(help_text="Newest version that you signed; 0 for none.")
    until = serializers.DateTimeField(allow_null=True, help_text="End of the time in which everything still works.")
