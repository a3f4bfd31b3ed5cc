"""A receipt of a withdrawal in plain words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from release_portal.core.actors import Actor
from release_portal.jobs.models import Receipt
from release_portal.jobs.receipts import receipts_for


def receipts_of(actor: Actor, grant_id: str) -> list[dict[str, Any]]:
    """Return the receipts of a grant as cards, newest first."""
    return [_card(receipt) for receipt in receipts_for(actor, grant_id)]


def _card(receipt: Receipt) -> dict[str, Any]:
    lines = [*_work(receipt), *_lines(receipt)] if receipt.completed_at else []
    return {"receipt": receipt, "title": _title(receipt), "figures": _figures(receipt), "lines": lines}


def _title(receipt: Receipt) -> str:
    return {
        "suspended": _("Suspended"),
        "revoked": _("Revoked"),
        "surrendered": _("Given up"),
    }[receipt.kind]


def _figures(receipt: Receipt) -> list[tuple[str, str]]:
    if receipt.completed_at is None:
        return []
    unknown = _("not known") if receipt.lost else ""
    return [
        (_("Last token"), _after(receipt.to_last_token) or unknown or _("none after the decision")),
        (_("Last start"), _start(receipt) or unknown or _("no work had started")),
        (_("Last end written"), _after(receipt.to_last_end) or _("nothing was running")),
    ]


def _after(span: timedelta | None) -> str:
    if span is None:
        return ""
    return _("%(seconds).2f seconds after the decision") % {"seconds": span.total_seconds()}


def _start(receipt: Receipt) -> str:
    if receipt.last_start_at is None:
        return ""
    seconds = (receipt.last_start_at - receipt.decided_at).total_seconds()
    words = _("%(seconds).2f seconds after the decision") if seconds > 0 else _("%(seconds).2f seconds before it")
    return words % {"seconds": abs(seconds)}


def _work(receipt: Receipt) -> list[str]:
    running, queued, lost = receipt.running_ended, receipt.queued_refused, receipt.lost
    lines = [
        ngettext("%(n)d running job ended.", "%(n)d running jobs ended.", running) % {"n": running},
        ngettext("%(n)d waiting job never started.", "%(n)d waiting jobs never started.", queued) % {"n": queued},
    ]
    if lost:
        words = ngettext(
            "The connection to the worker broke while %(n)d job was open: it ended and cost nothing, and whether it "
            "had started is not known. A worker without its connection stops by itself.",
            "The connection to the worker broke while %(n)d jobs were open: they ended and cost nothing, and whether "
            "they had started is not known. A worker without its connection stops by itself.",
            lost,
        )
        lines.append(words % {"n": lost})
    return lines


def _lines(receipt: Receipt) -> list[str]:
    counts = receipt.lines
    words = [_("Every permit given before is dead: it names an epoch older than %(n)d.") % {"n": receipt.epoch}]
    if "api_tokens" in counts:
        text = ngettext(
            "%(n)d API token of the holder stays valid, for it belongs to the account; a request with it asks for "
            "this grant anew and is refused.",
            "%(n)d API tokens of the holder stay valid, for they belong to the account; a request with one asks for "
            "this grant anew and is refused.",
            counts["api_tokens"],
        )
        words.append(text % {"n": counts["api_tokens"]})
    if "permalinks" in counts:
        text = ngettext(
            "%(n)d generation can still be read by the holder and cannot be run again under this grant.",
            "%(n)d generations can still be read by the holder and cannot be run again under this grant.",
            counts["permalinks"],
        )
        words.append(text % {"n": counts["permalinks"]})
    return words
