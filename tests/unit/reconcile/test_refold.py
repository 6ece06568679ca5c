import json
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reconcile_stream import ENTITIES, STREAM, T0, customer, decode, document, foreign, order, record, refold, truncate

from commerce360.reconcile import model
from commerce360.reconcile.refold import Refold
from schemas import tables, topics
from schemas.roles import settings
from stream_jobs import dimensions
from stream_jobs.dimensions import Dimension
from stream_jobs.sales import SALES
from stream_jobs.scd2.roles import Roles
from stream_jobs.silver import DOCUMENTS


def content(made):
    rows = {e.table.name: sorted(json.dumps(r, default=str, sort_keys=True) for r in made.rows(e)) for e in ENTITIES}
    sources = (model.CUSTOMERS, model.ORDERS, model.ORDER_ITEMS, model.REVIEWS)
    return rows, {s.topic.name: sorted(json.dumps(r, default=str, sort_keys=True) for r in made.current(s)) for s in sources}


@given(st.permutations(range(len(STREAM))), st.lists(st.integers(0, len(STREAM) - 1), max_size=5))
def test_order_and_repetition_of_the_stream_do_not_matter(order_, repeated):
    assert content(refold([STREAM[n] for n in (*order_, *repeated)])) == content(refold(STREAM))


def test_the_last_image_of_a_row_is_what_its_source_holds():
    made = refold(STREAM)
    assert [r["city"] for r in made.current(model.CUSTOMERS)] == ["Bonn"]
    assert made.deleted(model.CUSTOMERS) == {(2,)}
    assert [r["status"] for r in made.current(model.ORDERS)] == ["paid"]
    assert [(r["review_id"], r["title"]) for r in made.current(model.REVIEWS)] == [("r", "better")]


def test_the_later_position_wins_and_not_the_later_arrival():
    for records in permutations([customer(0, "c", 10, "Rome"), customer(5, "d", 20, "Rome"), customer(1, "c", 30, "Oslo")]):
        assert [r["city"] for r in refold(records).current(model.CUSTOMERS)] == ["Oslo"]


def test_a_deleted_document_is_gone_and_one_that_was_gone_when_it_was_looked_up_is_not_invented():
    assert refold([*STREAM, document(2, "delete")]).current(model.REVIEWS) == []
    assert refold([document(0, "update")]).current(model.REVIEWS) == []
    before = refold([document(0, "insert", "good"), document(1, "update")])
    assert [r["title"] for r in before.current(model.REVIEWS)] == ["good"]  # until the delete comes


def rejected(made):
    must, _ = made.dead_letters()
    return {(letter.topic, letter.offset, letter.reason) for letter in must}


def test_what_cannot_be_used_is_counted_with_its_reason_and_a_tombstone_is_nothing():
    made = refold([*STREAM, record(topics.ORDERS, 9, "bad"), record(topics.CUSTOMERS, 9, None)])
    assert rejected(made) == {("oltp.sales.orders", 9, "undecodable")}
    assert content(made) == content(refold(STREAM))


@pytest.mark.parametrize("at", ["1969-12-31T23:59:59.999999Z", "2200-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00"])
def test_values_that_cannot_be_meant_are_counted_and_change_nothing(at):
    document = {"operationType": "insert", "documentKey": '{"_id": "r"}', "fullDocument": json.dumps({"title": "new", "reviewed_at": at})}
    made = refold([*STREAM, record(topics.REVIEWS, 8, document), order(9, "u", 900, "shipped", ordered_at=at)])
    assert rejected(made) == {("web.shop.reviews", 8, "bad_value"), ("oltp.sales.orders", 9, "bad_order")}
    assert content(made) == content(refold(STREAM))


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (truncate(topics.CUSTOMERS, 9), "truncate_refused"),
        (truncate(topics.ORDER_ITEMS, 9), "truncate_refused"),
        (foreign(topics.CUSTOMERS, 9), "null_key"),
        (foreign(topics.ORDERS, 9), "null_key"),
        (record(topics.CUSTOMERS, 9, {"operationType": "insert", "fullDocument": "{}"}), "undecodable"),
        (record(topics.ORDER_EVENTS, 9, {"op": "c"}), "undecodable"),
        (record(topics.REVIEWS, 9, {"operationType": "insert", "fullDocument": "{}"}), "undecodable"),
        (record(topics.REVIEWS, 9, {"operationType": "insert", "documentKey": '{"_id": "r"}', "fullDocument": "{"}), "undecodable"),
    ],
)
def test_what_the_lake_makes_a_dead_letter_of_is_one_here_and_says_nothing_of_any_row(found, reason):
    made = refold([*STREAM, found])
    assert rejected(made) == {(found.topic, 9, reason)}
    assert content(made) == content(refold(STREAM))


