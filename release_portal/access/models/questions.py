"""Question and AnswerChange."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from release_portal.access.models.applications import Application


class Question(models.Model):
    """Something a reviewer asked, about a field or the whole; the clock rests until all are answered."""

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="questions")
    field = models.CharField(max_length=60, blank=True)  # key of the field; empty: about the whole
    label = models.CharField(max_length=200, blank=True)  # as the form said it then
    text = models.TextField()
    asked_by_id = models.CharField(max_length=60)
    asked_by_name = models.CharField(max_length=150)
    asked_at = models.DateTimeField()
    answer = models.TextField(blank=True)
    answered_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "application_question"
        ordering = ["asked_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["application", "field"], condition=Q(answered_at=None), name="one_open_question_per_field"
            )
        ]

    def __str__(self) -> str:
        return f"question on {self.application_id}"


class AnswerChange(models.Model):
    """What an applicant changed when they were asked: old and new, never edited."""

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="changes")
    question = models.ForeignKey(Question, on_delete=models.CASCADE, related_name="changes")
    field = models.CharField(max_length=60)
    label = models.CharField(max_length=200)
    old = models.TextField(blank=True)
    new = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        db_table = "application_change"
        ordering = ["at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["question", "field"], name="one_change_per_question"),
            models.CheckConstraint(condition=~Q(old=models.F("new")), name="a_change_changes_something"),
        ]

    def __str__(self) -> str:
        return f"change of {self.field} on {self.application_id}"
