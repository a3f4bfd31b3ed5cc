"""Families, sizes, stages, cards, timelines."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from release_portal.access.policy import Action, Audience
from release_portal.api.fields import Input
from release_portal.api.paging import PageQuery
from release_portal.releases.hold_rules import LEVELS
from release_portal.releases.ladder import ARTEFACT_KINDS, LADDER

STAGE_SLUGS = [stage.slug for stage in LADDER]
ACTIONS = [action.value for action in Action]


class SizeQuery(PageQuery):
    """Which sizes are wanted."""

    q = serializers.CharField(max_length=100, required=False, help_text="Part of a name, an id or another name.")
    stage = serializers.ChoiceField(STAGE_SLUGS, required=False, help_text="The stage on which it stands.")
    family = serializers.CharField(max_length=60, required=False, help_text="Slug of its family.")


class CardQuery(Input):
    """Which version of a card is wanted."""

    version = serializers.IntegerField(min_value=1, max_value=10**9 - 1, required=False, help_text="The newest, else.")


class FamilyRow(serializers.Serializer[Any]):
    """A line of models of one lab, with the sizes that you may see."""

    slug = serializers.CharField()
    name = serializers.CharField()
    lab = serializers.CharField()
    summary = serializers.CharField()
    licence = serializers.CharField()
    note = serializers.CharField()
    sizes = serializers.ListField(child=serializers.CharField(), source="visible")


class Place(serializers.Serializer[Any]):
    """Where a size stands."""

    slug = serializers.ChoiceField(STAGE_SLUGS, source="stage")
    code = serializers.CharField(source="place.code")
    label = serializers.CharField(source="place.label")  # type: ignore[assignment]
    since = serializers.DateTimeField()


class SizeRow(serializers.Serializer[Any]):
    """A size in a list."""

    slug = serializers.CharField(help_text="lab/name: the id of the size.")
    name = serializers.CharField()
    family = serializers.CharField(source="family.slug")
    parameters = serializers.IntegerField()
    parameters_verified = serializers.BooleanField()
    context = serializers.IntegerField(allow_null=True, help_text="Tokens.")  # type: ignore[assignment]
    stage = Place(source="standing")
    is_held = serializers.SerializerMethodField(help_text="A hold blocks widening.")
    is_stopped = serializers.SerializerMethodField(help_text="Use is stopped by a safety restriction.")
    has_weights = serializers.SerializerMethodField(help_text="The weights lie in this portal's store.")
    aliases = serializers.SerializerMethodField(help_text="Other names in use.")

    def get_is_held(self, size: Any) -> bool:
        """Whether a hold is open."""
        return bool(size.open_holds)

    def get_is_stopped(self, size: Any) -> bool:
        """Whether an open hold stops use."""
        return any(hold.stops_use for hold in size.open_holds)

    def get_has_weights(self, size: Any) -> bool:
        """Whether there is a current revision."""
        return size.current_revision is not None

    def get_aliases(self, size: Any) -> list[str]:
        """Other names of the size."""
        return [alias.name for alias in size.aliases.all()]


class HoldFacts(serializers.Serializer[Any]):
    """What holds a size where it stands."""

    level = serializers.ChoiceField(LEVELS, help_text="hold blocks widening only; the others take use away too.")
    terms = serializers.CharField(source="restriction.terms", help_text="What it takes away, in words.")
    stops_use = serializers.BooleanField()
    state = serializers.CharField()
    reason = serializers.CharField()
    raised_at = serializers.DateTimeField()


class ArtefactFacts(serializers.Serializer[Any]):
    """Something that came out for a size."""

    kind = serializers.ChoiceField(ARTEFACT_KINDS)
    opened_on = serializers.DateField(allow_null=True)
    note = serializers.CharField()
    is_verified = serializers.BooleanField()


class DecisionFacts(serializers.Serializer[Any]):
    """Whether you may do something with a size, by which rule, and what would change a no."""

    action = serializers.ChoiceField(ACTIONS)
    allowed = serializers.BooleanField()
    code = serializers.CharField()
    reason = serializers.CharField()
    rule = serializers.CharField()
    change = serializers.CharField()


class WeightsFacts(serializers.Serializer[Any]):
    """The revision that is served."""

    commit = serializers.CharField()
    digest = serializers.CharField()
    total_bytes = serializers.IntegerField()
    source = serializers.CharField()  # type: ignore[assignment]
    created_at = serializers.DateTimeField()


class SizeFacts(SizeRow):
    """A size: what is known of it, where it stands, and what you may do with it."""

    layers = serializers.IntegerField(allow_null=True)
    d_model = serializers.IntegerField(allow_null=True)
    heads = serializers.IntegerField(allow_null=True)
    vocabulary = serializers.IntegerField(allow_null=True, help_text="Tokens.")
    note = serializers.CharField()
    artefacts = ArtefactFacts(many=True, source="artefacts.all")
    holds = HoldFacts(many=True, source="open_holds")
    weights = WeightsFacts(allow_null=True, source="current_revision")
    decisions = DecisionFacts(many=True)


class TimelineRow(serializers.Serializer[Any]):
    """One event of the record, or one dated fact from the public record of research."""

    kind = serializers.ChoiceField(["event", "fact"])
    day = serializers.DateField()
    at = serializers.DateTimeField(allow_null=True, help_text="Known of events only.")
    title = serializers.CharField()
    reason = serializers.CharField()
    by = serializers.CharField()
    stage_from = serializers.CharField(allow_null=True)
    stage_to = serializers.CharField(allow_null=True)
    source = serializers.CharField()  # type: ignore[assignment]
    is_verified = serializers.BooleanField()


class CardFacts(serializers.Serializer[Any]):
    """One version of a model card, in the format of a Hub README."""

    size = serializers.CharField(source="size.slug")
    number = serializers.IntegerField()
    text = serializers.CharField()
    digest = serializers.CharField(help_text="SHA-256 of the text.")
    summary = serializers.CharField(help_text="What changed.")
    author = serializers.CharField(source="author_name")
    created_at = serializers.DateTimeField()
    versions = serializers.ListField(child=serializers.IntegerField(), help_text="Every number there is.")


class PolicyRow(serializers.Serializer[Any]):
    """To whom a stage opens an action."""

    action = serializers.ChoiceField(ACTIONS)
    audience = serializers.ChoiceField([audience.value for audience in Audience])


class StageFacts(serializers.Serializer[Any]):
    """One step of the ladder."""

    slug = serializers.ChoiceField(STAGE_SLUGS)
    code = serializers.CharField()
    ordinal = serializers.IntegerField()
    label = serializers.CharField()  # type: ignore[assignment]
    audience = serializers.CharField(help_text="To whom it opens a size, in a sentence.")
    artefacts = serializers.ListField(child=serializers.ChoiceField(ARTEFACT_KINDS), help_text="What opens here.")
    is_reversible = serializers.BooleanField()
    policy = PolicyRow(many=True)


class Ladder(serializers.Serializer[Any]):
    """Every stage with the table that decides."""

    policy_version = serializers.CharField()
    stages = StageFacts(many=True)
