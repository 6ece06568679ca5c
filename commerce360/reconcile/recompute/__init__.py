"""The 360 view computed from nothing, in plain SQL over the base tables: what the stream's tables must equal (docs/model.md).

Written apart from `stream_jobs.view360`, in another language and in one look at everything, so that a mistake in one shows as a difference.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from commerce360.lake import Lake
from schemas import behaviour, marts, shop, tables
from schemas.behaviour import END_OF_TIME, FIRST_TIME, RATINGS
from schemas.columns import LINEAGE_NAMES, Table

if TYPE_CHECKING:
    import pyarrow as pa

TABLES = (behaviour.DIM_CAMPAIGN, behaviour.FCT_PAGE_EVENTS, behaviour.FCT_SESSIONS, behaviour.FCT_REVIEWS, *marts.MARTS)
DECIMAL = "decimal"


@dataclass(frozen=True)
class Base:
    """Newest rows of clickstream, reviews and sentiments; visible rows of sales and of both histories. `named_campaigns`:
    campaign_id of every visible state that a click or a sale ever had. `as_of`: a day of the shop's zone.
    """

    clickstream: pa.Table
    reviews: pa.Table
    sentiments: pa.Table
    sales: pa.Table
    customers: pa.Table
    products: pa.Table
    named_campaigns: pa.Table
    as_of: dt.date


def read_base(lake: Lake, upto: int | None = None) -> Base:
    """Of batches up to `upto`, if it is given."""
    bound = "" if upto is None else f" WHERE batch_id <= {upto}"
    found = lake.query(tables.RECORDS, f"SELECT MAX(kafka_ts) AS at FROM records{bound}").to_pylist()[0]["at"]
    as_of = dt.date(1970, 1, 1) if found is None else found.astimezone(ZoneInfo(shop.ZONE)).date()
    sales, customers, products = (lake.newest(t, upto, t.visible) for t in (tables.FCT_SALES, tables.DIM_CUSTOMER, tables.DIM_PRODUCT))
    clicks, reviews, sentiments = (lake.newest(t, upto) for t in (tables.CLICKSTREAM, tables.REVIEWS, behaviour.SENTIMENTS))
    return Base(clicks, reviews, sentiments, sales, customers, products, _named_campaigns(lake, upto), as_of)


def _named_campaigns(lake: Lake, upto: int | None) -> pa.Table:
    import pyarrow as pa

    logs, bound = (tables.CLICKSTREAM, tables.FCT_SALES), "" if upto is None else f" AND batch_id <= {upto}"
    return pa.concat_tables([lake.query(t, f"SELECT DISTINCT campaign_id FROM {t.entity} WHERE {t.visible}{bound}") for t in logs])


def recompute(base: Base) -> dict[str, pa.Table]:
    """Visible rows of each table of the view, by its name, in the columns and types of the contract, without lineage."""
    import duckdb
    import pyarrow as pa

    with duckdb.connect(config={"autoload_known_extensions": False, "autoinstall_known_extensions": False}) as engine:
        engine.execute("SET TimeZone = 'UTC'")
        engine.execute("SET disabled_optimizers = 'statistics_propagation'")  # wrong about sums in DuckDB 2.0.0
        for name, value in vars(base).items():
            if name != "as_of":
                engine.register(name, value)
        engine.register("campaigns", pa.Table.from_pylist(list(shop.campaigns())))
        engine.execute(f"CREATE MACRO zone() AS '{shop.ZONE}'")
        engine.execute(f"CREATE MACRO currency() AS '{shop.CURRENCY}'")
        for name, at in (("first_time", FIRST_TIME), ("last_time", END_OF_TIME - dt.timedelta(microseconds=1))):
            engine.execute(f"CREATE MACRO {name}() AS TIMESTAMPTZ '{at.isoformat()}'")
        for name, rating in zip(("least_rating", "most_rating"), RATINGS, strict=True):
            engine.execute(f"CREATE MACRO {name}() AS {rating}")
        engine.execute(f"CREATE MACRO as_of() AS DATE '{base.as_of.isoformat()}'")
        engine.execute(_sql("base"))
        return {t.name: engine.sql(_typed(t)).to_arrow_table() for t in TABLES}


def columns(table: Table) -> tuple[str, ...]:
    """What is compared: all that is fed, without the lineage of one particular run."""
    return tuple(c.name for c in table.fed_columns if c.name not in LINEAGE_NAMES)


def _typed(table: Table) -> str:
    """The rows of the table's file, each column as the contract has it. An amount that does not fit is an error, never rounded."""
    kinds = {c.name: c.type for c in table.columns}
    casts = []
    for name in columns(table):
        kind = {"bigint": "BIGINT", "int": "INTEGER"}.get(kinds[name], kinds[name].upper() if kinds[name].startswith(DECIMAL) else "")
        casts.append(f'CAST("{name}" AS {kind}) AS "{name}"' if kind else f'"{name}"')
    return f"SELECT {', '.join(casts)} FROM ({_sql(table.entity)}) AS found"


def _sql(name: str) -> str:
    return files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
