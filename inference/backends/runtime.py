"""Prepares torch and transformers for a worker or a shell."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers.utils import logging as transformers_logging


def prepare(device: str = "auto") -> str:
    """Use all cores, keep transformers quiet, and return the torch device meant by `device`.

    Where OMP_NUM_THREADS is set, somebody has said how many cores: torch has read it.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    quiet: Any = transformers_logging  # has no types
    quiet.set_verbosity_error()
    quiet.disable_progress_bar()
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one core: for many small operations, each of which would wait for the slower of several cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
