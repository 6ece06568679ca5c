"""How the lake job does, for the live page and `c360 status`: metrics `lake`."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from commerce360 import log, metrics
from commerce360.telemetry.declared import BY_NAME
from commerce360.telemetry.metric import Histogram
from schemas.topics import TOPICS
from stream_jobs.batch import Done
from stream_jobs.checkpoint import Offsets

RATE_WINDOW_S = 10.0
REPEAT_S = 1.0
logger = log.get("lake")


class Progress:
    """Gathers what batches report (from the query's thread) and publishes it (from the main one)."""

    def __init__(self, state: Path, clock: Callable[[], float]) -> None:
        self.state = state
        self.clock = clock
        self.ends: Offsets = {}
        self.lag: dict[str, int] = {}
        self.batches = self.records = 0
        self.dead_letters = Counter(
            dict.fromkeys((t.name for t in TOPICS), 0)
        )  # 0 from the start: a counter that begins with 1 has not grown
        self.rows: Counter[str] = Counter()
        self.seconds = Histogram(BY_NAME["c360_lake_batch_seconds"])
        self.fresh = {hop: Histogram(BY_NAME["c360_lake_freshness_seconds"]) for hop in ("kafka", "gold")}
        self.first_gold_at: float | None = None
        self._recent: deque[tuple[float, int]] = deque()
        self._last: Done | None = None
        self._fresh = False
        self._published = 0.0
        self._guard = threading.Lock()

    def note(self, done: Done) -> None:
        """A batch is finished."""
        gold = sum(count for name, count in done.rows.items() if name.startswith("gold."))
        with self._guard:
            self.ends, self._last, self._fresh = done.ends, done, True
            self.batches += 1
            self.records += done.records
            self.dead_letters.update(done.rejections)
            self.rows.update(done.rows)
            self._observe(done)
            self._recent.append((done.committed_at, done.records))
            if gold and self.first_gold_at is None:
                self.first_gold_at = done.committed_at
                logger.info("wrote_first_gold", batch_id=done.batch_id, rows=gold)
        if done.replayed or done.rejected:
            logger.info("finished_batch", batch_id=done.batch_id, records=done.records, rejected=done.rejected, replayed=done.replayed)

    def _observe(self, done: Done) -> None:
        if "all" in done.stages_ms:
            self.seconds.observe(done.stages_ms["all"] / 1000)
        for to_kafka, to_gold in done.delays:
            self.fresh["kafka"].observe(to_kafka)
            self.fresh["gold"].observe(to_gold)

    def behind(self, lag: dict[str, int]) -> None:
        with self._guard:
            self.lag = lag

    def publish(self) -> None:
        """Write the snapshot after each batch, and every second without one: an old snapshot means a dead job."""
        with self._guard:
            now = self.clock()
            if not self._fresh and now - self._published < REPEAT_S:
                return
            self._fresh, self._published = False, now
            values = self._values(now)
        metrics.publish(self.state, "lake", values)

    def _values(self, now: float) -> dict[str, Any]:
        while self._recent and self._recent[0][0] < now - RATE_WINDOW_S:
            self._recent.popleft()
        done = self._last
        event = done.newest_event if done else None
        return {
            "batch_id": done.batch_id if done else -1,
            "batches": self.batches,
            "records": self.records,
            "records_per_s": round(sum(n for _, n in self._recent) / RATE_WINDOW_S, 1),
            "rejected": self.dead_letters.total(),
            "dead_letters": dict(self.dead_letters),
            "rows_total": dict(self.rows),
            "batch_seconds": self.seconds.as_json(),
            "freshness": {hop: found.as_json() for hop, found in self.fresh.items()},
            "batch_ms": done.stages_ms if done else {},
            "batch_records": done.records if done else 0,
            "rows": done.rows if done else {},
            "committed_at": done.committed_at if done else None,
            "newest_event_at": event.timestamp() if event else None,
            "freshness_s": round(done.committed_at - event.timestamp(), 3) if done and event else None,
            "lag": self.lag,
            "lag_total": sum(self.lag.values()),
            "first_gold_at": self.first_gold_at,
        }
