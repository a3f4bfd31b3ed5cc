"""What this room holds about a person."""

from release_portal.accounts.own_data import Holding, register


def declare() -> None:
    """Declare jobs, with prompts and outputs."""
    register(
        Holding(
            "jobs",
            "Generations and scores",
            "Prompts and outputs are encrypted and yours alone to read.",
            lambda user: user.jobs.select_related("size"),
            (
                "id", "size_id", "function", "interface", "state", "finish_reason", "stage", "policy_version",
                "card_version", "weights_digest", "sampling", "prompt", "output", "prompt_tokens", "completion_tokens",
                "charged_tokens",
                "created_at", "started_at", "last_token_at", "ended_at",
            ),
        )
    )  # fmt: skip
