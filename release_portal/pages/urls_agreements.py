"""Addresses of the agreement: its versions, signing, and the desk on which the next one is written."""

from django.urls import path

from release_portal.pages.views import agreement_desk, agreements

DESK = "staff/agreements/"

urlpatterns = [
    path("agreements/", agreements.agreements, name="agreements"),
    path("agreements/<int:number>/", agreements.agreement, name="agreement"),
    path("agreements/<int:number>/sign/", agreements.sign, name="agreement-sign"),
    path("agreements/withdraw/", agreements.withdraw, name="agreement-withdraw"),
    path(DESK, agreement_desk.desk, name="agreement-desk"),
    path(DESK + "new/", agreement_desk.new, name="agreement-draft-new"),
    path(DESK + "drafts/<int:pk>/", agreement_desk.draft, name="agreement-draft"),
    path(DESK + "drafts/<int:pk>/<str:name>/", agreement_desk.draft_command, name="agreement-draft-command"),
    path(DESK + "<int:number>/retire/", agreement_desk.retire, name="agreement-retire"),
]
