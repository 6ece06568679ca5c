from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from boards import NOW, batch_row, sale, second, shown, version

from bi.dashboard.board import Shown
from bi.dashboard.paths import Paths, history, order_path
from commerce360.lake import Lake
from commerce360.settings import Lake as LakeSettings
from schemas.tables import BATCHES, DIM_CUSTOMER, DIM_PRODUCT, FCT_SALES

BATCH = {7: batch_row(7, started=0.4, committed=1.2)}


def test_every_step_has_its_time_and_what_it_took_since_the_one_before() -> None:
    path = order_path([sale()], BATCH, shown((7, 1.8)), {}, [])
    assert [(s["id"], s["ms"]) for s in path["steps"]] == [
        ("placed", None),
        ("kafka", 20),
        ("taken", 380),
        ("gold", 800),
        ("warehouse", 600),
    ]
    assert path["steps"][0]["label"] == "Placed at the web shop"
    assert path["steps"][1]["detail"] == "shop.orders.events, partition 0, offset 9"
    assert path["steps"][4]["at"] == NOW + 1.8


def test_a_step_that_has_not_come_has_no_time() -> None:
    path = order_path([sale()], BATCH, Shown(), {}, [])
    assert (path["steps"][4]["at"], path["steps"][4]["ms"]) == (None, None)


def test_an_order_of_the_back_office_begins_in_postgresql() -> None:
    path = order_path([sale(source="oltp", origin="oltp.sales.orders/0/4")], BATCH, Shown(), {}, [])
    assert path["steps"][0]["label"] == "Committed in PostgreSQL"


def test_later_batches_change_the_order_and_are_told_one_by_one() -> None:
    log = [
        sale(line_no=1, sale_amount=Decimal("10.00")),
        sale(line_no=2, sale_amount=Decimal("5.00")),
        sale(line_no=1, batch_id=9, status="paid", event_ts=second(5), origin="oltp.sales.orders/0/77"),
        sale(line_no=2, batch_id=9, status="paid", event_ts=second(5), origin="oltp.sales.orders/0/77", sale_amount=Decimal("4.50")),
    ]
    path = order_path(log, {**BATCH, 9: batch_row(9, 5.5, 6)}, Shown(), {11: {"name": "Mug"}}, [])
    assert (path["status"], path["amount"]) == ("paid", "14.50")
    assert [(c["status"], c["topic"], c["at"], c["gold_at"]) for c in path["later"]] == [("paid", "oltp.sales.orders", NOW + 5, NOW + 6)]
    assert [(line["product"], line["sale_amount"]) for line in path["lines"]] == [("Mug", "10.00"), ("Mug", "4.50")]


@pytest.mark.parametrize(
    ("ordered", "then", "match"),
    [
        (-150, "first", "early"),
        (-100, "first", "exact"),
        (-50, "second", "exact"),  # a version begins with its first moment
        (-25, "second", "gap"),
        (0, "third", "exact"),
    ],
)
def test_the_version_in_force_at_the_order_is_marked(ordered: float, then: str, match: str) -> None:
    versions = [version("first", -120, -50), version("second", -50, -30, closed_by="delete"), version("third", -20)]
    found = history(versions, second(ordered))
    assert ([v["full_name"] for v in found["versions"] if v["then"]], found["match"]) == ([then], match)


def test_a_customer_known_from_facts_only_has_no_versions() -> None:
    assert history([], second(0)) == {"versions": [], "match": "inferred"}
    assert history([version("x", -1)], None)["match"] == "none"


def test_paths_are_read_from_the_lake_and_any_text_is_only_an_order_id(tmp_path: Path) -> None:
    settings = LakeSettings(root=str(tmp_path))
    lake = Lake(settings)
    for table in (BATCHES, DIM_CUSTOMER, DIM_PRODUCT, FCT_SALES):
        lake.create(table)
    lake.append(FCT_SALES, [sale(), sale(order_id="it's")], "q", 7)
    lake.append(BATCHES, [BATCH[7]], "q", 7)
    lake.append(DIM_CUSTOMER, [version("Old", -100, -50), version("Ines", -50, seq_pos=2)], "q", 7)
    paths = Paths(settings)

    found = paths.find("W-1-1", shown((7, 2)))
    assert found is not None
    assert found["lines"][0]["product"] == "product 11"
    assert [(v["full_name"], v["then"]) for v in found["versions"]] == [("Old", False), ("Ines", True)]
    assert paths.find("W-1-2", Shown()) is None
    assert paths.find("x' OR '1' = '1", Shown()) is None
    assert (paths.find("it's", Shown()) or {})["order_id"] == "it's"
