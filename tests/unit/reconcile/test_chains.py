"""Chains that end in the lake; those that end in the warehouse are in tests/stack/test_demo.py."""

import pytest
from reconcile_stream import ENTITIES, STREAM, customer, foreign, refold

from commerce360.lake import Lake
from commerce360.reconcile.chains import Chains
from commerce360.settings import Lake as LakeSettings
from commerce360.settings import Warehouse
from schemas import topics
from schemas.tables import DEAD_LETTERS, TABLES
from stream_jobs.batch import dead_letters
from stream_jobs.dimensions import CUSTOMERS
from stream_jobs.entity import Rejection
from stream_jobs.sales import SALES
from stream_jobs.silver import DOCUMENTS
from stream_jobs.values import timestamp
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
