"""Order events of a running stack recorded, and replayed into it: new ones beside live traffic; as they were, which changes nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from local_ports import new_state
from rich.console import Console

from commerce360.lake import Lake
from commerce360.load import html
from commerce360.load.hops import HOPS
from commerce360.load.result import Environment, RunResult
from commerce360.load.run import LoadRun
from commerce360.load.scenario import FaultPlan, Scenario
from commerce360.local.stack import Stack
from commerce360.reconcile import topics
from commerce360.reconcile.drain import Drain
from commerce360.reconcile.run import Reconciler
from commerce360.steps import Steps
from producers import wire
from producers.latency import Latencies
from producers.ledger import Ledger
from producers.recording import Recording
from schemas.tables import BATCHES, FCT_SALES, RECORDS, TABLES
from schemas.topics import ORDER_EVENTS

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1200)]
SHOP = {"customers": 60, "products": 12, "past_orders": 100, "past_clicks": 100, "past_reviews": 10, "orders_per_s": 20.0}
ORDERS = 300
# What says that records were received grows with them; it is told apart from what they say.
SAYING = tuple(t for t in TABLES if t not in (RECORDS, BATCHES))
CODEC = wire.OrderCodec(wire.order_schema(), 0)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack.open(new_state(tmp_path_factory.mktemp("load") / "state"), shop=SHOP)
    try:
        stack.start(traffic=True)
        wait(lambda: len(Ledger.read(stack.state.root / "ledger").acked) >= ORDERS)
        yield stack
    finally:
        stack.stop()


@pytest.fixture(scope="module")
def file(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recorded") / "orders.rec"
    done = load(stack, "record", str(path), "--from-topic", "--last", str(ORDERS))
    assert f"{ORDERS} events over " in done
    return path


def wait(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 240
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return found


def load(stack: Stack, *args: str) -> str:
    command = [sys.executable, "-m", "commerce360.cli.main", "load", *args, "--state", str(stack.state.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def replay(stack: Stack, file: Path, result: Path, *args: str) -> dict[str, Any]:
    load(stack, "replay", str(file), "--json", str(result), *args)
    found: dict[str, Any] = json.loads(result.read_text())
    assert found["complete"]
    assert found["sent"] == found["acked"] == found["intended"]
    assert Latencies.decode(found["lateness_us"]).count == Latencies.decode(found["ack_us"]).count == found["sent"]
    return found


def received(stack: Stack) -> list[bytes]:
    """Values of the topic."""
    return [r.value or b"" for r in topics.read_all(stack.settings().kafka, [ORDER_EVENTS.name], timeout_s=20)]


def content(stack: Stack) -> dict[str, Counter[str]]:
    """Every row of every table of the lake, with its batch: not only what is visible."""
    lake = Lake(stack.settings().lake)
    rows = {t.name: lake.query(t, f"SELECT * FROM {t.entity}").to_pylist() for t in SAYING}
    return {name: Counter(repr(sorted(row.items())) for row in found) for name, found in rows.items()}


def test_recorded_events_are_those_of_the_topic_in_the_order_of_their_times(stack: Stack, file: Path) -> None:
    recording = Recording.open(file)
    found = {value[wire.HEADER_BYTES :] for value in received(stack)}
    values = [value[wire.HEADER_BYTES :] for block in recording.verify() for value in block.as_recorded(wire.head(0))[1]]
    assert len(values) == len(set(values)) == recording.count == ORDERS
    assert set(values) <= found
    times = [CODEC.decode(bytes(wire.HEADER_BYTES) + value)["event_ts"] for value in values]
    assert times == sorted(times)


def test_restamped_events_become_new_sales_beside_live_traffic(stack: Stack, file: Path, tmp_path: Path) -> None:
    before = len(Ledger.read(stack.state.root / "ledger").acked)
    found = replay(stack, file, tmp_path / "r.json", "--rate", "200", "--count", str(2 * ORDERS), "--processes", "2")
    assert found["sent"] == 2 * ORDERS
    mine = {i: e for i, e in Ledger.read(stack.state.root / "ledger").acked.items() if i.startswith(f"{found['tag']}-")}
    assert len(mine) == 2 * ORDERS
    assert all(0 <= e["event_ts"].timestamp() - found["started_at"] < 2 * ORDERS / 200 for e in mine.values())
    lake = Lake(stack.settings().lake)
    lines = sum(len(e["lines"]) for e in mine.values())
    wait(lambda: lake.newest(FCT_SALES, where=f"order_id LIKE '{found['tag']}-%' AND line_no > 0").num_rows == lines)
    assert len(Ledger.read(stack.state.root / "ledger").acked) > before + 2 * ORDERS  # the shop went on


def test_as_is_twice_leaves_every_table_as_it_was_and_all_stages_are_equal(stack: Stack, file: Path, tmp_path: Path) -> None:
    settings, lake = stack.settings(), Lake(stack.settings().lake)
    stack.stop_service("shop")
    Drain(settings).wait()
    before, events, known = content(stack), len(received(stack)), list(Ledger.values(settings.state / "ledger"))
    kept = lake.query(RECORDS, "SELECT count(*) AS n FROM records").to_pylist()[0]["n"]
    assert before[FCT_SALES.name]
    for turn in (1, 2):
        found = replay(stack, file, tmp_path / f"{turn}.json", "--as-is", "--rate", "max", "--processes", str(turn))
        assert found["sent"] == ORDERS
        Drain(settings).wait()
        assert len(received(stack)) == events + turn * ORDERS
        assert lake.query(RECORDS, "SELECT count(*) AS n FROM records").to_pylist()[0]["n"] == kept + turn * ORDERS
        after = content(stack)
        assert {name: sum((after[name] - before[name]).values()) for name in after} == dict.fromkeys(after, 0)
        assert after == before
    assert list(Ledger.values(settings.state / "ledger")) == known
    result = Reconciler(settings).run()
    assert [d.text() for t in result.tables for d in t.differences][:20] == []
    assert result.equal
    assert result.repeats >= 2 * ORDERS


def test_a_replay_of_events_that_the_shop_never_saw_is_entered_once(stack: Stack, tmp_path: Path) -> None:
    """The shop rests since the test before."""
    strange = tmp_path / "strange.rec"
    load(stack, "record", str(strange), "--generate", "40", "--rate", "100", "--customers", "60", "--products", "12", "--seed", "9")
    for name in "ab":
        assert replay(stack, strange, tmp_path / name, "--as-is")["sent"] == 40
    ledger = Counter(CODEC.decode(v)["event_id"] for v in Ledger.values(stack.state.root / "ledger"))
    assert {i: n for i, n in ledger.items() if i.startswith("G-9-")} == {f"G-9-{n}/placed": 1 for n in range(1, 41)}
    Drain(stack.settings()).wait()
    result = Reconciler(stack.settings()).run()
    assert [d.text() for t in result.tables for d in t.differences][:20] == []
    assert result.equal


def test_a_scenario_measures_every_event_up_to_the_warehouse_though_the_lake_job_is_killed(stack: Stack, tmp_path: Path) -> None:
    """The shop rests: what the scenario wants of it is not started, as it would be on a stack of its own."""
    scenario = Scenario(
        name="killed",
        profile="ramp:0-60:10s,soak:60:20s",
        warm_up_s=10,
        recorded=200,
        faults=(FaultPlan(service="lake", kind="kill", at_s=12),),
        thresholds={"throughput.min_share": 1, "unseen.warehouse": 0, "recovery_s": "<= 0 until gold.max_s <= 0.001"},
    )
    scenario.check()
    load = LoadRun(stack, Steps(Console(quiet=True)), Environment.here({}))
    load.record(scenario)
    run = load.measure(scenario, "the text of its file")
    assert vars(run.counters) == dict.fromkeys(vars(run.counters), 1500) | {"failed": 0}
    hops = {hop.name: hop for hop in run.hops}
    assert {name: (hop.count, hop.missing) for name, hop in hops.items()} == dict.fromkeys(HOPS, (1200, 0))
    medians = [hops[name].percentiles_ms()["p50"] for name in ("sent", "kafka", "gold", "warehouse")]
    assert medians == sorted(medians)
    assert hops["gold"].percentiles_ms()["max"] > 1000  # it was dead, and had to start
    assert run.reconciled is not None
    assert run.reconciled.equal
    assert [(f.name, f.until_s is not None) for f in run.faults] == [("killed lake", True)]
    assert {p.name for p in run.processes} >= {"lake", "kafka", "loader", "warehouse"}
    assert max(run.one_series("lag", "lake").values) > 0  # type: ignore[union-attr]
    passed = {o.name: o.passed for o in run.outcomes}
    assert passed == {"throughput.min_share": True, "unseen.warehouse": True, "recovery_s": False}
    run.write(tmp_path / "run.json")
    html.write(RunResult.read(tmp_path / "run.json"), tmp_path / "run.html")
    assert "killed lake" in (tmp_path / "run.html").read_text()
