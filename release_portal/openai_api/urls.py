"""Addresses of the OpenAI-compatible interface."""

from django.urls import path, re_path

from release_portal.openai_api import views

urlpatterns = [
    path("models", views.models, name="openai-models"),
    path("models/<path:slug>", views.model, name="openai-model"),  # a slash arrives as %2F, or as itself
    path("completions", views.completions, name="openai-completions"),
    path("chat/completions", views.chat_completions, name="openai-chat"),
    re_path(r"^(?P<rest>.*)$", views.unknown, name="openai-unknown"),
]
