"""The demo's catalogue, cast and grants, with a model that costs nothing instead of the real one."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path

from django.conf import settings
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from release_portal.access.models import Grant
from release_portal.accounts.actors import actor_of
from release_portal.accounts.models import User
from release_portal.core.actors import ANONYMOUS, Actor
from release_portal.ops import demo
from release_portal.ops.demo_policies import write_duty, write_policies
from release_portal.registry import store
from release_portal.registry.models import ModelSize
from release_portal.registry.services import register_revision
from release_portal.releases.ladder import stage_of
from release_portal.releases.models import StageEntry, Standing
from tests.environment import HOME

SERVED = "huggingfacetb/smollm2-135m-instruct"
PASSWORD = "a password for tests"
MISSING_CHARACTER = "\x04"  # the one byte without a token
END = "<|end|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}{% if message.role == 'tool' %}{{ raise_exception('no tools') }}{% endif %}"
    "<|{{ message.role }}|>{{ message.content }}\n{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@dataclass(frozen=True)
class World:
    """What every test may refer to by name."""

    at: datetime
    people: Mapping[str, User]
    grants: Mapping[str, Grant]
    size: ModelSize
    actors: Mapping[str, Actor] = field(default_factory=dict)

    def actor(self, name: str) -> Actor:
        """The actor of that account as the database knows it now."""
        return ANONYMOUS if name == "anonymous" else actor_of(User.objects.get(username=name))


def byte_tokenizer() -> Tokenizer:
    """One token per byte, but none for MISSING_CHARACTER."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    symbol = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(MISSING_CHARACTER)[0][0]
    vocabulary = {one: number for number, one in enumerate(one for one in alphabet if one != symbol)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(END, normalized=False)])
    return tokenizer


def model_folder(folder: Path, *, marker: str = "") -> Path:
    """Write a Hub-style folder whose weights are empty; the marker makes its digest another one."""
    folder.mkdir(parents=True, exist_ok=True)
    byte_tokenizer().save(str(folder / "tokenizer.json"))
    header = json.dumps({"__metadata__": {"marker": marker}}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": CHAT_TEMPLATE, "eos_token": END}))
    return folder


@cache
def stored_digest() -> str:
    """Digest of the fake model, put into the tests' store once."""
    return store.add_folder(settings.STORE_ROOT, model_folder(HOME / "fake-model"))


def build_world(at: datetime) -> World:
    """Write catalogue, cast, grants, cards and the fake revision, unless they are there."""
    if not ModelSize.objects.exists():
        demo.write_catalogue(demo.DEMO, at=at)
        demo.write_people(PASSWORD, at=at)
        write_policies(at=at)
        write_duty(at=at)
        demo.write_grants(at=at)
        demo.write_cards(demo.DEMO, at=at)
        register_revision(demo.DEMO, SERVED, stored_digest(), settings.STORE_ROOT, source="tests", at=at)
        User.objects.create_user("lou", "lou@example.org", PASSWORD, first_name="Lou")
    return find_world(at)


def find_world(at: datetime) -> World:
    """Refer to what the database holds."""
    people = {user.username: user for user in User.objects.all()}
    return World(
        at=at,
        people=people,
        grants={grant.holder.username: grant for grant in Grant.objects.select_related("holder")},
        size=ModelSize.objects.select_related("standing", "family").get(slug=SERVED),
        actors={name: actor_of(user) for name, user in people.items()} | {"anonymous": ANONYMOUS},
    )


def put_at_stage(size: ModelSize, stage: str, at: datetime) -> Standing:
    """Write where a size stands, as if people had granted it: no gate, no event; for tests that begin there."""
    standing = Standing.objects.get(size=size)
    standing.stage = standing.granted = stage
    standing.since, standing.version = at, standing.version + 1
    standing.save()
    StageEntry.objects.create(size=size, stage=stage, ordinal=stage_of(stage).ordinal, entered_at=at)
    return standing
