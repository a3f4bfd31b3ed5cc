"""Appeals against decisions about oneself."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from release_portal.api.fields import Input, Text, Whole
from release_portal.api.paging import PageQuery
from release_portal.api.serializers.applications import MOST_VERSIONS
from release_portal.appeals.rules import INADMISSIBLE_REASONS, KINDS, LONGEST_TEXT, OUTCOMES, STATES

LONGEST_SUBJECT = 80


class AppealQuery(PageQuery):
    """Which appeals are wanted."""

    state = serializers.ChoiceField(STATES, required=False)


class AppealInput(Input):
    """An appeal."""

    decision = Text(min_length=1, max_length=LONGEST_SUBJECT, help_text="Key of the decision, from appealable/.")
    grounds = Text(min_length=1, max_length=LONGEST_TEXT, help_text="What is wrong with it.")


class AppealAnswerInput(Input):
    """The answer to a question of whoever decides."""

    expected_version = Whole(min_value=1, max_value=MOST_VERSIONS, help_text="The version that you read.")
    answer = Text(min_length=1, max_length=LONGEST_TEXT)


class AppealableFacts(serializers.Serializer[Any]):
    """A decision about you that you may appeal now."""

    decision = serializers.CharField(source="subject", help_text="Send it as decision.")
    kind = serializers.ChoiceField(KINDS)
    title = serializers.CharField()
    decided_at = serializers.DateTimeField()


class AppealableList(serializers.Serializer[Any]):
    """Every decision about you that you may appeal now."""

    results = AppealableFacts(many=True)


class AppealQuestionFacts(serializers.Serializer[Any]):
    """Something that whoever decides asked."""

    text = serializers.CharField()
    asked_at = serializers.DateTimeField()
    answer = serializers.CharField()
    answered_at = serializers.DateTimeField(allow_null=True)


class AppealFacts(serializers.Serializer[Any]):
    """What you filed, and where it stands."""

    id = serializers.CharField()
    decision = serializers.CharField(source="subject")
    kind = serializers.ChoiceField(KINDS)
    title = serializers.CharField()
    state = serializers.ChoiceField(STATES)
    version = serializers.IntegerField(help_text="Send it with an answer.")
    grounds = serializers.CharField(source="text")
    filed_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField(help_text="By when an answer is promised.")
    inadmissible_code = serializers.ChoiceField(["", *INADMISSIBLE_REASONS])
    outcome = serializers.ChoiceField(["", *OUTCOMES.values()])
    outcome_reason = serializers.CharField()
    outcome_at = serializers.DateTimeField(allow_null=True)
    effect = serializers.CharField(help_text="What carrying it out changed.")
    executed_at = serializers.DateTimeField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)
    questions = AppealQuestionFacts(many=True, source="questions.all")
