"""How gates stand, and why sizes are not further."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from release_portal.api.paging import PageQuery
from release_portal.api.serializers.catalogue import STAGE_SLUGS
from release_portal.api.serializers.policies import ROLES, GateFacts
from release_portal.releases.outcomes import Outcome
from release_portal.releases.proposal_rules import STATES

OUTCOMES = [outcome.value for outcome in Outcome]
BLOCKS = "blocks"


class ExcuseQuery(PageQuery):
    """Which sizes and which reasons are wanted."""

    owner = serializers.ChoiceField(ROLES, required=False, help_text="Only what this role can change.")
    family = serializers.CharField(max_length=60, required=False, help_text="Slug of the family.")


class ProposalName(serializers.Serializer[Any]):
    """A proposal by its number."""

    id = serializers.IntegerField(source="pk")
    state = serializers.ChoiceField(STATES)


class ResultFacts(serializers.Serializer[Any]):
    """How one criterion stands, why, and who can change it."""

    criterion = serializers.CharField(source="criterion.id")
    title = serializers.CharField(source="criterion.title")
    outcome = serializers.ChoiceField(OUTCOMES)
    is_met = serializers.BooleanField(help_text="It does not keep the gate shut.")
    have = serializers.CharField(help_text="What there is.")
    need = serializers.CharField(help_text="What is asked for.")
    owner = serializers.ChoiceField(ROLES, source="criterion.owner")
    severity = serializers.CharField(source="criterion.severity")
    days_left = serializers.IntegerField(allow_null=True, help_text="Until waiting alone changes it; null: never.")
    reason = serializers.CharField()
    change = serializers.CharField(help_text="What would change it; empty for a pass.")
    evidence = serializers.IntegerField(source="evidence_id", allow_null=True, help_text="null: computed, or none.")
    evidence_digest = serializers.CharField()


class NextGate(serializers.Serializer[Any]):
    """How the next gate of a size stands now."""

    size = serializers.CharField()
    stage = serializers.ChoiceField(STAGE_SLUGS)
    policy = serializers.CharField(allow_null=True, help_text="Digest of the policy that asks; null: none in force.")
    proposal = ProposalName(allow_null=True, help_text="The open proposal.")
    gate = GateFacts(allow_null=True, help_text="null: no gate leads further.")
    may_advance = serializers.BooleanField(help_text="Nothing that blocks is unmet. People still decide.")
    results = ResultFacts(many=True, help_text="One for each criterion of the gate.")


class ExcuseLineFacts(serializers.Serializer[Any]):
    """One reason why a size is not further."""

    code = serializers.CharField(help_text="Id of a criterion, or hold, freeze, duty, proposal and the like.")
    outcome = serializers.ChoiceField([*OUTCOMES, BLOCKS], help_text="blocks: it is no criterion.")
    title = serializers.CharField()
    have = serializers.CharField()
    need = serializers.CharField()
    owner = serializers.CharField(help_text="The role that must act; empty where only time helps.")
    days_left = serializers.IntegerField(allow_null=True)
    reason = serializers.CharField()
    change = serializers.CharField()


class ExcuseRow(serializers.Serializer[Any]):
    """A size with every reason why it is not at its next stage."""

    size = serializers.CharField(source="size.slug")
    family = serializers.CharField(source="size.family.slug")
    stage = serializers.ChoiceField(STAGE_SLUGS, source="size.standing.stage")
    target = serializers.ChoiceField(STAGE_SLUGS, source="target.slug", allow_null=True, help_text="The next stage.")
    proposal = ProposalName(allow_null=True)
    lines = ExcuseLineFacts(many=True, help_text="Empty: nothing is in the way.")
