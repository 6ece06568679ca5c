"""A warehouse for Tableau's tests: the views of `warehouse.ddl` on the local Snowflake's engine."""

import logging
from contextlib import contextmanager

from warehouse import ddl


@contextmanager
def opened_engine(folder):
    from commerce360.local.doubles.snowflake.engine import Engine, local_sql

    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    engine = Engine(folder)
    cursor = engine.snow.connect("COMMERCE360").cursor()
    for statement in ddl.statements("COMMERCE360"):
        cursor.execute(local_sql(statement))
    try:
        yield engine
    finally:
        engine.duck.close()


@contextmanager
def opened(folder):
    """A cursor of the connector in COMMERCE360."""
    with opened_engine(folder) as engine:
        yield engine.snow.connect("COMMERCE360").cursor()
