"""What people read in the warehouse: views of the star schema, their columns, keys, references. Pure; DDL, model and Tableau follow it.

A view has the columns that the lake feeds, and those that it adds by itself. Its key is unique among its rows, its references say which
row of another view a row belongs to. `warehouse.ddl` has the SELECT of each.
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.columns import Column, Table
from schemas.shop import ZONE
from schemas.tables import BATCHES, DIM_CUSTOMER, FCT_SALES, FED

CORE, MART = "CORE", "MART"


@dataclass(frozen=True)
class Reference:
    """`columns` of a view name one row of `target` by its `target_columns`, or are NULL.

    Not `whole`: there are values without a row, such as the mart's campaign `direct`.
    """

    columns: tuple[str, ...]
    target: str  # entity of the other view
    target_columns: tuple[str, ...]
    whole: bool = True


@dataclass(frozen=True)
class View:
    table: Table  # of the lake, whose newest visible rows it shows
    key: tuple[str, ...]
    added: tuple[Column, ...] = ()
    references: tuple[Reference, ...] = ()

    @property
    def entity(self) -> str:
        return self.table.entity

    @property
    def schema(self) -> str:
        return MART if self.entity.startswith("mart_") else CORE

    @property
    def name(self) -> str:
        """`SCHEMA.VIEW`."""
        return f"{self.schema}.{self.entity.upper()}"

    @property
    def comment(self) -> str:
        return self.table.comment

    @property
    def columns(self) -> tuple[Column, ...]:
        """In the order in which the view has them."""
        return (*self.table.fed_columns, *self.added)


DAY_OF_SALE = Column("day", "date", f"of ordered_at, in the shop's zone ({ZONE})")
INFERRED = Column("is_inferred", "boolean", "no change of this customer is known: only facts name it (SCD2 R22)", nullable=False)
TARGETS = (
    Column("customer_version_key", "string", "the customer's version in force at ordered_at (SCD2 R21)"),
    Column("customer_match", "string", "exact, early, gap, inferred or none", nullable=False),
    Column("product_version_key", "string", "the product's version in force at ordered_at (SCD2 R21)"),
    Column("product_match", "string", "exact, early, gap, inferred or none", nullable=False),
)


def _to(target: str, column: str, target_column: str, whole: bool = True) -> Reference:
    return Reference((column,), target, (target_column,), whole)


DAY = _to("dim_date", "day", "date", whole=False)  # the calendar has an end, a browser's clock has none
CAMPAIGN = _to("dim_campaign", "campaign_id", "campaign_id")
CAMPAIGN_OR_DIRECT = _to("dim_campaign", "campaign_id", "campaign_id", whole=False)
CUSTOMER = _to("mart_customer_360", "customer_id", "customer_id")
SESSION = _to("fct_sessions", "session_id", "session_id")
SALE = Reference(("order_id", "line_no"), "fct_sales", ("order_id", "line_no"), whole=False)  # a sale that moved may be gone by now

ADDED = {DIM_CUSTOMER.entity: (INFERRED,), FCT_SALES.entity: (DAY_OF_SALE, *TARGETS)}
KEYS = {DIM_CUSTOMER.entity: ("version_key",), "dim_product": ("version_key",)}
REFERENCES: dict[str, tuple[Reference, ...]] = {
    "fct_sales": (
        _to("dim_customer", "customer_version_key", "version_key"),
        _to("dim_product", "product_version_key", "version_key", whole=False),  # there are no inferred products
        CAMPAIGN,
        DAY,
        _to("mart_customer_360", "customer_id", "customer_id"),
    ),
    "fct_sales_moves": (SALE,),
    "fct_page_events": (SESSION, CAMPAIGN, DAY, _to("mart_customer_360", "customer_id", "customer_id", whole=False)),
    "fct_sessions": (CAMPAIGN, DAY, CUSTOMER),
    "fct_reviews": (CUSTOMER, DAY),
    "dim_holiday": (_to("dim_date", "date_key", "date_key"),),
    "mart_funnel": (CAMPAIGN_OR_DIRECT, DAY),
    "mart_attribution": (CAMPAIGN_OR_DIRECT, SESSION, DAY, CUSTOMER),
    "mart_product_pulse": (DAY,),
}


@dataclass(frozen=True)
class Overview:
    """A view that shows no table of the lake."""

    name: str
    comment: str
    columns: tuple[Column, ...]


FRESHNESS = Overview(
    "OPS.FRESHNESS",
    "How far the warehouse is: the newest complete lake batch, and what all of them brought.",
    (
        Column("batch_id", "bigint", "newest complete lake batch"),
        Column("committed_at", "timestamp", "when the lake had written it"),
        Column("records", "bigint", "Kafka records of all batches"),
        Column("rejected", "bigint", "of them dead letters"),
    ),
)
VIEWS = tuple(View(t, KEYS.get(t.entity, t.key), ADDED.get(t.entity, ()), REFERENCES.get(t.entity, ())) for t in FED if t is not BATCHES)
BY_ENTITY = {view.entity: view for view in VIEWS}
