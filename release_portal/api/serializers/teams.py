"""Teams, cohorts, seats and invitations."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from release_portal.access.people import cohort_rules, seat_rules
from release_portal.api.fields import Choice, Day, Input, Text, Whole
from release_portal.api.serializers.applications import MOST_VERSIONS, VersionInput

LONGEST_LIST = 20_000


class TeamNamingInput(Input):
    """People to name on a draft."""

    mails = serializers.ListField(
        child=Text(min_length=1, max_length=seat_rules.LONGEST_MAIL), min_length=1, max_length=cohort_rules.MOST
    )


class InvitingInput(TeamNamingInput):
    """People to invite to a grant."""

    until = Day(required=False, allow_null=True, help_text="Last day of these seats, where it is earlier.")


class ReasonInput(VersionInput):
    """A command with its reason."""

    reason = Text(min_length=1, max_length=seat_rules.LONGEST_REASON)


class WishInput(Input):
    """A cohort to ask for; null drops the wish."""

    expected_version = Whole(min_value=0, max_value=MOST_VERSIONS, help_text="Of the cohort; 0 when there is none.")
    kind = Choice(list(cohort_rules.KINDS), required=False, allow_null=True, help_text="null: no cohort after all.")
    seats = Whole(min_value=0, max_value=9_999, required=False, help_text="The lead's among them.")
    first_day = Day(required=False, allow_null=True)
    last_day = Day(required=False, allow_null=True)


class DeputyInput(VersionInput):
    """Who stands in for the lead."""

    seat = Whole(min_value=1, max_value=2**31 - 1, help_text="Seat of a member who joined.")


class LinkInput(Input):
    """An invitation, named by what was mailed."""

    link = Text(min_length=1, max_length=200, help_text="The last part of the mailed address.")


class JoiningInput(LinkInput):
    """Join: the agreement in force is accepted by its hash."""

    agreement_hash = Text(min_length=1, max_length=64)
    affiliation = Text(min_length=1, max_length=seat_rules.LONGEST_AFFILIATION, help_text="Where you work.")


class CohortFacts(serializers.Serializer[Any]):
    """A lab or a class."""

    kind = serializers.ChoiceField(list(cohort_rules.KINDS))
    state = serializers.ChoiceField(cohort_rules.STATES, help_text="As it counts now.")
    seats = serializers.IntegerField()
    first_day = serializers.DateField(allow_null=True)
    last_day = serializers.DateField(allow_null=True)
    starts_at = serializers.DateTimeField(allow_null=True)
    ends_at = serializers.DateTimeField(allow_null=True)
    lead = serializers.CharField(allow_null=True, help_text="Account; null while nobody leads.")
    deputy = serializers.CharField(allow_null=True)
    pauses_at = serializers.DateTimeField(
        allow_null=True, help_text="From then on nothing new starts for want of a lead."
    )
    version = serializers.IntegerField()


class MemberFacts(serializers.Serializer[Any]):
    """A seat as those see it who look after the team."""

    id = serializers.IntegerField()
    state = serializers.ChoiceField(seat_rules.STATES, help_text="As it counts now.")
    mail = serializers.CharField()
    account = serializers.CharField(allow_null=True, help_text="null while nobody joined.")
    affiliation = serializers.CharField()
    invited_at = serializers.DateTimeField()
    joined_at = serializers.DateTimeField(allow_null=True)
    ends_at = serializers.DateTimeField(allow_null=True, help_text="Of the invitation, or of this seat alone.")
    version = serializers.IntegerField()


class TeamFacts(serializers.Serializer[Any]):
    """Who is on an application or a grant."""

    seats = serializers.IntegerField(help_text="How many people may use it.")
    used = serializers.IntegerField(help_text="Joined, or invited and not over; the lead's is one of them.")
    cohort = CohortFacts(allow_null=True)
    members = MemberFacts(many=True)


class SeatFacts(serializers.Serializer[Any]):
    """Your seat."""

    id = serializers.IntegerField()
    state = serializers.ChoiceField(seat_rules.STATES, help_text="As it counts now.")
    purpose = serializers.CharField()
    application = serializers.CharField(allow_null=True, help_text="null once it is on a grant.")
    grant = serializers.CharField(allow_null=True)
    ends_at = serializers.DateTimeField(allow_null=True, help_text="The earliest end of seat, cohort and grant.")
    suspension = serializers.CharField(allow_null=True, help_text="Why it is suspended.")
    version = serializers.IntegerField()


class InvitationFacts(serializers.Serializer[Any]):
    """An invitation, and whether the asker may take it."""

    mail = serializers.CharField()
    invited_by = serializers.CharField()
    purpose = serializers.CharField()
    ends_at = serializers.DateTimeField()
    may_join = serializers.BooleanField()
    reason = serializers.CharField(help_text="Why, or why not.")
    change = serializers.CharField(help_text="What would change a no.")


class DeclinedFacts(serializers.Serializer[Any]):
    """An invitation that was declined."""

    state = serializers.CharField()
