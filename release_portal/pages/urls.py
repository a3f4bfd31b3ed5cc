"""Addresses of the pages."""

from django.urls import include, path

from release_portal.pages.views import (
    about,
    account,
    audit,
    catalogue,
    generations,
    grants,
    home,
    own_data,
    people,
    playground,
    sizes,
)

SIZE = "sizes/<str:lab>/<str:name>/"
GENERATION = "generations/<str:job_id>/"

urlpatterns = [
    path("", catalogue.catalogue, name="catalogue"),
    path("families/<str:slug>/", catalogue.family, name="family"),
    path(SIZE, sizes.size, name="size"),
    path(SIZE + "card/", sizes.card, name="size-card"),
    path("", include("release_portal.pages.urls_cards")),
    path("", include("release_portal.pages.urls_governance")),
    path(SIZE + "timeline/", sizes.timeline, name="size-timeline"),
    path(SIZE + "playground/", playground.playground, name="playground"),
    path(SIZE + "move/", sizes.move, name="size-move"),
    path("", include("release_portal.pages.urls_narrowing")),
    path("", include("release_portal.pages.urls_misuse")),
    path("", include("release_portal.pages.urls_people")),
    path("", include("release_portal.pages.urls_applications")),
    path("", include("release_portal.pages.urls_appeals")),
    path("", include("release_portal.pages.urls_notices")),
    path("", include("release_portal.pages.urls_proposals")),
    path("sizes/<str:alias>/", sizes.size_alias, name="size-alias"),
    path("generations/", generations.generations, name="generations"),
    path(GENERATION, generations.generation, name="generation"),
    path(GENERATION + "again/", generations.again, name="generation-again"),
    path(GENERATION + "stream/", generations.stream, name="generation-stream"),
    path(GENERATION + "stop/", generations.stop, name="generation-stop"),
    path(GENERATION + "facts/", generations.facts, name="generation-facts"),
    path("", include("release_portal.pages.urls_detection")),
    path("", include("release_portal.pages.urls_replay")),
    path("grants/", grants.grants, name="grants"),
    path("grants/<str:grant_id>/", grants.grant, name="grant"),
    path("grants/<str:grant_id>/<str:name>/", grants.command, name="grant-command"),
    path("staff/grants/", grants.staff_grants, name="staff-grants"),
    path("account/", account.account, name="account"),
    path("account/tokens/", account.token_create, name="token-create"),
    path("account/tokens/<int:pk>/revoke/", account.token_revoke, name="token-revoke"),
    path("account/data/", own_data.own_data, name="own-data"),
    path("account/data/export/", own_data.own_data_export, name="own-data-export"),
    path("people/", people.people, name="people"),
    path("people/<int:pk>/roles/", people.person_roles, name="person-roles"),
    path("audit/", audit.audit, name="audit"),
    path("audit/verify/", audit.verify, name="audit-verify"),
    path("home/", home.home, name="home"),
    path("about/stages/", about.stages, name="about-stages"),
    path("style-guide/", about.style_guide, name="style-guide"),
]
