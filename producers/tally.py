"""What the shop has done so far, counted by several threads, published once a second."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

COUNTS = ("orders_sent", "orders_acked", "orders_resent", "oltp_rows", "clicks", "reviews", "errors")


class Tally:
    def __init__(self, now_s: float) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._lateness_ms: list[float] = []
        self._before: tuple[float, int] = (now_s, 0)

    def add(self, name: str, amount: int = 1) -> None:
        with self._lock:
            self._counts[name] += amount

    def late(self, lateness_ms: list[float]) -> None:
        """How long after their intended time orders were handed to the producer."""
        with self._lock:
            self._lateness_ms += lateness_ms

    def snapshot(self, now_s: float) -> dict[str, Any]:
        """Totals since the start of this process; rate and lateness since the last snapshot."""
        with self._lock:
            counts = {name: self._counts[name] for name in COUNTS}
            late, self._lateness_ms = sorted(self._lateness_ms), []
            then_s, then = self._before
            self._before = (now_s, counts["orders_acked"])
        rate = (counts["orders_acked"] - then) / (now_s - then_s) if now_s > then_s else 0.0
        p99 = late[int(len(late) * 0.99)] if late else None
        return {**counts, "orders_per_s": round(rate, 1), "lateness_ms_p99": None if p99 is None else round(p99, 2)}
