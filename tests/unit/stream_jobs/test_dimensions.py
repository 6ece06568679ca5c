from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import tables, topics
from schemas.roles import settings
from stream_jobs.dimensions import CUSTOMERS, PRODUCTS, Dimension
from stream_jobs.entity import Contribution, Record, RejectedError, Row
from stream_jobs.keyed import KeyedLog
from stream_jobs.scd2.roles import ConfigInvalidError, Roles
from stream_jobs.values import moment, money

T0 = 1_770_000_000_000_000


def customer(
    lsn: int, op: str = "u", ts: int | None = None, offset: int | None = None, key: Any = 7, link: Any = (), **values: Any
) -> list[Contribution]:
    """What a record of Debezium contributes; `ts` in microseconds after T0."""
    image = {"customer_id": key, "email": "a@example.org", "city": "Oslo", "points": lsn, "created_at": "2026-01-01T00:00:00Z", **values}
    source = {"sequence": f'["{lsn - 8}","{lsn}"]', "lsn": lsn, "ts_us": T0 + (lsn if ts is None else ts), "snapshot": "false"}
    envelope = {"op": op, "before": None, "after": None if op == "d" else image, "source": source}
    record = Record(topics.CUSTOMERS.name, 0, lsn if offset is None else offset, T0, b"k", b"v", link)
    return CUSTOMERS.read(record, {"customer_id": key}, envelope)


def folded(*contributions: list[Contribution], stored: list[Row] = ()) -> list[Row]:  # type: ignore[assignment]
    rows, _ = CUSTOMERS.fold((7,), stored, [c for found in contributions for c in found])
    return rows


def versions(rows: list[Row]) -> list[tuple[Any, ...]]:
    return [
        (r["city"], micros(r["valid_from"]), micros(r["valid_to"]), r["is_current"], r["closed_by"])
        for r in sorted(rows, key=lambda r: r["seq_pos"])
        if r["is_visible"]
    ]


def micros(at: dt.datetime | None) -> int | None:
    return None if at is None else round((at - dt.datetime.fromtimestamp(T0 / 1e6, dt.UTC)) / dt.timedelta(microseconds=1))


def test_a_change_of_a_tracked_column_begins_a_version_and_ends_the_one_before():
    assert versions(folded(customer(10, "c"), customer(20, city="Rome"))) == [
        ("Oslo", 10, 20, False, "change"),
        ("Rome", 20, None, True, None),
    ]


def test_a_late_change_splits_the_version_it_falls_into():
    rows = folded(customer(10, "c"), customer(30, city="Lima"))
    assert versions(folded(customer(20, city="Rome"), stored=rows)) == [
        ("Oslo", 10, 20, False, "change"),
        ("Rome", 20, 30, False, "change"),
        ("Lima", 30, None, True, None),
    ]


def test_points_move_within_a_version():
    [row] = [r for r in folded(customer(10, "c"), customer(20, points=99)) if r["is_visible"]]
    assert (row["points"], micros(row["valid_from"])) == (99, 10)


def test_a_delete_closes_and_a_return_begins_anew():
    rows = folded(customer(10, "c"), customer(20, "d"), customer(30, "c"))
    assert versions(rows) == [("Oslo", 10, 20, False, "delete"), ("Oslo", 30, None, True, None)]


def test_a_moved_key_says_where_to_and_where_from():
    away = folded(customer(10, "c"), customer(20, "d", link=(("__debezium.newkey", b"Struct{customer_id=8}"),)))
    assert [(r["closed_by"], r["moved_to"]) for r in away if r["is_visible"]] == [("move", "[8]")]
    [back] = folded(customer(20, "c", link=(("__debezium.oldkey", b'{"customer_id": 3}'),)))
    assert (back["moved_from"], back["moved_to"]) == ("[3]", None)


