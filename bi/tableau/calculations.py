"""Calculated fields and parameters of the data source. A rate is defined here once, over sums, so that it holds at every grain. Pure.

Where a file of bi/queries computes the same rate, a test compares the two on rows.
"""

from __future__ import annotations

from dataclasses import dataclass

from bi.tableau.fields import EURO, PERCENT, RATIO, WHOLE, Field
from schemas.shop import CURRENCY


@dataclass(frozen=True)
class Parameter:
    """A whole number that the reader of a dashboard sets."""

    name: str
    value: int
    least: int
    most: int
    comment: str


DAYS = Parameter("Days shown", 30, 1, 366, "How many days back the daily charts reach, today included.")
PARAMETERS = (DAYS,)

COUNTS = f'[CURRENCY (FCT_SALES)] = "{CURRENCY}" AND NOT (IFNULL([STATUS (FCT_SALES)], "") IN ("cancelled", "returned"))'


def _measure(name: str, formula: str, comment: str, default_format: str) -> Field:
    datatype = "integer" if default_format == WHOLE else "real"
    return Field(name, name, datatype, "measure", comment, formula=formula, default_format=default_format)  # type: ignore[arg-type]


CALCULATIONS = (
    _measure("Customers", "COUNTD([CUSTOMER_ID (MART_CUSTOMER_360)])", "How many customers.", WHOLE),
    _measure(
        "Kept revenue",
        f"SUM(IF {COUNTS} THEN [SALE_AMOUNT] END)",
        f"In {CURRENCY}; cancelled and returned lines are left out, and other currencies.",
        EURO,
    ),
    _measure(
        "Kept orders",
        f"COUNTD(IF {COUNTS} THEN [ORDER_ID (FCT_SALES)] END)",
        f"Orders with a line in {CURRENCY} that is neither cancelled nor returned.",
        WHOLE,
    ),
    _measure("Average order", "[Kept revenue] / [Kept orders]", "Kept revenue for each kept order.", EURO),
    _measure(
        "Return rate of orders",
        "SUM([RETURNED_ORDERS]) / SUM([ORDERS (MART_CUSTOMER_360)])",
        "Returned orders of those not cancelled, of the customers in view. As in bi/queries/tiers.sql.",
        PERCENT,
    ),
    _measure(
        "Conversion",
        "SUM([PAID]) / SUM([SESSIONS (MART_FUNNEL)])",
        "Visits with an order that is not cancelled. As in bi/queries/funnel_by_campaign_and_device.sql.",
        PERCENT,
    ),
    _measure(
        "Average rating of products",
        "SUM([RATING_SUM]) / SUM([RATED_REVIEWS])",
        "1 to 5, of the reviews with a rating. As in bi/queries/sentiment_by_day.sql.",
        RATIO,
    ),
    _measure(
        "Average sentiment of products",
        "SUM([SENTIMENT_SUM]) / SUM([SCORED_REVIEWS])",
        "-1 to 1, of the reviews that are scored. As in bi/queries/sentiment_by_day.sql.",
        RATIO,
    ),
    Field(
        "Is shown",
        "Is shown",
        "boolean",
        "dimension",
        "A day of the calendar that is among those that the parameter asks for.",
        formula=f"[DATE] <= TODAY() AND DATEDIFF('day', [DATE], TODAY()) < [Parameters].[{DAYS.name}]",
    ),
)
