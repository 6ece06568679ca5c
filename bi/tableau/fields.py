"""How a column of the contract looks in Tableau: data type, role, caption, default format, aggregation, and whether it is hidden. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schemas.columns import LINEAGE_NAMES, Column
from schemas.star import View

DataType = Literal["integer", "real", "string", "boolean", "date", "datetime"]
Role = Literal["dimension", "measure"]

MONEY, EURO, PERCENT = "n#,##0.00;-#,##0.00", 'c"€"#,##0.00;-"€"#,##0.00', "p0.0%"
WHOLE, RATIO, MOMENT, DAY = "n#,##0;-#,##0", "n#,##0.00;-#,##0.00", "*yyyy-MM-dd HH:mm:ss", "*yyyy-MM-dd"

# Numbers that name or order things, so that nobody adds them up.
NAMES = frozenset(
    {"line_no", "touch_no", "touches", "batch_id", "date_key", "iso_year", "iso_week", "year", "quarter", "month", "day_of_week"}
)
AVERAGED = frozenset({"unit_price", "unit_cost", "price", "rating", "sentiment", "discount_percent", "duration_s"})
RATES = frozenset({"return_rate"})
SCORES = frozenset({"recency_score", "frequency_score", "monetary_score"})
# What the warehouse keeps for itself: lineage, the bookkeeping of the histories, and keys that only tables know each other by.
INTERNAL = frozenset(
    {*LINEAGE_NAMES, "seq_pos", "seq_ord", "op", "is_visible", "is_deleted", "closed_by", "unresolved", "moved_from", "moved_to"}
    | {"version_key", "customer_version_key", "product_version_key", "date_key", "text_hash", "is_complete"},
)
# An order's, on each of its touches: their sum would be the amount many times over. `linear` adds up to it.
REPEATED = frozenset({("mart_attribution", "amount")})
TABLES = {
    "fct_sales": "Sales",
    "dim_customer": "Customer as of the sale",
    "dim_product": "Product as of the sale",
    "dim_campaign": "Campaign",
    "dim_date": "Calendar",
    "mart_customer_360": "Customer 360",
    "fct_sessions": "Visits",
    "fct_page_events": "Page events",
    "fct_reviews": "Reviews",
    "mart_attribution": "Attribution",
    "mart_funnel": "Funnel",
    "mart_product_pulse": "Product pulse",
}
WORDS = {"id": "ID", "eur": "(EUR)", "rfm": "RFM", "iso": "ISO", "7d": "(7 days)", "30d": "(30 days)", "s": "(s)", "360": "360"}


@dataclass(frozen=True)
class Field:
    """One field of a data source. `name` is unique there; `table` and `column` say where it comes from, a calculated one has a formula."""

    name: str
    caption: str
    datatype: DataType
    role: Role
    comment: str = ""
    table: str = ""  # name of the relation
    column: str = ""  # as the warehouse has it
    nullable: bool = True
    hidden: bool = False
    default_format: str = ""
    aggregation: str = ""
    formula: str = ""

    @property
    def type(self) -> str:
        """Discrete or continuous, in Tableau's words."""
        if self.role == "measure":
            return "quantitative"
        return "nominal" if self.datatype in ("string", "boolean") else "ordinal"


def datatype(contract: str) -> DataType:
    """Of a column type of the contract. Raises ValueError for one that Tableau cannot read."""
    if contract.startswith("decimal") or contract == "double":
        return "real"
    known: dict[str, DataType] = {
        "bigint": "integer",
        "int": "integer",
        "string": "string",
        "boolean": "boolean",
        "date": "date",
        "timestamp": "datetime",
    }
    if contract not in known:
        raise ValueError(f"Tableau has no type for {contract}")
    return known[contract]


def words(column: str) -> str:
    """`lifetime_value` -> `Lifetime value`."""
    parts = [WORDS.get(part, part) for part in column.lower().split("_")]
    text = " ".join(parts)
    return text[0].upper() + text[1:]


def of_view(view: View, column: Column, shared: bool, foreign: bool) -> Field:
    """`shared`: another table of the data source has a column of that name too. `foreign`: each value has a row in a related table."""
    table, kind = view.entity.upper(), datatype(column.type)
    name, caption = column.name.upper(), words(column.name)
    role: Role = "measure" if measures(view, column, kind) else "dimension"
    return Field(
        name=f"{name} ({table})" if shared else name,
        caption=f"{caption} ({TABLES[view.entity]})" if shared else caption,
        datatype=kind,
        role=role,
        comment=column.comment,
        table=table,
        column=column.name.upper(),
        nullable=column.nullable,
        hidden=foreign or column.name in INTERNAL or (view.entity, column.name) in REPEATED,
        default_format=default_format(column.name, column.type, role),
        aggregation=aggregation(view, column.name) if role == "measure" else "",
    )


def measures(view: View, column: Column, kind: DataType) -> bool:
    if kind not in ("integer", "real") or column.name in NAMES | SCORES or column.name.endswith("_id"):
        return False
    named = {c for reference in view.references for c in reference.columns} | set(view.key)
    return column.name not in named and view.entity != "dim_date"


def aggregation(view: View, column: str) -> str:
    """What Tableau does with many of them: an amount of each row is added up, what describes one thing is averaged."""
    if view.entity.startswith("dim_"):
        return "Avg"
    return "Avg" if column in AVERAGED | RATES or column.startswith("average_") or column.endswith("_score") else "Sum"


def default_format(column: str, contract: str, role: Role = "measure") -> str:
    if contract == "timestamp":
        return MOMENT
    if contract == "date":
        return DAY
    if role == "dimension" or contract in ("string", "boolean"):
        return ""
    if column in RATES:
        return PERCENT
    if contract in ("int", "bigint"):
        return WHOLE
    return RATIO if contract in ("decimal(6,4)", "decimal(18,4)", "double") else MONEY
