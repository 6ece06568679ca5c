"""The page goes on where its metrics cannot be told."""

from __future__ import annotations

from pathlib import Path

import pytest

from bi.dashboard.server import publish
from commerce360 import metrics


def test_a_state_folder_that_cannot_be_written_is_logged_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "state").write_text("a file where a folder should be")
    failed = publish(tmp_path / "state", {"failures": {}}, failed=False)
    assert failed
    assert publish(tmp_path / "state", {"failures": {}}, failed)
    assert "".join(capsys.readouterr()).count("metrics are not told") == 1
    assert not publish(tmp_path / "good", {"failures": {}}, failed)
    assert "failures" in metrics.read(tmp_path / "good", "page")