def test_a_value_that_was_never_sent_is_unresolved_and_not_invented():
    first = folded(customer(10, "c", city="__debezium_unavailable_value"))
    assert [(r["city"], r["unresolved"]) for r in first] == [(None, '["city"]')]
    then = folded(customer(20, city="Rome"), customer(30, city="__debezium_unavailable_value"), stored=first)
    assert [v[0] for v in versions(then)] == [None, "Rome"]


STEPS = [
    customer(10, "c"),
    customer(20),
    customer(30, city="Rome"),
    customer(40, "d"),
    customer(50, "c", city="Lima"),
    customer(60, city="Rome", ts=45),  # the source's clock stepped back
    customer(70, city="Rome", points=1, link=(("__debezium.oldkey", b'{"customer_id": 2}'),)),
    customer(70, city="Oslo", offset=71),  # another change that claims the same place
    customer(80, "d", link=(("__debezium.newkey", b'{"customer_id": 9}'),)),
]


def content(rows: Any) -> list[Row]:
    return sorted(({k: v for k, v in r.items() if k not in ("kafka_ts", "origin")} for r in rows), key=lambda r: r["seq_pos"])


@given(st.permutations(range(len(STEPS))), st.lists(st.integers(0, len(STEPS) - 1), max_size=6), st.lists(st.integers(1, 14), max_size=5))
def test_order_repetition_cuts_and_a_rebuild_from_stored_rows_do_not_matter(order: list[int], repeated: list[int], cuts: list[int]):
    table: dict[tuple[int, int], Row] = {}
    log = KeyedLog(CUSTOMERS, lambda: [((7,), row) for row in table.values()])
    sequence = [*order, *repeated]
    edges = [0, *sorted(min(c, len(sequence)) for c in cuts), len(sequence)]
    for low, high in pairwise(edges):
        outcome = log.apply([c for n in sequence[low:high] for c in STEPS[n]])
        table.update({(r["seq_pos"], r["seq_ord"]): r for r in outcome.rows})
        log.discard()  # the next batch starts from what was written, as after a crash
    assert content(table.values()) == content(folded(*STEPS))


def test_two_changes_of_one_place_are_a_conflict_named_once_by_the_loser():
    """The greater content wins, whichever comes first; the bytes of a loser that was stored before are in bronze only."""
    oslo, rome = customer(10, city="Oslo", offset=1), customer(10, city="Rome", offset=2)
    rows, rejections = CUSTOMERS.fold((7,), [], [*oslo, *rome, *oslo])
    assert [v[0] for v in versions(rows)] == ["Rome"]
    assert [(r.record.offset, r.reason, json.loads(r.detail)["seq"][0]) for r in rejections] == [(1, "seq_conflict", 10)]
    stored, _ = CUSTOMERS.fold((7,), [], oslo)
    rows, rejections = CUSTOMERS.fold((7,), stored, rome)
    assert [v[0] for v in versions(rows)] == ["Rome"]
    assert [(r.record.origin, r.reason) for r in rejections] == [("oltp.sales.customers/0/1", "seq_conflict")]
    assert CUSTOMERS.fold((7,), rows, rome)[1] == []


def test_a_repetition_at_another_offset_keeps_where_the_row_came_from():
    [first] = folded(customer(10, "c", offset=4))
    [again] = folded(customer(10, "c", offset=9), stored=[first])
    assert again == first


@pytest.mark.parametrize(
    "values",
    [
        {"points": "many"},
        {"points": True},
        {"points": 2**63},
        {"email": 5},
        {"marketing_consent": 1},
        {"last_login_at": "yesterday"},
        {"last_login_at": "2026-01-01T00:00:00"},  # of which zone?
        {"last_login_at": 17},
        {"key": "seven"},
    ],
)
def test_a_value_that_its_column_cannot_hold_is_rejected_before_it_is_stored(values: dict[str, Any]):
    with pytest.raises(RejectedError) as caught:
        customer(10, **values)
    assert caught.value.reason == "bad_value"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"op": "x"}, "unknown_op"),
        ({"op": "t"}, "truncate_refused"),
        ({"key": None}, "null_key"),
        ({"ts": -T0 - 1}, "bad_ts"),
        ({"customer_id": 8}, "key_mismatch"),
    ],
)
def test_what_the_rules_refuse_is_rejected_by_name(change: dict[str, Any], reason: str):
    with pytest.raises(RejectedError) as caught:
        customer(10, **{"op": "c", **change})
    assert caught.value.reason == reason


