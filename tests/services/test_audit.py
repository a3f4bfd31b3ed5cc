"""The record: written with the act, chained, and proved to the first bad row (T36)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from release_portal.audit.chain import FIELDS, GENESIS, link_hash
from release_portal.audit.models import AuditEvent, AuditHead
from release_portal.audit.services import record, verify_chain
from release_portal.core.actors import ANONYMOUS, system_actor
from release_portal.core.errors import PortalError
from release_portal.releases.models import Standing
from release_portal.releases.narrowings import roll_back
from tests.world import World

SYSTEM = system_actor("test")


def write(number: int, at: datetime) -> list[AuditEvent]:
    return [
        record("size.registered", actor=SYSTEM, subject=f"size:x/{one}", at=at, reason=f"é {one}", data={"n": one})
        for one in range(number)
    ]


def test_each_event_names_the_hash_of_the_one_before(world: World, at: datetime) -> None:
    before = AuditHead.objects.get(pk=1)
    events = write(3, at)
    assert [event.seq for event in events] == [before.seq + 1, before.seq + 2, before.seq + 3]
    assert [event.prev_hash for event in events] == [before.hash, events[0].hash, events[1].hash]
    assert AuditHead.objects.get(pk=1).hash == events[2].hash
    assert AuditEvent.objects.get(seq=1).prev_hash == GENESIS


def test_the_whole_demo_verifies(world: World) -> None:
    result = verify_chain()
    assert result.is_intact
    assert result.checked == AuditEvent.objects.count() > 30


def test_an_act_without_a_declared_kind_or_with_inexact_data_is_not_written(world: World, at: datetime) -> None:
    before = AuditEvent.objects.count()
    with pytest.raises(KeyError):
        record("size.painted", actor=SYSTEM, subject="size:x", at=at)
    with pytest.raises(TypeError, match=r"data\.ratio"):
        record("size.registered", actor=SYSTEM, subject="size:x", at=at, data={"ratio": 0.5})
    assert AuditEvent.objects.count() == before


@pytest.mark.django_db(transaction=True)
def test_an_act_and_its_record_are_one_transaction(world: World, at: datetime) -> None:
    """Seen to fail with the check of `in_atomic_block` removed."""
    with pytest.raises(RuntimeError, match="transaction"):
        record("size.registered", actor=SYSTEM, subject="size:x", at=at)

    before = AuditEvent.objects.count()
    with transaction.atomic():
        record("size.registered", actor=SYSTEM, subject="size:x", at=at)
        transaction.set_rollback(True)
    assert AuditEvent.objects.count() == before
    assert verify_chain().is_intact


def test_what_is_public_and_what_had_happened(world: World, at: datetime) -> None:
    write(1, at)
    record("account.created", actor=ANONYMOUS, subject="size:x/0", at=at + timedelta(days=1))
    about = AuditEvent.objects.about("size:x/0")
    assert [event.kind for event in about.public()] == ["size.registered"]
    assert about.until(at).count() == 1
    assert about.until(at + timedelta(days=1)).count() == 2


# --- T36 ------------------------------------------------------------------------------------------------------------

OTHER: dict[str, Any] = {
    "kind": "token.revoked", "actor_kind": "user", "actor_id": "99", "actor_name": "somebody else",
    "subject": "size:other", "reason": "another reason", "data": {"n": 99}, "prev_hash": "1" * 64, "hash": "2" * 64,
}  # fmt: skip


def test_T36_a_change_of_any_column_of_any_row_names_that_row(world: World, at: datetime) -> None:
    """Walks every row of the demo and every column. Seen to fail with a name taken out of chain.FIELDS."""
    columns = {field.name for field in AuditEvent._meta.concrete_fields}
    assert columns == set(FIELDS) | {"hash"}
    others = {**OTHER, "at": at + timedelta(microseconds=1)}
    assert set(others) == columns - {"seq"}  # another seq is a missing row: next test
    first, last = 1, AuditHead.objects.get(pk=1).seq
    for seq in {first, 2, 7, last // 2, last - 1, last}:
        for column, value in others.items():
            with transaction.atomic():
                AuditEvent.objects.filter(seq=seq).update(**{column: value})
                result = verify_chain()
                transaction.set_rollback(True)
            # The hash of a row is also what the next row names, but the row itself is the first that is bad.
            assert (result.bad_seq, result.is_intact) == (seq, False), column
            assert result.checked == seq - 1
    assert verify_chain().is_intact


@pytest.mark.parametrize("written", ["yesterday", "{:%Y-%m-%d %H:%M:%S.%f}+09:00"])
def test_T36_a_time_written_past_django_is_read_as_the_time_that_it_is(
    world: World, at: datetime, written: str
) -> None:
    """Seen to fail with the zone of the stored text left out; words that are no time do not stop the walk."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE audit_event SET at = %s WHERE seq = 5", [written.format(AuditEvent.objects.get(seq=5).at)]
        )
    result = verify_chain()
    assert (result.bad_seq, result.problem) == (5, "its content does not match its hash")


