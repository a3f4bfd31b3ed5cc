"""C01: do the stored weights still have the digest under which they are served?"""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_DOWN, Decimal

from django.conf import settings

from release_portal.core.errors import NotNow
from release_portal.evidence.kinds import MEASURED
from release_portal.evidence.measurers import measurer
from release_portal.evidence.rules import LONGEST, EvidenceDraft
from release_portal.registry import store
from release_portal.registry.models import ModelSize, Revision

# Shares are rounded down, so that one bad file among thousands is never rounded away.
SHARE = Decimal("0.0001")


@measurer("C01")
def measure_integrity(size: ModelSize, at: datetime) -> EvidenceDraft:
    """Read every stored byte of the served revision: the share of its files that match the manifest.

    Raises:
        NotNow: the size has no weights here.
    """
    revision = size.current_revision
    if revision is None:
        reason = "No weights of this size are stored here, so there is nothing to measure."
        raise NotNow(reason, code="no_weights", rule="evidence: measure", change="Import the weights first.")
    files, wrong = _verified(revision)
    share = (Decimal(files - len(wrong)) / files).quantize(SHARE, ROUND_DOWN)
    return EvidenceDraft(
        criterion="C01",
        kind=MEASURED,
        summary=f"Stored files of {revision.commit[:12]} that match the manifest: {files - len(wrong)} of {files}.",
        measured_at=at,
        statement="\n".join(dict.fromkeys(wrong))[: LONGEST["statement"]],
        value=share,
        ci_low=share,  # read whole, so the interval has no width
        ci_high=share,
        n=files,
        unit="share of the files",
        subject_digest=revision.digest,
        harness="SHA-256 of the stored files against the manifest",
        dataset="every file of the revision",
    )


def _verified(revision: Revision) -> tuple[int, list[str]]:
    """Return how many files a revision has and what is wrong, a sentence per bad file; without a manifest all are."""
    try:
        files = len(store.list_files(settings.STORE_ROOT, revision.digest))
    except store.StoreError as error:
        files = max(1, revision.files.count())
        return files, [str(error)] * files
    return files, store.verify(settings.STORE_ROOT, revision.digest)
