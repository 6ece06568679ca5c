"""From a rate of events to what it takes and costs. Pure: the figures come in, lines come out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from commerce360.capacity import tiers
from commerce360.capacity.figures import Figures
from commerce360.capacity.topics import Held
from commerce360.errors import ConfigError
from schemas.tables import FED, TABLES

Broker = Literal["eventhubs", "kafka"]
DAY_S, MONTH_S = 86_400, 730 * 3_600  # a month of list prices has 730 hours
HOURS, DAYS = 730, 730 / 24
COMPACT_EVERY = 100  # commits of a table, as stream_jobs/compaction.py has it
WRITES_OF_A_COMMIT = 2  # a data file and an entry of the log
MOST_EVENTS_S = 1e9

# Records of a demo by what they come from; what the connectors bring is read by one task a database or collection.
SHARES: Mapping[str, float] = {"postgres": 0.575, "mongo": 0.324, "web": 0.076, "ai": 0.025}
BIGGEST_TOPIC = 0.30  # web.shop.clickstream, of all records of that demo
BIGGEST_TABLE = 0.50  # fct_sales, of all bytes that are streamed to the warehouse


@dataclass(frozen=True)
class Demand:
    """`events_per_s` is the mean of a month. Raises ConfigError for what makes no sense."""

    events_per_s: float
    peak_factor: float = 3.0
    keep_months: float = 12.0  # in lake and warehouse; nothing is deleted before
    retention_days: float = 7.0  # in Kafka
    batch_s: float = 10.0  # from one batch of the lake to the next
    broker: Broker = "eventhubs"

    def __post_init__(self) -> None:
        for name in ("events_per_s", "peak_factor", "keep_months", "retention_days", "batch_s"):
            value = getattr(self, name)
            if not math.isfinite(value) or value <= 0:
                raise ConfigError(f"{name} is {value}", "give it a number above 0")
        if self.peak_factor < 1:
            raise ConfigError(f"peak_factor is {self.peak_factor:g}", "a peak is not below the mean: 1 or more")
        if self.events_per_s * self.peak_factor > MOST_EVENTS_S:
            raise ConfigError(f"a peak of {self.events_per_s * self.peak_factor:g} events/s", f"this reckons up to {MOST_EVENTS_S:g}")
        if self.broker == "eventhubs" and self.retention_days > tiers.PREMIUM.retention_days:
            raise ConfigError(f"Event Hubs keeps {tiers.PREMIUM.retention_days} days at most", "shorten retention_days, or plan a Kafka")

    @property
    def peak(self) -> float:
        return self.events_per_s * self.peak_factor


@dataclass(frozen=True)
class Line:
    """`amount` of `unit`, and why."""

    area: str
    what: str
    amount: float
    unit: str
    why: str


@dataclass(frozen=True)
class Cost:
    """One item of a month: `quantity` times `price`, in the currency of the prices."""

    item: str
    quantity: float
    unit: str
    price: float

    @property
    def per_month(self) -> float:
        return self.quantity * self.price


@dataclass
class Plan:
    demand: Demand
    lines: list[Line] = field(default_factory=list)
    costs: list[Cost] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def per_month(self) -> float:
        return sum(c.per_month for c in self.costs)

    def amount(self, area: str, what: str) -> float:
        return next(line.amount for line in self.lines if (line.area, line.what) == (area, what))

    def as_json(self) -> dict[str, Any]:
        costs = [{**asdict(c), "per_month": c.per_month} for c in self.costs]
        lines = [asdict(line) for line in self.lines]
        return {"demand": asdict(self.demand), "plan": lines, "costs": costs, "per_month": self.per_month, "warnings": self.warnings}


def plan(demand: Demand, costs: Figures, prices: Figures, topics: tuple[Held, ...]) -> Plan:
    """Raises ConfigError where a batch's fixed cost is longer than a batch may take."""
    made = Plan(demand)
    for part in (_topics, _broker, _connect, _lake, _delta, _warehouse):
        part(made, costs, prices, topics)
    return made


