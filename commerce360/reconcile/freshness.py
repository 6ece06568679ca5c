"""How late a change is at every hop, from its commit at the source: in Kafka, in gold, queryable in the warehouse."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from commerce360.lake import Lake
from schemas.tables import DIM_CUSTOMER, DIM_PRODUCT, FCT_SALES, Table

HOPS = ("kafka", "gold", "warehouse")
MEASURED: tuple[tuple[Table, str], ...] = ((FCT_SALES, ""), (DIM_CUSTOMER, " AND op <> 'r'"), (DIM_PRODUCT, " AND op <> 'r'"))


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """p50, p90, p99 and max (nearest rank), rounded to milliseconds; empty for no values."""
    if not values:
        return {}
    ordered = sorted(values)
    picked = {f"p{q}": ordered[max(0, math.ceil(q / 100 * len(ordered)) - 1)] for q in (50, 90, 99)}
    return {name: round(v, 3) for name, v in {**picked, "max": ordered[-1]}.items()}


def queryable(path: Path) -> dict[int, float]:
    """{lake batch: epoch seconds at which a query of the warehouse first showed it}, as the loader noted it."""
    if not path.exists():
        return {}
    rows = [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]
    found: dict[int, float] = {}
    for row in rows:
        found.setdefault(int(row["batch_id"]), float(row["queryable_at"]))
    return found


def measure(lake: Lake, loader_notes: Path, since: dt.datetime, until: dt.datetime) -> dict[str, dict[str, float]]:
    """Percentiles in seconds per hop over all changes that were committed at a source in [since, until]."""
    committed = {row["batch_id"]: row["committed_at"].timestamp() for row in lake.batches()}
    shown = carried(queryable(loader_notes), committed)
    late: dict[str, list[float]] = {hop: [] for hop in HOPS}
    for table, more in MEASURED:
        for event, kafka, batch in _changes(lake, table, since, until, more):
            at = event.timestamp()
            late["kafka"].append(max(0.0, kafka.timestamp() - at))  # Kafka keeps milliseconds, sources microseconds
            if batch in committed:
                late["gold"].append(committed[batch] - at)
            if batch in shown:
                late["warehouse"].append(shown[batch] - at)
    return {hop: percentiles(values) for hop, values in late.items()}


def _changes(lake: Lake, table: Table, since: dt.datetime, until: dt.datetime, more: str) -> Iterable[tuple[dt.datetime, dt.datetime, int]]:
    """Each source change once: the first batch in which its record made a row."""
    low, high = (t.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") for t in (since, until))
    sql = (
        f"SELECT MIN(event_ts) AS event_ts, MIN(kafka_ts) AS kafka_ts, MIN(batch_id) AS batch_id FROM {table.entity} "
        f"WHERE event_ts >= TIMESTAMP '{low}' AND event_ts <= TIMESTAMP '{high}'{more} GROUP BY origin"
    )
    for row in lake.query(table, sql).to_pylist():
        yield row["event_ts"], row["kafka_ts"], row["batch_id"]


def carried(shown: dict[int, float], batches: Iterable[int]) -> dict[int, float]:
    """The loader notes the newest batch of a round; the batches below it became queryable with it."""
    made: dict[int, float] = {}
    latest: float | None = None
    for batch in sorted({*batches, *shown}, reverse=True):
        latest = shown.get(batch, latest)
        if latest is not None:
            made[batch] = latest
    return made
