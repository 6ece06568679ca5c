"""Chains that end in the lake, and the calendar's; others that end in the warehouse are in tests/stack/test_demo.py."""

import datetime as dt

import pytest
from reconcile_stream import ENTITIES, STREAM, customer, foreign, refold

from commerce360.lake import Lake
from commerce360.reconcile.chains import Chains
from commerce360.settings import Calendar, Warehouse
from commerce360.settings import Lake as LakeSettings
from schemas import topics
from schemas.tables import DEAD_LETTERS, TABLES
from stream_jobs import calendar, calendar_log
from stream_jobs.batch import dead_letters
from stream_jobs.dimensions import CUSTOMERS
from stream_jobs.entity import Rejection
from stream_jobs.sales import SALES
from stream_jobs.silver import DOCUMENTS
from stream_jobs.values import timestamp
from warehouse import ddl
from warehouse.client import Client


@pytest.fixture
def lake(tmp_path):
    made = Lake(LakeSettings(root=str(tmp_path / "lake")))
    for table in TABLES:
        made.create(table)
    return made


def chains(lake, made):
    return Chains(lake, Client(Warehouse()), {"topic": made, "bronze": made})


def log(lake, rows, entity=CUSTOMERS):
    """The chain of an entity whose log in the lake is `rows`."""
    lake.append(entity.table, [{**row, "batch_id": 0} for row in rows], "q", 0)
    return chains(lake, refold(STREAM)).log(entity.table, lambda r: r.rows(entity))


@pytest.mark.parametrize("entity", ENTITIES)
def test_a_log_as_it_was_folded_is_equal_in_every_column(lake, entity):
    found = log(lake, refold(STREAM).rows(entity), entity)
    assert found.equal
    assert found.stages[-1].count > 1


@pytest.mark.parametrize("column", ["event_ts", "kafka_ts", "origin", "_ts", "_after", "_link"])
def test_lineage_and_working_columns_are_compared(lake, column):
    rows = refold(STREAM).rows(CUSTOMERS)
    forged = {"event_ts": timestamp(1), "kafka_ts": timestamp(1), "_ts": 1}.get(column, "forged")
    found = log(lake, [{**rows[0], column: forged}, *rows[1:]])
    assert [(d.stage, d.kind) for d in found.differences] == [("lake", "changed")]
    assert f"{column} " in found.differences[0].text()


def test_a_row_of_a_sale_that_no_view_shows_is_compared_too(lake):
    rows = refold(STREAM).rows(SALES)
    found = log(lake, [r for r in rows if r["line_no"]], SALES)
    assert [(d.key, d.kind) for d in found.differences] == [("o/0", "missing")]


def test_documents_have_logs(lake):
    made = refold(STREAM)
    reviews = DOCUMENTS[1]
    lake.append(reviews.table, [{**row, "batch_id": 0} for row in made.document_rows(reviews)], "q", 0)
    found = {t.table: t for t in chains(lake, made).logs()}
    assert found["silver.reviews"].equal
    assert found["silver.reviews"].stages[-1].count == 1
    assert found["gold.fct_sales"].kinds == {"missing": 2}  # the header and the line: this lake has none


FOREIGN, LOSER = foreign(topics.CUSTOMERS, 9), customer(7, "c", 30, "Aachen")
AGAIN = LOSER._replace(offset=8)
REJECTED, LOST, LOST_AGAIN = Rejection(FOREIGN, "null_key"), Rejection(LOSER, "seq_conflict"), Rejection(AGAIN, "seq_conflict")


def letters(lake, *rejections):
    lake.append(DEAD_LETTERS, dead_letters(list(rejections), 0), "q", 0)
    return chains(lake, refold([*STREAM, FOREIGN, LOSER, AGAIN])).dead_letters()


@pytest.mark.parametrize("rejections", [(REJECTED, LOST), (LOST_AGAIN, REJECTED, LOST)])
def test_a_repetition_of_a_loser_may_be_rejected_or_not(lake, rejections):
    found = letters(lake, *rejections)
    assert found.equal
    assert [s.count for s in found.stages] == [len(rejections)] * 3


@pytest.mark.parametrize(
    ("rejections", "kinds"),
    [
        ((REJECTED,), {"missing": 1}),
        ((LOST, LOST_AGAIN), {"missing": 1}),
        ((REJECTED, LOST, Rejection(STREAM[0], "bad_value")), {"unexpected": 1}),
        ((LOST, Rejection(FOREIGN, "undecodable")), {"missing": 1, "unexpected": 1}),
    ],
)
def test_a_letter_that_is_missing_or_of_another_reason_or_too_much_is_a_difference(lake, rejections, kinds):
    assert letters(lake, *rejections).kinds == kinds


def land(client, lake, table):
    """All rows of the lake's log, as the loader leaves them."""
    for row in lake.query(table, f"SELECT * FROM {table.entity}").to_pylist():
        names = ", ".join(c.name for c in table.fed_columns)
        client.query(
            f"INSERT INTO {ddl.landing(table)} ({names}) SELECT {', '.join(['%s'] * len(row))}", [row[c.name] for c in table.fed_columns]
        )


def test_the_calendar_is_compared_from_the_settings_to_the_warehouse(lake, migrated, monkeypatch):
    monkeypatch.setattr(calendar, "FIRST", dt.date(2026, 9, 30))
    monkeypatch.setattr(calendar, "LAST", dt.date(2026, 10, 3))
    settings = Calendar(fiscal_year_start=10, countries=("DE", "IT"))  # German Unity Day; Italy has none there
    calendar_log.keep(lake, settings, "q")
    with Client(migrated.warehouse) as client:
        client.query("INSERT INTO OPS.LAKE_BATCHES (BATCH_ID, RECORDS) SELECT 0, 1")
        made = Chains(lake, client, {})
        assert [t.kinds for t in made.calendar(settings)] == [{"missing": 4}, {"missing": 1}]
        for table in calendar.TABLES:
            land(client, lake, table)
        days, holidays = made.calendar(settings)
        assert days.equal
        assert holidays.equal
        assert ([s.count for s in days.stages], [s.count for s in holidays.stages]) == ([4] * 3, [1] * 3)
        other, none = made.calendar(Calendar(countries=()))
        assert {(d.stage, d.kind, d.key) for d in other.differences} == {
            ("gold", "changed", str(n)) for n in (20260930, 20261001, 20261002, 20261003)
        }
        assert [(d.stage, d.kind, d.key) for d in none.differences] == [("gold", "unexpected", "20261003/DE")]
        calendar_log.keep(lake, Calendar(fiscal_year_start=10, countries=()), "q")
        _, gone = made.calendar(Calendar(fiscal_year_start=10, countries=()))
        assert [(d.stage, d.kind) for d in gone.differences] == [("warehouse", "unexpected")], "the warehouse does not know yet"
