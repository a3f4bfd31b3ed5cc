"""Files of the site's own are served the same way by both kinds of server, and everything else is passed on."""

from __future__ import annotations

import asyncio

import pytest
from django.test import AsyncClient, Client

pytestmark = pytest.mark.django_db
FILE, NO_FILE, PAGE = "/static/portal/portal.css", "/static/portal/nothing.css", "/healthz"


@pytest.mark.parametrize(("path", "status"), [(FILE, 200), (NO_FILE, 404), (PAGE, 200)])
def test_both_servers_answer_alike(client: Client, path: str, status: int) -> None:
    async def ask() -> tuple[int, str]:
        answer = await AsyncClient().get(path)
        answer.close()
        return answer.status_code, answer["Content-Type"]

    answer = client.get(path)
    answer.close()
    assert answer.status_code == status
    assert asyncio.run(ask()) == (status, answer["Content-Type"])
