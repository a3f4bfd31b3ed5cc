"""Questions at fields, and where an application stands."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from release_portal.access.application_rules import LONGEST_TEXT
from release_portal.api.fields import Input, Text
from release_portal.api.serializers.applications import AnswersInput, VersionInput

LONGEST_KEY, MOST_REPLIES = 60, 60


class ReplyInput(Input):
    """The answer to one question."""

    field = Text(max_length=LONGEST_KEY, required=False, allow_blank=True, help_text="Empty: the whole.")
    answer = Text(max_length=LONGEST_TEXT, allow_blank=True, help_text="May be empty where the field is changed.")


class AnswerInput(VersionInput):
    """Answer the questions of a reviewer: one in `answer`, several in `answers`; change what was asked about."""

    answer = Text(min_length=1, max_length=LONGEST_TEXT, required=False, help_text="Where one question was asked.")
    answers = serializers.ListField(child=ReplyInput(), max_length=MOST_REPLIES, required=False)
    changes = AnswersInput(required=False, help_text="New values, only of fields that were asked about.")


class StatusStepFacts(serializers.Serializer[Any]):
    """One step of the way."""

    code = serializers.CharField()
    standing = serializers.ChoiceField(("done", "now", "later"))


class ClockFacts(serializers.Serializer[Any]):
    """What is left of the promise."""

    due_at = serializers.DateTimeField()
    working_days = serializers.IntegerField(source="days")
    is_late = serializers.BooleanField()


class RangeFacts(serializers.Serializer[Any]):
    """How long decisions of this tier took in the last 90 days, in working days."""

    median = serializers.FloatField(source="middle")
    percentile_90 = serializers.FloatField(source="most")
    count = serializers.IntegerField()


class StatusFacts(serializers.Serializer[Any]):
    """Where an application stands."""

    steps = StatusStepFacts(many=True)
    owner = serializers.CharField(help_text="Whose turn it is; empty when it is over.")
    next_act = serializers.CharField()
    tier = serializers.IntegerField(source="risk.tier")
    people = serializers.IntegerField(help_text="How many must agree.")
    clock = ClockFacts(allow_null=True)
    place = serializers.IntegerField(help_text="Place in the queue; 0 when it does not wait for us.")
    paused_seconds = serializers.IntegerField(help_text="Clock rested, in all.")
    is_paused = serializers.BooleanField()
    expected = RangeFacts(allow_null=True, help_text="Nothing where decisions are too few to say.")
