"""Addresses of teams, cohorts, seats and invitations; they stand before the addresses of commands on their parents."""

from django.urls import path

from release_portal.pages.views import seats, teams

APPLICATION, GRANT = "applications/<str:application_id>/team/", "grants/<str:grant_id>/team/"

urlpatterns = [
    path(APPLICATION, teams.application_team, name="application-team"),
    path(APPLICATION + "<str:name>/", teams.application_command, name="application-team-command"),
    path(APPLICATION + "<int:seat_id>/<str:name>/", teams.application_seat, name="application-seat-command"),
    path(GRANT, teams.grant_team, name="grant-team"),
    path(GRANT + "<str:name>/", teams.grant_command, name="grant-team-command"),
    path(GRANT + "<int:seat_id>/<str:name>/", teams.grant_seat, name="grant-seat-command"),
    path("seats/<int:seat_id>/", seats.seat, name="seat"),
    path("seats/<int:seat_id>/leave/", seats.leave, name="seat-leave"),
    path("invitations/link/<str:token>/", seats.invitation, name="invitation"),
]
