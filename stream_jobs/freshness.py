"""How late the changes of a batch are: a sample, so that a large batch costs no more than a small one. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from schemas.tables import DIM_CUSTOMER, DIM_PRODUCT, FCT_SALES, Table
from stream_jobs.checkpoint import Offsets
from stream_jobs.entity import Row

MEASURED = (FCT_SALES.name, DIM_CUSTOMER.name, DIM_PRODUCT.name)
MOST = 200  # rows that are looked at
SNAPSHOT = "r"  # a row that was read, not changed: nobody knows how old it is
Delay = tuple[float, float]  # seconds from the commit at the source: until Kafka had the change, until `committed_at`


def sample(rows: Mapping[Table, Sequence[Row]], before: Offsets, committed_at: float) -> list[Delay]:
    """Of changes that came with this batch. `before`: where it began; what an older record says is only written again.

    As `commerce360.reconcile.freshness`: each record once, rows of sales and dimensions, none that a snapshot read.
    """
    found = [row for table, made in rows.items() if table.name in MEASURED for row in made]
    step = -(-len(found) // MOST) or 1
    seen: dict[str, Delay] = {}
    for row in found[::step]:
        if row["event_ts"] is None or row.get("op") == SNAPSHOT or not _is_new(row["origin"], before):
            continue
        at = row["event_ts"].timestamp()
        seen[row["origin"]] = (max(0.0, row["kafka_ts"].timestamp() - at), committed_at - at)  # Kafka keeps milliseconds only
    return list(seen.values())


def _is_new(origin: str | None, before: Offsets) -> bool:
    if not origin:
        return False
    topic, partition, offset = origin.rsplit("/", 2)
    return int(offset) >= before.get(topic, {}).get(int(partition), 0)
