"""Addresses of editing, comparing and downloading model cards."""

from django.urls import path

from release_portal.pages.views import cards

CARD = "sizes/<str:lab>/<str:name>/card/"

urlpatterns = [
    path(CARD + "edit/", cards.edit, name="card-edit"),
    path(CARD + "preview/", cards.preview, name="card-preview"),
    path(CARD + "diff/", cards.diff, name="card-diff"),
    path(CARD + "raw/", cards.raw, name="card-raw"),
]
