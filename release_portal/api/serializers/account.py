"""Who a token acts for, and what they hold."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from release_portal.access.grant_rules import GRANT
from release_portal.access.policy import GRANT_FUNCTIONS

FUNCTIONS = list(GRANT_FUNCTIONS.values())


class Me(serializers.Serializer[Any]):
    """The account behind a token; roles are not among it, because a token never carries any."""

    account = serializers.CharField()
    name = serializers.CharField()
    token = serializers.CharField(help_text="What you called the token.")
    service = serializers.CharField(help_text="The program that acts with it; empty for your own.")
    scopes = serializers.ListField(child=serializers.CharField())
    token_ends_at = serializers.DateTimeField(allow_null=True)


class LimitFacts(serializers.Serializer[Any]):
    """Upper limits of use."""

    tokens_per_day = serializers.IntegerField()
    requests_per_minute = serializers.IntegerField()
    concurrent = serializers.IntegerField()


class QuotaFacts(serializers.Serializer[Any]):
    """What is used today, counted in tokens."""

    day = serializers.DateField(help_text="In UTC.")
    used = serializers.IntegerField()
    reserved = serializers.IntegerField(help_text="Set aside for requests that have not ended.")
    left = serializers.IntegerField()
    running = serializers.IntegerField(help_text="Requests that have not ended.")
    starts_again_at = serializers.DateTimeField()


class PauseFacts(serializers.Serializer[Any]):
    """Why a grant rests, and what ends it."""

    code = serializers.CharField()
    reason = serializers.CharField()
    change = serializers.CharField()


class GrantFacts(serializers.Serializer[Any]):
    """What a researcher holds."""

    id = serializers.CharField()
    kind = serializers.ChoiceField(["research", "partner"])
    state = serializers.ChoiceField(GRANT.states, help_text="As it counts now.")
    version = serializers.IntegerField(help_text="Send it with a close-out.")
    sizes = serializers.ListField(child=serializers.CharField())
    functions = serializers.ListField(child=serializers.CharField())
    purpose = serializers.CharField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    suspension = serializers.CharField(allow_null=True, help_text="Why it is suspended.")
    pauses = PauseFacts(many=True, help_text="What rests it; new jobs are refused until it is done.")
    limits = LimitFacts()
    today = QuotaFacts()