def test_a_new_column_becomes_one_of_the_table_with_the_type_of_its_first_value():
    dimension = CUSTOMERS.over(tables.DIM_CUSTOMER)
    extra = {"nickname": "ada", "score": 5, "ratio": 0.5, "vip": True, "tags": ["a"], "photo": b"x", "Shoe Size": None}
    image = {"customer_id": 7, "email": "a@example.org", **extra}
    source = {"sequence": '["1","2"]', "lsn": 10, "ts_us": T0, "snapshot": "false"}
    record = Record(topics.CUSTOMERS.name, 0, 1, T0, b"k", b"v")
    [row], _ = dimension.fold((7,), [], dimension.read(record, {"customer_id": 7}, {"op": "c", "after": image, "source": source}))
    added = {c.name: c.type for c in dimension.table.columns[len(tables.DIM_CUSTOMER.columns) :]}
    assert added == {"nickname": "string", "score": "bigint", "ratio": "double", "vip": "boolean", "tags": "string", "photo": "string"}
    assert [row[c] for c in added] == ["ada", 5, 0.5, True, '["a"]', "eA=="]
    assert CUSTOMERS.table is tables.DIM_CUSTOMER


def says_column(dimension: Dimension, lsn: int, **values: Any) -> list[Contribution]:
    image = {"customer_id": 7, **values}
    source = {"sequence": f'["{lsn - 8}","{lsn}"]', "lsn": lsn, "ts_us": T0 + lsn, "snapshot": "false"}
    record = Record(topics.CUSTOMERS.name, 0, lsn, T0, b"k", b"v")
    return dimension.read(record, {"customer_id": 7}, {"op": "u", "after": image, "source": source})


def test_a_value_of_another_type_goes_into_a_column_beside_also_after_a_restart():
    dimension = CUSTOMERS.extended(tables.DIM_CUSTOMER)
    said = [*says_column(dimension, 10, size=41, city="a"), *says_column(dimension, 20, size="41 1/2", city="b")]
    again = CUSTOMERS.extended(dimension.table)
    said += says_column(again, 30, size="43", city="c")
    rows, _ = again.fold((7,), [], said)
    assert [(r["size"], r["size_string"]) for r in sorted(rows, key=lambda r: r["seq_pos"])] == [(41, None), (None, "41 1/2"), (None, "43")]
    assert again.table == dimension.table


def test_columns_that_differ_in_case_only_lose_no_value():
    dimension = CUSTOMERS.extended(tables.DIM_CUSTOMER)
    [row], _ = dimension.fold((7,), [], says_column(dimension, 10, Size="x", size="y", CITY="z"))
    assert {c.name: row[c.name] for c in dimension.table.columns[len(tables.DIM_CUSTOMER.columns) :]} == {
        "Size": "x",
        "size_string": "y",
        "CITY_string": "z",
    }


@pytest.mark.parametrize(
    ("column", "name"), [("valid_from", "source_valid_from"), ("_after", "source__after"), ("Größe in cm", "Gr__e_in_cm")]
)
def test_a_new_column_never_takes_the_place_of_one_of_the_history(column: str, name: str):
    dimension = CUSTOMERS.over(tables.DIM_CUSTOMER)
    image = {"customer_id": 7, column: "x"}
    source = {"sequence": '["1","2"]', "lsn": 10, "ts_us": T0, "snapshot": "false"}
    record = Record(topics.CUSTOMERS.name, 0, 1, T0, b"k", b"v")
    [row], _ = dimension.fold((7,), [], dimension.read(record, {"customer_id": 7}, {"op": "c", "after": image, "source": source}))
    assert (row[name], row["valid_from"]) == ("x", dt.datetime.fromtimestamp(T0 / 1e6, dt.UTC))
    assert dimension.table.columns[-1].name == name


