"""The release policies as the public reads them: in force for whom, gate by gate, file and difference."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest
from django.test import Client

from release_portal.registry.models import ModelFamily, ModelSize
from release_portal.releases.models import PolicyVersion, Standing
from release_portal.releases.policy_files import packaged, packaged_text
from release_portal.releases.policy_services import adopt_policy, policy_diff
from tests.world import World

pytestmark = pytest.mark.django_db
ClientOf = Callable[[str], Client]


def read(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return answer.content.decode()


def digest_of(name: str) -> str:
    return PolicyVersion.objects.get(name=name).digest


def test_the_list_says_which_policy_is_in_force_for_whom(world: World, client_of: ClientOf, at: datetime) -> None:
    page = read(client_of("anonymous"), "/policies/")
    assert page.count("every family without one of its own") == 1
    assert "not in force" in page
    family = ModelFamily.objects.get(name="GPT-2")
    adopt_policy(world.actor("ada"), digest_of("demo-fast"), family=family, reason="A rehearsal.", at=at)
    page = read(client_of("anonymous"), "/policies/")
    assert "A rehearsal." in page
    assert "not in force" not in page


def test_a_policy_of_a_family_that_nobody_may_know_of_is_not_told(
    world: World, client_of: ClientOf, at: datetime
) -> None:
    secret = ModelFamily.objects.create(slug="secret", name="Secret family", lab="Lab", ordinal=98)
    size = ModelSize.objects.create(family=secret, slug="lab/secret", name="Secret", ordinal=0, parameters=1)
    Standing.objects.create(size=size, stage="registered", granted="registered", since=at)
    adopt_policy(world.actor("ada"), digest_of("demo-fast"), family=secret, reason="Quietly.", at=at)
    for address in ("/policies/", f"/policies/{digest_of('demo-fast')}/"):
        assert "Secret family" not in read(client_of("anonymous"), address)
        assert "Secret family" in read(client_of("jo"), address)


def test_a_policy_states_every_criterion_of_every_gate(world: World, client_of: ClientOf) -> None:
    page = read(client_of("anonymous"), f"/policies/{digest_of('preset')}/")
    for gate in packaged("preset").gates:
        assert f'id="{gate.source}-{gate.target}"' in page
        for criterion in gate.criteria:
            assert page.count(f"<code>{criterion.id}</code>") >= 1
    assert "two thirds of those with the role board" in page
    assert "cannot be waived" in page
    assert "computed by the portal" in page


def test_the_file_is_downloaded_byte_for_byte(world: World, client_of: ClientOf) -> None:
    answer = client_of("anonymous").get(f"/policies/{digest_of('preset')}/", {"format": "yaml"})
    assert answer["Content-Type"].startswith("text/yaml")
    assert answer["Content-Disposition"] == 'attachment; filename="preset-1.yaml"'
    assert answer.content.decode() == packaged_text("preset")


def test_the_difference_is_told_in_words(world: World, client_of: ClientOf) -> None:
    address = f"/policies/{digest_of('preset')}/{digest_of('demo-fast')}/"
    page = read(client_of("anonymous"), address)
    changes = policy_diff(packaged("preset"), packaged("demo-fast"))
    assert changes
    assert page.count("<li>") >= len(changes)
    same = read(client_of("anonymous"), f"/policies/{digest_of('preset')}/{digest_of('preset')}/")
    assert "Both ask for the same." in same


@pytest.mark.parametrize("address", ["/policies/nothing/", "/policies/nothing/preset/", "/policies/preset/nothing/"])
def test_a_policy_that_nobody_stored_is_not_found(world: World, client_of: ClientOf, address: str) -> None:
    assert client_of("anonymous").get(address).status_code == 404