def test_T36_each_single_row_of_the_demo_is_guarded(world: World) -> None:
    for seq in range(1, AuditHead.objects.get(pk=1).seq + 1, 3):
        with transaction.atomic():
            AuditEvent.objects.filter(seq=seq).update(reason="rewritten")
            result = verify_chain()
            transaction.set_rollback(True)
        assert result.bad_seq == seq


def test_T36_a_row_rewritten_together_with_its_hash_is_found_at_the_next(world: World) -> None:
    """Who recomputes a hash breaks the link after it. Seen to fail with the comparison of `prev_hash` removed."""
    last = AuditHead.objects.get(pk=1).seq
    for seq in (1, last // 2, last):
        with transaction.atomic():
            event = AuditEvent.objects.get(seq=seq)
            event.reason = "rewritten"
            event.hash = link_hash({name: getattr(event, name) for name in FIELDS})
            event.save()
            result = verify_chain()
            transaction.set_rollback(True)
        assert result.bad_seq == seq + 1


def test_T36_a_row_that_is_gone_is_named(world: World) -> None:
    last = AuditHead.objects.get(pk=1).seq
    for seq in (1, 2, last // 2, last - 1, last):
        with transaction.atomic():
            AuditEvent.objects.filter(seq=seq).delete()
            result = verify_chain()
            transaction.set_rollback(True)
        assert result.bad_seq == seq, "the last one is missed by a chain without a head"


def test_T36_two_rows_that_changed_places_are_found(world: World) -> None:
    with connection.cursor() as cursor:
        for old, new in ((5, 10**6), (6, 5), (10**6, 6)):
            cursor.execute("UPDATE audit_event SET seq = %s WHERE seq = %s", [new, old])
    assert verify_chain().bad_seq == 5


def test_T36_a_row_added_by_hand_is_found(world: World, at: datetime) -> None:
    last = AuditEvent.objects.order_by("seq").last()
    assert last is not None
    last.seq += 1
    last.save(force_insert=True)
    assert verify_chain().bad_seq == last.seq


def test_T36_a_head_that_was_turned_back_or_lost_is_found(world: World) -> None:
    last = AuditHead.objects.get(pk=1).seq
    with transaction.atomic():
        AuditHead.objects.update(seq=last - 1)
        assert verify_chain().bad_seq == last + 1
        transaction.set_rollback(True)
    AuditHead.objects.all().delete()
    assert not verify_chain().is_intact


def test_T36_the_command_proves_the_chain_or_names_the_row_and_fails(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    count = AuditEvent.objects.count()
    call_command("audit_verify")
    assert capsys.readouterr().out == f"The chain is intact: {count} events, from the first to the head.\n"
    AuditEvent.objects.filter(seq=4).update(actor_name="nobody")
    with pytest.raises(CommandError, match=r"audit_event row 4 is bad: .*\(3 before hold\)") as caught:
        call_command("audit_verify")
    assert caught.value.returncode == 1


def test_a_refused_act_leaves_no_event(world: World, at: datetime) -> None:
    before = AuditEvent.objects.count()
    version = Standing.objects.get(size=world.size).version
    for name, target in (("finn", "partner"), ("ben", "public_hosted")):
        with pytest.raises(PortalError):
            roll_back(world.actor(name), world.size, target, reason="x", expected_version=version, at=at)
    assert AuditEvent.objects.count() == before
