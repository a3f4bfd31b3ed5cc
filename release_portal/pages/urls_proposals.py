"""Addresses of proposals, evidence, consultation, freezes and duty."""

from django.urls import path

from release_portal.pages.views import checklists, consultation, duty, evidence, freezes, proposals, workspaces

SIZE = "sizes/<str:lab>/<str:name>/"
PROPOSAL = "proposals/<int:pk>/"

urlpatterns = [
    path("proposals/", proposals.listed, name="proposals"),
    path(SIZE + "proposals/new/", proposals.new, name="proposal-new"),
    path(PROPOSAL, proposals.proposal, name="proposal"),
    path(PROPOSAL + "vote/", proposals.vote, name="proposal-vote"),
    path(PROPOSAL + "votes/<int:vote_id>/answer/", proposals.answer, name="proposal-answer"),
    path(PROPOSAL + "waivers/", proposals.waiver_ask, name="waiver-ask"),
    path(PROPOSAL + "waivers/<int:waiver_id>/agree/", proposals.waiver_agree, name="waiver-agree"),
    path(PROPOSAL + "windows/", proposals.window_open, name="window-open"),
    path(PROPOSAL + "reviewers/", proposals.reviewer_invite, name="reviewer-invite"),
    path(PROPOSAL + "checklist/", checklists.checklist, name="checklist"),
    path(PROPOSAL + "comments/", consultation.comments, name="comment-window"),
    path(PROPOSAL + "comments/<int:comment_id>/answer/", consultation.answer, name="comment-answer"),
    path(PROPOSAL + "comments/<int:comment_id>/hide/", consultation.hide, name="comment-hide"),
    path(PROPOSAL + "review/", workspaces.workspace, name="workspace"),
    path(PROPOSAL + "review/accept/", workspaces.accept, name="workspace-accept"),
    path(PROPOSAL + "<str:name>/", proposals.command, name="proposal-command"),
    path(SIZE + "evidence/", evidence.drawer, name="evidence"),
    path(SIZE + "evidence/<str:criterion>/", evidence.attach, name="evidence-attach"),
    path(SIZE + "evidence/<str:criterion>/measure/", evidence.measure, name="evidence-measure"),
    path(SIZE + "evidence/<int:pk>/review/", evidence.review, name="evidence-review"),
    path("freezes/", freezes.calendar, name="freezes"),
    path("freezes/<int:pk>/lift/", freezes.lift, name="freeze-lift"),
    path("duty/", duty.roster, name="duty"),
    path("duty/<int:pk>/remove/", duty.remove, name="duty-remove"),
]
