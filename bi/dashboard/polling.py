"""One thread a source: a source that hangs or fails holds up no other and never the page."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from bi.dashboard.board import Board
from commerce360 import log

logger = log.get("page")


class Poller:
    """Calls `poll` every `every_s`, and less often where a call is slow: it may use at most a `share` of the time."""

    def __init__(self, name: str, poll: Callable[[], None], every_s: float = 1.0, share: float = 0.2) -> None:
        self.name = name
        self.poll = poll
        self.every_s = every_s
        self.share = share

    def start(self, board: Board, stop: threading.Event) -> threading.Thread:
        thread = threading.Thread(target=self._run, args=(board, stop), name=f"poll-{self.name}", daemon=True)
        thread.start()
        return thread

    def _run(self, board: Board, stop: threading.Event) -> None:
        while not stop.is_set():
            began = time.monotonic()
            try:
                self.poll()
            except Exception as error:  # any failure of a source is a state to show
                reason = f"{type(error).__name__}: {str(error)[:200]}"
                if self.name not in board.failures:
                    logger.info("missed_source", source=self.name, reason=reason)
                board.failures[self.name] = reason
            else:
                board.failures.pop(self.name, None)
            took = time.monotonic() - began
            stop.wait(max(self.every_s - took, took * (1 / self.share - 1), 0.05))
