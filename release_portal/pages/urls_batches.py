"""Addresses of the pages of batches."""

from django.urls import path

from release_portal.pages.views import batches

BATCH = "batches/<str:batch_id>/"
FILE = "batches/files/<str:file_id>/"

urlpatterns = [
    path("batches/", batches.batches, name="batches"),
    path(FILE, batches.file, name="batch-file"),
    path(FILE + "delete/", batches.file_delete, name="batch-file-delete"),
    path(BATCH, batches.batch, name="batch"),
    path(BATCH + "progress/", batches.progress, name="batch-progress"),
    path(BATCH + "cancel/", batches.cancel, name="batch-cancel"),
]
