"""Processes that belong to another one."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int) -> None:
    """Let this process end when the one that started it does, also when that is killed; only Linux offers this.

    Args:
        parent: process id of the one that started it. Whoever has another parent by now ends at once. That a parent is
            number 1 says nothing: in a container it may be the worker itself.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)
