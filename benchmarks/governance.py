"""Measure release governance at the size of a large lab, in a database of its own: `make bench`, `make bench QUICK=1`.

Nothing of the portal's own data is read or written: the database is made for this run and dropped after it, under a
temporary folder or, where DATABASE_URL names a server, beside the database that it names.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = "governance_benchmark"
# What a shell may hold and what would change the measurement, or point at a portal in use.
TAKEN_AWAY = ("PORTAL_ENV", "DEBUG", "SECRET_KEY", "REDIS_URL", "STORE_ROOT")


@contextmanager
def own_database() -> Iterator[None]:
    """Start Django with an empty database that lasts as long as the block."""
    with tempfile.TemporaryDirectory(prefix="portal-benchmark-") as folder:
        for name in TAKEN_AWAY:
            os.environ.pop(name, None)
        os.environ.update(DJANGO_SETTINGS_MODULE="release_portal.settings", PORTAL_HOME=folder, LOG_LEVEL="WARNING")
        import django
        from django.db import connection

        django.setup()
        is_file = connection.vendor == "sqlite"
        connection.settings_dict["TEST"]["NAME"] = str(Path(folder) / f"{NAME}.sqlite3") if is_file else NAME
        before = connection.settings_dict["NAME"]
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        try:
            yield
        finally:
            connection.creation.destroy_test_db(before, verbosity=0)


def main() -> None:
    """Fill the database, measure, print."""
    with own_database():
        from benchmarks import measurements  # models can be imported from here on

        measurements.measure(measurements.QUICK if os.environ.get("QUICK") else measurements.FULL)


if __name__ == "__main__":
    main()
