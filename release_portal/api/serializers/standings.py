"""Where sizes stand, now or at another time."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from release_portal.api.fields import Input, Moment
from release_portal.api.paging import PageQuery
from release_portal.api.serializers.catalogue import STAGE_SLUGS
from release_portal.releases.hold_rules import LEVELS, RESTRICTIONS
from release_portal.releases.proposal_rules import STATES

EARLIER = "As 2030-01-31T12:00:00Z; now, else."


class BoardQuery(PageQuery):
    """Which part of the board is wanted, and of when."""

    as_of = Moment(required=False, help_text=EARLIER)
    family = serializers.CharField(max_length=60, required=False, help_text="Slug of the family.")


class MomentQuery(Input):
    """At which time."""

    at = Moment(required=False, help_text=EARLIER)


class OpenHold(serializers.Serializer[Any]):
    """A hold that was open."""

    id = serializers.IntegerField()
    level = serializers.ChoiceField(LEVELS, help_text="hold blocks widening only; the others take use away too.")


class StandingRow(serializers.Serializer[Any]):
    """Where one size stands."""

    size = serializers.CharField()
    stage = serializers.ChoiceField(STAGE_SLUGS, allow_null=True, help_text="null: the record did not know it yet.")
    since = serializers.DateTimeField(allow_null=True)
    ending = serializers.CharField(help_text="withdrawn or archived; empty while it is neither.")
    holds = OpenHold(many=True)
    restrictions = serializers.ListField(child=serializers.ChoiceField(RESTRICTIONS), help_text="Levels in force.")


class BoardRow(StandingRow):
    """One line of the board."""

    granted = serializers.ChoiceField(
        STAGE_SLUGS,
        allow_null=True,
        help_text="The widest stage that people decided on; wider than the stage while a roll-back waits for its "
        "confirmation. null with as_of.",
    )


class ProposalThen(serializers.Serializer[Any]):
    """A proposal as it stood."""

    id = serializers.IntegerField()
    state = serializers.ChoiceField(STATES)


class StandingThenFacts(StandingRow):
    """Where a size stood at a time, from the events of the record alone."""

    at = serializers.DateTimeField()
    proposals = ProposalThen(many=True)
    events = serializers.IntegerField(help_text="How many events tell it.")