def whole(amount: float) -> int:
    """Rounded up, at least 1; what is above a whole number by an error of arithmetic is not another one."""
    return max(1, math.ceil(amount - 1e-9 * abs(amount)))


def _topics(made: Plan, costs: Figures, _: Figures, topics: tuple[Held, ...]) -> None:
    peak_mb_s = made.demand.peak * costs.value("record_bytes") / 1e6
    most = max(whole(peak_mb_s * BIGGEST_TOPIC / tiers.PARTITION_MB_S), max(t.partitions for t in topics if t.kind == "data"))
    total = sum(max(t.partitions, most) if t.kind == "data" and t.partitions > 1 else t.partitions for t in topics)
    made.lines += [
        Line("topics", "at the peak", peak_mb_s, "MB/s", f"{made.demand.peak:,.0f} records/s of {costs.value('record_bytes'):g} bytes"),
        Line("topics", "partitions of the largest", most, "partitions", f"{BIGGEST_TOPIC:.0%} of the bytes, at most 1 MB/s each"),
        Line("topics", "partitions", total, "partitions", "of all topics, the others like the largest: keys of one order stay comparable"),
    ]


def _retained_gb(made: Plan, costs: Figures) -> float:
    return made.demand.events_per_s * made.demand.retention_days * DAY_S * costs.value("record_bytes") / 1e9


def _broker(made: Plan, costs: Figures, prices: Figures, topics: tuple[Held, ...]) -> None:
    standard = _standard(made, costs)
    made.lines.append(Line("broker", "Event Hubs Standard would be", standard, "TU", "1 MB/s or 1,000 events/s in, twice the bytes out"))
    if standard > tiers.STANDARD.units[-1]:
        made.warnings.append(f"Event Hubs Standard ends at {tiers.STANDARD.units[-1]} TU a namespace")
    (_event_hubs if made.demand.broker == "eventhubs" else _kafka)(made, costs, prices, topics)


def _standard(made: Plan, costs: Figures) -> int:
    mb_s, out = made.amount("topics", "at the peak"), costs.value("readers")
    needs = (
        mb_s / tiers.TU_IN_MB_S,
        made.demand.peak / tiers.TU_IN_EVENTS_S,
        out * mb_s / tiers.TU_OUT_MB_S,
        out * made.demand.peak / tiers.TU_OUT_EVENTS_S,
        _retained_gb(made, costs) / tiers.STANDARD.stored_gb,
    )
    return whole(max(needs))


def _event_hubs(made: Plan, costs: Figures, prices: Figures, topics: tuple[Held, ...]) -> None:
    tier, partitions = tiers.PREMIUM, made.amount("topics", "partitions")
    assert tier.partitions_of_unit is not None
    needed = max(
        whole(made.amount("topics", "at the peak") / tiers.PU_IN_MB_S),
        whole(partitions / tier.partitions_of_unit),
        whole(len(topics) / tier.hubs),
    )
    namespaces = whole(needed / tier.units[-1])
    units = next(n for n in tier.units if n * namespaces >= needed) * namespaces
    beyond = max(0.0, _retained_gb(made, costs) - tier.stored_gb * units)
    made.lines += [
        Line("broker", "Event Hubs Premium", units, "PU", f"{tiers.PU_IN_MB_S:g} MB/s in and {tier.partitions_of_unit} partitions each"),
        Line(
            "broker",
            "namespaces",
            namespaces,
            "namespaces",
            f"at most {tier.units[-1]} PU and one address each",
        ),
        Line(
            "broker",
            "kept",
            _retained_gb(made, costs),
            "GB",
            f"{made.demand.retention_days:g} days; {tier.stored_gb:,} GB a PU are included",
        ),
    ]
    if made.amount("topics", "partitions of the largest") > tier.partitions_of_hub:
        made.warnings.append(f"a hub of Premium has at most {tier.partitions_of_hub} partitions: share a topic out, or take Dedicated")
    if namespaces > 1:
        made.warnings.append("clients and the lake job know one address: more than one namespace takes as many lake jobs, or Dedicated")
    made.costs.append(Cost("Event Hubs Premium", units * HOURS, "PU hours", prices.value("eventhubs_pu_hour")))
    made.costs.append(Cost("Event Hubs, kept beyond what is included", beyond, "GB", prices.value("eventhubs_stored_gb_month")))


