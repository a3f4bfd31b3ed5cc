"""Runs contenders in turn, each in a process of its own, and reads their figures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.serving.contender import Contender
from benchmarks.serving.outcome import Outcome
from benchmarks.serving.workload import Ask

CHECKOUT = Path(__file__).resolve().parents[2]
OURS = ("engine-fp32", "engine-bf16", "generate-fp32", "generate-lookup-fp32", "batching-fp32", "batching-bf16")
PEERS = ("ctranslate2-fp32", "ctranslate2-int8", "llamacpp-q8")


class Rival:
    """A running contender.

    Args:
        name: as in `child.CONTENDERS`.
        python: the Python of its environment.
        folder: the model.
    """

    def __init__(self, name: str, python: str, folder: Path, log: Path) -> None:
        self.name = name
        self._log = log
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.serving.child", name, str(folder)],
            cwd=CHECKOUT,
            env={**os.environ, "OMP_NUM_THREADS": "2", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log.open("w"),
            text=True,
        )
        self.load_seconds = float(json.loads(self._answer())["loaded"])

    def run(self, asks: Sequence[Ask]) -> Outcome:
        """One round."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([ask.as_json() for ask in asks]) + "\n")
        self._process.stdin.flush()
        return Outcome.from_json(json.loads(self._answer()))

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        if not (line := self._process.stdout.readline()):
            raise RuntimeError(f"{self.name} ended:\n{self._log.read_text()[-2000:]}")
        return line


@contextmanager
def started(names: Sequence[str], folder: Path, peers: str | None, logs: Path) -> Iterator[dict[str, Rival]]:
    """Start contenders one after another; those of another environment need its Python."""
    with ExitStack() as stack:
        rivals = {}
        for name in names:
            python = peers if name in PEERS else sys.executable
            assert python is not None
            rivals[name] = Rival(name, python, folder, logs / f"{name}.log")
            stack.callback(rivals[name].stop)
        yield rivals


def interleaved(contenders: Mapping[str, Contender], asks: Sequence[Ask], rounds: int) -> dict[str, list[Outcome]]:
    """Run every contender once in each round, after one small round that nobody counts."""
    for contender in contenders.values():
        contender.run([Ask(one.prompt, one.ids, 2) for one in asks[:2]])
    outcomes: dict[str, list[Outcome]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name, contender in contenders.items():
            outcomes[name].append(one := contender.run(asks))
            print(f"    round {number + 1}, {name:<18} {one.rate:8.1f} tokens/s", flush=True)
    return outcomes
