"""Every address of the portal."""

from django.urls import include, path

from release_portal.ops import health, metrics

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
    path("api/", include("release_portal.api.urls")),
    path("v1/", include("release_portal.openai_api.urls")),
    path("accounts/", include("allauth.account.urls")),
    path("", include("release_portal.pages.urls")),
]

handler400 = "release_portal.pages.errors.bad_request"
handler403 = "release_portal.pages.errors.permission_denied"
handler500 = "release_portal.pages.errors.server_error"
handler404 = "release_portal.pages.errors.not_found"
