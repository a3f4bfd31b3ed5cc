"""JSON on one line, whoever reads it."""

from __future__ import annotations

import json
from typing import Any

# Ends of a line by Unicode that JSON leaves as they are; many clients split there too.
_LINE_ENDS = {ord(sign): f"\\u{ord(sign):04x}" for sign in "\u0085\u2028\u2029"}


def one_line(data: Any) -> str:
    """Return JSON without any end of a line in it, by whichever rule its reader splits; other letters stay readable.

    Such signs can only stand inside of texts, where JSON takes them escaped as well (RFC 8259, section 7).
    """
    return json.dumps(data, ensure_ascii=False).translate(_LINE_ENDS)
