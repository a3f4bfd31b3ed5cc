"""Misuse reports."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from release_portal.api.fields import Choice, Input, SizeSlug, Text
from release_portal.misuse.categories import CATEGORIES
from release_portal.misuse.filing import LONGEST_CONTACT, LONGEST_TEXT
from release_portal.misuse.report_rules import REPORT

LONGEST_CODE = 200


class ReportInput(Input):
    """What a reporter writes."""

    what = Text(min_length=1, max_length=LONGEST_TEXT, help_text="What happened.")
    evidence = Text(min_length=1, max_length=LONGEST_TEXT, help_text="The text, or where it can be read.")
    contact = Text(max_length=LONGEST_CONTACT, required=False, allow_blank=True, help_text="E-mail, if we may ask.")
    link = Text(max_length=LONGEST_TEXT, required=False, allow_blank=True, help_text="Where it was seen.")
    category = Choice([one.code for one in CATEGORIES], required=False, allow_blank=True)
    size = SizeSlug(required=False, allow_blank=True, help_text="The size that it may come from.")


class CodeInput(Input):
    """The code of a report; it stands in the body, because addresses are written to logs."""

    code = Text(min_length=1, max_length=LONGEST_CODE)


class MessageInput(CodeInput):
    """Something that the reporter adds."""

    text = Text(min_length=1, max_length=LONGEST_TEXT)


class FiledReport(serializers.Serializer[Any]):
    """A report was taken in."""

    code = serializers.CharField(help_text="Follow the report with it; it is shown this once.")
    state = serializers.ChoiceField(REPORT.states)
    received_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField(allow_null=True, help_text="By when somebody has looked at it.")


class MessageFacts(serializers.Serializer[Any]):
    """One message, either way."""

    is_from_staff = serializers.BooleanField()
    text = serializers.CharField()
    at = serializers.DateTimeField()


class ReportFacts(serializers.Serializer[Any]):
    """A report as its reporter reads it."""

    state = serializers.ChoiceField(REPORT.states)
    is_merged = serializers.BooleanField(help_text="It is handled together with another report.")
    received_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
    due_at = serializers.DateTimeField(allow_null=True)
    outcome = serializers.CharField(help_text="How it ended, in a sentence; empty until then.")
    words = serializers.CharField(help_text="What the desk wrote about the outcome.")
    messages = MessageFacts(many=True)
    may_write = serializers.BooleanField()
