"""What each source told last: written by the polling threads, read by the model. Every value may be missing."""

from __future__ import annotations

import bisect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Ends = Mapping[str, Mapping[int, int]]  # topic -> partition -> offset behind the last record


@dataclass(frozen=True)
class Files:
    """Snapshots in the state folder. Those that an earlier run of the stack left are empty here."""

    status: Mapping[str, Any] = field(default_factory=dict)
    shop: Mapping[str, Any] = field(default_factory=dict)
    lake: Mapping[str, Any] = field(default_factory=dict)
    loader: Mapping[str, Any] = field(default_factory=dict)
    report: Mapping[str, Any] | None = None
    report_at: float = 0.0


@dataclass(frozen=True)
class Shown:
    """When a query of the warehouse first showed a lake batch: ascending batch ids and the epoch seconds beside them."""

    batches: tuple[int, ...] = ()
    times: tuple[float, ...] = ()

    @property
    def last(self) -> int:
        return self.batches[-1] if self.batches else -1

    def queryable_at(self, batch_id: int) -> float | None:
        """The loader notes the last batch of a round; those before it became queryable with it."""
        place = bisect.bisect_left(self.batches, batch_id)
        return self.times[place] if place < len(self.times) else None


@dataclass(frozen=True)
class Batch:
    """A complete lake batch. Delays are medians over the web orders that came with it; None when there was none."""

    batch_id: int
    committed_at: float
    records: int
    rows: int
    orders: int = 0
    event_at: float | None = None  # median time at which its orders were placed
    kafka_delay_s: float | None = None

    def delay_s(self, until: float) -> float | None:
        return None if self.event_at is None else until - self.event_at


@dataclass(frozen=True)
class Order:
    """An order as it arrived in gold. `amount` is decimal text; customer and city are those of the customer's current row."""

    order_id: str
    source: str
    placed_at: float
    amount: str
    currency: str
    lines: int
    batch_id: int
    customer_id: int | None
    customer: str = ""
    city: str = ""


@dataclass(frozen=True)
class LakeNews:
    batches: tuple[Batch, ...] = ()  # oldest first
    offsets: Ends = field(default_factory=dict)  # what the last complete batch has read
    orders: tuple[Order, ...] = ()  # newest first; a sample when many arrive

    @property
    def last(self) -> Batch | None:
        return self.batches[-1] if self.batches else None


@dataclass(frozen=True)
class Connectors:
    """States as Kafka Connect names them."""

    states: Mapping[str, str] = field(default_factory=dict)
    tasks: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # connector -> task -> state


@dataclass(frozen=True)
class Slot:
    """A replication slot of PostgreSQL. `lag_bytes` is None for one whose log is gone."""

    active: bool
    wal_status: str
    lag_bytes: int | None


class Board:
    """One slot a source; a slot is replaced whole, so that readers need no lock."""

    def __init__(self) -> None:
        self.files = Files()
        self.shown = Shown()
        self.ends: Ends = {}
        self.lake = LakeNews()
        self.numbers: Mapping[str, Any] = {}
        self.connectors = Connectors()
        self.slots: Mapping[str, Slot] = {}
        self.failures: dict[str, str] = {}  # source -> why its last poll failed
