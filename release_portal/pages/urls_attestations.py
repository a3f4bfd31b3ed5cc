"""Addresses of those who vouch: the applicant's pages, and the mailed link."""

from django.urls import path

from release_portal.pages.views import attestations, attesting

urlpatterns = [
    path("applications/<str:application_id>/attestations/<str:kind>/", attestations.attestation, name="attestation"),
    path(
        "applications/<str:application_id>/attestations/<str:kind>/<str:name>/",
        attestations.command,
        name="attestation-command",
    ),
    path("attestations/link/<str:token>/", attesting.by_link, name="attestation-link"),
]
