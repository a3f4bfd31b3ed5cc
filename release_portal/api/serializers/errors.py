"""Errors."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class Problem(serializers.Serializer[Any]):
    """Something that is wrong at one place of the request."""

    param = serializers.CharField()
    message = serializers.CharField()


class ErrorFacts(serializers.Serializer[Any]):
    """What went wrong, by which rule, and what would change it."""

    message = serializers.CharField(help_text="A sentence for people.")
    type = serializers.CharField(help_text="The kind of error; follows the status.")
    param = serializers.CharField(allow_null=True, help_text="The input that is wrong, where there is one.")
    code = serializers.CharField(help_text="A stable word for programs.")
    rule = serializers.CharField(allow_null=True, help_text="The rule that decided.")
    change = serializers.CharField(allow_null=True, help_text="What would change the answer.")
    request_id = serializers.CharField(help_text="Under which operators find the request.")
    retry_at = serializers.DateTimeField(allow_null=True, help_text="When it is worth trying again.")
    problems = Problem(many=True, help_text="Every input that is wrong, where there are several.")


class ErrorAnswer(serializers.Serializer[Any]):
    """The one shape of every error."""

    error = ErrorFacts()
