"""A contender in a process of its own: loads once, then runs each workload that its parent sends, one line each.

python -m benchmarks.serving.child NAME FOLDER      (with the Python of the contender's environment)
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from benchmarks.serving.workload import Ask

# name -> module and class; modules import their own library only.
CONTENDERS = {
    "engine-fp32": ("own", "Engine"),
    "engine-bf16": ("own", "EngineBf16"),
    "generate-fp32": ("hugging", "Generate"),
    "generate-lookup-fp32": ("hugging", "GenerateLookup"),
    "batching-fp32": ("hugging", "Batching"),
    "batching-bf16": ("hugging", "BatchingBf16"),
    "ctranslate2-fp32": ("peers", "CTranslate2"),
    "ctranslate2-int8": ("peers", "CTranslate2Int8"),
    "llamacpp-q8": ("peers", "LlamaCpp"),
}


def main(name: str, folder: str) -> None:
    """Load a contender, say so, then answer each line of asks with a line of figures."""
    warnings.simplefilter("ignore")  # of peers; nothing of ours is hidden, the suite makes warnings errors
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints must not stand between the answers
    module, kind = CONTENDERS[name]
    began = time.perf_counter()
    contender = getattr(importlib.import_module(f"benchmarks.serving.{module}"), kind)(folder)
    _say(answers, {"loaded": time.perf_counter() - began})
    for line in sys.stdin:
        asks = [Ask.from_json(one) for one in json.loads(line)]
        contender.prepare(asks)
        began = time.perf_counter()
        firsts, tokens, texts = contender.run(asks)
        seconds = time.perf_counter() - began
        _say(answers, _figures(seconds, firsts, tokens, texts))


def _figures(seconds: float, firsts: list[float], tokens: int, texts: list[str]) -> dict[str, Any]:
    return {"seconds": seconds, "firsts": firsts, "tokens": tokens, "texts": texts, "megabytes": _memory()}


def _memory() -> int:
    """Most resident memory of this program, MB; what getrusage says includes the parent's from before the exec."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return next(int(line.split()[1]) // 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))


def _say(answers: Any, data: dict[str, Any]) -> None:
    answers.write(json.dumps(data) + "\n")
    answers.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
