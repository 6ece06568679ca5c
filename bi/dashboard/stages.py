"""The four stages, left to right: health, rate, what is waiting, how late, and the parts of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bi.dashboard.board import Board
from bi.dashboard.meters import Meter, recent_rate
from bi.dashboard.phase import SILENT_S, services, starts_again

STAGES = {
    "sources": ("Sources", "PostgreSQL, MongoDB, web shop", ("postgres", "mongo", "shop")),
    "kafka": ("Kafka", "Connect and Debezium, Avro", ("kafka", "registry", "connect")),
    "lake": ("Lake", "Spark and Delta", ("lake",)),
    "warehouse": ("Warehouse", "Snowpipe Streaming, SQL views", ("loader", "warehouse")),
}
# worst first: a stage is as healthy as the least healthy of its services
HEALTH = {
    "failed": "down",
    "restarting": "recovering",
    "starting": "starting",
    "unknown": "unknown",
    "stopping": "idle",
    "stopped": "idle",
    "ready": "ok",
}
ORDER = ("down", "recovering", "starting", "unknown", "idle", "ok")
COUNTERS = ("orders_acked", "oltp_rows", "documents", "kafka", "loader", "oltp", "web", "shop")


class Stages:
    """Keeps the counters of a few seconds; everything else comes from the board."""

    def __init__(self) -> None:
        self.meters = {name: Meter() for name in COUNTERS}

    def tick(self, board: Board, now: float) -> list[dict[str, Any]]:
        self._count(board, now)
        made = (self._sources(board, now), self._kafka(board, now), self._lake(board, now), self._warehouse(board, now))
        return [
            {"id": name, "title": t[0], "tech": t[1], **stage_health(board, name, now), **m}
            for (name, t), m in zip(STAGES.items(), made, strict=True)
        ]

    def _count(self, board: Board, now: float) -> None:
        shop, ends = board.files.shop, {topic: sum(parts.values()) for topic, parts in board.ends.items()}
        told: dict[str, float | None] = {
            "orders_acked": shop.get("orders_acked"),
            "oltp_rows": shop.get("oltp_rows"),
            "documents": shop["clicks"] + shop["reviews"] if "clicks" in shop and "reviews" in shop else None,
            "kafka": sum(ends.values()) if ends else None,
            "loader": board.files.loader.get("rows_total"),
        }
        for system in ("oltp", "web", "shop"):
            told[system] = sum(n for topic, n in ends.items() if topic.startswith(f"{system}.")) if ends else None
        for name, count in told.items():
            self.meters[name].add(now, count)

    def _rate(self, name: str, now: float) -> float:
        return self.meters[name].rate(now)

    def _sources(self, board: Board, now: float) -> dict[str, Any]:
        shop = board.files.shop
        waiting = max(0, shop.get("orders_sent", 0) - shop.get("orders_acked", 0)) if shop else None
        parts = [
            part("Web orders", self._rate("orders_acked", now)),
            part("PostgreSQL rows", self._rate("oltp_rows", now)),
            part("MongoDB documents", self._rate("documents", now)),
        ]
        rate = round(sum(p["value"] for p in parts), 1)
        return {"rate": rate, "unit": "changes/s", "lag": waiting, "lag_unit": "unacknowledged", "delay_s": None, "parts": parts}

    def _kafka(self, board: Board, now: float) -> dict[str, Any]:
        last = next((b for b in reversed(board.lake.batches) if b.kafka_delay_s is not None), None)
        parts = [
            part("Orders topic", self._rate("shop", now)),
            part("Debezium topics", self._rate("oltp", now)),
            part("MongoDB topics", self._rate("web", now)),
        ]
        total = sum(sum(p.values()) for p in board.ends.values()) if board.ends else None
        delay = last.kafka_delay_s if last else None
        return {
            "rate": self._rate("kafka", now),
            "unit": "records/s",
            "lag": total,
            "lag_unit": "records kept",
            "delay_s": delay,
            "parts": parts,
        }

    def _lake(self, board: Board, now: float) -> dict[str, Any]:
        rows: Mapping[str, int] = board.files.lake.get("rows") or {}
        last = board.lake.last
        layers = {layer: sum(n for t, n in rows.items() if t.startswith(f"{layer}.")) for layer in ("silver", "gold")}
        parts = [
            part("Bronze, last batch", last.records if last else None, "rows"),
            part("Silver, last batch", layers["silver"] if rows else None, "rows"),
            part("Gold, last batch", layers["gold"] if rows else None, "rows"),
        ]
        rate = recent_rate(((b.committed_at, b.records) for b in board.lake.batches), now)
        return {
            "rate": rate,
            "unit": "records/s",
            "lag": lake_lag(board),
            "lag_unit": "records waiting",
            "delay_s": lake_delay(board, now),
            "parts": parts,
        }

    def _warehouse(self, board: Board, now: float) -> dict[str, Any]:
        waiting = pending(board)
        parts = [
            part("Newest lake batch", board.lake.last.batch_id if board.lake.last else None, "id"),
            part("Queryable batch", board.shown.last if board.shown.batches else None, "id"),
            part("Rows loaded", board.files.loader.get("rows_total"), "rows"),
        ]
        delay = warehouse_delay(board, now)
        return {
            "rate": self._rate("loader", now),
            "unit": "rows/s",
            "lag": waiting,
            "lag_unit": "batches waiting",
            "delay_s": delay,
            "parts": parts,
        }


def part(label: str, value: float | None, unit: str = "/s") -> dict[str, Any]:
    return {"label": label, "value": value, "unit": unit}


def stage_health(board: Board, stage: str, now: float) -> dict[str, Any]:
    """`health`, a sentence, and the same for each service of the stage."""
    each = {name: service_health(board, name, now) for name in STAGES[stage][2]}
    worst = min(each.values(), key=ORDER.index)
    idle_shop = worst == "idle" and all(h == "ok" for n, h in each.items() if n != "shop")
    health = "ok" if idle_shop else worst
    culprits = ", ".join(n for n, h in each.items() if h == health)
    words = {
        "ok": "healthy",
        "idle": "stopped",
        "starting": "starting",
        "recovering": "starting again",
        "down": "cannot start",
        "unknown": "not seen yet",
    }
    text = words[health] if health == "ok" else f"{culprits} {words[health]}"
    if stage == "warehouse" and health == "ok" and (reason := load_stalled(board, now)):
        health, text = "recovering", f"the load is stalled: {reason}"
    return {"health": health, "health_text": text, "services": each}


def load_stalled(board: Board, now: float) -> str:
    """Why the loader does not come further, as its watchdog says; empty while it does."""
    told = board.files.loader
    stalled = told.get("verdict") == "stalled" and now - told.get("at", 0) < SILENT_S
    return str(told.get("reason") or "no reason is known") if stalled else ""


def service_health(board: Board, name: str, now: float) -> str:
    found = services(board).get(name)
    if found:
        return "recovering" if starts_again(found) else HEALTH.get(str(found.get("state")), "unknown")
    told = {"shop": board.files.shop, "lake": board.files.lake, "loader": board.files.loader}.get(name)
    return "ok" if told and now - told.get("at", 0) < SILENT_S else "unknown"


def lake_lag(board: Board) -> int | None:
    """Records in Kafka that no complete lake batch has."""
    if not board.ends:
        return board.files.lake.get("lag_total")
    if board.lake.last is None:
        return sum(sum(p.values()) for p in board.ends.values())
    done = board.lake.offsets
    return sum(max(0, end - done.get(topic, {}).get(p, 0)) for topic, parts in board.ends.items() for p, end in parts.items())


def pending(board: Board) -> int | None:
    """Complete lake batches that the warehouse does not show yet."""
    return sum(b.batch_id > board.shown.last for b in board.lake.batches) if board.lake.last else None


def lake_delay(board: Board, now: float) -> float | None:
    """Seconds from an order to gold in the newest batch with orders; while records wait and none come, it grows."""
    last = next((b for b in reversed(board.lake.batches) if b.event_at is not None), None)
    if last is None:
        return None
    waits = now - last.committed_at if lake_lag(board) else 0.0
    return _positive(max(last.delay_s(last.committed_at) or 0.0, waits))


def warehouse_delay(board: Board, now: float) -> float | None:
    """The same until a query of the warehouse showed it; while a batch waits, it grows with the oldest one's orders."""
    timed = [b for b in board.lake.batches if b.event_at is not None]
    shown = next((b for b in reversed(timed) if b.batch_id <= board.shown.last), None)
    waiting = next((b for b in timed if b.batch_id > board.shown.last), None)
    told = shown.delay_s(board.shown.queryable_at(shown.batch_id) or now) if shown else None
    waits = waiting.delay_s(now) if waiting else None
    found = [d for d in (told, waits) if d is not None]
    return _positive(max(found)) if found else None


def _positive(delay_s: float) -> float:
    return round(max(0.0, delay_s), 3)
