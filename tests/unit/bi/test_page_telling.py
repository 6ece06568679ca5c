"""What the page tells operators: who answers, connectors, slots, the last reconciliation."""

from __future__ import annotations

from pathlib import Path

from boards import NOW, board, shown, status
from boards import batch as made_batch

from bi.dashboard.board import Connectors, Files, Slot
from bi.dashboard.model import Model
from bi.dashboard.telling import told
from bi.dashboard.upstream import read_states
from commerce360 import metrics
from commerce360.telemetry import export


def test_connectors_and_their_tasks_are_read_from_connects_own_answer() -> None:
    task = {"id": 0, "state": "FAILED", "worker_id": "w", "trace": "x"}
    found = read_states({"pg": {"status": {"name": "pg", "connector": {"state": "RUNNING"}, "tasks": [task]}}, "going": {}})
    assert found == Connectors({"pg": "RUNNING"}, {"pg": {"0": "FAILED"}})


def test_all_that_the_page_knows_becomes_metrics(tmp_path: Path) -> None:
    report = {"equal": False, "lost": 2, "doubled": 0, "changed": 1, "broken_invariants": ["x"]}
    one = board(
        Files(status(lake={"restarts": 3, "ready": False}), report=report, report_at=NOW - 5),
        (made_batch(7, -2, -3),),
        {"oltp.sales.orders": {0: 5, 1: 2}, "web.shop.reviews": {0: 5}},
        ends={"oltp.sales.orders": {0: 5, 1: 2}, "web.shop.reviews": {0: 5, 1: -1001}},
        shown=shown((7, -1)),
        failures={"connect": "ConnectionError: no"},
        connectors=Connectors({"pg": "RUNNING"}, {"pg": {"0": "FAILED"}}),
        slots={"c360_oltp": Slot(False, "extended", 4096), "old": Slot(False, "lost", None)},
    )
    metrics.publish(tmp_path, "page", told(one, Model().tick(one, NOW), ["kafka", "connect"]))
    lines = export.text(lambda: export.of_state(tmp_path, 0.0)).decode().splitlines()
    for line in (
        'c360_source_up{source="kafka"} 1.0',
        'c360_source_up{source="connect"} 0.0',
        'c360_kafka_offsets_total{topic="oltp.sales.orders"} 7.0',
        'c360_page_order_delay_seconds{stage="lake"} 1.0',
        'c360_page_order_delay_seconds{stage="warehouse"} 2.0',
        'c360_connector_state{connector="pg",state="RUNNING"} 1.0',
        'c360_connector_task_state{connector="pg",state="FAILED",task="0"} 1.0',
        'c360_slot_lag_bytes{slot="c360_oltp"} 4096.0',
        'c360_slot_active{slot="c360_oltp"} 0.0',
        'c360_slot_wal_status{slot="old",status="lost"} 1.0',
        'c360_service_ready{service="lake"} 0.0',
        'c360_service_restarts_total{service="lake"} 3.0',
        'c360_service_memory_bytes{service="lake"} 1.048576e+07',
        'c360_reconcile_differences{kind="lost"} 2.0',
        'c360_reconcile_differences{kind="broken"} 1.0',
    ):
        assert line in lines, "\n".join(lines)
    assert not [line for line in lines if "web.shop.reviews" in line]  # Kafka did not say


def test_what_the_page_does_not_know_is_no_metric(tmp_path: Path) -> None:
    one = board(Files())
    metrics.publish(tmp_path, "page", told(one, Model().tick(one, NOW), []))
    text = export.text(lambda: export.of_state(tmp_path, 0.0)).decode()
    assert "c360_reconcile" not in text
    assert "c360_page_order_delay_seconds{" not in text
