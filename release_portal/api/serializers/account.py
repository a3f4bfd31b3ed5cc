"""Who a token acts for, and what they hold."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from release_portal.access.grant_rules import GRANT
from release_portal.access.policy import GRANT_FUNCTIONS
from release_portal.access.purposes import PURPOSES
from release_portal.access.sampler_rules import WIDEST
from release_portal.api.fields import Input, SizeSlug, Text, Whole

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
    last_minute = serializers.IntegerField(help_text="Requests of the last minute.")
    starts_again_at = serializers.DateTimeField()


class PauseFacts(serializers.Serializer[Any]):
    """Why a grant rests, and what ends it."""

    code = serializers.CharField()
    reason = serializers.CharField()
    change = serializers.CharField()


class BoundFacts(serializers.Serializer[Any]):
    """How far a sampler setting may go."""

    setting = serializers.ChoiceField(list(WIDEST))
    least = serializers.FloatField(allow_null=True)
    most = serializers.FloatField(allow_null=True)


class GrantPurpose(serializers.Serializer[Any]):
    """What a grant is for; each job names one."""

    code = serializers.ChoiceField(list(PURPOSES))
    name = serializers.CharField()


class UseFacts(serializers.Serializer[Any]):
    """What the requests of one day and purpose came to."""

    day = serializers.DateField(help_text="In UTC.")
    purpose = serializers.CharField(help_text="Empty: none was named.")
    tokens = serializers.IntegerField()
    requests = serializers.IntegerField()


class SuspensionFacts(serializers.Serializer[Any]):
    """When and why a grant was suspended, and how that ended."""

    reason = serializers.CharField()
    at = serializers.DateTimeField()
    confirmed_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    end_reason = serializers.CharField()


class ReceiptFacts(serializers.Serializer[Any]):
    """What became of the work of a grant that was withdrawn; empty times are not known, or there was none."""

    kind = serializers.ChoiceField(["suspended", "revoked", "surrendered"])
    decided_at = serializers.DateTimeField()
    last_start_at = serializers.DateTimeField(allow_null=True)
    last_token_at = serializers.DateTimeField(allow_null=True)
    last_end_at = serializers.DateTimeField(allow_null=True)
    running_ended = serializers.IntegerField()
    queued_refused = serializers.IntegerField()
    lost = serializers.IntegerField(help_text="Jobs of which nobody knows whether they had started.")
    completed_at = serializers.DateTimeField(allow_null=True, help_text="Empty until its last job has ended.")


class SurrenderInput(Input):
    """Give a grant up."""

    expected_version = Whole(min_value=1, max_value=2**31 - 1, help_text="The version that you read.")
    reason = Text(max_length=2_000, required=False, allow_blank=True, help_text="If you want to say why.")


class RenewalInput(Input):
    """Ask for a renewal."""

    size = SizeSlug(required=False, help_text="lab/name; needed where the grant names several sizes.")


class GrantFacts(serializers.Serializer[Any]):
    """What a researcher holds."""

    id = serializers.CharField()
    kind = serializers.ChoiceField(["research", "partner"])
    state = serializers.ChoiceField(GRANT.states, help_text="As it counts now.")
    version = serializers.IntegerField(help_text="Send it with a close-out.")
    sizes = serializers.ListField(child=serializers.CharField())
    functions = serializers.ListField(child=serializers.CharField())
    purpose = serializers.CharField()
    purposes = GrantPurpose(many=True)
    sampler = BoundFacts(many=True, help_text="What is not named is not bounded.")
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    suspension = serializers.CharField(allow_null=True, help_text="Why it is suspended.")
    pauses = PauseFacts(many=True, help_text="What rests it; new jobs are refused until it is done.")
    limits = LimitFacts()
    today = QuotaFacts()


class WholeGrant(GrantFacts):
    """A grant with its use and its past."""

    use = UseFacts(many=True, help_text="By day and purpose, for the last 14 days.")
    suspensions = SuspensionFacts(many=True)
    receipts = ReceiptFacts(many=True)
