"""A quota that is used up: the page keeps the text and names the time of return, in words and in the header."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from release_portal.access.models import UsageDay
from tests.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world", "service")]


def test_the_page_says_when_the_quota_returns(world: World, client_of: Callable[[str], Client]) -> None:
    from release_portal.core.clock import now

    grant, at = world.grants["cleo"], now()
    UsageDay.objects.create(holder=f"grant:{grant.pk}", day=at.date(), used=grant.tokens_per_day - 10)
    values = {"prompt": "Hello there", "temperature": "1", "top_k": "0", "top_p": "1", "max_tokens": "64"}
    form = {**values, "samples": "1", "seed": "", "stop": "", "submit_key": "k-1"}
    address = f"/sizes/{world.size.slug}/playground/"
    answer = client_of("cleo").post(address, form)
    text = answer.content.decode()
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 0
    assert "left today" in text
    assert "It is worth trying again from" in text
    assert "00:00 UTC" in text
    assert "Hello there" in text


def test_within_the_quota_the_same_form_is_taken(world: World, client_of: Callable[[str], Client]) -> None:
    values = {"prompt": "Hello there", "temperature": "1", "top_k": "0", "top_p": "1", "max_tokens": "8"}
    form = {**values, "samples": "1", "seed": "", "stop": "", "submit_key": "k-2"}
    answer = client_of("cleo").post(f"/sizes/{world.size.slug}/playground/", form)
    assert answer.status_code == 303, answer.content.decode()[:500]
    assert "Retry-After" not in answer
