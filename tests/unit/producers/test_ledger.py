from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from commerce360.errors import C360Error
from producers.ledger import Intent, Ledger
from producers.wire import OrderCodec, order_schema

CODEC = OrderCodec(order_schema(), 7)


def value(number: int) -> bytes:
    line: dict[str, Any] = {"line_no": 1, "product_id": 5, "quantity": 2, "unit_price": "9.99", "discount": "0.00"}
    return CODEC.encode(
        {
            "event_id": f"e{number}",
            "order_id": f"o{number}",
            "customer_id": None,
            "event_ts": 1_700_000_000_000_000 + number,
            "currency": "EUR",
            "campaign_id": None,
            "lines": [line],
        }
    )


def open_ledger(folder: Path) -> Ledger:
    return Ledger.open(folder, order_schema())


def test_an_acknowledged_order_is_read_with_its_place_and_its_content(tmp_path: Path) -> None:
    with open_ledger(tmp_path) as ledger:
        first, _ = ledger.intend([value(1), value(2)])
        ledger.acknowledge(first, 2, 41)
    view = Ledger.read(tmp_path)
    assert set(view.intended) == {"e1", "e2"}
    assert set(view.acked) == {"e1"}
    entry = view.acked["e1"]
    assert (entry["order_id"], entry["partition"], entry["offset"]) == ("o1", 2, 41)
    assert entry["lines"][0]["unit_price"] == "9.99"
    assert view.intended["e2"]["offset"] is None


def test_a_restart_gets_the_unacknowledged_orders_with_the_same_bytes(tmp_path: Path) -> None:
    with open_ledger(tmp_path) as ledger:
        intents = ledger.intend([value(n) for n in range(5)])
        for intent in intents[1:4]:
            ledger.acknowledge(intent, 0, intent.seq)
    with open_ledger(tmp_path) as again:
        assert again.unacknowledged() == [(intents[0], "o0"), (intents[4], "o4")]
        again.acknowledge(intents[4], 1, 9)
    with open_ledger(tmp_path) as third:
        assert third.unacknowledged() == [(intents[0], "o0")]
    assert Ledger.read(tmp_path).acked["e4"]["partition"] == 1


def test_settled_runs_are_not_read_again_and_later_ones_are(tmp_path: Path) -> None:
    with open_ledger(tmp_path) as ledger:
        (intent,) = ledger.intend([value(1)])
        ledger.acknowledge(intent, 0, 0)
        ledger.settle(including_this_run=True)
    (tmp_path / "run-000001.ledger").write_bytes(b"not read\n")
    with open_ledger(tmp_path) as second:
        assert second.unacknowledged() == []
        (open_intent,) = second.intend([value(2)])
        second.settle(including_this_run=False)
    with open_ledger(tmp_path) as third:
        assert third.unacknowledged() == [(open_intent, "o2")]


def test_a_torn_end_costs_only_the_torn_frame(tmp_path: Path) -> None:
    with open_ledger(tmp_path) as ledger:
        intents = ledger.intend([value(1), value(2)])
        ledger.acknowledge(intents[0], 0, 5)
    path = tmp_path / "run-000001.ledger"
    data = path.read_bytes()
    seen = set()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        view = Ledger.read(tmp_path)
        seen.add((len(view.intended), len(view.acked)))
    assert seen == {(0, 0), (1, 0), (2, 0)}
    path.write_bytes(data)
    assert len(Ledger.read(tmp_path).acked) == 1


def test_a_flipped_bit_ends_the_reading_there(tmp_path: Path) -> None:
    with open_ledger(tmp_path) as ledger:
        ledger.intend([value(1), value(2)])
    path = tmp_path / "run-000001.ledger"
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(bytes(data))
    assert set(Ledger.read(tmp_path).intended) == {"e1"}


def test_an_ack_without_its_intent_is_told(tmp_path: Path) -> None:
    with open_ledger(tmp_path) as ledger:
        ledger.acknowledge(Intent(1, 99, b""), 0, 0)
    with pytest.raises(C360Error, match="never intended"):
        Ledger.read(tmp_path)


def _mint(folder: str, count: int) -> list[int]:
    runs = []
    for _ in range(count):
        with open_ledger(Path(folder)) as ledger:
            runs.append(ledger.run)
    return runs


def test_two_shops_never_get_the_same_run_number(tmp_path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(3) as pool:
        minted = [run for runs in pool.starmap(_mint, [(str(tmp_path), 15)] * 3) for run in runs]
    assert sorted(minted) == list(range(1, 46))


WRITER = """
import sys
from pathlib import Path
from producers.ledger import Ledger
from producers.wire import order_schema
value = bytes.fromhex(sys.argv[2])
with Ledger.open(Path(sys.argv[1]), order_schema()) as ledger:
    while True:
        (intent,) = ledger.intend([value])
        ledger.acknowledge(intent, 0, intent.seq)
        ledger.flush_acks()
        print(intent.seq, flush=True)
"""


def test_a_killed_process_loses_nothing_that_it_had_recorded(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", WRITER, str(tmp_path), value(1).hex()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(root)}, text=True) as writer:
        assert writer.stdout is not None
        last = 0
        for line in writer.stdout:
            last = int(line)
            if last >= 500:
                break
        writer.send_signal(signal.SIGKILL)
        last = max([last, *(int(line) for line in writer.stdout.read().splitlines() if line)])
    from producers.ledger import _read_file

    found = _read_file(tmp_path / "run-000001.ledger")
    assert found is not None
    assert [i.seq for i in found.intents][:last] == list(range(1, last + 1))
    assert [a.offset for a in found.acks][:last] == list(range(1, last + 1))


def test_a_run_that_lives_is_nobody_elses_to_send_nor_to_settle(tmp_path: Path) -> None:
    """A load test's ledger, and a shop that is started again beside it."""
    replay = open_ledger(tmp_path)
    early, _ = replay.intend([value(1), value(2)])
    replay.acknowledge(early, 0, 0)
    replay.flush_acks()
    with open_ledger(tmp_path) as shop:
        assert shop.unacknowledged() == []
        (late,) = replay.intend([value(3)])
        replay._file.close()  # killed, before the shop settles
        shop.settle(including_this_run=True)
    with open_ledger(tmp_path) as next_shop:
        assert [intent for intent, _ in next_shop.unacknowledged()] == [Intent(1, 2, value(2)), late]
        next_shop.settle(including_this_run=True)
    with open_ledger(tmp_path) as last:
        assert last.unacknowledged() == []


def test_all_values_are_told(tmp_path: Path) -> None:
    for numbers in ((1, 2), (3,)):
        with open_ledger(tmp_path) as ledger:
            ledger.intend([value(n) for n in numbers])
    assert list(Ledger.values(tmp_path)) == [value(n) for n in (1, 2, 3)]
