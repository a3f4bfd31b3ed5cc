"""What a grant asks of its holder: terms, duties, close-out."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from release_portal.access.attachments.contents import KINDS
from release_portal.access.closing_rules import DISPOSALS
from release_portal.access.closing_rules import LONGEST_TEXT as LONGEST_REPORT
from release_portal.access.obligations.rules import LONGEST_LINK, LONGEST_TEXT, OBLIGATION
from release_portal.api.fields import Choice, Input, Text, Truth, Whole
from release_portal.api.serializers.applications import MOST_VERSIONS, VersionInput


class TermFacts(serializers.Serializer[Any]):
    """A term beyond the agreement."""

    code = serializers.CharField(help_text="Q01 to Q15.")
    value = serializers.CharField(help_text="Its parameter; empty where it takes none.")
    sentence = serializers.CharField()


class OfferFacts(serializers.Serializer[Any]):
    """Terms that wait for an answer."""

    digest = serializers.CharField(help_text="Send it to accept exactly these terms.")
    terms = TermFacts(many=True)
    reason = serializers.CharField()
    until = serializers.DateTimeField(help_text="Without an answer by then they lapse.")


class GrantTermsFacts(serializers.Serializer[Any]):
    """The extra terms of a grant."""

    accepted = TermFacts(many=True)
    offer = OfferFacts(allow_null=True)


class TermsAnswerInput(Input):
    """Accept or decline terms that wait."""

    digest = Text(min_length=1, max_length=64, help_text="Of the terms that you read.")
    accept = Truth()


class AcceptTermsInput(VersionInput):
    """Accept the terms under which an application was approved."""

    digest = Text(min_length=1, max_length=64, help_text="Of the terms that you read.")


class DutyFileFacts(serializers.Serializer[Any]):
    """A file that was handed in with a duty."""

    id = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(list(KINDS))
    size = serializers.IntegerField(help_text="In bytes.")
    sha256 = serializers.CharField()
    uploaded_at = serializers.DateTimeField()


class DutyFacts(serializers.Serializer[Any]):
    """A duty of a grant."""

    id = serializers.IntegerField()
    code = serializers.CharField()
    what = serializers.CharField()
    due_at = serializers.DateTimeField(allow_null=True, help_text="Null for a duty on each occasion.")
    state = serializers.ChoiceField(OBLIGATION.states)
    is_overdue = serializers.BooleanField()
    said = serializers.CharField(source="text", help_text="What was handed in.")
    link = serializers.CharField()
    files = DutyFileFacts(many=True)
    note = serializers.CharField(help_text="What was missing when it was given back.")
    waived_until = serializers.DateTimeField(allow_null=True)
    version = serializers.IntegerField(help_text="Send it with each command.")


class DutyListFacts(serializers.Serializer[Any]):
    """The duties of a grant."""

    results = DutyFacts(many=True)


class HandInInput(VersionInput):
    """Hand a duty in."""

    said = Text(min_length=1, max_length=LONGEST_TEXT, help_text="The report, the findings, or your statement.")
    link = Text(max_length=LONGEST_LINK, required=False, allow_blank=True, help_text="Where more of it lies.")


class HandInFileInput(Input):
    """Hand a duty in with a file: the parts of multipart/form-data."""

    file = serializers.FileField(help_text="PDF, PNG, JPEG or plain text; name, type and content must agree.")
    said = Text(min_length=1, max_length=LONGEST_TEXT)
    link = Text(max_length=LONGEST_LINK, required=False, allow_blank=True)
    expected_version = serializers.IntegerField(min_value=1, max_value=MOST_VERSIONS, help_text="The duty's version.")


class CloseOutInput(Input):
    """What came of a grant that has ended."""

    expected_version = Whole(min_value=1, max_value=MOST_VERSIONS, help_text="The grant's version.")
    report = Text(min_length=1, max_length=LONGEST_REPORT)
    disposal = Choice(list(DISPOSALS), help_text="What became of weights, outputs and copies.")
    statement = Text(min_length=1, max_length=LONGEST_REPORT)


class CloseOutFacts(serializers.Serializer[Any]):
    """What was reported."""

    report = serializers.CharField()
    disposal = serializers.ChoiceField(list(DISPOSALS))
    statement = serializers.CharField()
    handed_in_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
