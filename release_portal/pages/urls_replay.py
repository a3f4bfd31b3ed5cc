"""Addresses of the replay lab."""

from django.urls import path

from release_portal.pages.views import replay

urlpatterns = [path("replay/<slug:name>/", replay.replay, name="replay")]
