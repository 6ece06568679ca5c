"""The registry: every metric, by the service that tells it. Dashboards, alerts, the documentation and `/metrics` are held against it."""

from __future__ import annotations

from functools import partial

from commerce360.telemetry.metric import Kind, Metric

COUNTER, GAUGE, HISTOGRAM, STATE, INFO = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM, Kind.STATE, Kind.INFO
SHORT_S = (0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 60.0, 120.0, 300.0)
LATE_S = (0.1, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
CONNECTOR_STATES = ("RUNNING", "PAUSED", "STOPPED", "UNASSIGNED", "FAILED", "RESTARTING")
TASK_STATES = ("RUNNING", "PAUSED", "UNASSIGNED", "FAILED", "RESTARTING")
VERDICTS = ("current", "loading", "idle", "stalled")
WAL_STATES = ("reserved", "extended", "unreserved", "lost")
MB = 2.0**20

lake = partial(Metric, service="lake")
loader = partial(Metric, service="loader")
sentiment = partial(Metric, service="sentiment")
shop = partial(Metric, service="shop")
page = partial(Metric, service="page")
process = partial(Metric, service="process")

LAKE = (
    lake(
        "c360_lake_batch_seconds", HISTOGRAM, "batch_seconds", unit="seconds", buckets=SHORT_S,
        help="How long a batch took, from its records to its row in ops.batches.",
    ),
    lake(
        "c360_lake_freshness_seconds", HISTOGRAM, "freshness", labels=("hop",), unit="seconds", buckets=LATE_S,
        help="From the commit at the source until a change was in Kafka, and until its lake batch was complete; a sample.",
    ),
    lake(
        "c360_lake_stage_seconds", GAUGE, "batch_ms", labels=("stage",), unit="seconds", scale=0.001,
        help="How long each part of the last batch took; `all` is the whole.",
    ),
    lake("c360_lake_batch_id", GAUGE, "batch_id", help="The last complete batch."),
    lake("c360_lake_batches_total", COUNTER, "batches", unit="batches", help="Batches completed."),
    lake("c360_lake_batch_records", GAUGE, "batch_records", unit="records", help="Records of the last batch."),
    lake("c360_lake_records_total", COUNTER, "records", unit="records", help="Records taken from Kafka."),
    lake("c360_lake_rows_total", COUNTER, "rows_total", labels=("table",), unit="rows", help="Rows appended to each table."),
    lake(
        "c360_lake_dead_letters_total", COUNTER, "dead_letters", labels=("topic",), unit="records",
        help="Records that could not be used, and reasons why: rows of bronze.dead_letters.",
    ),
    lake(
        "c360_lake_lag_records", GAUGE, "lag", labels=("topic",), unit="records",
        help="Records of a topic that no complete batch has; of ops.lake.backfill, slices that wait.",
    ),
    lake("c360_lake_last_batch_timestamp_seconds", GAUGE, "committed_at", unit="seconds", help="When the last batch was complete."),
    lake(
        "c360_lake_newest_event_timestamp_seconds", GAUGE, "newest_event_at", unit="seconds",
        help="When the newest change of the last batch was committed at its source.",
    ),
)  # fmt: skip

LOADER = (
    loader(
        "c360_loader_delay_seconds", HISTOGRAM, "delay", unit="seconds", buckets=LATE_S,
        help="From a batch complete in the lake until a query of the warehouse shows it.",
    ),
    loader("c360_loader_batch_id", GAUGE, "batch_id", help="The last lake batch that a query of the warehouse shows."),
    loader(
        "c360_loader_lag_batches", GAUGE, "lag_batches", unit="batches",
        help="Complete lake batches that the warehouse does not show: versions of ops.batches.",
    ),
    loader("c360_loader_rows_total", COUNTER, "rows_total", unit="rows", help="Rows that the warehouse has committed."),
    loader("c360_loader_waiting_rows", GAUGE, "rows_waiting", unit="rows", help="Rows streamed and not committed."),
    loader(
        "c360_loader_rejected_rows", GAUGE, "rows_rejected", labels=("table",), unit="rows",
        help="Rows that the warehouse refused since the channel was made; nothing for a table without any.",
    ),
    loader("c360_loader_reconnects_total", COUNTER, "reconnects", help="How often all channels were opened again."),
    loader("c360_loader_interruptions_total", COUNTER, "interruptions", help="Errors that interrupted the load."),
    loader("c360_loader_failures", GAUGE, "failures", help="Errors in a row, without progress between them."),
    loader(
        "c360_loader_verdict", STATE, "verdict", labels=("verdict",), states=VERDICTS,
        help="What the loader's watchdog says; docs/loading.md has the meanings.",
    ),
    loader(
        "c360_loader_last_progress_timestamp_seconds", GAUGE, "moved_at", unit="seconds",
        help="When the warehouse last came further, or had nothing to come to.",
    ),
)  # fmt: skip

SENTIMENT = (
    sentiment("c360_sentiment_engine_info", INFO, "engine", labels=("engine", "model", "model_version"), help="Who scores."),
    sentiment("c360_sentiment_scored_total", COUNTER, "scored", unit="texts", help="Texts scored."),
    sentiment("c360_sentiment_cached_total", COUNTER, "cached", unit="texts", help="Texts whose answer was known or asked for already."),
    sentiment("c360_sentiment_failed_total", COUNTER, "failed", unit="texts", help="Texts that got an error for an answer."),
    sentiment(
        "c360_sentiment_undecodable_total", COUNTER, "undecodable", unit="records",
        help="Records of reviews that could not be read.",
    ),
    sentiment("c360_sentiment_calls_total", COUNTER, "calls", unit="requests", help="Requests to the scorer; each may be billed."),
    sentiment(
        "c360_sentiment_throttled_total", COUNTER, "throttled", unit="requests",
        help="Requests put off: too many, or the scorer was away.",
    ),
    sentiment("c360_sentiment_denied_total", COUNTER, "denied", unit="requests", help="Requests whose key or settings were refused."),
    sentiment(
        "c360_sentiment_interruptions_total", COUNTER, "interruptions",
        help="Errors of Kafka, registry or disk that interrupted the service.",
    ),
    sentiment("c360_sentiment_waiting_texts", GAUGE, "waiting", unit="texts", help="Texts that wait for an answer."),
    sentiment("c360_sentiment_lag_records", GAUGE, "lag", unit="records", help="Records of reviews whose offset is not committed."),
)  # fmt: skip

SHOP = (
    shop("c360_shop_orders_sent_total", COUNTER, "orders_sent", unit="events", help="Order events handed to Kafka's producer."),
    shop("c360_shop_orders_acked_total", COUNTER, "orders_acked", unit="events", help="Order events that Kafka acknowledged."),
    shop("c360_shop_orders_resent_total", COUNTER, "orders_resent", unit="events", help="Order events sent again after a restart."),
    shop("c360_shop_oltp_rows_total", COUNTER, "oltp_rows", unit="rows", help="Row changes in PostgreSQL."),
    shop("c360_shop_clicks_total", COUNTER, "clicks", unit="documents", help="Clicks written to MongoDB."),
    shop("c360_shop_reviews_total", COUNTER, "reviews", unit="documents", help="Reviews written to MongoDB."),
    shop("c360_shop_errors_total", COUNTER, "errors", help="Failed attempts at Kafka, PostgreSQL or MongoDB."),
    shop(
        "c360_shop_lateness_p99_seconds", GAUGE, "lateness_ms_p99", unit="seconds", scale=0.001,
        help="How long after their time orders were handed over, 99th percentile of the last second.",
    ),
)  # fmt: skip

PAGE = (
    page(
        "c360_page_order_delay_seconds", GAUGE, "delays", labels=("stage",), unit="seconds",
        help="The page's own delays: from placing an order until it is in Kafka, in gold, queryable; median of the newest batch.",
    ),
    page(
        "c360_source_up", GAUGE, "sources", labels=("source",),
        help="Whether what the page looks at answers: kafka, registry, connect, postgres, lake, warehouse, files.",
    ),
    page(
        "c360_kafka_offsets_total", COUNTER, "offsets", labels=("topic",), unit="records",
        help="End offsets of a topic, all partitions; markers of transactions count.",
    ),
    page(
        "c360_connector_state", STATE, "connectors", labels=("connector", "state"), states=CONNECTOR_STATES,
        help="State of a connector, as Connect says it.",
    ),
    page(
        "c360_connector_task_state", STATE, "tasks", labels=("connector", "task", "state"), states=TASK_STATES,
        help="State of a connector's task. A failed one leaves its connector RUNNING.",
    ),
    page(
        "c360_slot_lag_bytes", GAUGE, "slot_lag", labels=("slot",), unit="bytes",
        help="Write-ahead log that PostgreSQL keeps for a replication slot.",
    ),
    page("c360_slot_active", GAUGE, "slot_active", labels=("slot",), help="Whether somebody reads the replication slot."),
    page(
        "c360_slot_wal_status", STATE, "slot_status", labels=("slot", "status"), states=WAL_STATES,
        help="Whether PostgreSQL still has all that the slot needs; `lost` cannot be undone.",
    ),
    page("c360_service_ready", GAUGE, "ready", labels=("service",), help="Whether a supervised service is ready; a local stack only."),
    page(
        "c360_service_restarts_total", COUNTER, "restarts", labels=("service",),
        help="How often a supervised service died and was started again.",
    ),
    page(
        "c360_service_memory_bytes", GAUGE, "memory_mb", labels=("service",), unit="bytes", scale=MB,
        help="Proportional set size of a supervised service with its children.",
    ),
    page(
        "c360_reconcile_differences", GAUGE, "differences", labels=("kind",), unit="rows",
        help="What the last reconciliation found: lost, doubled, changed, broken (an invariant).",
    ),
    page("c360_reconcile_timestamp_seconds", GAUGE, "reconciled_at", unit="seconds", help="When the last reconciliation ended."),
)  # fmt: skip

PROCESS = (
    process(
        "c360_service_told_timestamp_seconds", GAUGE, "told_at", labels=("service",), unit="seconds",
        help="When the service last told how it is; all tell every few seconds.",
    ),
    process("c360_build_info", INFO, "service", labels=("service", "version", "python"), help="What runs."),
    process(
        "c360_children_resident_memory_bytes", GAUGE, "children_memory", unit="bytes",
        help="Resident memory of the processes that it started, such as the lake job's JVM.",
    ),
    process(
        "c360_children_cpu_seconds_total", COUNTER, "children_cpu_s", unit="seconds",
        help="Processor time of the processes that it started and that still run.",
    ),
    process("c360_disk_free_bytes", GAUGE, "disk_free", unit="bytes", help="Free where the state folder is."),
    process("c360_disk_size_bytes", GAUGE, "disk_size", unit="bytes", help="Size of the disk where the state folder is."),
)  # fmt: skip

# What prometheus-client adds of every process by itself.
CLIENT = (
    process("process_resident_memory_bytes", GAUGE, unit="bytes", help="Resident memory."),
    process("process_virtual_memory_bytes", GAUGE, unit="bytes", help="Virtual memory."),
    process("process_cpu_seconds_total", COUNTER, unit="seconds", help="Processor time, user and system."),
    process("process_start_time_seconds", GAUGE, unit="seconds", help="When the process was started."),
    process("process_open_fds", GAUGE, help="Open file descriptors."),
    process("process_max_fds", GAUGE, help="How many it may open."),
)  # fmt: skip

OURS = (*LAKE, *LOADER, *SENTIMENT, *SHOP, *PAGE, *PROCESS)
METRICS = (*OURS, *CLIENT)
BY_NAME = {m.name: m for m in METRICS}

# What snapshots have beside metrics: texts, what follows from a metric, and what only the page, the CLI and tests read.
BESIDE: dict[str, frozenset[str]] = {
    "lake": frozenset({"records_per_s", "rejected", "rows", "freshness_s", "lag_total", "first_gold_at"}),
    "loader": frozenset({"rows_per_s", "error", "reason", "loading_again", "tokens"}),
    "sentiment": frozenset({"model", "model_version", "error"}),
    "shop": frozenset({"orders_per_s", "run"}),
    "page": frozenset({"failures"}),
}
SERVICES = tuple(BESIDE)
KEYS = {name: beside | {m.key for m in OURS if m.service == name} for name, beside in BESIDE.items()}
