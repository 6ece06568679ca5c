"""`c360 dead-letters` on a lake of this machine."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from commerce360.cli.main import app
from commerce360.errors import UnavailableError
from commerce360.lake import Lake
from commerce360.settings import Lake as LakeSettings
from schemas.tables import DEAD_LETTERS

T0 = dt.datetime(2026, 11, 1, 12, tzinfo=dt.UTC)


def letter(topic: str, offset: int, reason: str = "bad_magic") -> dict[str, Any]:
    known = {"topic": topic, "partition": 0, "offset": offset, "reason": reason, "detail": f"byte {offset}", "batch_id": 1}
    return {**known, "kafka_ts": T0 + dt.timedelta(seconds=offset), "key": None, "value": b"x"}


def ask(*args: str) -> str:
    done = CliRunner().invoke(app, ["dead-letters", *args], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("C360_LAKE__ROOT", str(tmp_path))
    return Lake(LakeSettings(root=str(tmp_path)))


def test_a_lake_without_the_table_is_said(lake: Lake) -> None:
    with pytest.raises(UnavailableError, match=r"no table bronze\.dead_letters"):
        ask()


def test_topics_and_reasons_with_the_newest_places(lake: Lake) -> None:
    lake.create(DEAD_LETTERS, 100)
    assert ask() == "no record was rejected\n"
    rows = [letter("web.shop.reviews", n) for n in range(5)]
    lake.append(DEAD_LETTERS, [*rows, letter("oltp.sales.orders", 9, "null_key")], "q", 1)
    lines = ask().splitlines()
    assert lines[0] == "oltp.sales.orders: 1 x null_key, the newest at 2026-11-01 12:00:09 UTC"
    assert lines[2] == "web.shop.reviews: 5 x bad_magic, the newest at 2026-11-01 12:00:04 UTC"
    assert lines[3:] == [f"    partition 0 offset {n}: byte {n}" for n in (4, 3, 2)]
    found = json.loads(ask("--topic", "oltp.sales.orders", "--json"))
    assert [(f["topic"], f["records"], f["places"][0]["offset"]) for f in found] == [("oltp.sales.orders", 1, 9)]
