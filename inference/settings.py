"""The worker's settings, read from the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from inference.contract import Keys
from inference.engine.scheduler import DRAFT_TOKENS

DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class WorkerSettings:
    """What a worker is told when it starts."""

    redis_url: str
    store: Path
    keys: Keys
    watermark_keys: Keys | None = None  # None: no text is marked
    device: str = "auto"
    dtype: str = "float32"
    max_slots: int = 64
    max_context: int = 2048
    prefill_tokens: int = 256
    draft_tokens: int = DRAFT_TOKENS  # drafted in a step, of all sequences together; 0: none
    max_waiting: int = 256
    max_waiting_of_share: int = 128
    cache_tokens: int = 0  # 0: what fits in a quarter of the memory
    memory_bytes: int = 0  # 0: half of the machine's
    drain_seconds: float = 10.0
    preload: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()  # weights digests to serve; empty: all

    @classmethod
    def read(cls, env: Mapping[str, str]) -> WorkerSettings:
        """Read the environment; raises ValueError that names the variable which is missing or wrong."""
        return cls(
            redis_url=_required(env, "REDIS_URL"),
            store=Path(_required(env, "INFERENCE_STORE")),
            keys=_keys("INFERENCE_PERMIT_KEYS", _required(env, "INFERENCE_PERMIT_KEYS")),
            watermark_keys=read_watermark_keys(env),
            device=env.get("INFERENCE_DEVICE", "auto"),
            dtype=_one_of(env, "INFERENCE_DTYPE", ("float32", "bfloat16")),
            max_slots=_count(env, "INFERENCE_MAX_SLOTS", 64),
            max_context=_count(env, "INFERENCE_CONTEXT", 2048),
            prefill_tokens=_count(env, "INFERENCE_PREFILL_TOKENS", 256),
            draft_tokens=_count(env, "INFERENCE_DRAFT_TOKENS", DRAFT_TOKENS, least=0),
            max_waiting=_count(env, "INFERENCE_MAX_WAITING", 256),
            max_waiting_of_share=_count(env, "INFERENCE_MAX_WAITING_OF_SHARE", 128),
            cache_tokens=_count(env, "INFERENCE_CACHE_TOKENS", 0, least=0),
            memory_bytes=_count(env, "INFERENCE_MEMORY_BYTES", _half_of_memory()),
            drain_seconds=float(_count(env, "INFERENCE_DRAIN_SECONDS", 10)),
            preload=_list(env, "INFERENCE_PRELOAD"),
            sizes=_sizes(env, "INFERENCE_SIZES"),
        )

    @property
    def takes(self) -> int:
        """Requests to hold at most: what runs, and what the scheduler shall choose from."""
        return self.max_slots + self.max_waiting

    @property
    def broker_url(self) -> str:
        """Celery's spelling of the same Redis: a socket is `unix://` to redis-py, `redis+socket://` to Celery."""
        prefix = "unix://"
        return (
            f"redis+socket://{self.redis_url.removeprefix(prefix)}"
            if self.redis_url.startswith(prefix)
            else (self.redis_url)
        )


def read_watermark_keys(env: Mapping[str, str]) -> Keys | None:
    """Read the keys of the watermark, None where there are none; raises ValueError that names the variable."""
    text = env.get("INFERENCE_WATERMARK_KEYS", "")
    return _keys("INFERENCE_WATERMARK_KEYS", text) if text else None


def _required(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "")
    if not value:
        raise ValueError(f"{name} is not set")
    return value


def _keys(name: str, text: str) -> Keys:
    try:
        return Keys.parse(text)
    except ValueError as error:
        # Without the text: it holds the secrets.
        raise ValueError(f"{name} is not a list of version:base64 with at least 32 bytes each") from error


def _count(env: Mapping[str, str], name: str, default: int, least: int = 1) -> int:
    value = env.get(name, "") or str(default)
    if not value.isdecimal() or int(value) < least:
        raise ValueError(f"{name} must be a whole number of at least {least}")
    return int(value)


def _list(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in env.get(name, "").split(",") if part.strip())


def _sizes(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    sizes = _list(env, name)
    if sizes in ((), ("all",)):
        return ()
    if not all(DIGEST.fullmatch(digest) for digest in sizes):
        raise ValueError(f"{name} must be all, or weights digests separated by commas")
    return sizes


def _one_of(env: Mapping[str, str], name: str, values: tuple[str, ...]) -> str:
    value = env.get(name, "") or values[0]
    if value not in values:
        raise ValueError(f"{name} must be one of {', '.join(values)}")
    return value


def _half_of_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
