"""T19: who asks about what may not be known gets one answer, with as many queries and mails, whatever the truth is."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext

from release_portal.releases.models import Standing
from tests.world import World

pytestmark = pytest.mark.django_db


def told(client: Any, method: str, path: str, data: dict[str, str] | None = None) -> tuple[int, str, int, int]:
    """Status, words, number of queries and number of mails of an answer."""
    mails = len(mail.outbox)
    with CaptureQueriesContext(connection) as queries:
        answer = getattr(client, method)(path, data or {}, follow=True)
    text = re.sub(r"<(script|head).*?</\1>", "", answer.content.decode(), flags=re.DOTALL)
    words = re.sub(r"<[^>]+>|[\w.+-]+@[\w.-]+|req-[0-9a-f]+", " ", text)
    return answer.status_code, " ".join(words.split()), len(queries), len(mail.outbox) - mails


@pytest.mark.parametrize("name", ["finn", "anonymous"])
@pytest.mark.parametrize("rest", ["", "playground/", "card/", "apply/"])
def test_T19_a_hidden_size_answers_as_one_that_does_not_exist(
    world: World, client_of: Callable[[str], Any], name: str, rest: str
) -> None:
    Standing.objects.filter(size=world.size).update(stage="registered")
    client = client_of(name)
    unknown = world.size.slug.replace("135", "999")
    client.get("/")  # what a first request does once
    hidden = told(client, "get", f"/sizes/{world.size.slug}/{rest}")
    missing = told(client, "get", f"/sizes/{unknown}/{rest}")
    assert hidden == missing
    assert hidden[3] == 0


def test_T19_a_lost_password_is_answered_alike_for_known_and_unknown_addresses(
    world: World, client_of: Callable[[str], Any]
) -> None:
    client, path = client_of("anonymous"), "/accounts/password/reset/"
    client.get(path)
    known = told(client, "post", path, {"email": world.people["cleo"].email})
    unknown = told(client, "post", path, {"email": "nobody@example.org"})
    assert known[:2] == unknown[:2]
    assert known[3] == unknown[3] == 1, "one mail each: with a link, or saying that there is no account"
