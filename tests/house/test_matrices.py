"""What is published about who may do what is what the services ask."""

from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings

from release_portal.ops.matrices import LIFECYCLES, matrices

ROOT = Path(settings.BASE_DIR)


def test_the_published_matrix_is_what_the_tables_say() -> None:
    published = (ROOT / "docs" / "matrices.md").read_text(encoding="utf-8")
    assert published == matrices(), "run `manage.py print_matrices`"


def test_every_lifecycle_is_published() -> None:
    """Each table in the source names its kind; none is left out."""
    found = {
        kind
        for path in (ROOT / "release_portal").rglob("*.py")
        for kind in re.findall(r"= Lifecycle\(\s*\"(\w+)\"", path.read_text(encoding="utf-8"))
    }
    assert found == {lifecycle.kind for lifecycle in LIFECYCLES}
