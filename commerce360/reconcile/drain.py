"""Wait until everything that entered has come out at the other end, or say which stage holds it up."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import requests

from commerce360 import metrics
from commerce360.errors import UnavailableError
from commerce360.lake import Lake
from commerce360.reconcile import sources, topics
from commerce360.settings import Settings
from schemas.topics import TOPICS

QUIET_S = 3.0


class Drain:
    """The traffic must have stopped before. `wait` returns when all stages are quiet and level."""

    def __init__(self, settings: Settings, note: Callable[[str], None] = lambda _: None) -> None:
        self.settings = settings
        self.note = note
        self.lake = Lake(settings.lake)

    def wait(self, timeout_s: float = 180.0) -> float:
        """Seconds that it took. Raises UnavailableError that names the stage which did not get there."""
        began = time.monotonic()
        target = sources.wal_position(self.settings.postgres)
        ends, since = self._ends(), time.monotonic()
        while True:
            if (now := self._ends()) != ends:
                ends, since = now, time.monotonic()
            late = self._behind(target, ends)
            if not late and time.monotonic() - since >= QUIET_S:
                return time.monotonic() - began
            if time.monotonic() - began > timeout_s:
                raise UnavailableError(
                    f"not drained after {timeout_s:.0f} s: {late or 'topics still grow'}", "see `c360 status` and `c360 logs`"
                )
            self.note(late or "waiting for quiet")
            time.sleep(0.25)

    def _ends(self) -> dict[str, dict[int, int]]:
        return topics.end_offsets(self.settings.kafka, [t.name for t in TOPICS])

    def _behind(self, wal: int, ends: dict[str, dict[int, int]]) -> str:
        position = self._connector_position()
        if position < wal:
            return f"Debezium is {(wal - position) / 1024:.0f} KiB of WAL behind"
        batch = self.lake.last_batch()
        done = json.loads(batch["offsets"]) if batch else {}
        lag = sum(max(0, end - int(done.get(t, {}).get(str(p), 0))) for t, parts in ends.items() for p, end in parts.items())
        if lag:
            return f"the lake is {lag} offsets behind"
        shown = int(metrics.read(self.settings.state, "loader").get("batch_id", -1))
        if batch and shown < batch["batch_id"]:
            return f"the warehouse is {batch['batch_id'] - shown} batches behind"
        return ""

    def _connector_position(self) -> int:
        """Bytes of WAL that Debezium has read and stored as its offset; its heartbeat moves it when tables are quiet."""
        try:
            reply = requests.get(f"{self.settings.connect.url}/connectors/oltp-postgres/offsets", timeout=10)
            reply.raise_for_status()
            stored = reply.json()["offsets"]
        except (requests.RequestException, ValueError, KeyError):
            return -1
        return max((int((o.get("offset") or {}).get("lsn") or -1) for o in stored), default=-1)
