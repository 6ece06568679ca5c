"""Every lake and warehouse table. Here: what was received, typed documents, dimensions and sales; others in `behaviour` and `marts`."""

from __future__ import annotations

from schemas.behaviour import DIM_CAMPAIGN, FCT_PAGE_EVENTS, FCT_REVIEWS, FCT_SESSIONS, SENTIMENTS
from schemas.columns import LINEAGE, LINEAGE_NAMES, SEQUENCE, Column, Quote, Table, Type, quoted
from schemas.marts import MARTS

__all__ = [
    "DIM_CAMPAIGN",
    "FCT_PAGE_EVENTS",
    "FCT_REVIEWS",
    "FCT_SESSIONS",
    "LINEAGE",
    "LINEAGE_NAMES",
    "SENTIMENTS",
    "SEQUENCE",
    "Column",
    "Quote",
    "Table",
    "Type",
    "quoted",
]

# One table for all topics, and not partitioned: a small batch costs by its commits and its files. Spark's append of 250 records takes
# 0.2 s this way, and 0.7 s with a file for each of seven topics (two cores, session warm).
RECORDS = Table(
    "bronze.records",
    "Every Kafka record of every topic, once, as received.",
    (
        Column("topic", "string", nullable=False),
        Column("partition", "int", nullable=False),
        Column("offset", "bigint", nullable=False),
        Column("kafka_ts", "timestamp"),
        Column("headers", "headers"),
        Column("key", "binary"),
        Column("value", "binary"),
        Column("batch_id", "bigint", nullable=False),
    ),
    key=("topic", "partition", "offset"),
)

DEAD_LETTERS = Table(
    "bronze.dead_letters",
    "Records that could not be used, with the reason; their bytes are here and in bronze.records.",
    (
        Column("topic", "string", nullable=False),
        Column("partition", "int", nullable=False),
        Column("offset", "bigint", nullable=False),
        Column(
            "reason",
            "string",
            "bad_magic, unknown_schema, undecodable, bad_value, bad_order, or a reason of the SCD2 rules (R5)",
            nullable=False,
        ),
        Column("detail", "string", "for people; for the SCD2 reasons the change itself, canonical JSON of op, key, seq, ts, after, link"),
        Column("kafka_ts", "timestamp"),
        Column("key", "binary"),
        Column("value", "binary"),
        Column("batch_id", "bigint", nullable=False),
    ),
    key=("topic", "partition", "offset", "reason"),
    newest=("batch_id",),
    feed=False,
)

CLICKSTREAM = Table(
    "silver.clickstream",
    "Page events, typed and deduplicated.",
    (
        Column("event_id", "string", "document _id", nullable=False),
        Column("seq", "bigint", "cluster time (seconds << 32 | counter); 0 for a document copied at the start", nullable=False),
        Column("source_offset", "bigint", "Kafka offset: orders events of equal seq of one document", nullable=False),
        Column("is_deleted", "boolean", nullable=False),
        Column("session_id", "string"),
        Column("visitor_id", "string"),
        Column("customer_id", "bigint", "NULL until the visitor logs in"),
        Column("event_type", "string", "view, search, cart, checkout, login"),
        Column("product_id", "bigint"),
        Column("page", "string"),
        Column("device", "string"),
        Column("campaign_id", "string"),
        Column("occurred_at", "timestamp", "time at the browser"),
        *LINEAGE,
    ),
    key=("event_id",),
    newest=("seq", "source_offset"),
    visible="NOT is_deleted",
)

REVIEWS = Table(
    "silver.reviews",
    "Product reviews, typed and deduplicated; an edited review has its last text.",
    (
        Column("review_id", "string", "document _id", nullable=False),
        Column("seq", "bigint", nullable=False),
        Column("source_offset", "bigint", nullable=False),
        Column("is_deleted", "boolean", nullable=False),
        Column("product_id", "bigint"),
        Column("customer_id", "bigint"),
        Column("rating", "int", "1 to 5"),
        Column("title", "string"),
        Column("body", "string"),
        Column("language", "string"),
        Column("reviewed_at", "timestamp"),
        *LINEAGE,
    ),
    key=("review_id",),
    newest=("seq", "source_offset"),
    visible="NOT is_deleted",
)

CHANGE = (
    Column("seq_pos", "bigint", "position of the change (SCD2 R3)", nullable=False),
    Column("seq_ord", "bigint", "ordinal of the change (SCD2 R3)", nullable=False),
    Column("op", "string", "c, u, r, d or t", nullable=False),
)
VERSION = (
    Column("version_key", "string", "key of the version this change begins (SCD2 R20)"),
    Column("valid_from", "timestamp", "begin of the version: effective time of its change"),
    Column("valid_to", "timestamp", "NULL while open"),
    Column("is_current", "boolean", "the newest version of its key", nullable=False),
    Column("is_visible", "boolean", "this change begins a version; others are kept for the fold", nullable=False),
    Column("is_deleted", "boolean", "the source row is gone with this change", nullable=False),
    Column("closed_by", "string", "change, delete, move or truncate"),
    Column("unresolved", "string", "JSON list of columns whose value was never sent"),
    Column("moved_from", "string", "key that the source row had before, where its key changed; JSON"),
    Column("moved_to", "string", "key that the source row got, where its key changed; JSON"),
)
RAW_CHANGE = (
    Column("_ts", "bigint", "effective time as sent, microseconds"),
    Column("_after", "string", "row image as sent, canonical JSON"),
    Column("_link", "string", "new_key / old_key as sent, JSON"),
)

