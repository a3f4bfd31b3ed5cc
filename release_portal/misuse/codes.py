"""The tracking code of a report: 128 random bits, written for people, stored as a digest (pure)."""

from __future__ import annotations

import hashlib

# Crockford's alphabet: no I, L, O or U, so that nothing is misread.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 26  # 26 characters of five bits hold 128 bits
GROUP = 4
MISREAD = str.maketrans("ILO", "110")


def write_code(bits: int) -> str:
    """Return 128 bits as a code in groups, like 0ABC-DEFG-...; raises ValueError for more bits."""
    if not 0 <= bits < 2**128:
        raise ValueError("a code holds 128 bits")
    digits = [ALPHABET[(bits >> (5 * place)) & 31] for place in reversed(range(LENGTH))]
    text = "".join(digits)
    return "-".join(text[start : start + GROUP] for start in range(0, LENGTH, GROUP))


def code_digest(written: str) -> str:
    """Return the digest of a code however people wrote it: small letters, spaces, an O for a zero."""
    letters = "".join(one for one in written[:200].upper().translate(MISREAD) if one in ALPHABET)
    return hashlib.sha256(letters.encode()).hexdigest()