def _kafka(made: Plan, costs: Figures, prices: Figures, _: tuple[Held, ...]) -> None:
    replicas, partitions = costs.value("replicas"), made.amount("topics", "partitions")
    cores = made.demand.peak * costs.value("kafka_us") / 1e6 * (replicas + costs.value("readers")) / costs.value("utilisation")
    disk = _retained_gb(made, costs) * replicas / costs.value("utilisation")
    brokers = max(
        whole(replicas),
        whole(cores / costs.value("broker_cores")),
        whole(disk / costs.value("broker_disk_gb")),
        whole(partitions * replicas / costs.value("broker_partitions")),
    )
    made.lines += [
        Line("broker", "Kafka brokers", brokers, "brokers", f"{cores:.1f} cores, {disk:,.0f} GB, at least one a replica"),
        Line("broker", "kept", _retained_gb(made, costs), "GB", f"{made.demand.retention_days:g} days, times {replicas:g} on disk"),
    ]
    made.costs.append(Cost("Kafka brokers", brokers * costs.value("broker_cores") * HOURS, "core hours", prices.value("core_hour")))
    made.costs.append(Cost("Kafka's disks", disk, "GB", prices.value("disk_gb_month")))


def _connect(made: Plan, costs: Figures, prices: Figures, _: tuple[Held, ...]) -> None:
    tasks = 0
    for source, why in (("postgres", "one task a database: more take more databases"), ("mongo", "one task a collection")):
        least = 2 if source == "mongo" else 1
        number = max(least, whole(made.demand.peak * SHARES[source] / costs.value("connect_records_per_s")))
        tasks += number
        made.lines.append(Line("connect", f"{source} tasks", number, "tasks", f"{SHARES[source]:.1%} of the records; {why}"))
        if number > least:
            made.warnings.append(f"{number} tasks for {source} are more than its {least} now: the source has to be sharded")
    made.costs.append(Cost("Connect workers", tasks * HOURS, "core hours", prices.value("core_hour")))


def _lake(made: Plan, costs: Figures, prices: Figures, _: tuple[Held, ...]) -> None:
    demand, busy = made.demand, costs.value("utilisation")
    free = 1 - costs.value("lake_batch_s") / demand.batch_s
    if free <= 0:
        raise ConfigError(f"batch_s is {demand.batch_s:g}", f"a batch costs {costs.value('lake_batch_s'):g} s before its first record")
    capacity = min(free / costs.value("lake_record_ms") * 1000, costs.value("lake_drain_per_s"))
    jobs = whole(demand.peak / (capacity * busy))
    cores = max(2 * jobs, whole(demand.peak * costs.value("lake_core_ms") / 1000 / busy))
    made.lines += [
        Line("lake", "records of one driver", capacity, "records/s", "what its Python folds, and what it was seen to drain"),
        Line("lake", "jobs", jobs, "jobs", f"{busy:.0%} busy at the peak; the design has one"),
        Line("lake", "Spark cores", cores, "cores", f"{costs.value('lake_core_ms'):g} ms a record, at least 2 a job"),
        Line("lake", "memory", jobs * costs.value("lake_driver_gb"), "GB", "of drivers; rows of keys are in SQLite on disk beside them"),
        Line("lake", "one job would need", busy * free / demand.peak * 1e6, "us a record", "of Python, for one driver to hold the peak"),
    ]
    if jobs > 1:
        made.warnings.append(f"one lake job holds {capacity * busy:,.0f} records/s at the peak: {jobs:,} take another design")
    if jobs > made.amount("topics", "partitions of the largest"):
        made.warnings.append(f"{jobs:,} lake jobs would need as many partitions in each topic")
    made.costs.append(Cost("Spark for the lake", cores * HOURS, "core hours", prices.value("spark_core_hour")))


