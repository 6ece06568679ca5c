"""Rates from counters, and the course of values over the last minutes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

WINDOW_S = 6.0  # a lake batch takes one to three seconds: a shorter window would show batches, not a rate


class Meter:
    """Per-second rate of a growing counter over a window. A counter that falls back belongs to a new process."""

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self.window_s = window_s
        self._points: deque[tuple[float, float]] = deque()

    def add(self, now: float, count: float | None) -> None:
        if count is None:
            return
        if self._points and count < self._points[-1][1]:
            self._points.clear()
        self._points.append((now, count))
        while len(self._points) > 2 and self._points[1][0] <= now - self.window_s:
            self._points.popleft()

    def rate(self, now: float) -> float:
        """0 when the counter has not been told for a whole window."""
        if len(self._points) < 2 or self._points[-1][0] < now - self.window_s:
            return 0.0
        (t0, n0), (t1, n1) = self._points[0], self._points[-1]
        return round((n1 - n0) / (t1 - t0), 1) if t1 > t0 else 0.0


def recent_rate(events: Iterable[tuple[float, int]], now: float, window_s: float = WINDOW_S) -> float:
    """Records per second from (time, records) of batches."""
    return round(sum(n for at, n in events if at > now - window_s) / window_s, 1)


class Course:
    """Points of the last minutes, one list a name, as the charts take them."""

    def __init__(self, length: int = 300) -> None:
        self.points: deque[dict[str, Any]] = deque(maxlen=length)

    def add(self, point: dict[str, Any]) -> None:
        self.points.append(point)

    def columns(self) -> dict[str, list[Any]]:
        names = list(self.points[-1]) if self.points else []
        return {name: [p[name] for p in self.points] for name in names}