def test_a_delete_without_the_row_before_it_deletes_the_key():
    gone = customer(9, "d", 50, "Bonn")
    envelope = {**json.loads(gone.value), "before": None}
    made = refold([*STREAM, gone._replace(value=json.dumps(envelope).encode())])
    assert (made.current(model.CUSTOMERS), made.deleted(model.CUSTOMERS)) == ([], {(1,), (2,)})


def test_the_loser_of_a_conflict_is_a_dead_letter_once_and_its_repetitions_may_be():
    loser, winner = customer(7, "c", 30, "Aachen"), STREAM[2]
    again = loser._replace(offset=8)
    for records in permutations([loser, winner, again]):
        must, may = refold(records).dead_letters()
        assert {(x.offset, x.reason) for x in must} == {(7, "seq_conflict")}
        assert {(x.offset, x.reason) for x in may} == {(8, "seq_conflict")}


def test_a_row_names_the_first_of_the_records_that_say_the_same():
    for records in permutations([STREAM[2], STREAM[2]._replace(offset=7), customer(8, "u", 40, "Rome")]):
        rows = {r["seq_pos"]: r["origin"] for r in refold(records).rows(dimensions.CUSTOMERS)}
        assert rows == {30: "oltp.sales.customers/0/2", 40: "oltp.sales.customers/0/8"}


def test_a_sale_names_the_first_of_the_records_that_announced_it():
    line = {"line_no": 1, "product_id": 5, "quantity": 2, "unit_price": "9.99", "discount": "0.00"}
    event = {"event_id": "e", "order_id": "w", "customer_id": 1, "event_ts": T0, "currency": "EUR", "campaign_id": None, "lines": [line]}
    for offsets in permutations([3, 4]):
        made = refold([record(topics.ORDER_EVENTS, n, event) for n in offsets])
        assert {r["origin"] for r in made.rows(SALES)} == {"shop.orders.events/0/3"}
        assert len(made.events) == 2


def test_the_key_of_a_documents_record_is_not_read():
    made = refold([document(0, "insert", "good")._replace(key=b"garbage")])
    assert (rejected(made), [r["title"] for r in made.current(model.REVIEWS)]) == (set(), ["good"])


def test_rows_asked_for_in_between_do_not_hide_what_comes_later():
    made = refold(STREAM[:1])
    assert len(made.rows(dimensions.CUSTOMERS)) == 1
    made.add(STREAM[1])
    assert len(made.rows(dimensions.CUSTOMERS)) == 2


def test_a_document_row_has_the_place_of_its_newest_change_and_a_deleted_one_stays():
    clock = {"clusterTime": '{"$timestamp": {"t": 5, "i": 1}}'}
    newest = record(topics.REVIEWS, 0, {**json.loads(document(0, "insert", "good").value), **clock})
    [row] = refold([newest, document(1, "update", "copied late")]).document_rows(DOCUMENTS[1])
    assert (row["title"], row["seq"], row["origin"]) == ("good", (5 << 32) + 1, "web.shop.reviews/0/0")
    [row] = refold([document(0, "insert", "good"), document(1, "delete")]).document_rows(DOCUMENTS[1])
    assert (row["is_deleted"], row["title"], row["source_offset"]) == (True, None, 1)


def test_a_truncate_empties_the_source_and_closes_every_key_where_the_roles_say_so():
    roles = Roles.of({**settings("dim_customer"), "truncate": "close"})
    dimension = Dimension(tables.DIM_CUSTOMER, [topics.CUSTOMERS.name], roles)
    found = Refold(decode, (dimension,))
    source = {"sequence": '["19","20"]', "lsn": 20, "ts_us": T0 + 20, "snapshot": None}
    emptied = record(topics.CUSTOMERS, 9, {"op": "t", "before": None, "after": None, "source": source})
    for each in (customer(1, "c", 10, "Oslo"), emptied, customer(2, "c", 30, "Rome", customer_id=2)):
        found.add(each)
    assert [row["customer_id"] for row in found.current(model.CUSTOMERS)] == [2]
    assert found.deleted(model.CUSTOMERS) == {(1,)}
    assert {(r["customer_id"], r["closed_by"]) for r in found.rows(dimension) if r["is_visible"]} == {(1, "truncate"), (2, None)}
