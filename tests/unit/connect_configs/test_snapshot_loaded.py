"""When the rows that were there before Debezium count as loaded. Offsets as Debezium 3.7 stores them."""

from __future__ import annotations

from typing import Any

import pytest

from connect_configs.snapshot import loaded

OPEN = {"lsn": 200, "incremental_snapshot_collections": "[...]", "incremental_snapshot_primary_key": "aced"}


@pytest.mark.parametrize(
    ("offsets", "expected"),
    [
        pytest.param([], False, id="nothing stored yet"),
        pytest.param([{"lsn": 99, "txId": 5}], False, id="before the request"),
        pytest.param([OPEN], False, id="tables left"),
        pytest.param([{"lsn": 100, "txId": 7}], True, id="at the request with none left"),
        pytest.param([{"lsn": 300, "txId": 7}], True, id="past the request"),
    ],
)
def test_loaded(offsets: list[dict[str, Any]], expected: bool) -> None:
    stored = [{"partition": {"server": "oltp"}, "offset": offset} for offset in offsets]
    assert loaded(stored, 100, "oltp") is expected
    former = [{"partition": {"server": "former"}, "offset": {"lsn": 5}}]
    assert loaded([*stored, *former], 100, "oltp") is expected
