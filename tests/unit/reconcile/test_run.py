import pytest
from reconcile_stream import ENTITIES, STREAM, customer, decode, record, refold

from commerce360.lake import Lake
from commerce360.reconcile import model, run
from commerce360.reconcile.compare import Stage, compare
from commerce360.reconcile.run import Result, bronze_records, expected_sales, folded, known_events, nothing_compared
from commerce360.settings import Lake as LakeSettings
from producers.ledger import LedgerView
from schemas import topics
from schemas.tables import RECORDS
from stream_jobs.sales import SALES
from stream_jobs.values import timestamp

LINE = {"line_no": 1, "product_id": 5, "quantity": 2, "unit_price": "9.99", "discount": "0.00"}


def event(name):
    return {
        "event_id": name, "order_id": f"order-{name}", "customer_id": 1, "event_ts": 1_772_366_400_000_000,
        "currency": "EUR", "campaign_id": None, "lines": [LINE],
    }  # fmt: skip


def test_an_order_that_kafka_has_though_it_was_not_acknowledged_counts_everywhere_and_one_that_it_has_not_nowhere():
    made = refold([record(topics.ORDER_EVENTS, n, event(name)) for n, name in enumerate(("acked", "unacked"))])
    ledger = LedgerView({name: event(name) for name in ("acked", "unacked", "unsent")}, {"acked": event("acked")})
    known = known_events(ledger, made)
    assert {e["event_id"] for e in known} == {"acked", "unacked"}
    expected = expected_sales({"orders": [], "order_items": []}, known, made)
    read = [Stage.of(name, rows, SALES.table.key, model.content_columns(SALES.table)) for name, rows in (
        ("sources", expected), ("topic", [r for r in made.rows(SALES) if r["line_no"]]))]  # fmt: skip
    assert compare("fct_sales", read, model.content_columns(SALES.table)).equal
    assert len(expected) == 2


def test_an_acknowledged_order_must_be_known_whatever_the_topic_says():
    known = known_events(LedgerView({"a": event("a")}, {"a": event("a")}), refold([]))
    assert [e["event_id"] for e in known] == ["a"]


def test_a_line_deleted_in_the_back_office_is_not_expected():
    sent = record(topics.ORDER_EVENTS, 0, {**event("e"), "lines": [LINE, {**LINE, "line_no": 2}]})
    image = {**dict.fromkeys(model.ORDER_ITEMS.columns), **LINE, "order_id": "order-e", "line_no": 2}
    source = {"sequence": '["8","9"]', "lsn": 9, "ts_us": 1, "snapshot": None}
    gone = record(
        topics.ORDER_ITEMS, 0, {"op": "d", "before": image, "after": None, "source": source}, {"order_id": "order-e", "line_no": 2}
    )
    made = refold([sent, gone])
    ledger = LedgerView({"e": made.events[0]}, {"e": made.events[0]})
    expected = expected_sales({"orders": [], "order_items": []}, known_events(ledger, made), made)
    assert [r["line_no"] for r in expected] == [1]


@pytest.fixture
def lake(tmp_path):
    made = Lake(LakeSettings(root=str(tmp_path / "lake")))
    made.create(RECORDS)
    return made


def keep(lake, records):
    """Rows of bronze, last first: files have no order."""
    rows = [
        {**r._asdict(), "kafka_ts": timestamp(r.timestamp_us), "headers": [{"key": k, "value": v} for k, v in r.headers] or None}
        for r in reversed(records)
    ]
    lake.append(RECORDS, [{**{k: v for k, v in row.items() if k != "timestamp_us"}, "batch_id": 0} for row in rows], "q", 0)


def test_bronze_is_measured_by_itself(lake):
    records = [found._replace(headers=(("h", b"1"), ("none", None))) for found in STREAM]
    keep(lake, records)
    topic, sent = folded("topic", records, decode)
    bronze, kept = folded("bronze", bronze_records(lake), decode)
    assert (kept.count, kept.hash) == (len(STREAM), sent.hash)
    for entity in ENTITIES:
        assert sorted(map(str, bronze.rows(entity))) == sorted(map(str, topic.rows(entity)))


def test_a_row_that_bronze_alone_has_wrong_shows_in_its_table(lake):
    keep(lake, [*STREAM[:2], customer(2, "u", 30, "Nowhere")])
    bronze, _ = folded("bronze", bronze_records(lake), decode)
    read = [Stage.of(n, r.current(model.CUSTOMERS), ("customer_id",), ("customer_id", "city")) for n, r in (
        ("topic", refold(STREAM[:3])), ("bronze", bronze))]  # fmt: skip
    [difference] = compare("customers", read, ("customer_id", "city")).differences
    assert (difference.stage, difference.kind, difference.detail) == ("bronze", "changed", "city 'Bonn' -> 'Nowhere'")


def test_a_record_that_is_twice_in_bronze_is_doubled(lake):
    keep(lake, [STREAM[0], STREAM[0]])
    _, kept = folded("bronze", bronze_records(lake), decode)
    assert (len(kept.digests), len(kept.extra)) == (1, 1)


def table(name, *counts):
    return compare(name, [Stage(str(n), {(k,): b"x" for k in range(count)}) for n, count in enumerate(counts)], ())


def test_an_idle_run_is_not_equal():
    idle = [table(name, 0, 0) for name in model.SOURCED] + [table("dim_date", 5844, 5844)]
    assert all(t.equal for t in idle)
    result = Result(idle, broken=nothing_compared(idle, 0, 0))
    assert not result.equal
    assert result.as_json()["broken_invariants"] == ["nothing was compared: neither a source nor a stage has a row"]


def test_orders_of_which_none_was_acknowledged_prove_nothing():
    alive = [table("orders", 3, 3)]
    assert nothing_compared(alive, 5, 0) == ["nothing was compared: of 5 orders that the shop meant to send, Kafka acknowledged none"]
    assert nothing_compared(alive, 5, 1) == []
    assert nothing_compared(alive, 0, 0) == []


def test_the_report_says_how_often_was_looked():
    assert Result().as_json()["looks"] == 1
    assert Result(looks=2).as_json()["looks"] == 2


def test_bronze_is_folded_for_itself_once_it_has_other_bytes_than_the_topics() -> None:
    topic, records = run.folded("topic", STREAM, decode)
    same, found = run.read_bronze(topic, records, lambda: reversed(STREAM), decode)
    assert found.equal
    assert same is topic
    changed = [STREAM[0]._replace(value=STREAM[1].value), *STREAM[1:]]
    for bronze, kinds in ((STREAM[1:], {"missing": 1}), ([*STREAM, STREAM[0]], {"doubled": 1}), (changed, {"changed": 1})):
        made, found = run.read_bronze(topic, records, lambda bronze=bronze: bronze, decode)  # type: ignore[misc]
        assert made is not topic
        assert found.kinds == kinds
