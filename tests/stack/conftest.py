"""One running portal for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest

from release_portal.ops.redis_server import free_port
from tests.stack.portal import Portal

MODEL = "huggingfacetb/smollm2-135m-instruct"


@pytest.fixture(scope="session")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    running = Portal(tmp_path_factory.mktemp("portal"), free_port())
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def cleo_token(portal: Portal) -> str:
    return portal.token("cleo")


@pytest.fixture
def cleo(portal: Portal, cleo_token: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{portal.url}/v1", api_key=cleo_token, max_retries=0, timeout=120) as client:
        yield client
