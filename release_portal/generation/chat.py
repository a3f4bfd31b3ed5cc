"""Write a conversation as the prompt that a size was trained on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from jinja2 import Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from release_portal.core.errors import InvalidInput, NotFound
from release_portal.registry import store
from release_portal.registry.models import ModelSize


def render_chat(size: ModelSize, messages: Sequence[dict[str, str]]) -> str:
    """Return the prompt for a conversation, up to where the assistant speaks.

    Raises:
        NotFound: the size has no chat template.
        InvalidInput: the template refuses the messages, e.g. their order.
    """
    revision = size.current_revision
    template = _template(settings.STORE_ROOT, revision.digest) if revision else None
    if template is None:
        raise NotFound(f"{size.name} has no chat template.", code="unsupported_endpoint", change="Use /v1/completions.")
    try:
        return template.render(messages=list(messages), add_generation_prompt=True, bos_token="", eos_token="")
    except TemplateError as error:
        raise InvalidInput(f"The chat template refuses these messages: {error}", field="messages") from error


@lru_cache(maxsize=16)
def _template(root: Path, digest: str) -> Template | None:
    """Read the template that came with the weights; it runs in a sandbox, for it is foreign code."""
    names = {file.name for file in store.list_files(root, digest)}
    text = _text(root, digest, names)
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, autoescape=False)  # noqa: S701
    environment.globals["raise_exception"] = _refuse
    return environment.from_string(text) if text else None


def _text(root: Path, digest: str, names: set[str]) -> str | None:
    if "chat_template.jinja" in names:
        return store.path_of(root, digest, "chat_template.jinja").read_text(encoding="utf-8")
    if "tokenizer_config.json" not in names:
        return None
    config: dict[str, Any] = json.loads(
        store.path_of(root, digest, "tokenizer_config.json").read_text(encoding="utf-8")
    )
    template = config.get("chat_template")
    return template if isinstance(template, str) else None


def _refuse(message: str) -> None:
    raise TemplateError(message)
