"""Addresses of the board, the excuses, the policies and the decisions."""

from django.urls import path

from release_portal.pages.views import board, decisions, excuses, policies

urlpatterns = [
    path("board/", board.board, name="board"),
    path("excuses/", excuses.excuses, name="excuses"),
    path("sizes/<str:lab>/<str:name>/excuses/", excuses.size_excuses, name="size-excuses"),
    path("policies/", policies.policies, name="policies"),
    path("policies/<str:digest>/", policies.policy, name="policy"),
    path("policies/<str:old>/<str:new>/", policies.diff, name="policy-diff"),
    path("decisions/", decisions.decisions, name="decisions"),
    path("decisions/<int:pk>/", decisions.decision, name="decision"),
]
