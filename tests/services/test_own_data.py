"""Own data: everything that names an account is declared, shown and exported, and to nobody else."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime

import pytest
from django.apps import apps
from django.test import Client

from release_portal.accounts.models import User
from release_portal.accounts.own_data import export_own_data, holdings
from release_portal.audit.models import AuditEvent
from release_portal.core.errors import NotAllowed
from tests.world import World

pytestmark = pytest.mark.django_db

# Rows that point to an account, and the holding that shows them to their owner; None: with the reason why not.
WHERE = {
    "accounts.RoleAssignment.user": "roles",
    "accounts.ApiToken.user": "tokens",
    "accounts.DutyShift.user": "duty_shifts",
    "accounts.Look.person": "looks",
    "accounts.Deletion.user": "deletions",
    "access.Grant.holder": "grants",
    "access.Application.applicant": "applications",
    "access.Application.decided_by": "record",  # the decision stands in the record, under the decider's name
    "access.Application.claimed_by": "record",  # it stands in the record who looked, and until when
    "access.Attachment.uploaded_by": "attachments",
    "access.DutyFile.uploaded_by": "duty_files",
    "access.Application.assigned_to": "record",  # of whom it was expected stands in the record
    "access.ReviewVote.voter": "reviews",
    "access.Advice.by": "advice",
    "access.Signature.account": "signatures",
    "access.Seat.person": "seats",
    "access.Cohort.lead": "cohorts",
    "access.Cohort.deputy": "cohorts",
    "appeals.Appeal.appellant": "appeals",
    "appeals.AppealLink.account": "appeal_links",
    "jobs.Job.account": "jobs",
    "notices.Notice.recipient": "notices",
    "detection.DetectionReport.owner": "detection_reports",
    "batches.Batch.owner": "batches",
    "batches.BatchFile.owner": "batch_files",
    "account.EmailAddress.user": "account",  # the address itself
}


def test_every_table_that_names_an_account_is_shown_to_its_owner() -> None:
    ours = ("release_portal", "model_cards", "allauth")
    found = {
        f"{model._meta.app_label}.{model.__name__}.{field.name}"
        for model in apps.get_models()
        if model.__module__.startswith(ours)
        for field in model._meta.get_fields()
        if field.concrete and field.is_relation and field.related_model is User
    }
    found -= {name for name in found if name.startswith("accounts.User.")}
    assert found == set(WHERE)
    assert set(WHERE.values()) <= {holding.kind for holding in holdings()}


def test_an_export_holds_the_own_rows_and_is_recorded(world: World, at: datetime) -> None:
    cleo = User.objects.get(username="cleo")
    content = export_own_data(world.actor("cleo"), cleo, at=at)
    assert content["account"] == "cleo"
    assert {grant["purpose"] for grant in content["holdings"]["grants"]} == {
        grant.purpose for grant in cleo.grants.all()
    }
    assert AuditEvent.objects.filter(kind="account.exported", actor_name="cleo").count() == 1


def test_nobody_exports_the_data_of_another(world: World, at: datetime) -> None:
    with pytest.raises(NotAllowed, match="your own data only"):
        export_own_data(world.actor("ada"), User.objects.get(username="cleo"), at=at)


def test_the_page_counts_and_the_file_is_json(world: World, client_of: Callable[[str], Client]) -> None:
    client = client_of("cleo")
    page = client.get("/account/data/")
    assert "Generations and scores" in page.content.decode()
    file = client.post("/account/data/export/")
    assert file["Content-Disposition"] == 'attachment; filename="own-data-cleo.json"'
    assert set(json.loads(file.content)["holdings"]) == {holding.kind for holding in holdings()}
    assert Client().get("/account/data/").status_code == 401
