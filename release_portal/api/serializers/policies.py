"""Release policies: what a file states, gate by gate."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from release_portal.accounts.roles import Role
from release_portal.api.fields import Figure
from release_portal.api.serializers.catalogue import STAGE_SLUGS
from release_portal.evidence.kinds import KINDS
from release_portal.releases.gate_policy import BLOCK, COMPUTED, EVIDENCE, INFO, WARN

ROLES = [role.value for role in Role]


class AdoptionFacts(serializers.Serializer[Any]):
    """From when on a policy is in force."""

    family = serializers.CharField(source="family.slug", allow_null=True, help_text="null: all without their own.")
    adopted_at = serializers.DateTimeField()
    adopted_by = serializers.CharField()
    reason = serializers.CharField()


class PolicyFileRow(serializers.Serializer[Any]):
    """A policy file, known by the SHA-256 of its bytes."""

    digest = serializers.CharField()
    name = serializers.CharField()
    version = serializers.IntegerField()
    title = serializers.CharField()
    stored_at = serializers.DateTimeField()
    stored_by = serializers.CharField()
    adoptions = AdoptionFacts(many=True, source="shown_adoptions", help_text="Newest first; empty: never in force.")


class CriterionFacts(serializers.Serializer[Any]):
    """One requirement of a gate."""

    id = serializers.CharField()
    title = serializers.CharField()
    kind = serializers.ChoiceField(list(KINDS))
    source = serializers.ChoiceField([EVIDENCE, COMPUTED])  # type: ignore[assignment]
    owner = serializers.ChoiceField(ROLES, help_text="The role that can supply what is missing.")
    comparator = serializers.CharField(help_text="Empty where presence is enough.")
    threshold = Figure(allow_null=True)
    unit = serializers.CharField()
    ci_side = serializers.CharField(help_text="The end of the interval that is compared; empty: the value.")
    min_n = serializers.IntegerField(help_text="Fewest measurements that count.")
    max_age_days = serializers.IntegerField(source="max_age.days", allow_null=True, help_text="null: for ever.")
    needs_subject = serializers.BooleanField(help_text="It must name the digest of the weights that are served.")
    items = serializers.ListField(child=serializers.CharField(), help_text="The set that it must equal.")
    severity = serializers.ChoiceField([BLOCK, WARN, INFO], help_text="Only block keeps a gate shut.")
    on_fail = serializers.CharField(help_text="What happens when a monitor fails later.")
    is_waivable = serializers.BooleanField()
    help = serializers.CharField()


class ApprovalFacts(serializers.Serializer[Any]):
    """How many people in one role must approve."""

    role = serializers.ChoiceField(ROLES)
    count = serializers.IntegerField(allow_null=True, help_text="null: the share says it.")
    share = serializers.CharField(help_text="Empty, or two_thirds of those who hold the role.")


class GateFacts(serializers.Serializer[Any]):
    """What one move to a wider stage takes."""

    stage_from = serializers.ChoiceField(STAGE_SLUGS, source="source")
    stage_to = serializers.ChoiceField(STAGE_SLUGS, source="target")
    approvals = ApprovalFacts(many=True, help_text="Distinct people, never who proposes.")
    cool_off_days = serializers.IntegerField(source="cool_off.days", help_text="Between approval and execution.")
    soak_days = serializers.IntegerField(source="soak.days", help_text="Monitors watch so long afterwards.")
    monitors = serializers.ListField(child=serializers.CharField())
    is_irreversible = serializers.BooleanField()


class PolicyGate(GateFacts):
    """A gate with everything that it asks for."""

    criteria = CriterionFacts(many=True)


class ReviewInterval(serializers.Serializer[Any]):
    """How long a stage stands without a review."""

    stage = serializers.ChoiceField(STAGE_SLUGS)
    days = serializers.IntegerField()


class PolicyRules(serializers.Serializer[Any]):
    """What the file states."""

    on_duty = serializers.IntegerField(help_text="Fewest people on duty while a size is widened.")
    comment_days = serializers.IntegerField(source="comment_window.days")
    notice_days = serializers.IntegerField(source="notice_period.days")
    review_working_days = serializers.IntegerField(help_text="Of an external reviewer.")
    longest_waiver_days = serializers.IntegerField(source="longest_waiver.days")
    review_every = serializers.SerializerMethodField(help_text="Stages that are held when nobody reviews them.")
    sunset_hold_days = serializers.IntegerField(source="sunset_hold.days", help_text="After a missed review.")
    sunset_step_down_days = serializers.IntegerField(source="sunset_step_down.days", help_text="After a missed review.")
    fast_path_days = serializers.IntegerField(source="fast_path.days", help_text="After a roll-back.")
    fast_approvals = serializers.IntegerField()
    fast_criteria = serializers.ListField(child=serializers.CharField())
    gates = PolicyGate(many=True)

    @extend_schema_field(ReviewInterval(many=True))
    def get_review_every(self, rules: Any) -> list[dict[str, Any]]:
        """Stages with their days."""
        return [{"stage": stage, "days": every.days} for stage, every in rules.review_every]


class PolicyFileFacts(PolicyFileRow):
    """A policy file with its text, and what it states."""

    text = serializers.CharField(help_text="The file; its SHA-256 is the digest.")
    rules = PolicyRules()
