"""What this room holds about a person."""

from __future__ import annotations

from datetime import datetime

from release_portal.accounts.models import User
from release_portal.accounts.own_data import Holding, register
from release_portal.jobs.states import OPEN


def declare() -> None:
    """Declare jobs, with prompts and outputs."""
    register(
        Holding(
            "jobs",
            "Generations and scores",
            "Prompts and outputs are encrypted and yours alone to read. Of whom your client asked for there is a mark, "
            "which tells only whether two requests were for the same.",
            lambda user: user.jobs.select_related("size"),
            (
                "id", "size_id", "function", "purpose", "interface", "end_user", "state", "finish_reason", "stage",
                "policy_version", "card_version", "weights_digest", "sampling", "prompt", "output",
                "prompt_tokens", "completion_tokens", "charged_tokens",
                "created_at", "started_at", "last_token_at", "ended_at",
            ),
            kept="Prompts, outputs and those marks go. When which size generated how much under which grant stays: "
            "quotas and the record rest on it.",
            erase=erase_texts,
        )
    )  # fmt: skip


def erase_texts(user: User, at: datetime) -> int:
    """Forget prompts, outputs and for whom they were; a job that still runs is asked for again a day later."""
    ended = user.jobs.exclude(state__in=OPEN).exclude(sealed_prompt=b"")
    return ended.update(sealed_prompt=b"", sealed_output=None, end_user="")
