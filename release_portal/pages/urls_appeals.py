"""Addresses of appeals."""

from django.urls import path

from release_portal.pages.views import appeal_desk, appeals

urlpatterns = [
    path("appeals/new/<str:subject>/", appeals.new, name="appeal-new"),
    path("appeals/link/<str:token>/", appeals.by_link, name="appeal-link"),
    path("appeals/<str:appeal_id>/", appeals.appeal, name="appeal"),
    path("appeals/<str:appeal_id>/answer/", appeals.answer, name="appeal-answer"),
    path("staff/appeals/", appeal_desk.queue, name="appeal-queue"),
    path("staff/appeals/<str:appeal_id>/", appeal_desk.appeal, name="appeal-desk"),
    path("staff/appeals/<str:appeal_id>/<str:name>/", appeal_desk.command, name="appeal-command"),
]