def test_a_tombstone_says_nothing():
    assert CUSTOMERS.read(Record(topics.CUSTOMERS.name, 0, 1, T0, b"k", None), {"customer_id": 7}, None) == []


def test_prices_are_exact():
    image = {"product_id": 1, "price": "19.90", "cost": None, "category": "toys", "active": True}
    envelope = {"op": "c", "after": image, "source": {"sequence": None, "lsn": 5, "ts_us": T0}}
    record = Record(topics.PRODUCTS.name, 0, 1, T0, b"k", b"v")
    rows, _ = PRODUCTS.fold((1,), [], PRODUCTS.read(record, {"product_id": 1}, envelope))
    assert [(r["price"], r["cost"]) for r in rows] == [(Decimal("19.90"), None)]


@pytest.mark.parametrize("text", ["1.005", "NaN", "sNaN", "Infinity", "1e11", "-1e11", "1e1000000", "10000000000", None, "twelve"])
def test_what_is_no_amount_is_refused(text: Any):
    with pytest.raises((ValueError, InvalidOperation)):  # what readers of records expect
        money(text)


def test_a_time_of_any_zone_is_the_same_instant():
    assert moment("2026-03-01T10:00:00+01:00") == moment("2026-03-01T09:00:00Z")


ROLES = settings("dim_customer")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"key": ["email"], "tracked": ["customer_id"]}, "the key must be customer_id"),
        ({"in_place": ["points"], "new_columns": "ignored"}, "no role for last_login_at"),
        ({"in_place": ["points", "last_login_at", "shoe_size"]}, "no column shoe_size"),
        ({"tracked": [*ROLES["tracked"], "valid_from"]}, "valid_from is a column of the history"),
        ({"tracked": [*ROLES["tracked"], "points"]}, "more than one role for points"),
        ({"delete": "forget"}, "delete must be one of"),
    ],
)
def test_roles_that_do_not_fit_the_table_are_config_invalid(changed: dict[str, Any], words: str):
    with pytest.raises(ConfigInvalidError, match=words):
        Dimension(tables.DIM_CUSTOMER, ["t"], Roles.of({**ROLES, **changed}))


def test_a_truncate_closes_every_key_also_one_that_comes_later():
    dimension = Dimension(tables.DIM_CUSTOMER, [topics.CUSTOMERS.name], Roles.of({**ROLES, "truncate": "close"}))

    def says(lsn: int, op: str, key: int | None) -> list[Contribution]:
        image = None if op == "t" else {"customer_id": key, "city": "Oslo"}
        source = {"sequence": f'["{lsn - 8}","{lsn}"]', "lsn": lsn, "ts_us": T0 + lsn, "snapshot": "false"}
        record = Record(topics.CUSTOMERS.name, 0, lsn, T0, b"k", b"v")
        return dimension.read(record, None if op == "t" else {"customer_id": key}, {"op": op, "after": image, "source": source})

    log = KeyedLog(dimension, lambda: ())
    log.apply([*says(10, "c", 1), *says(30, "c", 2), *says(10, "c", 3)])
    log.commit()
    closed = log.apply([*says(20, "t", None), *says(21, "u", 3)]).rows
    assert {(r["customer_id"], r["closed_by"]) for r in closed if r["is_visible"]} == {(1, "truncate"), (3, "truncate"), (3, None)}
    log.commit()
    assert log.apply(says(20, "t", None)).rows == []
    [late] = [r for r in log.apply(says(5, "c", 9)).rows if r["is_visible"]]
    assert (late["customer_id"], late["closed_by"], micros(late["valid_to"])) == (9, "truncate", 20)
