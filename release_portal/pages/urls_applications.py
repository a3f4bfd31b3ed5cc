"""Addresses of applications and reviews."""

from django.urls import path

from release_portal.pages.views import applications, attachments, programmes, review_queue, reviews

urlpatterns = [
    path("sizes/<str:lab>/<str:name>/apply/", applications.apply, name="apply"),
    path("applications/", applications.applications, name="applications"),
    path("applications/<str:application_id>/", applications.application, name="application"),
    path("applications/<str:application_id>/attachments/", attachments.attachments, name="attachments"),
    path(
        "applications/<str:application_id>/attachments/<str:attachment_id>/", attachments.attachment, name="attachment"
    ),
    path(
        "applications/<str:application_id>/attachments/<str:attachment_id>/remove/",
        attachments.remove,
        name="attachment-remove",
    ),
    path("applications/<str:application_id>/<str:name>/", applications.command, name="application-command"),
    path("programmes/", programmes.programmes, name="programmes"),
    path("programmes/new/", programmes.new, name="programme-new"),
    path("programmes/<str:digest>/", programmes.programme, name="programme"),
    path("programmes/<str:digest>/publish/", programmes.publish, name="programme-publish"),
    path("programmes/<str:old>/to/<str:new>/", programmes.diff, name="programme-diff"),
    path("staff/applications/", review_queue.queue, name="review-queue"),
    path("staff/applications/batch/", review_queue.batch, name="review-batch"),
    path("staff/applications/figures/", review_queue.figures, name="review-figures"),
    path("staff/applications/<str:application_id>/", reviews.review, name="review"),
    path("staff/applications/<str:application_id>/<str:name>/", reviews.command, name="review-command"),
]
