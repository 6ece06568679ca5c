"""What is wrong although every process runs: from what the services tell. Pure; `c360 status` shows it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

SILENT_S = 10.0  # services tell every second or two
STILL_S = 30.0  # records wait, and no batch ends
Told = Mapping[str, Any]


def troubles(told: Mapping[str, Told], running: Collection[str], now: float) -> Iterator[str]:
    """A line each, such as `lake: has told nothing for 42 s`. `told`: snapshots; those of services that do not run are passed over."""
    for name, snapshot in told.items():
        if not snapshot or name not in running:
            continue
        if (silent := now - snapshot["at"]) > SILENT_S:
            yield f"{name}: has told nothing for {silent:.0f} s, though its process is there: `c360 restart {name}`"
        else:
            yield from (f"{name}: {line}" for line in LOOKS.get(name, _nothing)(snapshot, now))


def _lake(told: Told, now: float) -> Iterator[str]:
    at, waiting = told.get("committed_at"), told.get("lag_total") or 0
    if at is not None and waiting and now - at > STILL_S:
        yield f"{waiting:,} records wait, and the last batch was complete {now - at:.0f} s ago"


def _loader(told: Told, now: float) -> Iterator[str]:
    if told.get("verdict") == "stalled":
        yield f"stalled: {told.get('reason') or 'no reason is known'}"
    if refused := told.get("rows_rejected"):
        yield f"the warehouse refused rows: {', '.join(f'{table} {count:,}' for table, count in refused.items())}"


def _sentiment(told: Told, now: float) -> Iterator[str]:
    if told.get("error"):
        yield f"{told['error']}; {told.get('waiting', 0):,} texts wait"


def _page(told: Told, now: float) -> Iterator[str]:
    yield from (f"no answer from {source}: {reason}" for source, reason in (told.get("failures") or {}).items())
    for name, tasks in (told.get("tasks") or {}).items():
        yield from (f"connector {name}: task {task} is {state}" for task, state in tasks.items() if state not in ("RUNNING", "PAUSED"))
    for name, active in (told.get("slot_active") or {}).items():
        kept = ((told.get("slot_lag") or {}).get(name) or 0) / 2**20
        if not active:
            yield f"replication slot {name}: nobody reads it, PostgreSQL keeps {kept:,.0f} MB for it ({told['slot_status'][name]})"


def _nothing(told: Told, now: float) -> Iterator[str]:
    yield from ()


LOOKS = {"lake": _lake, "loader": _loader, "sentiment": _sentiment, "page": _page}
