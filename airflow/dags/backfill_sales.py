"""
### Fill days of sales again

A run is a day of the shop (Europe/Berlin): its products, then its order lines. Make runs with

    airflow backfill create --dag-id backfill_sales --from-date 2026-11-01 --to-date 2026-11-07

A day that is right already stays as it is; a day that is still open is refused. `docs/airflow.md` has the rest.
"""

from __future__ import annotations

from airflow.sdk import DAG
from c360_days import SHOP_ZONE, SOURCES, days, tables_of_day

with DAG("backfill_sales", description="Fill days of fct_sales again", doc_md=__doc__, **days(SHOP_ZONE, SOURCES)):
    tables_of_day(["dim_product", "fct_sales"])
