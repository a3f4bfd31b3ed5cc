"""Whom a client generated for: kept as a mark that says only whether two requests were for the same."""

from __future__ import annotations

import json

from release_portal.core.keys import keys_for

MARKING = "provenance"  # the keys under which names become marks
DIGITS = 32


def end_user_mark(account_id: int, named: str) -> str:
    """Return the keyed mark of a name that a client gave; the same name of another account has another mark.

    Args:
        named: empty for none, which has no mark.
    """
    if not named:
        return ""
    keys = keys_for(MARKING)
    text = json.dumps(["end user", account_id, named])  # ASCII: a name may hold what no encoding carries
    return f"{keys.newest}:{keys.mac(keys.newest, text).hex()[:DIGITS]}"
