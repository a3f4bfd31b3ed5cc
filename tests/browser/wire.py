"""A connection between browser and portal that a test can cut where it wants to."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from types import TracebackType


class Wire:
    """Passes bytes on to the portal and back, until it is cut; then whoever calls finds nobody.

    Args:
        port: where the portal listens.
    """

    def __init__(self, port: int) -> None:
        self._portal = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._mark, self._left = b"", 0
        self._cut = threading.Event()
        self._closed = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def is_cut(self) -> bool:
        return self._cut.is_set()

    def cut_at(self, mark: bytes, number: int) -> None:
        """Cut in the middle of this mark, when it comes from the portal for the nth time."""
        self._mark, self._left = mark, number

    def cut(self) -> None:
        """Cut now: whatever is open breaks."""
        self._cut.set()

    def mend(self) -> None:
        """Let whoever calls reach the portal again."""
        self._mark = b""
        self._cut.clear()

    def __enter__(self) -> Wire:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._closed = True
        self._cut.set()
        self._listener.close()

    def _accept(self) -> None:
        while not self._closed:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return  # closed
            if self.is_cut:
                caller.close()
            else:
                threading.Thread(target=self._pass, args=(caller,), daemon=True).start()

    def _pass(self, caller: socket.socket) -> None:
        with caller, contextlib.suppress(OSError), socket.create_connection(self._portal) as portal:
            while not self.is_cut:
                ready, _, _ = select.select([caller, portal], [], [], 0.05)
                for source in ready:
                    data = source.recv(65_536)
                    if not data:
                        return
                    (caller if source is portal else portal).sendall(
                        self._let_through(data) if source is portal else data
                    )

    def _let_through(self, data: bytes) -> bytes:
        """Return what passes before the wire is cut."""
        place = 0
        while self._mark and (place := data.find(self._mark, place)) >= 0:
            place += len(self._mark)
            self._left -= 1
            if self._left == 0:
                self._cut.set()
                return data[: place - len(self._mark) // 2]
        return data
