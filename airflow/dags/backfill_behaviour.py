"""
### Fill days of clicks and reviews again

A run is a day of the shop (Europe/Berlin): what was received of clicks and reviews, then the facts that follow from it. Make runs with

    airflow backfill create --dag-id backfill_behaviour --from-date 2026-11-01 --to-date 2026-11-07

A day that is right already stays as it is; a day that is still open is refused. `docs/airflow.md` has the rest.
"""

from __future__ import annotations

from airflow.sdk import DAG
from c360_days import SHOP_ZONE, SOURCES, days, tables_of_day

with DAG("backfill_behaviour", description="Fill days of clicks and reviews again", doc_md=__doc__, **days(SHOP_ZONE, SOURCES)):
    tables_of_day(["clickstream", "reviews", "fct_sessions", "fct_page_events", "fct_reviews"])
