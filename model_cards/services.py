"""Publish card versions."""

from __future__ import annotations

import hashlib
from datetime import datetime

from django.db import transaction

from model_cards.models import CardVersion
from model_cards.parse import MOST_CHARACTERS
from model_cards.rules import may_edit_card
from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput, StaleVersion, error_of
from release_portal.registry.models import ModelSize

LONGEST_SUMMARY = 200


@transaction.atomic
def publish_card(
    actor: Actor, size: ModelSize, text: str, *, summary: str, expected_number: int, at: datetime
) -> CardVersion:
    """Store a card's text as its next version; the same text again changes nothing.

    What lint says of the text does not matter here: `lookups.check_card` tells, and an advance asks.

    Args:
        summary: what changed, for the list of versions and the public timeline.
        expected_number: the version on which the text is based; 0 for the first.

    Raises:
        NotAllowed: the rule says no.
        InvalidInput: no text, or more than a card may have; no summary, or a long one.
        StaleVersion: somebody published a version meanwhile.
    """
    decision = may_edit_card(actor)
    if not decision:
        raise error_of(decision)
    text, summary = checked_text(text), _checked_summary(summary)
    ModelSize.objects.select_for_update().get(pk=size.pk)  # one writer at a time
    latest = CardVersion.objects.filter(size=size).first()
    if (latest.number if latest else 0) != expected_number:
        raise StaleVersion(
            "The card was edited meanwhile.", change="Compare your text, which is kept here, with the newer version."
        )
    digest = hashlib.sha256(text.encode()).hexdigest()
    if latest and latest.digest == digest:
        return latest
    card = CardVersion.objects.create(
        size=size,
        number=expected_number + 1,
        text=text,
        digest=digest,
        summary=summary,
        author_name=actor.name,
        created_at=at,
    )
    record(
        "card.published",
        actor=actor,
        subject=f"size:{size.slug}",
        at=at,
        reason=summary,
        data={"number": card.number, "digest": digest},
    )
    return card


def checked_text(text: str) -> str:
    """Return a card's text with plain line ends and one at its end.

    Raises:
        InvalidInput: it is empty, too long, or holds a character that no text has.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    if not text.strip():
        raise InvalidInput("A card cannot be empty.", field="card", change="Write it, or go back without saving.")
    if len(text) >= MOST_CHARACTERS:
        reason = f"The card has {len(text):,} characters, at most {MOST_CHARACTERS:,} are kept."
        raise InvalidInput(reason, field="card", change="Move long tables and samples into an artefact of their own.")
    if "\x00" in text:
        raise InvalidInput("The text holds a NUL character.", field="card", change="Remove it.")
    return text + "\n"


def _checked_summary(summary: str) -> str:
    summary = " ".join(summary.replace("\x00", "").split())
    if not summary:
        raise InvalidInput(
            "Say in a few words what changed.", field="summary", change="The public timeline shows the sentence."
        )
    if len(summary) > LONGEST_SUMMARY:
        raise InvalidInput(f"At most {LONGEST_SUMMARY} characters.", field="summary", change="Write it shorter.")
    return summary
