"""Programmes: what a family gives access for at a stage; and what their rules say of an application."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from release_portal.access.application_rules import DECIDERS, REVIEWERS
from release_portal.access.programmes.eligibility import A_PERSON, ALLOW, MET, NEEDS_PERSON, NOT_MET, REFUSED
from release_portal.access.programmes.programme_rules import ADMITTED, ASKED, CARE, KINDS, NOT_ADMITTED, REQUIRED
from release_portal.access.purposes import PURPOSES
from release_portal.api.serializers.catalogue import STAGE_SLUGS

KIND_CHOICES = list(DECIDERS)


class ProgrammePlace(serializers.Serializer[Any]):
    """Where a programme applies."""

    family = serializers.CharField(source="family.slug")
    stage = serializers.ChoiceField(STAGE_SLUGS)
    published_at = serializers.DateTimeField()
    published_by = serializers.CharField()
    reason = serializers.CharField()


class ProgrammeRow(serializers.Serializer[Any]):
    """A programme, known by the SHA-256 of its file."""

    digest = serializers.CharField()
    name = serializers.CharField()
    version = serializers.IntegerField()
    kind = serializers.ChoiceField(KIND_CHOICES, help_text="The kind of grant.")
    title = serializers.CharField()
    about = serializers.CharField()
    is_preset = serializers.BooleanField(help_text="It applies where a family has published nothing.")
    places = ProgrammePlace(many=True, help_text="Where it applies now.")


class ChoiceFacts(serializers.Serializer[Any]):
    """One answer of a choice."""

    value = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]


class FormQuestionFacts(serializers.Serializer[Any]):
    """A question of the form; its answer is sent under its key."""

    key = serializers.CharField()
    kind = serializers.ChoiceField(KINDS, help_text="date: 2030-01-31; country: two letters; checkbox: yes or empty.")
    label = serializers.CharField()  # type: ignore[assignment]
    why = serializers.CharField()
    readers = serializers.ListField(child=serializers.ChoiceField(REVIEWERS), help_text="The roles that read it.")
    required = serializers.BooleanField()  # type: ignore[assignment]
    choices = serializers.SerializerMethodField()
    longest = serializers.IntegerField(help_text="Most characters of a text; 0 for other kinds.")
    only_for = serializers.ListField(child=serializers.ChoiceField(list(PURPOSES)), help_text="Empty: all purposes.")

    @extend_schema_field(ChoiceFacts(many=True))
    def get_choices(self, question: Any) -> list[dict[str, str]]:
        """The answers of a choice."""
        return [{"value": value, "label": label} for value, label in question.choices]


class PurposeFacts(serializers.Serializer[Any]):
    """What a programme says of a purpose."""

    code = serializers.ChoiceField(list(PURPOSES))
    label = serializers.CharField()  # type: ignore[assignment]
    verdict = serializers.ChoiceField([ADMITTED, CARE, NOT_ADMITTED], help_text="care: two people decide.")


class BoundModifierFacts(serializers.Serializer[Any]):
    """What a holder is bound to."""

    code = serializers.CharField()
    value = serializers.CharField()
    sentence = serializers.CharField()


class StepFacts(serializers.Serializer[Any]):
    """How many people review, and from which roles."""

    people = serializers.IntegerField()
    roles = serializers.ListField(child=serializers.ChoiceField(REVIEWERS))


class OfferedQuota(serializers.Serializer[Any]):
    """What an approval is offered first."""

    tokens_per_day = serializers.IntegerField()
    requests_per_minute = serializers.IntegerField()
    concurrent = serializers.IntegerField()


class ProgrammeFacts(ProgrammeRow):
    """A programme with everything that its file states."""

    purposes = serializers.SerializerMethodField()
    questions = FormQuestionFacts(many=True)
    summary = serializers.ChoiceField([ASKED, REQUIRED], help_text="The plain-language summary.")
    modifiers = BoundModifierFacts(many=True)
    steps = StepFacts(many=True, help_text="For tiers 0 to 3.")
    default_days = serializers.IntegerField()
    longest_days = serializers.IntegerField()
    quota = OfferedQuota()
    text = serializers.CharField(help_text="The file; its SHA-256 is the digest.")

    @extend_schema_field(PurposeFacts(many=True))
    def get_purposes(self, shown: Any) -> list[dict[str, str]]:
        """Every purpose with what is said of it."""
        return [{"code": code, "label": PURPOSES[code], "verdict": shown["purposes"][code]} for code in PURPOSES]


class CheckLine(serializers.Serializer[Any]):
    """One line of the trace."""

    code = serializers.CharField()
    asked = serializers.CharField(help_text="What the rule asks.")
    outcome = serializers.ChoiceField([MET, NOT_MET, NEEDS_PERSON])
    reason = serializers.CharField()
    change = serializers.CharField(help_text="What would change it; empty where it is met.")


class ChecksFacts(serializers.Serializer[Any]):
    """What the rules of the programme say of an application."""

    outcome = serializers.ChoiceField([ALLOW, A_PERSON, REFUSED], help_text="None of them gives access.")
    lines = CheckLine(many=True)
    programme = serializers.CharField(help_text="Digest of the programme.")
    evaluator = serializers.CharField(help_text="Version of the rules.")
    at = serializers.DateTimeField(help_text="When they were asked.")
    is_preview = serializers.BooleanField(help_text="true: as a draft stands now; false: kept when it was handed in.")


class MissingFacts(serializers.Serializer[Any]):
    """Something that a draft lacks."""

    field = serializers.CharField()
    reason = serializers.CharField()


class ApplicationChecks(ChecksFacts):
    """What the rules say, and what is still missing."""

    missing = MissingFacts(many=True)
