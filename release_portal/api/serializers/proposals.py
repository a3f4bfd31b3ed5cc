"""Proposals, what they are voted on, and the record of a decision."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from release_portal.api.paging import PageQuery
from release_portal.api.serializers.catalogue import STAGE_SLUGS
from release_portal.api.serializers.gates import OUTCOMES
from release_portal.api.serializers.policies import ROLES
from release_portal.releases.models.consultation import COMMENT, NOTICE
from release_portal.releases.proposal_rules import STATES
from release_portal.releases.vote_rules import VERDICTS


class ProposalQuery(PageQuery):
    """Which proposals are wanted."""

    state = serializers.ChoiceField(STATES, required=False)
    size = serializers.CharField(max_length=96, required=False, help_text="lab/name.")


class ProposalRow(serializers.Serializer[Any]):
    """One move to a wider stage, being prepared, decided or done."""

    id = serializers.IntegerField(source="pk")
    size = serializers.CharField(source="size.slug")
    stage_from = serializers.ChoiceField(STAGE_SLUGS, source="source")
    stage_to = serializers.ChoiceField(STAGE_SLUGS, source="target")
    state = serializers.ChoiceField(STATES)
    is_fast_path = serializers.BooleanField(help_text="Back to a stage that was left by a recent roll-back.")
    policy = serializers.CharField(source="policy_id", help_text="Digest of the policy that decides.")
    lock_digest = serializers.CharField(
        source="current_lock.digest", allow_null=True, help_text="SHA-256 over all that is voted on; null: not locked."
    )
    opened_by = serializers.CharField()
    opened_at = serializers.DateTimeField()
    approved_at = serializers.DateTimeField(allow_null=True)
    cool_off_until = serializers.DateTimeField(allow_null=True)
    execute_after = serializers.DateTimeField(allow_null=True)
    executed_at = serializers.DateTimeField(allow_null=True)
    soak_until = serializers.DateTimeField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)
    version = serializers.IntegerField()


class KeptResult(serializers.Serializer[Any]):
    """One criterion, as it is kept with a lock."""

    criterion = serializers.CharField()
    title = serializers.CharField()
    outcome = serializers.ChoiceField(OUTCOMES)
    have = serializers.CharField()
    need = serializers.CharField()
    reason = serializers.CharField()
    evidence = serializers.IntegerField(allow_null=True)
    evidence_digest = serializers.CharField()


class LockFacts(serializers.Serializer[Any]):
    """All that was voted on, by its digest."""

    number = serializers.IntegerField()
    digest = serializers.CharField()
    locked_by = serializers.CharField()
    locked_at = serializers.DateTimeField()
    voided_at = serializers.DateTimeField(allow_null=True, help_text="null: in force.")
    void_reason = serializers.CharField()
    material = serializers.JSONField(help_text="What the digest is over, by part.")
    preview = serializers.JSONField(help_text="Who gains and loses what by the move.")


class VoteFacts(serializers.Serializer[Any]):
    """One person's named verdict."""

    lock = serializers.IntegerField(source="lock.number", help_text="Number of the lock that was voted on.")
    person = serializers.CharField()
    role = serializers.ChoiceField(ROLES)
    verdict = serializers.ChoiceField(VERDICTS)
    reason = serializers.CharField()
    conflict_note = serializers.CharField()
    at = serializers.DateTimeField()
    answer = serializers.CharField()
    answered_by = serializers.CharField()
    answered_at = serializers.DateTimeField(allow_null=True)
    replaced_at = serializers.DateTimeField(allow_null=True, help_text="When the same person voted anew.")


class PlaceFacts(serializers.Serializer[Any]):
    """One line of the quorum."""

    role = serializers.ChoiceField(ROLES)
    needed = serializers.IntegerField()
    people = serializers.ListField(child=serializers.CharField(), help_text="Who has approved.")
    is_filled = serializers.BooleanField()


class WaiverAgreement(serializers.Serializer[Any]):
    """One person's agreement to a waiver."""

    person = serializers.CharField()
    role = serializers.ChoiceField(ROLES)
    reason = serializers.CharField()
    at = serializers.DateTimeField()


class WaiverFacts(serializers.Serializer[Any]):
    """An exception for one criterion, with its end."""

    criterion = serializers.CharField()
    reason = serializers.CharField()
    asked_by = serializers.CharField()
    asked_at = serializers.DateTimeField()
    granted_at = serializers.DateTimeField(allow_null=True, help_text="null: it does not count yet.")
    ends_at = serializers.DateTimeField()
    agreed = WaiverAgreement(many=True, source="votes.all")


class WindowFacts(serializers.Serializer[Any]):
    """A time in which people outside are asked or told."""

    kind = serializers.ChoiceField([COMMENT, NOTICE])
    text = serializers.CharField()
    opened_by = serializers.CharField()
    opened_at = serializers.DateTimeField()
    closes_at = serializers.DateTimeField()
    comments = serializers.IntegerField(source="comment_count", help_text="Hidden ones are not counted.")
    open_objections = serializers.IntegerField(help_text="The gate waits for their answers.")


class ExternalReviewFacts(serializers.Serializer[Any]):
    """Who outside looks at it, on what terms, paid by whom."""

    reviewer = serializers.CharField()
    terms = serializers.CharField()
    fee = serializers.CharField()
    edit_rights = serializers.CharField()
    invited_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField()
    deposited_at = serializers.DateTimeField(allow_null=True, help_text="The report comes before the votes are shown.")
    report_digest = serializers.CharField()


class ProposalFacts(ProposalRow):
    """A proposal: the case, the results, and the votes where you may read them."""

    rationale = serializers.CharField()
    conditions = serializers.CharField()
    closing_reason = serializers.CharField()
    lock = LockFacts(source="shown_lock", allow_null=True)
    results = KeptResult(many=True, help_text="As they are voted on; as they stand now, before there is a lock.")
    votes = VoteFacts(many=True, allow_null=True, source="shown_votes", help_text="On that lock; null: not shown.")
    quorum = PlaceFacts(many=True, allow_null=True, source="shown_quorum", help_text="null with the votes.")
    votes_reason = serializers.CharField(help_text="Why the votes are shown, or not.")
    votes_change = serializers.CharField(help_text="When they will be; empty where they are.")
    waivers = WaiverFacts(many=True, source="waivers.all")
    windows = WindowFacts(many=True, source="counted_windows")
    external_reviews = ExternalReviewFacts(many=True, source="external_reviews.all")


class FindingFacts(ExternalReviewFacts):
    """What the external reviewer found."""

    finding = serializers.CharField(help_text="supports, concerns or adverse; empty without a report.")


class DecisionRecord(ProposalFacts):
    """The record of a decided proposal: every lock and every vote, with those that were replaced or voided."""

    executed_by = serializers.CharField(help_text="Empty where it was rejected.")
    locks = LockFacts(many=True, source="locks.all")
    external_reviews = FindingFacts(many=True, source="external_reviews.all")
