"""What the SQL files that the workbook shows answer with: columns and their types, as the warehouse describes them.

The workbook is made without a warehouse, so the shape of an answer stands here; `c360 bi check` compares it with the warehouse's own.
"""

from __future__ import annotations

from dataclasses import dataclass

from bi.queries import questions, sql
from bi.tableau.fields import EURO, MOMENT, PERCENT, RATIO, WHOLE, DataType, Field, words

KINDS: dict[str, DataType] = {"i": "integer", "r": "real", "s": "string", "t": "datetime", "d": "date", "b": "boolean"}
SHARES = frozenset({"conversion", "checkouts_per_cart", "return_rate", "carts_per_viewing_visit", "high_risk_share_of_buyers"})
NAMED = frozenset({"customer_id", "product_id", "hop_no"})  # numbers that are names


@dataclass(frozen=True)
class Answer:
    """`columns`: name and letter of the type, in the order of the SELECT."""

    name: str  # of the file in bi/queries
    caption: str
    columns: tuple[str, ...]

    @property
    def sql(self) -> str:
        return sql(self.name)

    @property
    def comment(self) -> str:
        """The file's own title: its first comment."""
        return questions().get(self.name) or self.sql.splitlines()[0].removeprefix("--").strip()

    @property
    def fields(self) -> tuple[Field, ...]:
        return tuple(self._field(*column.rsplit(":", 1)) for column in self.columns)

    def _field(self, name: str, kind: str) -> Field:
        datatype = KINDS[kind]
        measure = datatype in ("integer", "real") and name not in NAMED
        return Field(
            name=name.upper(),
            caption=words(name),
            datatype=datatype,
            role="measure" if measure else "dimension",
            table=self.name,
            column=name.upper(),
            default_format=_format(name, datatype) if measure or datatype == "datetime" else "",
            aggregation="Sum" if measure else "",
        )


def _format(name: str, datatype: DataType) -> str:
    if datatype == "datetime":
        return MOMENT
    if name in SHARES:
        return PERCENT
    if datatype == "integer":
        return WHOLE
    return EURO if name.endswith("_eur") or name in ("revenue_today", "lifetime_value", "price") else RATIO


ANSWERS = (
    Answer("sales_today", "Sales today", ("orders_today:i", "revenue_today:r")),
    Answer("revenue_by_minute", "Revenue by minute", ("minute:t", "orders:i", "web_orders:i", "gross_eur:r", "net_eur:r")),
    Answer("customers", "Customers now", ("customers_current:i", "customer_versions:i")),
    Answer(
        "tiers",
        "Tiers",
        (
            *("tier:s", "customers:i", "visits_each:r", "orders_each:r", "lifetime_value_each_eur:r", "return_rate:r"),
            *("abandoned_carts_per_visit:r", "high_risk_share_of_buyers:r"),
        ),
    ),
    Answer(
        "about_to_leave",
        "About to leave",
        (
            *("customer_id:i", "email_masked:s", "tier:s", "lifetime_value:r", "orders:i", "churn_risk:s", "churn_score:i"),
            "churn_reasons:s",
        ),
    ),
    Answer(
        "funnel_by_campaign_and_device",
        "Funnel by campaign and device",
        (
            *("campaign_id:s", "device:s", "sessions:i", "viewed:i", "carted:i", "checked_out:i", "paid:i"),
            *("checkouts_per_cart:r", "conversion:r"),
        ),
    ),
    Answer(
        "sentiment_by_day",
        "Sentiment by day",
        ("day:d", "reviews:i", "scored_reviews:i", "average_sentiment:r", "average_rating:r"),
    ),
    Answer(
        "views_that_do_not_sell",
        "Views that do not sell",
        (
            *("product_id:i", "name:s", "category:s", "price:r", "viewing_visits:i", "carts:i", "orders:i"),
            *("carts_per_viewing_visit:r", "average_rating:r"),
        ),
    ),
    Answer(
        "freshness",
        "Freshness",
        ("stream:s", "hop_no:i", "hop:s", "newest_at:t", "behind_s:r"),
    ),
)
BY_NAME = {answer.name: answer for answer in ANSWERS}
