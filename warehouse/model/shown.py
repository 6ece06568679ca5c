"""What a diagram shows of a view: its key, its references, and a few columns that say what it is about. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from schemas import star
from schemas.star import View
from schemas.types import SNOWFLAKE
from warehouse.model.tables import unique

TELLING = {
    "dim_customer": ("customer_id", "full_name", "country", "tier", "valid_from", "valid_to", "is_current"),
    "dim_product": ("product_id", "sku", "name", "category", "valid_from", "valid_to", "is_current"),
    "dim_date": ("year", "month", "iso_week", "fiscal_year", "is_weekend"),
    "dim_holiday": ("name", "is_observed"),
    "dim_campaign": ("name", "channel", "discount_percent"),
    "fct_sales": ("ordered_at", "status", "quantity", "sale_amount"),
    "fct_sales_moves": ("to_version_key", "cause"),
    "fct_page_events": ("event_type", "occurred_at", "product_id"),
    "fct_sessions": ("started_at", "duration_s", "orders"),
    "fct_reviews": ("product_id", "rating", "sentiment"),
    "mart_customer_360": ("tier", "lifetime_value", "rfm_cell", "churn_risk"),
    "mart_funnel": ("sessions", "carted", "paid"),
    "mart_attribution": ("amount", "first_touch", "last_touch", "linear"),
    "mart_product_pulse": ("views", "orders", "revenue"),
    "mart_revenue_minute": ("orders", "net_revenue"),
}


@dataclass(frozen=True)
class Row:
    name: str
    type: str  # without the precision of a time
    marks: tuple[str, ...]  # of PK, FK, AK
    target: str = ""  # entity that it refers to


def rows(view: View) -> list[Row]:
    """Key first, then references, then telling columns; each once."""
    by_name = {c.name: c for c in view.columns}
    targets = {c: r.target for r in view.references for c in r.columns}
    alternate = {c for columns in unique(view) for c in columns}
    names = dict.fromkeys((*view.key, *sorted(alternate), *targets, *TELLING[view.entity]))
    return [Row(n, _type(SNOWFLAKE[by_name[n].type]), _marks(n, view, targets, alternate), targets.get(n, "")) for n in names]


def more(view: View) -> int:
    """How many columns are not shown."""
    return len(view.columns) - len(rows(view))


def kind(entity: str) -> str:
    """dim, fct or mart."""
    return entity.split("_", 1)[0]


def entities() -> list[str]:
    return [view.entity for view in star.VIEWS]


def _marks(name: str, view: View, targets: dict[str, str], alternate: set[str]) -> tuple[str, ...]:
    given = {"PK": name in view.key, "FK": name in targets, "AK": name in alternate}
    return tuple(mark for mark, is_so in given.items() if is_so)


def _type(name: str) -> str:
    return name.split("(")[0].lower() if name.startswith("TIME") or name == SNOWFLAKE["int"] else name.lower()
