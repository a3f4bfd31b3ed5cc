"""How one event is bound to the one before it."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_portal.audit.chain import FIELDS, GENESIS, link_hash, refuse_inexact
from release_portal.audit.events import CATALOGUE, event_kind, public_kinds

EVENT: dict[str, Any] = {
    "seq": 1,
    "at": datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC),
    "kind": "stage.advanced",
    "actor_kind": "user",
    "actor_id": "7",
    "actor_name": "ada",
    "subject": "size:a/b",
    "reason": "Évidence.",
    "data": {"from": "partner", "to": "research_hosted", "version": 2},
    "prev_hash": GENESIS,
}
OTHER: dict[str, Any] = {
    "seq": 2, "at": EVENT["at"] + timedelta(microseconds=1), "kind": "stage.set", "actor_kind": "system",
    "actor_id": "8", "actor_name": "Ada", "subject": "size:a/c", "reason": "Evidence.",
    "data": {**EVENT["data"], "version": "2"}, "prev_hash": "1" * 64,
}  # fmt: skip


def test_T36_a_change_of_any_field_changes_the_hash() -> None:
    """T36. Seen to fail with one name taken out of FIELDS."""
    assert set(OTHER) == set(FIELDS) == set(EVENT)
    hashes = {link_hash({**EVENT, name: OTHER[name]}) for name in FIELDS} | {link_hash(EVENT)}
    assert len(hashes) == len(FIELDS) + 1


def test_the_hash_is_the_same_however_the_database_gives_the_event_back() -> None:
    tokyo = EVENT["at"].astimezone(timezone(timedelta(hours=9)))
    reordered = dict(reversed(EVENT["data"].items()))
    assert link_hash({**EVENT, "at": tokyo, "data": reordered, "more": 1}) == link_hash(EVENT)


def test_the_hash_of_a_known_event_never_changes() -> None:
    """Chains that were written must verify for ever: who changes this breaks every portal's record."""
    assert link_hash(EVENT) == "f8bff0195cbd3b4e197ede84228d7165df64467eb03e307d80688ae0e963e752"


@given(st.text(), st.text(), st.dictionaries(st.text(), st.text() | st.integers() | st.none()), st.integers(1))
def test_the_hash_is_over_what_json_dumps_writes(reason: str, name: str, data: dict[str, Any], seq: int) -> None:
    event = {**EVENT, "reason": reason, "actor_name": name, "data": data, "seq": seq}
    plain = {**event, "at": EVENT["at"].isoformat(timespec="microseconds")}
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    assert link_hash(event) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("value", [1.0, datetime(2026, 1, 1, tzinfo=UTC), {1, 2}, b"x", object(), timedelta(1)])
def test_what_would_not_come_back_exactly_is_refused_with_its_place(value: Any) -> None:
    with pytest.raises(TypeError, match=r"data\.a\.b\[1\]"):
        refuse_inexact({"a": {"b": [0, value]}})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(data=st.dictionaries(st.text(max_size=5), json_values))
def test_exact_data_passes(data: dict[str, Any]) -> None:
    refuse_inexact(data)
    assert len(link_hash({**EVENT, "data": data})) == 64


def test_the_catalogue_is_closed_and_speaks_in_nouns_and_participles() -> None:
    with pytest.raises(KeyError):
        event_kind("size.painted")
    for kind, event in CATALOGUE.items():
        noun, dot, act = kind.partition(".")
        assert noun.isidentifier()
        assert dot
        assert act.isidentifier()
        assert event.label
        assert len(kind) <= 60


def test_the_public_timeline_shows_moves_and_never_people() -> None:
    assert "stage.advanced" in public_kinds()
    assert not any(kind.startswith(("account.", "grant.", "token.", "role.", "jobs.")) for kind in public_kinds())
