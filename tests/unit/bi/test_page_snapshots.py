from __future__ import annotations

import json
import os
from pathlib import Path

from bi.dashboard.board import Board
from bi.dashboard.snapshots import Notes, Snapshots
from commerce360 import metrics


def note(batch_id: int, at: float) -> str:
    return json.dumps({"batch_id": batch_id, "queryable_at": at}) + "\n"


def test_notes_are_followed_and_half_a_line_waits_for_its_end(tmp_path: Path) -> None:
    file = tmp_path / "notes.jsonl"
    notes = Notes(file)
    assert notes.read().last == -1
    file.write_text(note(3, 10.0) + note(5, 12.0)[:9])
    assert notes.read().last == 3
    file.write_text(note(3, 10.0) + note(5, 12.0) + "not json\n" + note(6, 13.0))
    assert notes.read().batches == (3, 5, 6)
    assert notes.read().queryable_at(4) == 12.0


def test_a_file_of_another_run_is_read_from_its_start(tmp_path: Path) -> None:
    file = tmp_path / "notes.jsonl"
    notes = Notes(file)
    file.write_text(note(800, 10.0) + note(801, 11.0))
    assert notes.read().last == 801
    file.write_text(note(2, 50.0))
    assert notes.read().batches == (2,)


def test_what_an_earlier_run_left_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    report = tmp_path / "reports" / "last.json"
    report.write_text(json.dumps({"equal": True}))
    metrics.publish(tmp_path, "shop", {"orders_acked": 5})
    board = Board()
    Snapshots(tmp_path, board).poll()
    assert board.files.shop["orders_acked"] == 5
    assert board.files.report == {"equal": True}

    began = tmp_path / "run" / "supervisor.pid"
    began.write_text("1")
    later = report.stat().st_mtime + 100
    os.utime(began, (later, later))
    Snapshots(tmp_path, board).poll()
    assert (board.files.shop, board.files.report) == ({}, None)


def test_a_file_that_is_no_report_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "other.json").write_text('{"rows": 3}')
    board = Board()
    Snapshots(tmp_path, board).poll()
    assert board.files.report is None
