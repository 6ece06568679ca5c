"""The dashboards: which sheets they have, and what each sheet shows. Pure data.

A number on a sheet is a column of the contract, a file of bi/queries, or a calculation of `calculations`, and is named by its field.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schemas.shop import CURRENCY

STAR = "star"  # the data source over the star; other sources are named by their file in bi/queries
Derivation = Literal["none", "sum", "avg", "usr", "tdy"]


@dataclass(frozen=True)
class Pill:
    """A field on a shelf. `usr`: a calculation that adds up by itself; `tdy`: day of a date, as an axis. A name alone is `none`."""

    field: str
    derivation: Derivation = "none"
    axis: bool = False  # continuous, though it is a dimension


@dataclass(frozen=True)
class Only:
    """Keeps rows whose field is one of `members`, or none of them."""

    field: str
    members: tuple[str | bool, ...]
    exclude: bool = False


@dataclass(frozen=True)
class Sheet:
    name: str
    source: str
    mark: Literal["Text", "Bar", "Line", "Square"]
    rows: tuple[Pill, ...] = ()
    cols: tuple[Pill, ...] = ()
    measures: tuple[Pill, ...] = ()  # side by side: names on rows, values on columns, or as a table's columns
    color: Pill | None = None
    text: Pill | None = None
    filters: tuple[Only, ...] = ()
    descending: tuple[Pill, Pill] | None = None  # a row's field, and the measure it is sorted by


@dataclass(frozen=True)
class Dashboard:
    """Sheets in rows from top to bottom; the number is the share of the height."""

    name: str
    about: str
    grid: tuple[tuple[int, tuple[str, ...]], ...]
    parameters: tuple[str, ...] = ()


def total(field: str) -> Pill:
    return Pill(field, "sum")


SHOWN = Only("Is shown", (True,))
COUNTED = (
    Only("CURRENCY (FCT_SALES)", (CURRENCY,)),
    Only("STATUS (FCT_SALES)", ("cancelled", "returned"), exclude=True),
)
LEAVING, FUNNEL, UNSOLD = "about_to_leave", "funnel_by_campaign_and_device", "views_that_do_not_sell"

SHEETS = (
    # Revenue now
    Sheet("Orders today", "sales_today", "Text", text=total("ORDERS_TODAY")),
    Sheet("Revenue today", "sales_today", "Text", text=total("REVENUE_TODAY")),
    Sheet("Net revenue by minute", "revenue_by_minute", "Line", (total("NET_EUR"),), (Pill("MINUTE", axis=True),)),
    Sheet("Orders by minute", "revenue_by_minute", "Bar", (total("ORDERS"),), (Pill("MINUTE", axis=True),)),
    Sheet("Kept revenue by day", STAR, "Line", (Pill("Kept revenue", "usr"),), (Pill("DATE", "tdy"),), filters=(SHOWN,)),
    Sheet(
        "Revenue by category",
        STAR,
        "Bar",
        (Pill("CATEGORY"),),
        (total("SALE_AMOUNT"),),
        filters=(SHOWN, *COUNTED),
        descending=(Pill("CATEGORY"), total("SALE_AMOUNT")),
    ),
    Sheet("Average order by channel", STAR, "Bar", (Pill("CHANNEL"),), (Pill("Average order", "usr"),), filters=(SHOWN,)),
    # Customer 360
    Sheet("Customers now", "customers", "Text", text=total("CUSTOMERS_CURRENT")),
    Sheet("Customers by risk", STAR, "Bar", (Pill("CHURN_RISK"),), (Pill("Customers", "usr"),), color=Pill("CHURN_RISK")),
    Sheet(
        "Recency and frequency",
        STAR,
        "Square",
        (Pill("RECENCY_SCORE"),),
        (Pill("FREQUENCY_SCORE"),),
        color=total("LIFETIME_VALUE"),
        text=Pill("Customers", "usr"),
    ),
    Sheet("Return rate by country", STAR, "Bar", (Pill("COUNTRY (MART_CUSTOMER_360)"),), (Pill("Return rate of orders", "usr"),)),
    Sheet(
        "Worth of a customer by tier",
        "tiers",
        "Bar",
        (Pill("TIER"),),
        (total("LIFETIME_VALUE_EACH_EUR"),),
        descending=(Pill("TIER"), total("LIFETIME_VALUE_EACH_EUR")),
    ),
    Sheet(
        "Who is about to leave",
        LEAVING,
        "Bar",
        (Pill("CUSTOMER_ID"), Pill("EMAIL_MASKED"), Pill("TIER"), Pill("CHURN_REASONS")),
        (total("LIFETIME_VALUE"),),
        color=Pill("CHURN_RISK"),
        descending=(Pill("CUSTOMER_ID"), total("LIFETIME_VALUE")),
    ),
    # Funnel
    Sheet("How far visits come", FUNNEL, "Bar", measures=tuple(map(total, ("SESSIONS", "VIEWED", "CARTED", "CHECKED_OUT", "PAID")))),
    Sheet(
        "Conversion by campaign and device",
        FUNNEL,
        "Square",
        (Pill("CAMPAIGN_ID"),),
        (Pill("DEVICE"),),
        color=total("CONVERSION"),
        text=total("CONVERSION"),
    ),
    Sheet("Conversion by day", STAR, "Line", (Pill("Conversion", "usr"),), (Pill("DATE", "tdy"),), filters=(SHOWN,)),
    Sheet(
        "Worth of campaigns, shared evenly",
        STAR,
        "Bar",
        (Pill("CAMPAIGN_ID (MART_ATTRIBUTION)"),),
        (total("LINEAR"),),
        filters=(
            SHOWN,
            Only("CURRENCY (MART_ATTRIBUTION)", (CURRENCY,)),
            Only("STATUS (MART_ATTRIBUTION)", ("cancelled", "returned"), exclude=True),
        ),
        descending=(Pill("CAMPAIGN_ID (MART_ATTRIBUTION)"), total("LINEAR")),
    ),
    # Product pulse
    Sheet("Views by day", STAR, "Line", (total("VIEWS (MART_PRODUCT_PULSE)"),), (Pill("DATE", "tdy"),), filters=(SHOWN,)),
    Sheet("Rating by day", STAR, "Line", (Pill("Average rating of products", "usr"),), (Pill("DATE", "tdy"),), filters=(SHOWN,)),
    Sheet("Sentiment by day", "sentiment_by_day", "Line", (total("AVERAGE_SENTIMENT"),), (Pill("DAY", "tdy"),)),
    Sheet(
        "Looked at, and not sold",
        UNSOLD,
        "Bar",
        (Pill("PRODUCT_ID"), Pill("NAME"), Pill("CATEGORY")),
        (total("VIEWING_VISITS"),),
        color=total("CARTS_PER_VIEWING_VISIT"),
        descending=(Pill("PRODUCT_ID"), total("VIEWING_VISITS")),
    ),
    # Freshness
    Sheet(
        "Behind now, in seconds", "freshness", "Bar", (Pill("STREAM"), Pill("HOP_NO"), Pill("HOP")), (total("BEHIND_S"),), color=Pill("HOP")
    ),
    Sheet("Newest on each hop", "freshness", "Text", (Pill("STREAM"),), (Pill("HOP_NO"), Pill("HOP")), text=Pill("NEWEST_AT", axis=True)),
)
BY_NAME = {sheet.name: sheet for sheet in SHEETS}

DASHBOARDS = (
    Dashboard(
        "Revenue now",
        "Orders and their worth, today and minute by minute. Days are the shop's, minutes are UTC.",
        (
            (20, ("Orders today", "Revenue today")),
            (40, ("Net revenue by minute", "Orders by minute")),
            (40, ("Kept revenue by day", "Revenue by category", "Average order by channel")),
        ),
        ("Days shown",),
    ),
    Dashboard(
        "Customer 360",
        "Who the customers are, what they are worth, and who is about to leave.",
        (
            (20, ("Customers now", "Customers by risk")),
            (35, ("Recency and frequency", "Worth of a customer by tier", "Return rate by country")),
            (45, ("Who is about to leave",)),
        ),
    ),
    Dashboard(
        "Funnel",
        "How far visits come, by campaign and device, and what the campaigns were worth.",
        (
            (50, ("How far visits come", "Conversion by campaign and device")),
            (50, ("Conversion by day", "Worth of campaigns, shared evenly")),
        ),
        ("Days shown",),
    ),
    Dashboard(
        "Product pulse",
        "What is looked at, how it is rated, and what does not sell.",
        (
            (50, ("Views by day", "Rating by day", "Sentiment by day")),
            (50, ("Looked at, and not sold",)),
        ),
        ("Days shown",),
    ),
    Dashboard(
        "Freshness",
        "Now, against the newest event on each hop, in UTC. A stream in which nothing happens grows old on its first two hops.",
        ((55, ("Behind now, in seconds",)), (45, ("Newest on each hop",))),
    ),
)
