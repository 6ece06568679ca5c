"""
### Fill days of customers again

A run is a day of the shop (Europe/Berlin): the history of customers, then the customer 360. Make runs with

    airflow backfill create --dag-id backfill_customers --from-date 2026-11-01 --to-date 2026-11-07

A day that is right already stays as it is; a day that is still open is refused. `docs/airflow.md` has the rest.
"""

from __future__ import annotations

from airflow.sdk import DAG
from c360_days import SHOP_ZONE, SOURCES, days, tables_of_day

with DAG("backfill_customers", description="Fill days of dim_customer again", doc_md=__doc__, **days(SHOP_ZONE, SOURCES)):
    tables_of_day(["dim_customer", "mart_customer_360"])
