"""Access applications and the agreement."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from release_portal.access.application_rules import LONGEST_LINE, LONGEST_TEXT, STATES
from release_portal.access.purposes import PURPOSES
from release_portal.api.fields import Choice, Day, Input, SizeSlug, Text, Truth, Whole
from release_portal.api.paging import PageQuery
from release_portal.api.serializers.account import FUNCTIONS

MOST_VERSIONS = 2**31 - 1


class ApplicationQuery(PageQuery):
    """Which applications are wanted."""

    state = serializers.ChoiceField(STATES, required=False)


class AnswersInput(Input):
    """What an application says; a draft may leave out anything."""

    purpose_code = Choice(list(PURPOSES), required=False, allow_blank=True)
    purpose = Text(max_length=LONGEST_TEXT, required=False, allow_blank=True, help_text="The question you study.")
    affiliation = Text(max_length=LONGEST_LINE, required=False, allow_blank=True)
    intended_use = Text(max_length=LONGEST_TEXT, required=False, allow_blank=True, help_text="Who sees the outputs.")
    functions = serializers.ListField(child=Choice(FUNCTIONS), max_length=len(FUNCTIONS), required=False)
    requested_end = Day(required=False, allow_null=True, help_text="Last day of access.")
    summary = Text(max_length=LONGEST_TEXT, required=False, allow_blank=True, help_text="In plain words.")
    summary_withheld = Text(
        max_length=LONGEST_LINE, required=False, allow_blank=True, help_text="Why the summary must not be published."
    )
    answers = serializers.DictField(
        child=Text(max_length=LONGEST_TEXT, allow_blank=True),
        required=False,
        help_text="To the questions of the programme, by their keys; what is left out stays.",
    )


class ApplicationInput(AnswersInput):
    """A new application: kept as a draft, or handed in at once."""

    size = SizeSlug(help_text="lab/name.")
    renews = Text(max_length=20, required=False, allow_blank=True, help_text="Id of your grant that this renews.")
    submit = Truth(required=False, default=False, help_text="Hand it in at once.")
    agreement_hash = Text(max_length=64, required=False, allow_blank=True, help_text="Of the text that you accept.")


class DraftInput(AnswersInput):
    """Changes of a draft; what is left out stays."""

    expected_version = Whole(min_value=1, max_value=MOST_VERSIONS, help_text="The version that you read.")


class VersionInput(Input):
    """A command on an application as you read it."""

    expected_version = Whole(min_value=1, max_value=MOST_VERSIONS, help_text="The version that you read.")


class SubmissionInput(VersionInput):
    """Hand a draft in."""

    agreement_hash = Text(min_length=1, max_length=64, help_text="SHA-256 of the agreement that you accept.")


class ChangeFacts(serializers.Serializer[Any]):
    """What was changed at one field when it was asked about."""

    field = serializers.CharField()
    old = serializers.CharField()
    new = serializers.CharField()
    at = serializers.DateTimeField()


class QuestionFacts(serializers.Serializer[Any]):
    """Something that a reviewer asked."""

    field = serializers.CharField(help_text="Key of the field; empty: about the whole.")
    text = serializers.CharField()
    asked_at = serializers.DateTimeField()
    answer = serializers.CharField()
    answered_at = serializers.DateTimeField(allow_null=True)
    changes = ChangeFacts(many=True, source="changes.all")


class ApplicationFacts(serializers.Serializer[Any]):
    """What you filed, and where it stands."""

    id = serializers.CharField()
    size = serializers.CharField(source="size.slug")
    state = serializers.ChoiceField(STATES)
    version = serializers.IntegerField(help_text="Send it with each command.")
    renews = serializers.CharField(source="renews_id", allow_null=True)
    grant = serializers.CharField(source="grant_id", allow_null=True, help_text="What was granted.")
    purpose_code = serializers.CharField()
    purpose = serializers.CharField()
    affiliation = serializers.CharField()
    intended_use = serializers.CharField()
    functions = serializers.ListField(child=serializers.CharField())
    requested_end = serializers.DateField(allow_null=True)
    programme = serializers.CharField(source="programme_id", allow_null=True, help_text="Digest of its programme.")
    answers = serializers.DictField(child=serializers.CharField(), source="form_answers", help_text="By key.")
    summary = serializers.CharField()
    summary_withheld = serializers.CharField(help_text="Why the summary is not published; empty: it may be.")
    agreement_hash = serializers.CharField(help_text="Of the text that you accepted; empty before.")
    created_at = serializers.DateTimeField()
    saved_at = serializers.DateTimeField()
    submitted_at = serializers.DateTimeField(allow_null=True)
    due_at = serializers.DateTimeField(allow_null=True, help_text="By when a decision is promised.")
    decided_at = serializers.DateTimeField(allow_null=True)
    decision_code = serializers.CharField()
    decision_text = serializers.CharField()
    questions = QuestionFacts(many=True, source="questions.all")


class AgreementFacts(serializers.Serializer[Any]):
    """The terms that an application must accept now."""

    number = serializers.IntegerField()
    sha256 = serializers.CharField(help_text="Send it as agreement_hash to accept this text.")
    text = serializers.CharField()
    effective_from = serializers.DateTimeField()
