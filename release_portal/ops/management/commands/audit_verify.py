"""Prove the audit chain, or name the first bad row."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from release_portal.audit.services import verify_chain


class Command(BaseCommand):
    help = "Walk the audit log from its first event to its head; exit 1 and name the first bad row when it is broken."

    def handle(self, *args: Any, **options: Any) -> None:
        """Verify and report."""
        result = verify_chain()
        if not result.is_intact:
            raise CommandError(
                f"audit_event row {result.bad_seq} is bad: {result.problem} ({result.checked} before hold)."
            )
        self.stdout.write(f"The chain is intact: {result.checked} events, from the first to the head.")
