"""Addresses of what takes a size back: confirming a roll-back, withdrawal, recall, review, partner reports."""

from django.urls import path

from release_portal.pages.views import narrowing, retirement

SIZE = "sizes/<str:lab>/<str:name>/"

urlpatterns = [
    path("narrowings/<int:pk>/confirm/", narrowing.confirm, name="narrowing-confirm"),
    path(SIZE + "withdraw/", narrowing.withdrawal, name="size-withdraw"),
    path(SIZE + "review/", retirement.review, name="size-review"),
    path(SIZE + "retirement/<str:command>/", retirement.retirement, name="size-retirement"),
    path(SIZE + "recall/", narrowing.recall, name="size-recall"),
    path("recalls/<int:pk>/<str:name>/", narrowing.recall_command, name="recall-command"),
    path("recall-notices/<int:pk>/", narrowing.recall_notice, name="recall-notice"),
    path("recall-notices/<int:pk>/<str:name>/", narrowing.recall_notice_command, name="recall-notice-command"),
    path(SIZE + "partner-reports/", narrowing.partner_reports, name="size-partner-reports"),
    path("partner-reports/<int:pk>/answer/", narrowing.partner_report_answer, name="partner-report-answer"),
]
