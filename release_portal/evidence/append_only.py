"""Triggers that refuse to change rows, for the tables that are only ever added to."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_SQLITE = """
CREATE TRIGGER {table}_append_only BEFORE UPDATE ON "{table}"
BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END
"""
_POSTGRES_FUNCTION = """
CREATE OR REPLACE FUNCTION refuse_update() RETURNS trigger AS $body$
BEGIN
  RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' is append-only', ERRCODE = 'integrity_constraint_violation';
END
$body$ LANGUAGE plpgsql
"""
_POSTGRES = """
CREATE TRIGGER {table}_append_only BEFORE UPDATE ON "{table}" FOR EACH ROW EXECUTE FUNCTION refuse_update()
"""


def install(editor: BaseDatabaseSchemaEditor, tables: Sequence[str]) -> None:
    """Make the database refuse UPDATE on these tables with an IntegrityError; DELETE stays possible.

    Raises:
        NotImplementedError: a database for which nobody wrote the trigger.
    """
    vendor = editor.connection.vendor
    if vendor not in ("sqlite", "postgresql"):
        raise NotImplementedError(f"append-only tables are not known for {vendor}")
    if vendor == "postgresql":
        editor.execute(_POSTGRES_FUNCTION, params=None)
    for table in tables:
        remove(editor, [table])
        editor.execute((_SQLITE if vendor == "sqlite" else _POSTGRES).format(table=table), params=None)


def remove(editor: BaseDatabaseSchemaEditor, tables: Sequence[str]) -> None:
    """Take the triggers away; where there is none nothing happens."""
    for table in tables:
        on_table = f' ON "{table}"' if editor.connection.vendor == "postgresql" else ""
        editor.execute(f"DROP TRIGGER IF EXISTS {table}_append_only{on_table}", params=None)
