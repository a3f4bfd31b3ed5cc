"""What the catalogue and the stored versions say about a size's card; who may read one is for `access.lookups`."""

from __future__ import annotations

from datetime import datetime

from model_cards.lint import CardFacts, Finding, lint, missing_sections
from model_cards.models import CardVersion
from release_portal.core.errors import NotFound
from release_portal.registry.models import ModelSize, SizeAlias


def latest_card(size: ModelSize) -> CardVersion | None:
    """Return the newest version, or None when nobody has published one."""
    return CardVersion.objects.filter(size=size).first()


def card_version(size: ModelSize, number: str) -> CardVersion:
    """Return a version by its number as it stands in an address; an empty one is the newest."""
    versions = CardVersion.objects.filter(size=size)
    found = versions.filter(number=int(number[:9])).first() if number.isdecimal() else None
    if found is None and not number:
        found = versions.first()
    if found is None:
        raise NotFound("This card has no such version.", change="Choose one from the list on the card's page.")
    return found


def check_card(size: ModelSize, text: str, stage: str, *, age_days: int | None = None) -> list[Finding]:
    """Return what is wrong with a text as the card of a size at a stage."""
    return lint(text, stage, _facts_of(size, age_days))


def check_version(card: CardVersion, stage: str, *, at: datetime) -> list[Finding]:
    """Return what is wrong with a published version at a stage, its age included."""
    return check_card(card.size, card.text, stage, age_days=(at - card.created_at).days)


def missing_for(size: ModelSize, stage: str) -> tuple[str, ...]:
    """Return the headings that a stage requires and the newest version lacks; all of them where there is no card."""
    card = latest_card(size)
    return missing_sections(card.text if card else "", stage)


def _facts_of(size: ModelSize, age_days: int | None) -> CardFacts:
    family = ModelSize.objects.filter(family_id=size.family_id)
    siblings = family.exclude(pk=size.pk).values_list("parameters", flat=True)
    aliases = SizeAlias.objects.filter(size__in=family).values_list("name", flat=True)
    words = [word for name in family.values_list("name", flat=True) for word in name.split()]  # "OPT 350M" counts 331M
    return CardFacts(size.parameters, tuple(siblings), (*aliases, *words), age_days)
