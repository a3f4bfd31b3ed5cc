"""Addresses of the OpenAI-compatible interface."""

from django.urls import path, re_path

from release_portal.openai_api import batch_views, views

urlpatterns = [
    path("models", views.models, name="openai-models"),
    path("models/<path:slug>", views.model, name="openai-model"),  # a slash arrives as %2F, or as itself
    path("completions", views.completions, name="openai-completions"),
    path("chat/completions", views.chat_completions, name="openai-chat"),
    path("embeddings", views.embeddings, name="openai-embeddings"),
    path("files", batch_views.files, name="openai-files"),
    path("files/<str:file_id>", batch_views.file, name="openai-file"),
    path("files/<str:file_id>/content", batch_views.file_content, name="openai-file-content"),
    path("batches", batch_views.batches, name="openai-batches"),
    path("batches/<str:batch_id>", batch_views.batch, name="openai-batch"),
    path("batches/<str:batch_id>/cancel", batch_views.batch_cancel, name="openai-batch-cancel"),
    re_path(r"^(?P<rest>.*)$", views.unknown, name="openai-unknown"),
]
