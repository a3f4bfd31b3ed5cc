"""Secrets of mailed links: not to be guessed, not to be read back, and drawn in one place."""

from __future__ import annotations

import ast

from release_portal.core.link_tokens import LONGEST, digest_of, new_token
from tests.house.code import ROOT, dotted, tree

MAILERS = ("appeals/links.py", "access/attestations/links.py", "access/people/invitations.py")


def test_every_token_is_another_and_long_enough_not_to_be_guessed() -> None:
    drawn = {new_token() for _ in range(100)}
    assert len(drawn) == 100
    assert all(len(token) >= 43 for token in drawn), "32 bytes"


def test_the_digest_tells_tokens_apart_and_does_not_hold_them() -> None:
    token = new_token()
    assert digest_of(token) == digest_of(token) != digest_of(new_token())
    assert token not in digest_of(token)
    assert len(digest_of("")) == 64


def test_however_much_is_sent_only_its_beginning_is_read() -> None:
    assert digest_of("a" * LONGEST) == digest_of("a" * 10_000_000)


def test_every_mailed_link_draws_its_secret_here() -> None:
    for name in MAILERS:
        calls = {
            dotted(node.func) for node in ast.walk(tree(ROOT / "release_portal" / name)) if isinstance(node, ast.Call)
        }
        assert "new_token" in calls, name
        assert not {call for call in calls if call.startswith(("secrets.", "hashlib."))}, name