def _delta(made: Plan, costs: Figures, prices: Figures, _: tuple[Held, ...]) -> None:
    demand, jobs = made.demand, made.amount("lake", "jobs")
    commits = len(TABLES) * DAY_S / demand.batch_s * jobs
    added = demand.events_per_s * MONTH_S * costs.value("lake_bytes") * costs.value("lake_copies") / 1e9
    made.lines += [
        Line("delta", "files a day", commits, "files", f"{len(TABLES)} tables, at most one each a batch of {demand.batch_s:g} s"),
        Line(
            "delta",
            "compactions a day",
            commits / COMPACT_EVERY,
            "passes",
            f"of a table, every {COMPACT_EVERY} commits of it",
        ),
        Line(
            "delta",
            "added a month",
            added,
            "GB",
            f"{costs.value('lake_copies'):g} copies: replaced files stay until a VACUUM",
        ),
    ]
    made.costs.append(Cost("lake storage", added * demand.keep_months, "GB", prices.value("lake_gb_month")))
    made.costs.append(Cost("lake writes", commits * WRITES_OF_A_COMMIT * DAYS / 10_000, "10,000 writes", prices.value("lake_writes_10k")))


def _warehouse(made: Plan, costs: Figures, prices: Figures, _: tuple[Held, ...]) -> None:
    demand = made.demand
    rows = demand.peak * costs.value("warehouse_rows")
    mb_s = rows * costs.value("warehouse_row_bytes") / 1e6
    channels = len(FED) - 1 + whole(mb_s * BIGGEST_TABLE / (costs.value("channel_mb_s") * costs.value("utilisation")))
    loaders = whole(rows / (costs.value("loader_rows_per_s") * costs.value("utilisation")))
    streamed = demand.events_per_s * MONTH_S * costs.value("warehouse_rows") * costs.value("warehouse_row_bytes") / 1e9
    streaming, query = streamed * prices.value("streaming_credits_gb"), prices.value("query_credits_per_day") * DAYS
    made.lines += [
        Line("warehouse", "rows at the peak", rows, "rows/s", f"{costs.value('warehouse_rows'):g} a record"),
        Line(
            "warehouse",
            "Snowpipe channels",
            channels,
            "channels",
            f"one a table, more beyond {costs.value('channel_mb_s'):g} MB/s",
        ),
        Line("warehouse", "loaders", loaders, "processes", f"{costs.value('loader_rows_per_s'):,.0f} rows/s each; the design has one"),
        Line("warehouse", "streamed a month", streamed, "GB", "uncompressed values"),
        Line("warehouse", "credits a month", streaming + query, "credits", f"{streaming:,.1f} for streaming, {query:,.1f} for queries"),
    ]
    if channels > len(FED):
        made.warnings.append("a table has one channel today, whose offset token says how far it is: more take one token each")
    made.costs.append(Cost("Snowpipe Streaming", streaming, "credits", prices.value("credit")))
    made.costs.append(Cost("warehouse for readers", query, "credits", prices.value("credit")))
    stored = streamed * costs.value("warehouse_stored") * demand.keep_months
    made.costs.append(Cost("warehouse storage", stored, "GB", prices.value("warehouse_gb_month")))


def examples(*given: Figures) -> Iterator[str]:
    """Figures that were neither measured nor looked up."""
    return (f"{f.name} = {f.value:g} {f.unit}" for figures in given for f in figures.values() if f.example)
