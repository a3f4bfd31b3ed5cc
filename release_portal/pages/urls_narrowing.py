"""Addresses of what takes a size back: confirming a roll-back, withdrawal, recall, review, partner reports."""

from django.urls import path

from release_portal.pages.views import narrowing, partner_reports, recalls, retirement

SIZE = "sizes/<str:lab>/<str:name>/"

urlpatterns = [
    path("narrowings/<int:pk>/confirm/", narrowing.confirm, name="narrowing-confirm"),
    path(SIZE + "withdraw/", narrowing.withdrawal, name="size-withdraw"),
    path(SIZE + "review/", retirement.review, name="size-review"),
    path(SIZE + "retirement/<str:command>/", retirement.retirement, name="size-retirement"),
    path(SIZE + "recall/", recalls.recall, name="size-recall"),
    path("recalls/<int:pk>/<str:name>/", recalls.recall_command, name="recall-command"),
    path("recall-notices/<int:pk>/", recalls.recall_notice, name="recall-notice"),
    path("recall-notices/<int:pk>/<str:name>/", recalls.recall_notice_command, name="recall-notice-command"),
    path(SIZE + "partner-reports/", partner_reports.partner_reports, name="size-partner-reports"),
    path("partner-reports/<int:pk>/answer/", partner_reports.partner_report_answer, name="partner-report-answer"),
]
