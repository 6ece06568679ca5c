"""The current view and those who watch it. Each watcher gets the sections that changed since what it was sent last."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from bi.dashboard.board import Board
from bi.dashboard.model import Model

LINGER_S = 30.0  # a reload of the page is not the end of watching


class Live:
    """Belongs to the event loop; only `watched` may be called from other threads."""

    def __init__(self) -> None:
        self.model = Model()
        self.sections: dict[str, str] = {}
        self._ticked = asyncio.Condition()
        self._closed = False
        self._watchers = 0
        self._left = -LINGER_S

    def tick(self, board: Board, now: float) -> dict[str, Any]:
        """The view that the watchers are sent."""
        view = self.model.tick(board, now)
        self.sections = {name: json.dumps(value, separators=(",", ":")) for name, value in view.items()}
        self._wake()
        return view

    def close(self) -> None:
        self._closed = True
        self._wake()

    def watched(self) -> bool:
        return self._watchers > 0 or time.monotonic() - self._left < LINGER_S

    def snapshot(self) -> dict[str, Any]:
        return {name: json.loads(text) for name, text in self.sections.items()}

    async def deltas(self) -> AsyncIterator[str]:
        """JSON objects of sections, first all of them with the `course` so far, then what changed; ends with the server."""
        sent: dict[str, str] = {}
        self._watchers += 1
        try:
            while not self._closed:
                if self.sections:
                    changed = {name: text for name, text in self.sections.items() if sent.get(name) != text}
                    extra = {} if sent else {"course": json.dumps(self.model.course.columns(), separators=(",", ":"))}
                    sent = self.sections
                    yield "{" + ",".join(f'"{name}":{text}' for name, text in {**changed, **extra}.items()) + "}"
                async with self._ticked:
                    await self._ticked.wait()
        finally:
            self._watchers -= 1
            self._left = time.monotonic()

    def _wake(self) -> None:
        async def notify() -> None:
            async with self._ticked:
                self._ticked.notify_all()

        self._waking = asyncio.ensure_future(notify())
