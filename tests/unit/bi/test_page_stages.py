from __future__ import annotations

import pytest
from boards import NOW, batch, board, shown, status

from bi.dashboard.board import Files
from bi.dashboard.stages import Stages, lake_delay, lake_lag, pending, service_health, stage_health, warehouse_delay

ENDS = {"oltp.sales.orders": {0: 120}, "shop.orders.events": {0: 50, 1: 30}}


def test_a_stage_is_as_healthy_as_its_least_healthy_service_and_names_it() -> None:
    found = stage_health(board(Files(status(connect={"state": "restarting"}))), "kafka", NOW)
    assert (found["health"], found["health_text"]) == ("recovering", "connect starting again")
    assert found["services"] == {"kafka": "ok", "registry": "ok", "connect": "recovering"}


def test_a_shop_that_was_stopped_leaves_the_sources_healthy() -> None:
    assert stage_health(board(Files(status(shop={"state": "stopped"}))), "sources", NOW)["health"] == "ok"
    assert stage_health(board(Files(status(postgres={"state": "stopped"}))), "sources", NOW)["health"] == "idle"


def test_a_load_that_is_stalled_says_why_while_its_loader_says_so() -> None:
    told = {"at": NOW - 1, "verdict": "stalled", "reason": "RAW.FCT_SALES does not exist"}
    found = stage_health(board(Files(status(), loader=told)), "warehouse", NOW)
    assert (found["health"], found["health_text"]) == ("recovering", "the load is stalled: RAW.FCT_SALES does not exist")
    for other in ({**told, "at": NOW - 60}, {**told, "verdict": "loading"}):
        assert stage_health(board(Files(status(), loader=other)), "warehouse", NOW)["health"] == "ok"


@pytest.mark.parametrize(("restarts", "health"), [(0, "starting"), (2, "recovering")])
def test_only_a_service_that_had_died_is_recovering(restarts: int, health: str) -> None:
    assert service_health(board(Files(status(lake={"state": "starting", "restarts": restarts}))), "lake", NOW) == health


def test_without_a_supervisor_a_service_is_known_by_what_it_publishes() -> None:
    assert service_health(board(Files(lake={"at": NOW - 1})), "lake", NOW) == "ok"
    assert service_health(board(Files(lake={"at": NOW - 60})), "lake", NOW) == "unknown"
    assert service_health(board(Files()), "postgres", NOW) == "unknown"


def test_what_waits_for_the_lake_is_what_no_complete_batch_has_read() -> None:
    read = {"oltp.sales.orders": {0: 100}, "shop.orders.events": {0: 50}}
    assert lake_lag(board(ends=ENDS, batches=(batch(1, -1),), offsets=read)) == 20 + 0 + 30
    assert lake_lag(board(ends=ENDS)) == 200  # no batch yet: everything waits
    assert lake_lag(board(Files(status(), lake={"lag_total": 7}))) == 7  # Kafka does not answer: what the job said


def test_batches_beyond_the_last_one_shown_wait_for_the_warehouse() -> None:
    three = (batch(1, -3), batch(2, -2), batch(3, -1))
    assert pending(board(batches=three, shown=shown((1, -2)))) == 2
    assert pending(board()) is None


def test_the_lakes_delay_grows_while_records_wait_and_no_batch_comes() -> None:
    batches = (batch(1, committed=-8, ordered=-9.5),)
    assert lake_delay(board(batches=batches), NOW) == 1.5
    assert lake_delay(board(batches=batches, ends=ENDS), NOW) == 8.0
    assert lake_delay(board(), NOW) is None


def test_the_warehouses_delay_ends_when_a_query_showed_the_batch_and_grows_while_one_waits() -> None:
    batches = (batch(1, committed=-5, ordered=-6), batch(2, committed=-3, ordered=-4))
    assert warehouse_delay(board(batches=batches, shown=shown((2, -2.5))), NOW) == 1.5
    assert warehouse_delay(board(batches=batches, shown=shown((1, -4.5))), NOW) == 4.0
    assert warehouse_delay(board(batches=batches), NOW) == 6.0  # nothing was ever shown


def test_batches_between_two_notes_of_the_loader_became_queryable_with_the_later_one() -> None:
    noted = shown((3, -9), (6, -2))
    assert noted.queryable_at(5) == NOW - 2
    assert noted.queryable_at(3) == NOW - 9
    assert noted.queryable_at(7) is None


def test_rates_come_from_the_counters_and_stages_stay_in_order() -> None:
    stages = Stages()
    for second in range(5):
        shop = {
            "at": NOW,
            "orders_sent": 50 * second + 4,
            "orders_acked": 50 * second,
            "oltp_rows": 60 * second,
            "clicks": 40 * second,
            "reviews": 0,
        }
        found = stages.tick(board(Files(status(), shop=shop), ends={"web.shop.clickstream": {0: 40 * second}}), NOW + second)
    assert [s["id"] for s in found] == ["sources", "kafka", "lake", "warehouse"]
    assert (found[0]["rate"], found[0]["lag"]) == (150.0, 4)
    assert found[1]["rate"] == 40.0
