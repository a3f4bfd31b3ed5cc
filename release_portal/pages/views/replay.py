"""The replay lab: a real release of the past under a policy of today."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from release_portal.core.declare import public
from release_portal.core.errors import NotFound
from release_portal.core.http import PortalRequest
from release_portal.pages.replay_chart import chart_of
from release_portal.pages.sheets import sheet
from release_portal.releases.gate_policy import ReleasePolicy
from release_portal.releases.policy_files import PACKAGED, packaged
from release_portal.releases.replays.reading import packaged_record
from release_portal.releases.replays.replay import Replay
from release_portal.releases.replays.replay import replay as replay_record
from release_portal.releases.replays.tables import COLUMNS, table_of

CSV = "csv"


@public
def replay(request: PortalRequest, name: str) -> HttpResponse:
    """Every opening of the record under the chosen policy; the same rows as CSV."""
    record = packaged_record(name)
    shown = replay_record(record, _policy(request.GET.get("policy", "")))
    if request.GET.get("format") == CSV:
        return _csv(shown)
    context = {
        "replay": shown,
        "chart": chart_of(shown),
        "policies": PACKAGED,
        "breadcrumbs": [
            {"label": _("About the stages"), "url": reverse("about-stages")},
            {"label": record.title},
        ],
    }
    return render(request, "replay/replay.html", context)


def _policy(name: str) -> ReleasePolicy:
    """Return the packaged policy of that name, the first one without a name."""
    chosen = name or PACKAGED[0]
    if chosen not in PACKAGED:
        raise NotFound(
            f"There is no packaged policy {chosen[:40]!r}.",
            field="policy",
            change=f"Choose one of: {', '.join(PACKAGED)}.",
        )
    return packaged(chosen)


def _csv(shown: Replay) -> HttpResponse:
    rows = ([row[column] for column in COLUMNS] for row in table_of(shown))
    return sheet(f"{shown.record.name}-{shown.policy.name}.csv", COLUMNS, rows)
