"""Addresses of the detection pages."""

from django.urls import path

from release_portal.pages.views import detection

urlpatterns = [
    path("detection/", detection.detection, name="detection"),
    path("detection/<str:report_id>/", detection.report, name="detection-report"),
    path("detection/<str:report_id>/result/", detection.result, name="detection-result"),
]
