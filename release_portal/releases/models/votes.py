"""Vote: one person's named verdict on a lock."""

from __future__ import annotations

from typing import Self

from django.db import models

from release_portal.releases.models.proposals import Lock
from release_portal.releases.vote_rules import VERDICTS


class VoteQuerySet(models.QuerySet["Vote"]):
    """Words for votes."""

    def standing(self) -> Self:
        """Votes that have not been replaced by a later one of the same person."""
        return self.filter(replaced_at=None)


class Vote(models.Model):
    """A verdict in one role, with a reason, a note on conflicts of interest and a fresh authentication."""

    lock = models.ForeignKey(Lock, on_delete=models.CASCADE, related_name="votes")
    person_id = models.CharField(max_length=60)
    person = models.CharField(max_length=150)
    role = models.CharField(max_length=30)
    verdict = models.CharField(max_length=12, choices=[(verdict, verdict) for verdict in VERDICTS])
    reason = models.TextField()
    conflict_note = models.TextField()
    confirmed_at = models.DateTimeField()  # when the person last proved who they are
    at = models.DateTimeField()
    proposer_id = models.CharField(max_length=60)  # repeated here so that the database can refuse a vote for oneself
    answer = models.TextField(blank=True)
    answered_by = models.CharField(max_length=150, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    replaced_at = models.DateTimeField(null=True, blank=True)

    objects = VoteQuerySet.as_manager()

    class Meta:
        db_table = "proposal_vote"
        ordering = ["at", "id"]
        constraints = [
            models.CheckConstraint(condition=~models.Q(person_id=models.F("proposer_id")), name="vote_not_by_proposer"),
            models.UniqueConstraint(
                fields=["lock", "person_id"], condition=models.Q(replaced_at=None), name="one_vote_per_person_and_lock"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person}: {self.verdict}"
