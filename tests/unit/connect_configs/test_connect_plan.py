"""What a plan says of a change: every sentence is one that an operator would need before it happens."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connect_configs.files import configurations
from connect_configs.model import Config, Connector, Status, Task
from connect_configs.plans import plan as plans
from connect_configs.plans.changes import Change, Facts, LossNotAllowedError, Pending, Slot, check_losses

FILES = configurations()
OLTP, CLICKS = FILES["oltp-postgres"], FILES["web-clickstream"]
CUSTOMERS, PRODUCTS, ORDERS, ITEMS = (("sales", t) for t in ("customers", "products", "orders", "order_items"))
ROWS = {CUSTOMERS: 1_000_000, PRODUCTS: 200_000, ORDERS: 3_000, ITEMS: 0}
FACTS = Facts(
    rows=ROWS,
    was=(CUSTOMERS, PRODUCTS, ORDERS, ITEMS),
    published=frozenset(ROWS),
    slots={"c360_oltp": Slot(True, 3 * 2**20)},
    is_loaded=True,
    topics=("__debezium-heartbeat.oltp", "oltp.sales.customers", "oltp.sales.orders", "oltp.sales.products", "oltp.sales.order_items"),
)


def running(name: str, config: Config) -> Connector:
    return Connector(name, config, Status(name, "RUNNING", (Task(0, "RUNNING", "w:1"),)))


def update(facts: Facts = FACTS, base: Config = OLTP, **changes: str) -> Change:
    """The change of one connector whose settings (`__` for dots) become these; an empty text removes one."""
    wanted = {**base, **{k.replace("__", "."): v for k, v in changes.items()}}
    wanted = {k: v for k, v in wanted.items() if v}
    (change,) = plans.make({"c": wanted}, {"c": running("c", base)}, {"c": facts}).changes
    return change


def said(change: Change) -> str:
    return "\n".join(c.message for c in change.consequences)


def test_a_new_slot_costs_a_gap_a_load_and_wal() -> None:
    change = update(slot__name="c360_two")
    assert [(f.key, f.old, f.new) for f in change.fields] == [("slot.name", "c360_oltp", "c360_two")]
    assert "c360_two will be made, c360_oltp keeps WAL (3.0 MiB now) until it is dropped" in said(change)
    assert "incremental snapshot of 4 tables (about 1.2 M rows)" in said(change)
    assert change.losses == {"gap"}
    assert change.has("reset-offsets")
    assert change.has("load")


def test_a_new_slot_under_snapshot_initial_reads_everything() -> None:
    base = {**OLTP, "snapshot.mode": "initial"}
    change = update(base=base, slot__name="c360_two")
    assert "full snapshot of 4 tables (about 1.2 M rows)" in said(change)
    assert not change.has("load")


def test_an_added_table_needs_a_snapshot_that_is_named() -> None:
    base = {**OLTP, "table.include.list": "sales.customers,sales.products,sales.orders"}
    change = update(replace(FACTS, was=(CUSTOMERS, PRODUCTS, ORDERS)), base, table__include__list=OLTP["table.include.list"])
    assert "`c360 connect snapshot sales.order_items`" in said(change)
    assert not change.losses
    assert "lacks" not in said(change)


def test_an_added_table_outside_the_publication_is_said() -> None:
    facts = replace(FACTS, was=(CUSTOMERS, PRODUCTS, ORDERS), published=frozenset({CUSTOMERS, PRODUCTS, ORDERS}))
    base = {**OLTP, "table.include.list": "sales.customers,sales.products,sales.orders"}
    change = update(facts, base, table__include__list=OLTP["table.include.list"])
    assert "ALTER PUBLICATION dbz_publication ADD TABLE sales.order_items" in said(change)


def test_a_removed_table_loses_its_changes() -> None:
    facts = replace(FACTS, rows={CUSTOMERS: 1, PRODUCTS: 1, ORDERS: 1})
    change = update(facts, table__include__list="sales.customers,sales.products,sales.orders")
    assert "no longer captured: sales.order_items" in said(change)
    assert change.losses == {"table"}


def test_without_a_look_at_the_source_the_lists_decide() -> None:
    change = update(Facts("PostgreSQL is away"), table__include__list="sales.customers,sales.invoices")
    assert "added: sales.invoices" in said(change)
    assert "no longer captured: sales.order_items, sales.orders, sales.products" in said(change)


def test_a_poll_interval_only_restarts_the_task() -> None:
    change = update(poll__interval__ms="20")
    assert [c.kind for c in change.consequences] == ["task-restart"]
    assert not change.losses


def test_another_class_leaves_offsets_and_slot() -> None:
    (change,) = plans.make({"c": CLICKS}, {"c": running("c", OLTP)}, {"c": FACTS}).changes
    assert "PostgresConnector becomes MongoSourceConnector" in said(change)
    assert "slot c360_oltp keeps WAL" in said(change)
    assert change.losses == {"offsets"}


def test_a_renamed_connector_is_recognised_and_its_offsets_are_orphaned() -> None:
    made = plans.make({"new": OLTP}, {"old": running("old", OLTP)}, {"new": FACTS})
    new, old = made.changes
    assert (new.action, new.renamed_from, old.action) == ("create", "old", "unmanaged")
    assert "old renamed to new: its offsets stay with the old name (orphaned)" in said(new)
    assert "both want slot c360_oltp" in said(new)
    assert not new.has("load")


def test_a_renamed_mongo_connector_copies_again_or_loses() -> None:
    (new, _) = plans.make({"new": CLICKS}, {"old": running("old", CLICKS)}, {"new": Facts(documents=12_000)}).changes
    assert "copies about 12 k documents first" in said(new)
    latest = {**CLICKS, "startup.mode": "latest"}
    (new, _) = plans.make({"new": latest}, {"old": running("old", latest)}, {"new": Facts()}).changes
    assert new.losses == {"offsets"}


def test_a_key_converter_concerns_the_readers_of_its_topics() -> None:
    change = update(key__converter="org.apache.kafka.connect.json.JsonConverter")
    assert "key.converter changes: consumers of 4 topics (oltp.sales.customers, " in said(change)
    assert "the order of a key is lost" in said(change)


@pytest.mark.parametrize(
    ("changes", "kind", "loss"),
    [
        ({"topic__prefix": "shop"}, "new-topics", ""),
        ({"database__dbname": "other"}, "new-slot", "gap"),
        ({"decimal__handling__mode": "double"}, "record-form", ""),
        ({"heartbeat__interval__ms": ""}, "unsafe", ""),
        ({"snapshot__mode": "initial"}, "later", ""),
        ({"skipped__operations": "t"}, "operations", "records"),
        ({"slot__drop__on__stop": "true"}, "drops-slot", "gap"),
        ({"transforms": "flat"}, "record-form", ""),
        ({"errors__tolerance": "all"}, "skips-errors", "records"),
        ({"topic__creation__default__partitions": "6"}, "new-topics-only", ""),
        ({"publication__name": "other"}, "other-publication", ""),
    ],
)
def test_what_else_has_a_consequence(changes: dict[str, str], kind: str, loss: str) -> None:
    found = {c.kind: c.loss for c in update(**changes).consequences}
    assert found[kind] == loss


@pytest.mark.parametrize(
    ("changes", "kind", "loss"),
    [
        ({"collection": "carts"}, "other-stream", "gap"),
        ({"offset__partition__name": "another"}, "copy", "gap"),
        ({"publish__full__document__only": "true"}, "document-only", "records"),
        ({"topic__prefix": "shop"}, "new-topics", ""),
        ({"output__format__key": "json"}, "record-form", ""),
        ({"pipeline": "[]"}, "filter", "records"),
        ({"startup__mode": "latest"}, "later", ""),
        ({"heartbeat__interval__ms": "0"}, "unsafe", ""),
    ],
)
def test_what_a_change_of_a_mongo_connector_means(changes: dict[str, str], kind: str, loss: str) -> None:
    found = {c.kind: c.loss for c in update(Facts(documents=5), CLICKS, **changes).consequences}
    assert found[kind] == loss


def test_a_new_connector_is_loaded_once() -> None:
    fresh = replace(FACTS, slots={}, is_loaded=False)
    (change,) = plans.make({"c": OLTP}, {}, {"c": fresh}).changes
    assert change.has("load")
    assert "slot c360_oltp will be made" in said(change)
    again = replace(FACTS, slots={"c360_oltp": Slot(False, 2**20)}, is_loaded=True)
    (change,) = plans.make({"c": OLTP}, {}, {"c": again}).changes
    assert not change.has("load")
    assert "goes on from where slot c360_oltp stands" in said(change)
    lost = replace(FACTS, slots={}, is_loaded=True)  # the record of a load says nothing about a slot that is gone
    (change,) = plans.make({"c": OLTP}, {}, {"c": lost}).changes
    assert change.has("load")


def test_an_interrupted_load_is_work_though_nothing_differs() -> None:
    made = plans.make({"c": OLTP}, {"c": running("c", OLTP)}, {"c": Facts(rows=ROWS, pending=Pending())})
    assert [(c.action, c.has("load"), c.has("reset-offsets")) for c in made.work] == [("unchanged", True, False)]
    moving = plans.make({"c": OLTP}, {"c": running("c", OLTP)}, {"c": Facts(rows=ROWS, pending=Pending(reset=True))})
    assert [(c.has("load"), c.has("reset-offsets")) for c in moving.work] == [(True, True)]
    full = {**OLTP, "snapshot.mode": "initial"}  # reads its rows by itself
    assert not update(FACTS, full, slot__name="two").has("load")
    started = plans.make({"c": full}, {"c": running("c", full)}, {"c": Facts(rows=ROWS, pending=Pending(load=False))})
    assert [(c.has("load"), c.has("start")) for c in started.work] == [(False, True)]
    edited = update(replace(FACTS, pending=Pending(reset=True)), poll__interval__ms="20")
    assert (edited.has("load"), edited.has("reset-offsets")) == (True, True)
    assert not plans.make({"c": OLTP}, {"c": running("c", OLTP)}, {"c": Facts()}).work


def test_no_secret_is_in_a_plan() -> None:
    base = {**OLTP, "database.password": "hunter2-old"}
    mongo = {**CLICKS, "connection.uri": "mongodb://u:hunter3@h/"}
    made = plans.make(
        {"a": {**OLTP, "database.password": "hunter2-new"}, "b": {**mongo, "connection.uri": "mongodb://u:hunter4@h2/"}},
        {"a": running("a", base), "b": running("b", mongo)},
        {},
    )
    assert "hunter" not in str(made.as_json())
    assert [f.key for c in made.changes for f in c.fields] == ["database.password", "connection.uri"]


def test_unmanaged_connectors_stay_unless_pruned() -> None:
    deployed = {"c": running("c", OLTP), "x": running("x", {**OLTP, "slot.name": "x"})}
    made = plans.make({"c": OLTP}, deployed, {})
    assert [c.action for c in made.changes] == ["unchanged", "unmanaged"]
    assert not made.work
    (gone,) = plans.make({"c": OLTP}, deployed, {}, prune=True).work
    assert gone.action == "delete"
    assert {c.kind for c in gone.consequences} == {"offsets-stay", "slot-stays", "publication-stays", "topics-stay"}


def test_a_loss_must_be_named_to_be_allowed() -> None:
    made = plans.make({"c": {**OLTP, "slot.name": "two"}}, {"c": running("c", OLTP)}, {"c": FACTS})
    with pytest.raises(LossNotAllowedError, match=r"gap \(c\)") as raised:
        check_losses(made, ["table"])
    assert "--allow-data-loss gap" in raised.value.hint
    check_losses(made, ["gap"])


def test_what_is_not_known_is_not_called_harmless() -> None:
    change = update(flush__lsn__source="false", poll__interval__ms="20")
    assert [c.kind for c in change.consequences] == ["effect-unknown"]
    assert "flush.lsn.source" in said(change)
    assert "poll" not in said(change)
    assert "nothing lost" not in said(update(column__exclude__list="sales.customers.email"))
    assert update(event__processing__failure__handling__mode="skip").losses == {"records"}


def test_the_same_place_written_otherwise_is_no_other_place() -> None:
    plain = {**OLTP, "database.port": "", "slot.name": ""}
    plain = {k: v for k, v in plain.items() if v}
    assert [c.kind for c in update(FACTS, plain, database__port="5432").consequences] == ["task-restart"]
    assert [c.kind for c in update(FACTS, plain, slot__name="debezium").consequences] == ["task-restart"]
    written = {**OLTP, "database.hostname": "db"}
    assert not update(replace(FACTS, is_same_place=True), written, database__hostname="${env:HOST}").losses
    assert update(replace(FACTS, is_same_place=False), written, database__hostname="${env:HOST}").losses == {"gap"}
    mongo = {**CLICKS, "connection.uri": "mongodb://a:1,b:2/?x=1"}
    assert not update(Facts(), mongo, connection__uri="mongodb://u@a:1,b:2/?x=2").losses
    assert update(Facts(), mongo, connection__uri="mongodb://c:3/").losses == {"gap"}


def test_a_publication_without_a_table_and_fewer_operations_lose() -> None:
    facts = replace(FACTS, published=frozenset({CUSTOMERS, PRODUCTS, ORDERS}))
    change = update(facts, publication__name="half")
    assert change.losses == {"table"}
    assert "not sales.order_items" in said(change)
    assert not update(FACTS, {**OLTP, "skipped.operations": "c,u,d,t"}, skipped__operations="t").losses
    assert update(FACTS, {**OLTP, "skipped.operations": "t"}, skipped__operations="d").losses == {"records"}


def test_a_rename_that_changes_more_says_all_of_it() -> None:
    facts = replace(FACTS, rows={CUSTOMERS: 1}, is_same_place=True)
    wanted = {**OLTP, "topic.prefix": "shop", "table.include.list": "sales.customers"}
    (new, _) = plans.make({"new": wanted}, {"old": running("old", OLTP)}, {"new": facts}).changes
    assert new.renamed_from == "old"
    assert new.losses == {"table"}
    assert {"offsets-orphaned", "new-topics", "table-removed"} <= {c.kind for c in new.consequences}
    assert new.has("load")


def test_two_sinks_of_one_topic_are_two() -> None:
    sink = {"connector.class": "io.confluent.connect.jdbc.JdbcSinkConnector", "topics": "a", "connection.url": "jdbc:x://one"}
    made = plans.make({"two": {**sink, "connection.url": "jdbc:x://two"}}, {"one": running("one", sink)}, {})
    assert [(c.action, c.renamed_from) for c in made.changes] == [("create", ""), ("unmanaged", "")]


def test_a_short_class_name_is_the_same_class() -> None:
    change = update(FACTS, {**OLTP, "connector.class": "PostgresConnector"}, connector__class=OLTP["connector.class"])
    assert not change.losses


def test_rows_that_cannot_be_asked_for_from_here_are_left_to_the_operator() -> None:
    (change,) = plans.make({"c": OLTP}, {}, {"c": Facts("PostgreSQL is away")}).changes
    assert not change.has("load")
    assert "`c360 connect snapshot --all`" in said(change)


def test_a_publication_that_debezium_makes_is_no_failure() -> None:
    facts = replace(FACTS, published=None, slots={})
    (change,) = plans.make({"c": {**OLTP, "publication.autocreate.mode": "filtered"}}, {}, {"c": facts}).changes
    assert "will be made by Debezium (filtered)" in said(change)
    assert "will fail" not in said(change)