DIM_CUSTOMER = Table(
    "gold.dim_customer",
    "Customer history (SCD2): one row per change; rows with is_visible are the versions.",
    (
        Column("customer_id", "bigint", "NULL for a truncate"),
        *CHANGE,
        Column("email", "string", "address as the shop has it; personal"),
        Column("full_name", "string", "first and last name; personal"),
        Column("city", "string", "where the customer lives; personal"),
        Column("country", "string", "ISO 3166-1 alpha-2"),
        Column("tier", "string", "level of the loyalty programme"),
        Column("marketing_consent", "boolean", "agreed to be written to"),
        Column("points", "bigint", "last value inside the version"),
        Column("last_login_at", "timestamp", "last value inside the version"),
        *VERSION,
        *LINEAGE,
        *RAW_CHANGE,
    ),
    key=("customer_id", *SEQUENCE),
    history_key=("customer_id",),
    newest=("batch_id",),
    visible="is_visible",
    feed=True,
)

DIM_PRODUCT = Table(
    "gold.dim_product",
    "Product history (SCD2): one row per change; rows with is_visible are the versions.",
    (
        Column("product_id", "bigint", "NULL for a truncate"),
        *CHANGE,
        Column("category", "string", "shelf that the product is filed under"),
        Column("price", "decimal(12,2)", "list price of one unit, in the shop's currency"),
        Column("sku", "string", "the shop's own article number"),
        Column("name", "string", "as the shop shows it; last value inside the version"),
        Column("description", "string", "as the shop shows it; last value inside the version"),
        Column("cost", "decimal(12,2)", "what one unit costs the shop"),
        Column("active", "boolean", "can be ordered"),
        *VERSION,
        *LINEAGE,
        *RAW_CHANGE,
    ),
    key=("product_id", *SEQUENCE),
    history_key=("product_id",),
    newest=("batch_id",),
    visible="is_visible",
    feed=True,
)

FCT_SALES = Table(
    "gold.fct_sales",
    "Sales at order-line grain. Row line_no = 0 holds the header of an order whose lines are not all here; readers skip it.",
    (
        Column("order_id", "string", "the order, of either source", nullable=False),
        Column("line_no", "int", "line of the order, from 1; 0 is the header", nullable=False),
        Column("source", "string", "web when the web shop announced the order, else oltp"),
        Column("customer_id", "bigint", "who ordered; NULL for a guest"),
        Column("product_id", "bigint", "what was ordered"),
        Column("ordered_at", "timestamp", "when the order was placed"),
        Column("status", "string", "placed, paid, shipped, cancelled, returned"),
        Column("currency", "string", "ISO 4217"),
        Column("campaign_id", "string", "campaign that the order names"),
        Column("visitor_id", "string", "cookie of the browser that ordered; NULL at the counter"),
        Column("quantity", "int", "units ordered"),
        Column("unit_price", "decimal(12,2)", "price of one unit, in the order's currency"),
        Column("discount", "decimal(12,2)", "taken off the whole line"),
        Column("sale_amount", "decimal(14,2)", "quantity * unit_price - discount"),
        Column("unit_cost", "decimal(12,2)", "known once the back office booked the line"),
        Column("cost", "decimal(14,2)", "quantity * unit_cost"),
        Column("is_complete", "boolean", "header and line are both known", nullable=False),
        Column("is_deleted", "boolean", "the line or its order is gone", nullable=False),
        *LINEAGE,
        Column("_header", "string", "winning header contribution: stamp and values, canonical JSON"),
        Column("_line", "string", "winning line contribution: stamp and values, canonical JSON"),
    ),
    key=("order_id", "line_no"),
    newest=("batch_id",),
    visible="line_no > 0 AND is_complete AND NOT is_deleted",
    feed=True,
)

FCT_SALES_MOVES = Table(
    "gold.fct_sales_moves",
    "Sales that came to point at another version: one row for each sale, dimension and batch in which its target changed (SCD2 R21).",
    (
        Column("order_id", "string", "of the sale", nullable=False),
        Column("line_no", "int", "of the sale", nullable=False),
        Column("dimension", "string", "dim_customer or dim_product", nullable=False),
        Column("source_key", "bigint", "customer_id or product_id of the sale, as it is now"),
        Column("fact_ts", "timestamp", "ordered_at of the sale, as it is now"),
        Column("from_match", "string", "exact, early, gap, inferred or none", nullable=False),
        Column("from_version_key", "string", "NULL for none, and for a product without versions"),
        Column("to_match", "string", "exact, early, gap, inferred or none", nullable=False),
        Column("to_version_key", "string", "NULL for none, and for a product without versions"),
        Column(
            "cause",
            "string",
            "dimension: a change of the history; fact: of the sale's own key or time; roles: folded again",
            nullable=False,
        ),
        Column("cause_op", "string", "of the change that explains the move, where the cause is the dimension: c, u, r, d or t"),
        Column("cause_seq_pos", "bigint", "its position (SCD2 R3)"),
        Column("cause_seq_ord", "bigint", "its ordinal (SCD2 R3)"),
        *LINEAGE,
    ),
    key=("order_id", "line_no", "dimension", "batch_id"),
    feed=True,
)

