"""How an application is called in the record, and where its pages stand."""

from __future__ import annotations

from release_portal.access.models import Application


def application_subject(application: Application) -> str:
    """Return how the audit log names an application."""
    return f"application:{application.pk}"


def path_of(application: Application) -> str:
    """Return the address of the page on which an applicant follows it."""
    return f"/applications/{application.pk}/"


def review_path_of(application: Application) -> str:
    """Return the address of the page on which it is decided."""
    return f"/staff/applications/{application.pk}/"
