"""Addresses of notices and mail."""

from django.urls import path

from release_portal.pages.views import notices

urlpatterns = [
    path("notices/", notices.notices, name="notices"),
    path("notices/read/", notices.read_all, name="notices-read"),
    path("notices/<int:pk>/read/", notices.read, name="notice-read"),
    path("staff/mail/", notices.mail, name="staff-mail"),
    path("staff/mail/<int:pk>/again/", notices.mail_again, name="mail-again"),
]
