"""Addresses of what a grant asks of its holder."""

from django.urls import path

from release_portal.pages.views import grant_duties

GRANT = "grants/<str:grant_id>/"

urlpatterns = [
    path(GRANT + "terms/<str:name>/", grant_duties.terms, name="grant-terms"),
    path(GRANT + "duties/<int:pk>/<str:name>/", grant_duties.obligation, name="grant-duty"),
    path(GRANT + "duties/<int:pk>/files/<str:file_id>/", grant_duties.duty_file, name="grant-duty-file"),
    path(GRANT + "closing/<str:name>/", grant_duties.closing, name="grant-closing"),
    path(GRANT + "engagement/<str:name>/", grant_duties.engagement, name="grant-engagement"),
]
