"""The engine from a shell, on a model folder: no portal, no Redis, no permit.

python -m inference.cli generate FOLDER --prompt "Once upon a time" --max-tokens 40
python -m inference.cli score FOLDER --text "Was this written by a model?"
python -m inference.cli embed FOLDER --text "One vector" --text "for each text" --pooling mean
python -m inference.cli classify FOLDER --text "Was this written by a model?"
python -m inference.cli examine FOLDER --text "Does this bear the watermark?"
python -m inference.cli bench FOLDER --requests 16
python -m inference.cli convert SOURCE FOLDER

The keys of the watermark are taken from INFERENCE_WATERMARK_KEYS: arguments stand in the list of processes.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from inference.backends import runtime
from inference.backends.loader import FolderLoader, open_backend
from inference.backends.vocabulary import Vocabulary
from inference.contract import (
    ClassifyResult,
    EmbedResult,
    FinishReason,
    Function,
    Order,
    Permit,
    Piece,
    Pooling,
    SamplingSettings,
    StreamKind,
)
from inference.engine.admission import RejectedError
from inference.engine.backend import InvalidPromptError
from inference.engine.loop import Engine
from inference.engine.outlet import End, Entry, Verdict
from inference.engine.request import Request
from inference.engine.scheduler import Scheduler
from inference.engine.shelf import Shelf
from inference.settings import read_watermark_keys
from inference.watermark import GreenList

WORDS = ("the", "lab", "releases", "a", "model", "size", "when", "its", "evidence", "was", "reviewed")


class ShellOutlet:
    """Keeps pieces with their times; prints those of a first sample when asked to."""

    def __init__(self, *, is_echoing: bool) -> None:
        self.pieces: list[tuple[str, Piece, float]] = []  # job, piece, seconds
        self.results: dict[str, str] = {}  # job -> JSON
        self.ends: list[End] = []
        self._is_echoing = is_echoing

    def publish(self, step: int, entries: list[Entry]) -> list[Verdict]:
        """Take every entry; nothing forbids anything in a shell."""
        now = time.perf_counter()
        for entry in entries:
            self.pieces += [(entry.request.job_id, piece, now) for piece in entry.pieces]
            if entry.kind is StreamKind.RESULT:
                self.results[entry.request.job_id] = entry.body
            if self._is_echoing:
                print("".join(piece.text for piece in entry.pieces if piece.sample == 0), end="", flush=True)
        return [Verdict() for _ in entries]

    def finish(self, ends: Iterable[End]) -> None:
        """Keep the ends."""
        self.ends += ends


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    args = _parser().parse_args(arguments)
    runtime.prepare()
    try:
        return int(args.run(args))
    except RejectedError as error:
        print(f"{error.reason}: {error}", file=sys.stderr)
        return 1


def generate(args: argparse.Namespace) -> int:
    """Print a continuation while it is made."""
    outlet = ShellOutlet(is_echoing=args.samples == 1)
    settings = SamplingSettings(
        max_tokens=args.max_tokens,
        temperature=args.temperature,
        top_k=args.top_k,
        top_p=args.top_p,
        stop=tuple(args.stop),
        seed=args.seed,
        samples=args.samples,
        watermark=args.watermark,
    )
    (request,), _ = _run(args.folder, outlet, [Order(Function.GENERATE, args.prompt, settings)])
    if args.samples > 1:
        for sample in range(args.samples):
            print(f"--- {sample}\n" + "".join(piece.text for _, piece, _ in outlet.pieces if piece.sample == sample))
    print(f"\n[{request.reason}, {request.usage.completion_tokens} tokens]", file=sys.stderr)
    return _exit_code(request)


def score(args: argparse.Namespace) -> int:
    """Print the numbers of each token as JSON."""
    outlet = ShellOutlet(is_echoing=False)
    (request,), _ = _run(args.folder, outlet, [Order(Function.SCORE, args.text)])
    for body in outlet.results.values():
        _print(json.loads(body))
    return _exit_code(request)


def embed(args: argparse.Namespace) -> int:
    """Print a list with the vector of each text as JSON."""
    orders = [Order(Function.EMBED, text, pooling=Pooling(args.pooling)) for text in args.text]
    return _tell_each(args.folder, orders, lambda body: _vector(EmbedResult.from_json(body)))


def classify(args: argparse.Namespace) -> int:
    """Print a list with the labels of each text and their probabilities as JSON."""
    orders = [Order(Function.CLASSIFY, text) for text in args.text]
    return _tell_each(args.folder, orders, lambda body: _labels(ClassifyResult.from_json(body)))


def examine(args: argparse.Namespace) -> int:
    """Print as JSON what each key finds of its watermark in a text, the newest key first."""
    lists = _green_lists()
    if not lists:
        raise RejectedError(FinishReason.INVALID, "without INFERENCE_WATERMARK_KEYS there is no key to examine with")
    try:
        tokens = Vocabulary(args.folder, is_exact=False).encode(args.text)
    except InvalidPromptError as error:
        raise RejectedError(FinishReason.INVALID, str(error)) from error
    _print([{"key": version, **asdict(green_list.examine(tokens))} for version, green_list in lists.items()])
    return 0


def bench(args: argparse.Namespace) -> int:
    """Print tokens per second, times to first token and between tokens, for a burst of equal requests."""
    outlet = ShellOutlet(is_echoing=False)
    prompt = " ".join(WORDS[at % len(WORDS)] for at in range(args.prompt_words))
    hot = {"temperature": args.temperature, "top_p": args.top_p, "top_k": args.top_k}
    orders = [
        Order(Function.GENERATE, prompt, SamplingSettings(max_tokens=args.max_tokens, seed=seed, **hot))
        for seed in range(args.requests)
    ]
    requests, began = _run(args.folder, outlet, orders)
    print(json.dumps(_figures(outlet, requests, began), indent=2))
    return max(_exit_code(request) for request in requests)


def convert(args: argparse.Namespace) -> int:
    """Turn a model file or Hub folder into a model folder."""
    # Only here: reading other formats needs packages that generating does not.
    importlib.import_module("inference.convert").convert(args.source, args.folder, print)
    return 0


def _tell_each(folder: Path, orders: Sequence[Order], tell: Callable[[str], dict[str, Any]]) -> int:
    """Run orders, print what is told of each result in their order, and return the first exit code that is none."""
    outlet = ShellOutlet(is_echoing=False)
    requests, _ = _run(folder, outlet, orders)
    _print([tell(outlet.results[each.job_id]) for each in requests if each.job_id in outlet.results])
    return max(_exit_code(request) for request in requests)


def _vector(result: EmbedResult) -> dict[str, Any]:
    return {"embedding": result.numbers, "pooling": result.pooling, "prompt_tokens": result.prompt_tokens}


def _labels(result: ClassifyResult) -> dict[str, Any]:
    labels = [{"label": label, "probability": probability} for label, probability in result.labels]
    return {"labels": labels, "is_multi_label": result.is_multi_label, "prompt_tokens": result.prompt_tokens}


def _print(data: object) -> None:
    print(json.dumps(data, indent=2, ensure_ascii=False))


def _run(folder: Path, outlet: ShellOutlet, orders: Sequence[Order]) -> tuple[list[Request], float]:
    """Run orders to their ends; return their requests and when the first was submitted."""
    lists = _green_lists() if any(order.settings.watermark for order in orders) else {}
    loader = FolderLoader(folder, partial(open_backend, watermark=next(iter(lists.values()), None)))
    shelf = Shelf(loader, lambda tokens: Scheduler(64, 256, cache_tokens=tokens), budget=sys.maxsize)
    engine = Engine(shelf, outlet)
    shelf.borrow("")  # loaded before the clock of the first request runs
    engine.start()
    began = time.perf_counter()
    requests = [engine.submit(_permit(at, order), order) for at, order in enumerate(orders)]
    for request in requests:
        request.done.wait()
    engine.stop()
    return requests, began


def _green_lists() -> dict[str, GreenList]:
    """The watermark of each key version, the newest first."""
    try:
        keys = read_watermark_keys(os.environ)
    except ValueError as error:
        raise RejectedError(FinishReason.INVALID, str(error)) from error
    return {version: GreenList(secret) for version, secret in keys.secrets.items()} if keys else {}


def _permit(number: int, order: Order) -> Permit:
    return Permit(f"shell-{number}", "", "", order.function.value, float("inf"), {})


def _exit_code(request: Request) -> int:
    if request.reason is not None and request.reason.is_success:
        return 0
    print(f"{request.reason or FinishReason.ENGINE_FAILED}: {request.error}", file=sys.stderr)
    return 1


def _figures(outlet: ShellOutlet, requests: Sequence[Request], began: float) -> dict[str, float]:
    times: dict[str, list[float]] = {}
    for job_id, _, at in outlet.pieces:
        times.setdefault(job_id, []).append(at)
    gaps = [after - before for each in times.values() for before, after in zip(each, each[1:], strict=False)]
    tokens = sum(request.usage.completion_tokens for request in requests)
    end = max((each[-1] for each in times.values()), default=began)
    firsts = [each[0] - began for each in times.values()] or [0.0]
    return {
        "requests": len(requests),
        "completion_tokens": tokens,
        "tokens_per_second": round(tokens / max(end - began, 1e-9), 1),
        "ttft_median_seconds": round(statistics.median(firsts), 3),
        "ttft_max_seconds": round(max(firsts), 3),
        "inter_token_mean_seconds": round(statistics.fmean(gaps), 4) if gaps else 0.0,
        "peak_memory_megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="inference", description="The inference engine from a shell.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    one = _command(commands, "generate", generate)
    one.add_argument("--prompt", required=True)
    one.add_argument("--stop", action="append", default=[])
    one.add_argument("--seed", type=int, default=0)
    one.add_argument("--samples", type=int, default=1)
    one.add_argument("--watermark", action="store_true")
    _sampling(one)
    _command(commands, "score", score).add_argument("--text", required=True)
    vectors = _command(commands, "embed", embed)
    vectors.add_argument("--text", action="append", required=True)
    vectors.add_argument("--pooling", choices=list(Pooling), default=Pooling.MEAN)
    _command(commands, "classify", classify).add_argument("--text", action="append", required=True)
    _command(commands, "examine", examine).add_argument("--text", required=True)
    burst = _command(commands, "bench", bench)
    burst.add_argument("--requests", type=int, default=16)
    burst.add_argument("--prompt-words", type=int, default=64)
    _sampling(burst)
    other = commands.add_parser("convert", help=convert.__doc__)
    other.add_argument("source", type=Path)
    other.add_argument("folder", type=Path)
    other.set_defaults(run=convert)
    return parser


def _command(commands: Any, name: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=run.__doc__)
    command.add_argument("folder", type=Path)
    command.set_defaults(run=run)
    return command


def _sampling(command: argparse.ArgumentParser) -> None:
    command.add_argument("--max-tokens", type=int, default=64)
    command.add_argument("--temperature", type=float, default=1.0)
    command.add_argument("--top-k", type=int, default=0)
    command.add_argument("--top-p", type=float, default=1.0)


if __name__ == "__main__":
    sys.exit(main())
