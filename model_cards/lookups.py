"""What the catalogue and the stored versions say about a size's card; who may read one is for `access.lookups`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache

from django.db.models import F, OuterRef, Subquery

from model_cards.lint import CardFacts, Finding, lint
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


def _facts_of(size: ModelSize, age_days: int | None) -> CardFacts:
    family = ModelSize.objects.filter(family_id=size.family_id)
    siblings = family.exclude(pk=size.pk).values_list("parameters", flat=True)
    aliases = SizeAlias.objects.filter(size__in=family).values_list("name", flat=True)
    words = [word for name in family.values_list("name", flat=True) for word in name.split()]  # "OPT 350M" counts 331M
    return CardFacts(size.parameters, tuple(siblings), (*aliases, *words), age_days)


def newest_cards(sizes: Sequence[ModelSize]) -> dict[int, CardVersion]:
    """Return the newest version of each size that has one, by the size's key, in one query."""
    newest = CardVersion.objects.filter(size=OuterRef("size")).order_by("-number").values("pk")[:1]
    cards = CardVersion.objects.filter(size__in=[size.pk for size in sizes]).annotate(newest=Subquery(newest))
    return {card.size_id: card for card in cards.filter(pk=F("newest"))}


def errors_for(stages: Mapping[int, str], cards: Mapping[int, CardVersion]) -> dict[int, tuple[str, ...]]:
    """Return what is wrong with each newest card at the stage asked for, in a constant number of queries.

    Args:
        stages: slug of the stage by the size's key.
        cards: the newest version by the size's key; a size without one has one error.
    """
    facts = _facts_of_many(list(stages))
    none = ("There is no model card.",)
    return {key: _errors(cards[key].text, stage, facts[key]) if key in cards else none for key, stage in stages.items()}


@lru_cache(maxsize=2_048)
def _errors(text: str, stage: str, facts: CardFacts) -> tuple[str, ...]:
    return tuple(f"{finding.code}: {finding.reason}" for finding in lint(text, stage, facts) if finding.is_error)


def _facts_of_many(keys: Sequence[int]) -> dict[int, CardFacts]:
    families = ModelSize.objects.filter(pk__in=keys).values("family_id")
    members: dict[int, list[ModelSize]] = {}
    for size in ModelSize.objects.filter(family_id__in=families).prefetch_related("aliases"):
        members.setdefault(size.family_id, []).append(size)
    return {size.pk: facts for family in members.values() for size, facts in _facts_among(family)}


def _facts_among(family: Sequence[ModelSize]) -> Iterator[tuple[ModelSize, CardFacts]]:
    """Yield each size of a family with its facts; what all of them share is made once."""
    aliases = [alias.name for size in family for alias in size.aliases.all()]
    names = (*aliases, *(word for size in family for word in size.name.split()))
    counts = [size.parameters for size in family]
    for place, size in enumerate(family):
        yield size, CardFacts(size.parameters, (*counts[:place], *counts[place + 1 :]), names, None)
