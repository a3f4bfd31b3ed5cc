"""Addresses of holds and of misuse reports."""

from django.urls import path

from release_portal.pages.views import holds, misuse, misuse_desk

urlpatterns = [
    path("sizes/<str:lab>/<str:name>/hold/", holds.hold, name="size-hold"),
    path("holds/<int:pk>/<str:name>/", holds.command, name="hold-command"),
    path("report/", misuse.report, name="report-misuse"),
    path("report/status/", misuse.status, name="report-status"),
    path("report/status/message/", misuse.message, name="report-message"),
    path("staff/reports/", misuse_desk.queue, name="report-queue"),
    path("staff/reports/<int:pk>/", misuse_desk.report, name="report-triage"),
    path("staff/reports/<int:pk>/<str:name>/", misuse_desk.command, name="report-command"),
]