DIM_DATE = Table(
    "gold.dim_date",
    "Calendar, one row a day.",
    (
        Column("date_key", "int", "yyyymmdd", nullable=False),
        Column("date", "date", "the day", nullable=False),
        Column("year", "int", "calendar year"),
        Column("quarter", "int", "1 to 4"),
        Column("month", "int", "1 to 12"),
        Column("month_name", "string", "English"),
        Column("day", "int", "of the month"),
        Column("day_of_week", "int", "ISO: Monday is 1"),
        Column("day_name", "string", "English"),
        Column("iso_year", "int", "year of the ISO week"),
        Column("iso_week", "int", "1 to 53"),
        Column("is_weekend", "boolean", "Saturday or Sunday"),
        Column("fiscal_year", "int", "named after the calendar year in which it ends"),
        Column("fiscal_quarter", "int", "1 to 4, within the fiscal year"),
        Column("fiscal_month", "int", "1 to 12, within the fiscal year"),
        Column("batch_id", "bigint", "lake batch that appended this row", nullable=False),
    ),
    key=("date_key",),
    newest=("batch_id",),
    feed=True,
)

DIM_HOLIDAY = Table(
    "gold.dim_holiday",
    "Public holidays of whole countries, one row a day and country; those of a region only are not here.",
    (
        Column("date_key", "int", "yyyymmdd", nullable=False),
        Column("country", "string", "ISO 3166-1 alpha-2", nullable=False),
        Column("date", "date", "the day", nullable=False),
        Column("name", "string", "English where the library has it, else the country's own; several on one day with semicolons between"),
        Column("is_observed", "boolean", "kept on this day because the holiday's own day is no working day"),
        Column("is_deleted", "boolean", "no holiday any more: another list of countries, or the library knows better", nullable=False),
        Column("batch_id", "bigint", "lake batch that appended this row", nullable=False),
    ),
    key=("date_key", "country"),
    newest=("batch_id",),
    visible="NOT is_deleted",
    feed=True,
)

BATCHES = Table(
    "ops.batches",
    "One row per complete lake batch, appended last: what a reader may see ends here.",
    (
        Column("batch_id", "bigint", "number of the batch, from 0", nullable=False),
        Column("started_at", "timestamp", "when the lake job took it up"),
        Column("committed_at", "timestamp", "when all its tables were written"),
        Column("records", "bigint", "Kafka records in the batch"),
        Column("rejected", "bigint", "records that became dead letters"),
        Column("rows_out", "bigint", "rows appended to silver and gold"),
        Column("versions", "string", "JSON {table: Delta version after this batch}"),
        Column("offsets", "string", "JSON {topic: {partition: end offset}}"),
        Column("query_id", "string", "id of the streaming query's checkpoint"),
    ),
    key=("batch_id",),
    newest=(),
    feed=True,
)

BACKFILLS = Table(
    "ops.backfills",
    "One row for each slice of a backfill that the lake job has served: what it looked at, and what it changed.",
    (
        Column("run_id", "string", "of the backfill", nullable=False),
        Column("number", "int", "of the slice within its run, from 0", nullable=False),
        Column("day", "string", "ISO 8601 day that the keys belong to; empty for a table without days"),
        Column("table", "string", "that was looked at", nullable=False),
        Column("keys", "int", "keys that were looked at"),
        Column("records", "int", "records that were read again from bronze"),
        Column("changed", "int", "rows of these keys that were appended to the table"),
        Column("rejected", "int", "records that cannot be used; their dead letters are in bronze"),
        Column("served_at", "timestamp", "when the rows were written"),
        Column("batch_id", "bigint", "lake batch that served it", nullable=False),
    ),
    key=("run_id", "number"),
    newest=("batch_id",),
    feed=False,
)

TABLES = (
    RECORDS,
    DEAD_LETTERS,
    CLICKSTREAM,
    REVIEWS,
    SENTIMENTS,
    DIM_CUSTOMER,
    DIM_PRODUCT,
    DIM_DATE,
    DIM_HOLIDAY,
    DIM_CAMPAIGN,
    FCT_SALES,
    FCT_SALES_MOVES,
    FCT_PAGE_EVENTS,
    FCT_SESSIONS,
    FCT_REVIEWS,
    *MARTS,
    BACKFILLS,
    BATCHES,
)
BY_NAME = {table.name: table for table in TABLES}
FED = tuple(t for t in TABLES if t.feed)
