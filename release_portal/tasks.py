"""Periodic work of the portal: thin tasks that call services, signed by a system actor."""

from __future__ import annotations

from celery import shared_task
from django.db import close_old_connections

from release_portal.access.agreements.reminders import remind_of_agreements
from release_portal.access.applications import lapse_applications
from release_portal.access.attachments.services import purge_attachments, sweep_left_behind
from release_portal.access.attestations.sweeps import (
    end_attestations,
    expire_attestations,
    forget_attestations,
    remind_attesters,
)
from release_portal.access.closing import ask_for_reports
from release_portal.access.obligations.files import purge_duty_files
from release_portal.access.obligations.reminders import remind_of_obligations
from release_portal.access.offers import lapse_offers
from release_portal.access.people.sweeping import sweep_people
from release_portal.access.queue.loads import balance_queue
from release_portal.access.queue.promises import tell_of_promises
from release_portal.access.queue.tiers import refresh_tiers
from release_portal.access.reminders import remind_of_ends, remind_of_lapses
from release_portal.access.services import expire_grants, lapse_suspensions
from release_portal.accounts.deletions import carry_out_deletions, erase_what_is_over
from release_portal.batches.feeding import advance_batch, open_batches
from release_portal.batches.settling import TASK as ADVANCE_BATCH
from release_portal.batches.settling import ask_to_advance
from release_portal.celery import app
from release_portal.core.actors import system_actor
from release_portal.core.clock import now
from release_portal.jobs.sealing import seal_jobs
from release_portal.moves.retirements import carry_out_retirements
from release_portal.notices.services import send_due_mail
from release_portal.releases.executions import expire_proposals
from release_portal.releases.hold_services import lapse_holds
from release_portal.releases.narrowings import lapse_narrowings
from release_portal.releases.observations import observe_proposals
from release_portal.releases.sunsets import apply_sunsets
from release_portal.releases.withdrawals import lapse_withdrawals

SWEEPER, MONITOR = system_actor("sweeper"), system_actor("monitor")


@shared_task(name="portal.sweep_grants")
def sweep_grants() -> None:
    """Write down ends that were reached and suspensions that nobody confirmed."""
    close_old_connections()
    expire_grants(SWEEPER, at=now())
    lapse_suspensions(SWEEPER, at=now())
    sweep_people(SWEEPER, at=now())
    remind_of_ends(at=now())
    remind_of_agreements(at=now())
    remind_of_obligations(at=now())
    lapse_offers(SWEEPER, at=now())
    ask_for_reports(at=now())


@shared_task(name="portal.sweep_applications")
def sweep_applications() -> None:
    """End applications that their applicants left lying, and tell them before."""
    close_old_connections()
    lapse_applications(SWEEPER, at=now())
    purge_attachments(SWEEPER, at=now())
    purge_duty_files(SWEEPER, at=now())
    remind_of_lapses(at=now())


@shared_task(name="portal.sweep_files")
def sweep_files() -> None:
    """Remove bytes that an upload which failed left behind."""
    close_old_connections()
    sweep_left_behind(at=now())


@shared_task(name="portal.delete_accounts")
def delete_accounts() -> None:
    """Delete accounts whose time to change their mind is over, and what was kept of deleted ones for long enough."""
    close_old_connections()
    carry_out_deletions(SWEEPER, at=now())
    erase_what_is_over(at=now())


@shared_task(name="portal.sweep_attestations")
def sweep_attestations() -> None:
    """End what nobody answered or needs any more, remind the others, and forget what need not be known."""
    close_old_connections()
    end_attestations(SWEEPER, at=now())
    expire_attestations(SWEEPER, at=now())
    remind_attesters(SWEEPER, at=now())
    forget_attestations(SWEEPER, at=now())


@shared_task(name="portal.tend_queue")
def tend_queue() -> None:
    """Keep tiers, say who is expected to look at what, and tell people that a promise runs out; decides nothing."""
    close_old_connections()
    refresh_tiers(at=now())
    balance_queue(SWEEPER, at=now())
    tell_of_promises(SWEEPER, at=now())


@shared_task(name="portal.sweep_narrowings")
def sweep_narrowings() -> None:
    """Take back what one person narrowed and nobody confirmed."""
    close_old_connections()
    lapse_withdrawals(SWEEPER, at=now())  # first: a withdrawal whose roll-back is gone could no longer be confirmed
    lapse_narrowings(SWEEPER, at=now())


@shared_task(name="portal.apply_sunsets")
def apply_due_sunsets() -> None:
    """Retire what was announced for today, hold stages whose review is missed, and step them down later."""
    close_old_connections()
    carry_out_retirements(SWEEPER, at=now())
    apply_sunsets(SWEEPER, at=now())


@shared_task(name="portal.send_mail")
def send_mail() -> None:
    """Try the mail that is due."""
    close_old_connections()
    send_due_mail(at=now())
    lapse_holds(SWEEPER, at=now())


@shared_task(name="portal.watch_releases")
def watch_releases() -> None:
    """End proposals whose evidence became stale, and watch what was carried out."""
    close_old_connections()
    expire_proposals(SWEEPER, at=now())
    observe_proposals(MONITOR, at=now())


@shared_task(name="portal.look_at_batches")
def look_at_batches() -> None:
    """Take every open batch on, each by a task of its own: one that fails keeps no other waiting."""
    close_old_connections()
    for batch_id in open_batches():
        ask_to_advance(batch_id)


@shared_task(name=ADVANCE_BATCH)
def advance_one_batch(batch_id: str) -> None:
    """Take one batch on."""
    close_old_connections()
    advance_batch(batch_id, at=now())


@shared_task(name="portal.seal_jobs")
def seal_ended_jobs() -> None:
    """Chain ended jobs to the record."""
    close_old_connections()
    seal_jobs(SWEEPER, at=now())


app.conf.beat_schedule = {
    "sweep-grants": {"task": "portal.sweep_grants", "schedule": 60.0},
    "sweep-applications": {"task": "portal.sweep_applications", "schedule": 60.0},
    "sweep-files": {"task": "portal.sweep_files", "schedule": 3600.0},
    "delete-accounts": {"task": "portal.delete_accounts", "schedule": 3600.0},
    "sweep-attestations": {"task": "portal.sweep_attestations", "schedule": 60.0},
    "tend-queue": {"task": "portal.tend_queue", "schedule": 60.0},
    "sweep-narrowings": {"task": "portal.sweep_narrowings", "schedule": 60.0},
    "apply-sunsets": {"task": "portal.apply_sunsets", "schedule": 3600.0},
    "send-mail": {"task": "portal.send_mail", "schedule": 5.0},
    "purge-idempotency": {"task": "portal.purge_idempotency", "schedule": 3600.0},
    "watch-releases": {"task": "portal.watch_releases", "schedule": 60.0},
    "look-at-batches": {"task": "portal.look_at_batches", "schedule": 5.0},
    "seal-jobs": {"task": "portal.seal_jobs", "schedule": 60.0},
}
